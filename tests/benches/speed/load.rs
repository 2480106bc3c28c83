//! Requests over kept connections, one after another on each, and what they take of a server's CPU. Servers take turns, so
//! that a busy moment of the machine meets all of them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tests::meter;

use super::{ROUNDS, median};

/// How a request is written, from the number of its connection and one of its own.
type Request<'a> = Box<dyn Fn(usize, usize) -> String + Sync + 'a>;

/// A server, and what it is asked.
pub(super) struct Subject<'a> {
    /// Where it listens: host and port.
    pub(super) address: String,
    /// Its process; those that it has started count too.
    pub(super) process: i32,
    pub(super) request: Request<'a>,
    pub(super) wanted: u16,
    pub(super) connections: usize,
    /// Requests of a round, over all connections.
    pub(super) requests: usize,
    /// How many were asked before.
    pub(super) asked: AtomicUsize,
}

/// Medians of all rounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// The server's CPU for a request, in seconds.
    pub(super) cpu: f64,
    /// The median time of a request as its caller sees it, in seconds.
    pub(super) p50: f64,
    /// Requests a second.
    pub(super) rate: f64,
}

/// What each of them takes.
pub(super) fn measure(subjects: &[&Subject<'_>]) -> Vec<Cost> {
    for subject in subjects {
        round(subject, subject.requests.div_ceil(5));
    }
    let mut rounds: Vec<Vec<Cost>> = subjects.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for (subject, costs) in subjects.iter().zip(&mut rounds) {
            costs.push(round(subject, subject.requests));
        }
    }
    let of = |costs: &[Cost], field: fn(&Cost) -> f64| median(costs.iter().map(field).collect());
    let medians = rounds.iter().map(|costs| Cost {
        cpu: of(costs, |cost| cost.cpu),
        p50: of(costs, |cost| cost.p50),
        rate: of(costs, |cost| cost.rate),
    });
    medians.collect()
}

#[expect(clippy::cast_precision_loss, reason = "requests of one round")]
fn round(subject: &Subject<'_>, requests: usize) -> Cost {
    let each = requests.div_ceil(subject.connections);
    let (before, begun) = (meter::cpu_of_tree(subject.process), Instant::now());
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let callers: Vec<_> =
            (0..subject.connections).map(|connection| scope.spawn(move || ask(subject, connection, each))).collect();
        callers.into_iter().flat_map(|caller| caller.join().expect("a caller ends")).collect()
    });
    let took = begun.elapsed().as_secs_f64();
    let used = meter::cpu_of_tree(subject.process).saturating_sub(before).as_secs_f64();
    let all = times.len() as f64;
    let middle = times.len() / 2;
    let (_, p50, _) = times.select_nth_unstable(middle);
    Cost { cpu: used / all, p50: p50.as_secs_f64(), rate: all / took }
}

fn ask(subject: &Subject<'_>, connection: usize, requests: usize) -> Vec<Duration> {
    let mut caller = Caller::of(&subject.address);
    let times = (0..requests).map(|_| {
        let request = (subject.request)(connection, subject.asked.fetch_add(1, Ordering::Relaxed));
        let begun = Instant::now();
        let status = caller.ask(&request);
        let took = begun.elapsed();
        assert_eq!(status, subject.wanted, "{}", caller.answer());
        took
    });
    times.collect()
}

/// A request in HTTP/1.1, to a connection that is kept.
pub(super) fn request(method: &str, path: &str, headers: &[impl AsRef<str>], body: &str) -> String {
    let headers = headers.iter().fold(String::new(), |all, header| all + header.as_ref() + "\r\n");
    let length = if method == "GET" { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{headers}{length}\r\n{body}")
}

/// A connection that is kept, and as little as can be spent on it here.
pub(super) struct Caller {
    stream: TcpStream,
    held: Vec<u8>,
}

impl Caller {
    pub(super) fn of(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the server answers");
        stream.set_nodelay(true).expect("a socket takes that");
        Self { stream, held: Vec::new() }
    }

    /// Asks, and reads the whole answer; its status.
    pub(super) fn ask(&mut self, request: &str) -> u16 {
        self.stream.write_all(request.as_bytes()).expect("the server reads");
        self.held.clear();
        let (mut part, mut whole) = ([0; 16384], None);
        loop {
            let read = self.stream.read(&mut part).expect("the server writes");
            assert!(read > 0, "the server closed the connection");
            self.held.extend_from_slice(&part[..read]);
            whole = whole.or_else(|| length(&self.held));
            if whole.is_some_and(|whole| self.held.len() == whole) {
                return self.answer()[9..12].parse().expect("a status");
            }
        }
    }

    /// The last answer, head and body.
    pub(super) fn answer(&self) -> &str {
        std::str::from_utf8(&self.held).expect("answers are text")
    }

    /// The body of the last answer.
    pub(super) fn body(&self) -> &str {
        self.answer().split_once("\r\n\r\n").expect("a head and a body").1
    }
}

/// How long an answer will be, once its head is there.
fn length(held: &[u8]) -> Option<usize> {
    let head = held.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&held[..head]).expect("a head is text");
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Some(head + 4 + length.expect("an answer has its length"))
}
