//! What a check, a create and an apply cost, in one run and as ratios: `cargo bench -p tests --bench speed`. CPU is the
//! kernel's count of the server's or the command's own process, so that what else runs here changes little of it; the
//! median of three rounds. A ratio is to the server's refusal of a malformed secret: what HTTP costs without a read.

#![expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "a benchmark prints, and counts little")]

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use tests::provision::World;
use tests::remote::Served;

const ROUNDS: usize = 3;
/// Requests of a round; creates are a tenth.
const REQUESTS: usize = 20_000;
/// Tokens of the apply that is measured.
const TOKENS: usize = 1_000;

fn main() {
    let world = World::new();
    let secret = world.run("bootstrap --user root --service embedded:latchkey.db").exits(0).stdout.trim().to_owned();
    world.run("role set reader --permission documents:read --service embedded:latchkey.db").exits(0);
    for user in 0..16 {
        world
            .run(&format!("user set user-{user} --role reader --max-tokens 1000000 --service embedded:latchkey.db"))
            .exits(0);
    }
    let served = Served::start(&world, "latchkey.db");
    println!("{:<44} {:>10} {:>7} {:>12}", "", "CPU", "ratio", "p50");
    let me = |secret: &str| format!("GET /v1/me HTTP/1.1\r\nhost: latchkey\r\nauthorization: Bearer {secret}\r\n\r\n");
    let form = format!("token={secret}");
    let introspect = format!(
        "POST /v1/introspect HTTP/1.1\r\nhost: latchkey\r\nauthorization: Bearer {secret}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    );
    let refused = checks(&served, &me("lk_malformed"), 401);
    let floor = refused.cpu;
    print("refusal of a malformed secret (/v1/me)", &refused, floor);
    print("check (/v1/me)", &checks(&served, &me(&secret), 200), floor);
    print("check (/v1/introspect)", &checks(&served, &introspect, 200), floor);
    for connections in [1, 16] {
        let name =
            format!("create, {connections} connection{}", if connections == 1 { "" } else { "s, as many users" });
        print(&name, &creates(&served, &secret, connections), floor);
    }
    drop(served);
    applies();
}

/// What one request costs: the server's CPU in microseconds, the median time of a caller alone in milliseconds, and how
/// many a second.
struct Cost {
    cpu: f64,
    p50: f64,
    rate: f64,
}

fn print(name: &str, cost: &Cost, floor: f64) {
    let (micros, ratio, p50) = (format!("{:.1} us", cost.cpu), cost.cpu / floor, format!("{:.3} ms", cost.p50));
    println!("{name:<44} {micros:>10} {ratio:>7.2} {p50:>12} {:>9.0}/s", cost.rate);
}

/// One request over and over, by one connection that is kept.
fn checks(served: &Served, request: &str, wanted: u16) -> Cost {
    let mut caller = Caller::of(served);
    let mut round = |requests: usize| {
        let (before, begun) = (cpu(served.process()), Instant::now());
        let mut times: Vec<f64> = (0..requests)
            .map(|_| {
                let begun = Instant::now();
                assert_eq!(caller.ask(request), wanted);
                begun.elapsed().as_secs_f64()
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let took = begun.elapsed().as_secs_f64();
        let used = cpu(served.process()) - before;
        Cost { cpu: 1e6 * used / requests as f64, p50: 1e3 * times[requests / 2], rate: requests as f64 / took }
    };
    round(REQUESTS / 10);
    median((0..ROUNDS).map(|_| round(REQUESTS)).collect())
}

/// Creates for as many users as connections, side by side.
fn creates(served: &Served, secret: &str, connections: usize) -> Cost {
    let mut number = 0;
    let mut round = || {
        number += 1;
        let (each, before, begun) = (REQUESTS / 10 / connections, cpu(served.process()), Instant::now());
        let mut times: Vec<f64> = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..connections)
                .map(|user| scope.spawn(move || create(served, secret, user, each, &format!("{connections}-{number}"))))
                .collect();
            callers.into_iter().flat_map(|caller| caller.join().expect("a caller ends")).collect()
        });
        times.sort_by(f64::total_cmp);
        let took = begun.elapsed().as_secs_f64();
        let (used, all) = (cpu(served.process()) - before, times.len());
        Cost { cpu: 1e6 * used / all as f64, p50: 1e3 * times[all / 2], rate: all as f64 / took }
    };
    median((0..ROUNDS).map(|_| round()).collect())
}

