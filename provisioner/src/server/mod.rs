//! The front of the API on this machine: connections, their bounds and their deadlines. Who asks slowly, too much or
//! never to the end takes nothing from others.

mod answer;
mod base;
mod forwarded;
mod health;
mod limits;
mod log;
mod metrics;
mod pace;
mod tls;
mod waiting;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use latchkey::api::Api;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use health::Health;
use pace::Pace;
use waiting::Waiting;

pub(crate) use base::BasePath;
pub(crate) use forwarded::{Header, Proxies};
pub(crate) use limits::Limits;
pub(crate) use log::AccessLog;
pub(crate) use metrics::Metrics;
pub(crate) use tls::Certificate;

/// How long requests under way may take to finish.
const END_WITHIN: Duration = Duration::from_secs(10);
/// How often the certificate's files are looked at.
const RENEWAL: Duration = Duration::from_secs(1);
/// Those who ask for the counters are few.
const METRICS_CONNECTIONS: usize = 16;
/// How long nothing is accepted after the system could not accept.
const PAUSE: Duration = Duration::from_millis(100);

/// How callers reach a server, and what is told of them.
#[derive(Debug)]
pub(crate) struct Front {
    /// The certificate; without one it speaks plain HTTP.
    pub(crate) certificate: Option<Certificate>,
    /// The proxies before it.
    pub(crate) proxies: Proxies,
    /// Where it is in its proxy's addresses.
    pub(crate) base: BasePath,
    /// How many requests a second one address may make.
    pub(crate) pace: Option<NonZeroU32>,
    /// Where requests are written down.
    pub(crate) log: AccessLog,
    /// Where they are counted.
    pub(crate) metrics: Arc<Metrics>,
}

impl Default for Front {
    fn default() -> Self {
        Self {
            certificate: None,
            proxies: Proxies::default(),
            base: BasePath::default(),
            pace: None,
            log: AccessLog::Off,
            metrics: Arc::default(),
        }
    }
}

/// The API behind sockets.
#[derive(Debug)]
pub(crate) struct Server {
    api: Api,
    limits: Limits,
    front: Front,
    pace: Option<Pace>,
    health: Health,
    waiting: Waiting,
}

impl Server {
    pub(crate) fn new(api: Api, limits: Limits, front: Front) -> Arc<Self> {
        let pace = front.pace.map(Pace::new);
        Arc::new(Self { api, limits, front, pace, health: Health::default(), waiting: Waiting::default() })
    }

    /// Answers whoever asks for the counters, on an address of their own, until it is dropped.
    pub(crate) async fn serve_metrics(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Some(_) = connections.join_next() => {}
                accepted = listener.accept(), if connections.len() < METRICS_CONNECTIONS => {
                    let Ok((stream, _)) = accepted else {
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    };
                    let server = self.clone();
                    let served = async move {
                        let service = service_fn(async |request| Ok::<_, Infallible>(answer::metrics(&server, &request)));
                        let mut builder = http1::Builder::new();
                        builder.timer(TokioTimer::new()).header_read_timeout(server.limits.head_within);
                        builder.serve_connection(TokioIo::new(stream), service).await
                    };
                    connections.spawn(tokio::time::timeout(self.limits.answer_within, served));
                }
            }
        }
    }

    /// Serves until `ending` says so, and then what is under way.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, mut ending: watch::Receiver<bool>) {
        let mut connections = JoinSet::new();
        let mut rounds = tokio::time::interval(self.limits.answer_within / 4);
        let mut renewals = tokio::time::interval(RENEWAL);
        let told = ending.clone();
        loop {
            tokio::select! {
                () = ended(&mut ending) => break,
                Some(_) = connections.join_next() => {}
                _ = rounds.tick() => self.waiting.close_older_than(self.limits.answer_within),
                _ = renewals.tick(), if self.front.certificate.is_some() => self.refresh_certificate(),
                accepted = listener.accept() => match accepted {
                    Ok((stream, from)) => {
                        self.make_room(&mut connections).await;
                        // Replies are small and nobody adds to one later.
                        let _ = stream.set_nodelay(true);
                        connections.spawn(self.clone().welcome(stream, from, told.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        let under_way = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(END_WITHIN, under_way).await;
    }

    /// Waits until there is room for one more. Whoever has kept the server waiting longest leaves for it; where every
    /// caller waits for the server, the next who is served does.
    async fn make_room(&self, connections: &mut JoinSet<()>) {
        while connections.len() >= self.limits.connections {
            let came = self.waiting.came();
            if self.waiting.close_longest() {
                connections.join_next().await;
                continue;
            }
            tokio::select! {
                _ = connections.join_next() => {}
                () = came => {}
            }
        }
    }

    fn refresh_certificate(&self) {
        match self.front.certificate.as_ref().map(Certificate::refresh) {
            None | Some(Ok(false)) => {}
            Some(Ok(true)) => tracing::info!("the certificate was read again"),
            Some(Err(error)) => {
                tracing::warn!(%error, "the certificate has changed and cannot be used; the former one is");
            }
        }
    }

    /// Attends to a connection, whatever it speaks.
    async fn welcome(self: Arc<Self>, stream: TcpStream, from: SocketAddr, ending: watch::Receiver<bool>) {
        match self.front.certificate.as_ref().map(Certificate::acceptor) {
            Some(tls) => self.attend(tls.accept(stream), from, ending).await,
            None => self.attend(std::future::ready(Ok(stream)), from, ending).await,
        }
    }

    /// Attends to one connection, from its handshake on until it ends, by itself, by a deadline or for others.
    async fn attend<S>(
        self: Arc<Self>,
        opening: impl Future<Output = io::Result<S>>,
        from: SocketAddr,
        mut ending: watch::Receiver<bool>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let connection = self.waiting.enter();
        self.front.metrics.connections.inc();
        let _counted = Counted(&self.front.metrics);
        let opened = tokio::select! {
            () = connection.closed() => return,
            opened = tokio::time::timeout(self.limits.head_within, opening) => opened,
        };
        let Ok(Ok(stream)) = opened else {
            tracing::debug!("a handshake failed");
            return;
        };
        let told = ending.clone();
        let service = service_fn(async |request| {
            if !connection.is_served() {
                // It is closed below before this is polled again.
                return std::future::pending().await;
            }
            let (response, is_whole) = answer::answer(&self, &connection, from, &told, request).await;
            if is_whole {
                connection.waits_anew();
            } else {
                connection.waits_on();
            }
            Ok::<_, Infallible>(response)
        });
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(self.limits.head_within).max_buf_size(limits::HEAD_MAX);
        let mut served = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut is_ending = false;
        loop {
            tokio::select! {
                biased;
                () = connection.closed() => return,
                () = ended(&mut ending), if !is_ending => {
                    is_ending = true;
                    served.as_mut().graceful_shutdown();
                }
                outcome = served.as_mut() => {
                    if let Err(error) = outcome {
                        tracing::debug!(%error, "a connection broke off");
                    }
                    return;
                }
            }
        }
    }
}

/// A connection that is counted while it is there.
struct Counted<'a>(&'a Metrics);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}

/// Waits until the server is to end, or nobody is left who could say so.
async fn ended(ending: &mut watch::Receiver<bool>) {
    let _ = ending.wait_for(|ending| *ending).await;
}
