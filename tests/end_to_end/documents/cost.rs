//! `cost.md`: what Latchkey costs on AWS, computed from counted units and prices that are assumed.

use latchkey::service::{Caller, UserChange};
use tests::counted::{Counted, Filling, Stored, Units};
use tests::lambda::{Endpoint, Function, events};
use tests::world::{name, new_token};

use super::reference::{hold_file, table};
use super::root;

/// What AWS asks for something, in US dollars.
struct Price {
    what: &'static str,
    dollars: f64,
    each: &'static str,
    page: &'static str,
}

const fn price(what: &'static str, dollars: f64, each: &'static str, page: &'static str) -> Price {
    Price { what, dollars, each, page }
}

const DYNAMODB: &str = "https://aws.amazon.com/dynamodb/pricing/on-demand/";
const LAMBDA: &str = "https://aws.amazon.com/lambda/pricing/";
const READ: Price = price("DynamoDB, on demand: reading", 0.125, "million read units", DYNAMODB);
const WRITE: Price = price("DynamoDB, on demand: writing", 0.625, "million write units", DYNAMODB);
const STORED: Price = price("DynamoDB: storage", 0.25, "GB and month", DYNAMODB);
const RECOVERY: Price = price("DynamoDB: point-in-time recovery", 0.20, "GB and month", DYNAMODB);
const CALL: Price = price("Lambda: calls", 0.20, "million", LAMBDA);
const TIME: Price = price("Lambda: time on arm64", 0.000_013_333_4, "GB-second", LAMBDA);
const REQUEST: Price = price("HTTP API: the first 300 million", 1.00, "million requests", GATEWAY);
const REQUEST_BEYOND: Price = price("HTTP API: beyond", 0.90, "million requests", GATEWAY);
const GATEWAY: &str = "https://aws.amazon.com/api-gateway/pricing/";
const LOG: Price = price("CloudWatch: logs", 0.50, "GB", "https://aws.amazon.com/cloudwatch/pricing/");
const PRICES: [&Price; 9] = [&READ, &WRITE, &STORED, &RECOVERY, &CALL, &TIME, &REQUEST, &REQUEST_BEYOND, &LOG];

/// CPU of one more request to a warm function, in milliseconds of a whole core, and where that was measured:
/// `LATCHKEY_FUNCTIONS=target/release cargo bench --workspace --bench cold_start`.
const AUTHORIZE: f64 = 0.38;
const INTROSPECT: f64 = 0.43;
const MEASURED: &str = "2026-11-28, x86-64, release build";
/// How long it waits for the table, in milliseconds: an assumption, as nobody has measured it here.
const WAIT: f64 = 4.0;
/// Memory of a function in MiB, as the template sets it; and with how much AWS gives a function a whole core.
const MEMORY: f64 = 128.0;
const MEMORY_OF_A_CORE: f64 = 1769.0;
/// Bytes of a function's line in the log, with what CloudWatch adds; and of the access log.
const LINE: u32 = 750;
const ACCESS: u32 = 300;
/// CPU of a check on an embedded server, in microseconds, as README says.
const EMBEDDED: f64 = 42.0;

const MONTH: f64 = 30.0 * 86_400.0;
const MILLION: f64 = 1e6;
/// Tokens that are in use all the time, and processes that keep answers for themselves, where there is a cache.
const BUSY: f64 = 1_000.0;
const PROCESSES: f64 = 2.0;
/// Seconds for which API Gateway, or a caller, keeps an answer.
const KEPT_BY_GATEWAY: f64 = 60.0;
const KEPT_BY_CALLER: f64 = 30.0;

/// Milliseconds that a call is billed for.
fn billed(cpu: f64) -> f64 {
    (cpu * MEMORY_OF_A_CORE / MEMORY + WAIT).ceil()
}

fn units(units: Units) -> f64 {
    (units.read * READ.dollars + units.written * WRITE.dollars) / MILLION
}

/// A function's call, with what it takes of the table and writes into the log.
fn call(cpu: f64, taken: Units, logged: u32) -> f64 {
    let time = MEMORY / 1024.0 * billed(cpu) / 1000.0 * TIME.dollars;
    units(taken) + CALL.dollars / MILLION + time + f64::from(logged) / 1e9 * LOG.dollars
}

fn requests(count: f64) -> f64 {
    (count.min(300.0 * MILLION) * REQUEST.dollars + (count - 300.0 * MILLION).max(0.0) * REQUEST_BEYOND.dollars)
        / MILLION
}