fn create(served: &Served, secret: &str, user: usize, tokens: usize, round: &str) -> Vec<f64> {
    let mut caller = Caller::of(served);
    (0..tokens)
        .map(|token| {
            let body = format!("{{\"name\":\"token-{round}-{token}\"}}");
            let request = format!(
                "POST /v1/users/user-{user}/tokens HTTP/1.1\r\nhost: latchkey\r\nauthorization: Bearer {secret}\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let begun = Instant::now();
            assert_eq!(caller.ask(&request), 201);
            begun.elapsed().as_secs_f64()
        })
        .collect()
}

/// The first apply of many tokens to a `.env` file, and one that finds nothing to do.
fn applies() {
    let (mut first, mut unchanged) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let world = World::new();
        world.write("tokens.toml", &manifest());
        for (word, into) in [("apply -q", &mut first), ("apply -q", &mut unchanged)] {
            let (before, begun) = (children_cpu(), Instant::now());
            world.run(word).exits(0);
            let (took, used) = (begun.elapsed().as_secs_f64(), children_cpu() - before);
            into.push(Cost { cpu: 1e6 * used / TOKENS as f64, p50: 1e3 * took, rate: TOKENS as f64 / took });
        }
    }
    for (name, costs) in [("first apply", first), ("unchanged apply", unchanged)] {
        let cost = median(costs);
        let name = format!("{name} of {TOKENS} tokens to `.env`, a token");
        println!(
            "{name:<44} {:>10} {:>7} {:>9.2} s {:>9.0}/s",
            format!("{:.1} us", cost.cpu),
            "",
            cost.p50 / 1e3,
            cost.rate
        );
    }
}

fn manifest() -> String {
    let mut text = format!(
        "manifest = \"speed\"\n[service]\nembedded = \"latchkey.db\"\n[roles.reader]\npermissions = [\"documents:read\"]\n\
         [users.ci]\nkind = \"service\"\nroles = [\"reader\"]\nmax_tokens = {TOKENS}\n[sinks.env]\ntype = \"dotenv\"\npath = \".env\"\n"
    );
    for token in 0..TOKENS {
        writeln!(text, "[tokens.t{token}]\nuser = \"ci\"\npush = [{{ sink = \"env\", name = \"TOKEN_{token}\" }}]")
            .expect("text can be written");
    }
    text
}

fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by(|one, other| one.cpu.total_cmp(&other.cpu));
    costs.swap_remove(costs.len() / 2)
}

/// A connection that is kept, and as little as can be spent on it here.
struct Caller {
    stream: TcpStream,
    held: Vec<u8>,
}

impl Caller {
    fn of(served: &Served) -> Self {
        let stream = TcpStream::connect(served.url().trim_start_matches("http://")).expect("the server answers");
        stream.set_nodelay(true).expect("a socket takes that");
        Self { stream, held: Vec::new() }
    }

    /// Asks, and reads the whole answer; its status.
    fn ask(&mut self, request: &str) -> u16 {
        self.stream.write_all(request.as_bytes()).expect("the server reads");
        self.held.clear();
        let mut part = [0; 8192];
        loop {
            let read = self.stream.read(&mut part).expect("the server writes");
            assert!(read > 0, "the server closed the connection");
            self.held.extend_from_slice(&part[..read]);
            let text = std::str::from_utf8(&self.held).expect("answers are text");
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.and_then(|length| length.parse().ok()).expect("an answer has its length");
            if body.len() == length {
                return head[9..12].parse().expect("a status");
            }
        }
    }
}

/// Seconds of user and system time of a process, from the kernel's ticks of 10 ms.
fn cpu(process: u32) -> f64 {
    ticks(&format!("/proc/{process}/stat"), 11)
}

/// The same of all processes that this one has started and waited for.
fn children_cpu() -> f64 {
    ticks("/proc/self/stat", 13)
}

fn ticks(stat: &str, from: usize) -> f64 {
    let stat = std::fs::read_to_string(stat).unwrap_or_default();
    let after = stat.rsplit(") ").next().unwrap_or_default();
    let ticks: u64 = after.split(' ').skip(from).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}
