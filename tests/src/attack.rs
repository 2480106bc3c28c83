//! Callers of a server on this machine who never come to an end, are slow, or send too much. None has a token.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

/// Half a request.
const HALF: &[u8] = b"POST /v1/introspect HTTP/1.1\r\nhost: here\r\nauthorization: Bear";
/// A request whose body never ends.
const ENDLESS: &[u8] = b"POST /v1/users/me/tokens HTTP/1.1\r\nhost: here\r\nauthorization: Bearer lk_x\r\n\
                         content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";

/// Connections that stay half open for as long as they are kept.
pub fn half_open(url: &str, count: usize) -> Vec<TcpStream> {
    let one = |_| {
        let mut stream = TcpStream::connect(address(url)).expect("the server listens");
        stream.write_all(HALF).expect("half a request is sent");
        stream
    };
    (0..count).map(one).collect()
}

/// Whether the server has closed a connection on which it never answered.
pub fn is_closed(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a socket");
    match stream.read(&mut [0; 1]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

fn address(url: &str) -> &str {
    url.trim_start_matches("http://")
}

/// What an attacker does on each of its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Sends half a head and waits.
    HalfOpen,
    /// Sends a head byte by byte.
    Slow,
    /// Sends endless headers and endless bodies.
    Huge,
}

/// An attack that goes on until this goes. Whoever is thrown out comes back.
#[derive(Debug)]
pub struct Attack {
    attackers: JoinSet<()>,
    connections: Arc<AtomicU64>,
}

/// How long an attacker stays away.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a slow one waits between two bytes.
const BYTE_EVERY: Duration = Duration::from_millis(100);

impl Attack {
    /// So many attackers of each kind.
    pub fn on(url: &str, kinds: &[(Kind, usize)]) -> Self {
        let connections: Arc<AtomicU64> = Arc::default();
        let mut attackers = JoinSet::new();
        for (kind, count) in kinds.iter().copied() {
            for number in 0..count {
                let (address, connections) = (address(url).to_owned(), connections.clone());
                attackers.spawn(async move {
                    loop {
                        connections.fetch_add(1, Ordering::Relaxed);
                        // Being thrown out is what it is for.
                        let _ = attack(&address, kind, number).await;
                        tokio::time::sleep(PAUSE).await;
                    }
                });
            }
        }
        Self { attackers, connections }
    }

    /// How many connections were begun.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Ends it, and waits until all connections are closed.
    pub async fn end(mut self) {
        self.attackers.shutdown().await;
    }
}

async fn attack(address: &str, kind: Kind, number: usize) -> std::io::Result<()> {
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    match kind {
        Kind::HalfOpen => stream.write_all(HALF).await?,
        Kind::Slow => {
            for byte in HALF.iter().chain(std::iter::repeat(&b'a')) {
                stream.write_all(&[*byte]).await?;
                tokio::time::sleep(BYTE_EVERY).await;
            }
        }
        Kind::Huge if number.is_multiple_of(2) => loop {
            stream.write_all(HALF).await?;
            stream.write_all(&[b'a'; 16 * 1024]).await?;
        },
        Kind::Huge => {
            stream.write_all(ENDLESS).await?;
            loop {
                stream.write_all(b"4000\r\n").await?;
                stream.write_all(&[b'a'; 0x4000]).await?;
                stream.write_all(b"\r\n").await?;
            }
        }
    }
    // Until it is thrown out.
    stream.read_to_end(&mut Vec::new()).await?;
    Ok(())
}
