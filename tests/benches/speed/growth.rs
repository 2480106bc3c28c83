//! How cost grows with the number of tokens: on a file by CPU, in DynamoDB by counted units.

use std::sync::atomic::AtomicUsize;

use serde_json::Value;
use tests::counted::Filling;
use tests::meter;

use super::ROUNDS;
use super::load::{Caller, Cost, Subject, measure, request};
use super::ours::{FILE, Ours, Server, authorization};
use super::table::{Bar, Row, Table, Unit};

/// Tokens of a user.
const PER_USER: usize = 100;
/// Tokens that checks take in turn, from all over the table.
const SAMPLE: usize = 1_000;
/// Connections that fill a table.
const FILLERS: usize = 8;
const CHECKS: usize = 10_000;
const CREATES: usize = 500;
const PAGES: usize = 200;
/// How much more the largest table may take than the smallest.
const GROWTH: Bar = Bar::AtMost(1.5);

/// Sizes of a table: each ten times the one before, up to what `LATCHKEY_TOKENS` says.
fn sizes(most: usize) -> Vec<usize> {
    std::iter::successors(Some(100_usize), |size| size.checked_mul(10)).take_while(|size| *size <= most).collect()
}

fn most(default: usize) -> usize {
    std::env::var("LATCHKEY_TOKENS").map_or(default, |text| text.parse().expect("a number of tokens"))
}

/// Checks, creates and pages of lists on a file.
pub(super) fn on_a_file(ours: &Ours, table: &mut Table) {
    let server = Server::start(ours);
    let mut secrets: Vec<String> = Vec::new();
    let mut before: Option<(usize, Vec<Cost>)> = None;
    // Those that measuring created.
    let (mut users, mut more) = (0, 0);
    for size in sizes(most(100_000)) {
        secrets.extend(fill(&server, users..size / PER_USER));
        users = size / PER_USER;
        #[expect(clippy::cast_precision_loss, reason = "bytes of one file")]
        let bytes = 1e6 * size_of_table(&server) / (size + more) as f64;
        table.add(Row::new(format!("file, {size} tokens"), "a token", Unit::Bytes, bytes));
        let taken: Vec<&String> = secrets.iter().step_by(secrets.len().div_ceil(SAMPLE)).collect();
        let costs = at(&server, users, size, &taken);
        let first = before.get_or_insert_with(|| (size, costs.clone()));
        for (number, (what, _)) in OPERATIONS.iter().enumerate() {
            let row = Row::new(format!("{what}, {size} tokens on a file"), "CPU", Unit::Seconds, costs[number].cpu);
            table.add(if size == first.0 {
                row
            } else {
                let row = row.beside(format!("the same, {} tokens", first.0), first.1[number].cpu);
                // A list of all users is as long as they are many.
                if number == LIST_OF_USERS { row } else { row.bar(GROWTH) }
            });
        }
        more += CREATES.div_ceil(5) + CREATES * ROUNDS;
        let peak = meter::peak_memory(server.process());
        table.add(Row::new(format!("server, {size} tokens"), "peak", Unit::Mebibytes, peak));
    }
}

/// What is asked, and how often in a round. Each page has 100 tokens.
const OPERATIONS: [(&str, usize); 5] = [
    ("check (/v1/me)", CHECKS),
    ("create", CREATES),
    ("a page of a user's 100", PAGES),
    ("a page of 100 of all", PAGES),
    ("list of all users", 3),
];
const LIST_OF_USERS: usize = 4;

/// MB of the file and its log.
fn size_of_table(server: &Server) -> f64 {
    let log = server.world.path(&format!("{FILE}-wal"));
    meter::size(&server.world.path(FILE)) + if log.exists() { meter::size(&log) } else { 0.0 }
}

fn at(server: &Server, users: usize, size: usize, secrets: &[&String]) -> Vec<Cost> {
    let user = format!("user-{:06}", users / 2);
    let checks: Vec<String> =
        secrets.iter().map(|secret| request("GET", "/v1/me", &[authorization(secret)], "")).collect();
    let pages =
        [format!("/v1/users/{user}/tokens?limit=100"), "/v1/tokens?limit=100".to_owned(), "/v1/users".to_owned()];
    let subjects: Vec<Subject<'_>> = OPERATIONS
        .iter()
        .enumerate()
        .map(|(number, (_, requests))| {
            let (checks, pages, user) = (&checks, &pages, &user);
            Subject {
                address: server.address(),
                process: server.process(),
                request: match number {
                    0 => Box::new(move |_, asked| checks[asked.wrapping_mul(7919) % checks.len()].clone()),
                    1 => Box::new(move |_, asked| server.create(user, &format!("more-{size}-{asked}"))),
                    page => Box::new(move |_, _| server.get(&pages[page - 2])),
                },
                wanted: if number == 1 { 201 } else { 200 },
                connections: 1,
                requests: *requests,
                asked: AtomicUsize::new(0),
            }
        })
        .collect();
    measure(&subjects.iter().collect::<Vec<_>>())
}

/// Creates users with their tokens, as their admin would: over HTTP, in the program that is measured. One secret a user.
fn fill(server: &Server, users: std::ops::Range<usize>) -> Vec<String> {
    let next = AtomicUsize::new(users.start);
    std::thread::scope(|scope| {
        let fillers: Vec<_> = (0..FILLERS)
            .map(|_| {
                scope.spawn(|| {
                    let (mut caller, mut secrets) = (Caller::of(&server.address()), Vec::new());
                    loop {
                        let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        if number >= users.end {
                            return secrets;
                        }
                        let user = format!("user-{number:06}");
                        assert_eq!(caller.ask(&server.put_user(&user, 1_000_000)), 200, "{}", caller.answer());
                        for token in 0..PER_USER {
                            let created = caller.ask(&server.create(&user, &format!("token-{token}")));
                            assert_eq!(created, 201, "{}", caller.answer());
                        }
                        let body: Value = serde_json::from_str(caller.body()).expect("JSON");
                        secrets.push(body["secret"].as_str().expect("a secret").to_owned());
                    }
                })
            })
            .collect();
        fillers.into_iter().flat_map(|filler| filler.join().expect("it fills")).collect()
    })
}

/// Units of a table in DynamoDB. What is counted is the same in every run, so once is enough.
pub(super) async fn in_dynamodb() {
    let mut filling = Filling::start().await;
    println!("\nunits of DynamoDB by the number of tokens in the table: requests, units read, units written");
    for size in sizes(most(10_000)) {
        filling.fill(size).await;
        for counted in filling.measure().await {
            let units = counted.units;
            let what = format!("{}, {size} tokens", counted.operation);
            println!("{what:<66} {:>8.2} {:>8.2} {:>8.2}", units.calls, units.read, units.written);
        }
    }
}
