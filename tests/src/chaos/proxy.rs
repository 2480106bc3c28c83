//! A stretch of bad network before a server: connections that are refused, end before or after a request was heard, or
//! stand still for a while.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use latchkey::mutex::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::random::Random;

/// A stall that no client waits for is rare: it costs a run as much.
const STALLS: [Duration; 4] =
    [Duration::from_millis(20), Duration::from_millis(120), Duration::from_millis(500), Duration::from_secs(2)];

/// How long a request is carried on whose sender is gone.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// What was done to connections so far.
#[derive(Debug, Default)]
pub struct Met {
    /// Requests passed on, whole or in part.
    pub passed: AtomicUsize,
    pub refused: AtomicUsize,
    /// Requests that never arrived.
    pub unheard: AtomicUsize,
    /// Requests that arrived and whose answers did not.
    pub unanswered: AtomicUsize,
    pub stalled: AtomicUsize,
}

/// Stands before a server.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    one_in: Arc<AtomicUsize>,
    met: Arc<Met>,
    under_way: watch::Sender<usize>,
    listening: JoinHandle<()>,
}

/// A connection that is not over yet.
struct UnderWay(watch::Sender<usize>);

impl UnderWay {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Pass,
    Refuse,
    Unheard,
    Unanswered,
    Stall(Duration),
}

struct Dice {
    random: Mutex<Random>,
    one_in: Arc<AtomicUsize>,
}

impl Dice {
    fn roll(&self, begins: bool) -> Deed {
        let one_in = self.one_in.load(Ordering::Relaxed);
        let mut random = self.random.lock();
        if one_in == 0 || random.below(one_in) != 0 {
            return Deed::Pass;
        }
        match (begins, random.below(4)) {
            (true, 0) => Deed::Refuse,
            (true, _) => Deed::Pass,
            (false, 0) => Deed::Unheard,
            (false, 1) => Deed::Unanswered,
            (false, _) => Deed::Stall(STALLS[random.below(STALLS.len())]),
        }
    }
}

impl Proxy {
    /// A proxy before the server at `upstream`, which passes everything until it is told otherwise.
    pub fn before(upstream: SocketAddr, runtime: &Handle, seed: Random) -> Self {
        let (one_in, met) = (Arc::new(AtomicUsize::new(0)), Arc::new(Met::default()));
        let dice = Arc::new(Dice { random: Mutex::new(seed), one_in: one_in.clone() });
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (counted, under_way) = (met.clone(), watch::Sender::new(0));
        let count = under_way.clone();
        let listening = runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (dice, met, under_way) = (dice.clone(), counted.clone(), UnderWay::new(&count));
                tokio::spawn(async move {
                    carry(client, upstream, &dice, &met).await;
                    drop(under_way);
                });
            }
        });
        Self { address, one_in, met, under_way, listening }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on one request in so many meets trouble; 0 is none.
    pub fn rough(&self, one_in: usize) {
        self.one_in.store(one_in, Ordering::Relaxed);
    }

    /// Waits until no connection is open: a request that stands still arrives after its sender was killed.
    pub async fn calm(&self) {
        // The sender is this one's own, so it is there.
        let _ = self.under_way.subscribe().wait_for(|count| *count == 0).await;
    }

    /// What was done so far.
    pub fn met(&self) -> &Met {
        &self.met
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn carry(mut client: TcpStream, upstream: SocketAddr, dice: &Dice, met: &Met) {
    if dice.roll(true) == Deed::Refuse {
        met.refused.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let Ok(mut server) = TcpStream::connect(upstream).await else { return };
    let (mut asked, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut silent = false;
    let mut unanswered = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Some(length) = read.ok().filter(|length| *length > 0) else {
                    if unanswered {
                        let _ = tokio::time::timeout(ANSWERED_WITHIN, server.read(&mut answered)).await;
                    }
                    return;
                };
                unanswered = true;
                match dice.roll(false) {
                    Deed::Unheard | Deed::Refuse => {
                        met.unheard.fetch_add(1, Ordering::Relaxed);
                        return;
                    }
                    Deed::Unanswered => {
                        met.unanswered.fetch_add(1, Ordering::Relaxed);
                        silent = true;
                    }
                    Deed::Stall(length) => {
                        met.stalled.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(length).await;
                    }
                    Deed::Pass => {}
                }
                met.passed.fetch_add(1, Ordering::Relaxed);
                if server.write_all(&asked[..length]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Some(length) = read.ok().filter(|length| *length > 0) else { return };
                // What was asked has been done by now.
                unanswered = false;
                if silent || client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