/// Dollars as people read them.
fn dollars(amount: f64) -> String {
    // A half is rounded up.
    let amount = amount + 1e-9;
    let text = if amount < 0.995 {
        format!("{amount:.2}")
    } else if amount < 99.5 {
        format!("{amount:.1}")
    } else {
        format!("{amount:.0}")
    };
    match text.len() {
        0..=3 => text,
        _ if text.contains('.') => text,
        length => format!("{},{}", &text[..length - 3], &text[length - 3..]),
    }
}

/// A count as people read it: `0.5`, `12`.
fn count(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn of(counted: &[Counted], operation: &str) -> Units {
    counted.iter().find(|one| one.operation == operation).unwrap_or_else(|| panic!("no `{operation}`")).units
}

fn prices() -> String {
    let rows = PRICES.map(|price| {
        let number = format!("{}", price.dollars);
        let number = if number.len() < 4 { format!("{:.2}", price.dollars) } else { number };
        [format!("[{}]({})", price.what, price.page), number, price.each.to_owned()]
    });
    table(["what", "US dollars", "for each"], rows)
}

fn figures() -> String {
    let rows = [
        (
            "memory of a function".to_owned(),
            format!("{MEMORY} MiB, so 1/{:.0} of a core", MEMORY_OF_A_CORE / MEMORY),
            "the template".to_owned(),
        ),
        (
            "CPU of a warm `authorize`".to_owned(),
            format!("{AUTHORIZE} ms of a whole core"),
            format!("bench `cold_start`, {MEASURED}"),
        ),
        (
            "CPU of a warm `introspect`".to_owned(),
            format!("{INTROSPECT} ms of a whole core"),
            format!("bench `cold_start`, {MEASURED}"),
        ),
        (
            "CPU of a check on a server".to_owned(),
            format!("{EMBEDDED} µs"),
            "README, bench `speed`, on a quiet machine".to_owned(),
        ),
        ("waiting for the table".to_owned(), format!("{WAIT} ms"), "a guess".to_owned()),
        (
            "billed for a call".to_owned(),
            format!("{} ms", billed(AUTHORIZE).max(billed(INTROSPECT))),
            "computed from these".to_owned(),
        ),
        (
            "a line of a function's log".to_owned(),
            format!("{LINE} bytes, with what CloudWatch adds"),
            "a test holds it".to_owned(),
        ),
        ("a line of the access log".to_owned(), format!("{ACCESS} bytes"), "an estimate".to_owned()),
        ("a month".to_owned(), format!("{} days", MONTH / 86_400.0), String::new()),
    ];
    table(["what", "how much", "from"], rows.map(|(what, much, from)| [what, much, from]))
}

fn operations(counted: &[Counted]) -> String {
    let rows = counted.iter().map(|one| {
        let Units { calls, read, written } = one.units;
        let million = dollars(MILLION * units(one.units));
        [one.operation.to_owned(), count(calls), count(read), count(written), million]
    });
    table(["operation", "requests", "read units", "write units", "table, a million of them"], rows)
}

/// A way to check, and what so many checks cost.
type Way<'a> = (&'a str, Box<dyn Fn(f64) -> f64 + 'a>);

fn checks(counted: &[Counted]) -> String {
    let (check, introspection) = (of(counted, "check"), of(counted, "introspection"));
    let kept_by_gateway = |checks: f64| checks.min(BUSY * MONTH / KEPT_BY_GATEWAY);
    let kept_by_caller = |checks: f64| checks.min(BUSY * PROCESSES * MONTH / KEPT_BY_CALLER);
    let authorize = move |checks: f64| checks * call(AUTHORIZE, check, LINE);
    let introspect = move |checks: f64| checks * call(INTROSPECT, introspection, LINE + ACCESS) + requests(checks);
    let ways: [Way<'_>; 5] = [
        ("`authorize`, before an API of your own", Box::new(authorize)),
        ("the same, API Gateway keeps answers for 60 s", Box::new(move |checks| authorize(kept_by_gateway(checks)))),
        ("`POST /v1/introspect`", Box::new(introspect)),
        ("the same, the caller keeps answers for 30 s", Box::new(move |checks| introspect(kept_by_caller(checks)))),
        ("the library in a process of your own, on the table", Box::new(move |checks| checks * units(check))),
    ];
    let rows = ways.iter().map(|(way, cost)| {
        let [one, hundred, billion] = [1.0, 100.0, 1_000.0].map(|millions| dollars(cost(millions * MILLION)));
        [(*way).to_owned(), one, hundred, billion]
    });
    let embedded = [1.0, 100.0, 1_000.0].map(|millions: f64| {
        let hours = millions * EMBEDDED / 3600.0;
        if hours < 1.0 { format!("{:.0} s of a core", hours * 3600.0) } else { format!("{hours:.1} h of a core") }
    });
    let [one, hundred, billion] = embedded;
    let own = [["`provision serve` on a file, on a machine of your own".to_owned(), one, hundred, billion]];
    table(["way to check", "1 million", "100 million", "1 billion"], rows.chain(own))
}

/// Rotations whose events are kept: one a month, for 400 days.
const ROTATIONS: f64 = 400.0 / 30.0;

fn tokens(counted: &[Counted], stored: Stored) -> String {
    let each = |operation: &str| MILLION * units(of(counted, operation));
    let rotation = each("rotation, a token") + each("retirement of the older version, a token");
    // Names are longer here and shorter there.
    let [token, events] = [stored.token, stored.rotation * ROTATIONS].map(|bytes| (bytes / 500.0).ceil() / 2.0);
    let gigabytes = (token + events) * 1000.0 * MILLION / 1e9;
    let rows = [
        (
            "storage".to_owned(),
            format!("{token} KB a token, {events} KB of its events in 400 days, indexes apart"),
            gigabytes * STORED.dollars,
        ),
        ("point-in-time recovery".to_owned(), "the same".to_owned(), gigabytes * RECOVERY.dollars),
        ("rotation of each, once a month".to_owned(), "from staging to retirement".to_owned(), rotation),
        (
            "uses".to_owned(),
            "each token in 10 minutes a day, in one process".to_owned(),
            300.0 * each("uses of a minute"),
        ),
        (
            "`plan` of all, once a day".to_owned(),
            "nothing to change".to_owned(),
            30.0 * each("`plan` without changes, a token"),
        ),
        ("once: the first `apply` of all".to_owned(), "one place each".to_owned(), each("first `apply`, a token")),
    ];
    table(["what", "how much", "US dollars"], rows.map(|(what, much, cost)| [what, much, dollars(cost)]))
}

#[tokio::test]
async fn what_it_costs_follows_from_counted_units_and_the_prices_that_are_named() {
    let mut filling = Filling::start().await;
    filling.fill(100).await;
    let few = filling.measure().await;
    filling.fill(1_000).await;
    let counted = filling.measure().await;
    assert_eq!(few, counted, "no operation takes more in a table with ten times as many tokens");
    let parts = [
        ("checks", checks(&counted)),
        ("tokens", tokens(&counted, filling.stored().await)),
        ("operations", operations(&counted)),
        ("prices", prices()),
        ("figures", figures()),
    ];
    hold_file(&root().join("docs/concepts/cost.md"), &parts);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_line_that_a_check_logs_is_as_long_as_the_costs_assume() {
    let endpoint = Endpoint::plain().await;
    let (service, admin) = (&endpoint.service, Caller::operator("admin"));
    let change = UserChange { roles: Some(Vec::new()), ..UserChange::default() };
    service.put_user(&admin, &name("ana"), &change).await.unwrap();
    let created = service.create(&admin, new_token("ana", "laptop")).await.unwrap();
    let function = Function::new("authorize", endpoint.table, &endpoint.url).start().await;
    function.invoke(&events::authorizer(&format!("Bearer {}", created.secret.expose()))).await.unwrap();
    let line = function.log(1).await[0].to_string();
    // CloudWatch adds 26 bytes to each.
    let (long, most) = (u32::try_from(line.len()).unwrap() + 26, LINE);
    assert!(long <= most && 10 * long >= 8 * most, "{long} bytes: {line}");
}

#[test]
fn a_check_on_a_server_costs_what_readme_says() {
    let readme = super::read(std::path::Path::new("README.md"));
    assert_eq!(readme.matches(&format!("{EMBEDDED} µs of CPU")).count(), 2, "README says something else");
}

#[test]
fn the_memory_of_a_function_is_the_one_that_the_costs_assume() {
    let template = tests::deployment::Template::read(&root().join("infra/template.yaml"));
    assert_eq!(template.part("Parameters")["MemorySize"]["Default"], MEMORY);
}
