//! Clients that no server asks for: one on a bad line, and one that wants it to fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use latchkey::entropy::SystemEntropy;
use latchkey::secret::{Prefix, Secret, TokenId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::dice;

/// What they have done so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Requests that came slowly and were answered rightly.
    pub(super) slow: AtomicU64,
    /// Attacks that were refused.
    pub(super) hostile: AtomicU64,
}

async fn connect(url: &str) -> TcpStream {
    TcpStream::connect(url.trim_start_matches("http://")).await.expect("the server listens")
}

/// How long a server may take to be done with whoever misbehaves: longer than it waits for anything.
const WITHIN: Duration = Duration::from_mins(2);

/// The status of the first answer on a connection, if there is one before it ends.
async fn status(connection: &mut TcpStream) -> Option<u16> {
    let mut answer = Vec::new();
    let read = connection.read_to_end(&mut answer);
    // An end with an error is one, too: the server has dropped what was left.
    let _ = tokio::time::timeout(WITHIN, read).await.expect("the server lets nobody wait for ever");
    let line = String::from_utf8_lossy(&answer);
    line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

/// Asks with a few bytes at a time, and reads the answer in the same way.
pub(super) async fn slow(tally: Arc<Tally>, url: String, secret: String, until: Instant) {
    let body = format!("{{\"token\":\"{secret}\"}}");
    let request = format!(
        "POST /v1/introspect HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {secret}\r\n\
         content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut beat = tokio::time::interval(Duration::from_millis(200));
    while Instant::now() < until {
        let mut connection = connect(&url).await;
        for piece in request.as_bytes().chunks(24) {
            beat.tick().await;
            connection.write_all(piece).await.unwrap();
        }
        let (mut answer, mut piece) = (Vec::new(), [0_u8; 64]);
        loop {
            beat.tick().await;
            match connection.read(&mut piece).await.unwrap() {
                0 => break,
                length => answer.extend_from_slice(&piece[..length]),
            }
        }
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"active\":true"), "{answer}");
        tally.slow.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sends what should not be sent, again and again. Nothing of it is ever answered with a success, nor with an error of the
/// server's.
pub(super) async fn hostile(tally: Arc<Tally>, url: String, until: Instant) {
    let prefix: Prefix = "lk".parse().unwrap();
    let mut round = 0_usize;
    while Instant::now() < until {
        round += 1;
        let unknown = Secret::mint(&prefix, &TokenId::mint(&SystemEntropy).unwrap(), &SystemEntropy).unwrap();
        let unknown = unknown.expose();
        let head = |line: &str, more: &str| {
            format!("{line} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {unknown}\r\nconnection: close\r\n{more}\r\n")
        };
        let noise: Vec<u8> = (0..2_000).map(|_| u8::try_from(dice(256)).unwrap()).collect();
        let json = |body: &str| {
            let more = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
            head("POST /v1/introspect", &more) + body
        };
        let attack: Vec<u8> = match round % 12 {
            0 => noise,
            1 => head("GET /v1/me", "").into_bytes(),
            2 => head("GET /v1/me", &format!("x: {}\r\n", "x".repeat(100_000))).into_bytes(),
            3 => head("GET /v1/users/..%2f..%2fsettings", "").into_bytes(),
            4 => head(&format!("GET /{}", "%00".repeat(3_000)), "").into_bytes(),
            5 => json(&"[".repeat(60_000)).into_bytes(),
            6 => json(&format!("{{\"token\":\"{}\"}}", "a".repeat(200_000))).into_bytes(),
            7 => head("DELETE /v1/users/app/tokens/token-2-1", "").into_bytes(),
            8 => head("POST /v1/introspect", "content-length: 5\r\ntransfer-encoding: chunked\r\n").into_bytes(),
            9 => head("POST /v1/users/app/tokens", "content-length: 99999999999\r\n").into_bytes(),
            10 => head("GET /v1/me", "").repeat(200).into_bytes(),
            _ => head("GET /v1/me", "authorization: Basic eDp4\r\n").into_bytes(),
        };
        let mut connection = connect(&url).await;
        // Whoever is refused early may find the connection closed.
        let _ = connection.write_all(&attack).await;
        if dice(8) == 0 {
            // And gone before the answer.
            drop(connection);
        } else {
            let _ = connection.shutdown().await;
            let answered = status(&mut connection).await;
            let is_refused = answered.is_none_or(|status| (400..500).contains(&status));
            assert!(is_refused, "{answered:?} to {}", String::from_utf8_lossy(&attack[..attack.len().min(300)]));
        }
        tally.hostile.fetch_add(1, Ordering::Relaxed);
    }
}
