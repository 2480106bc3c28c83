//! The front of the API on this machine: connections, their bounds and their deadlines. Who asks slowly, too much or
//! never to the end takes nothing from others.

mod answer;
mod limits;
mod waiting;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use latchkey::api::Api;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use waiting::Waiting;

pub(crate) use limits::Limits;

/// How long requests under way may take to finish.
const END_WITHIN: Duration = Duration::from_secs(10);
/// How long nothing is accepted after the system could not accept.
const PAUSE: Duration = Duration::from_millis(100);

/// The API behind sockets.
#[derive(Debug)]
pub(crate) struct Server {
    api: Api,
    limits: Limits,
    waiting: Waiting,
}

impl Server {
    pub(crate) fn new(api: Api, limits: Limits) -> Arc<Self> {
        Arc::new(Self { api, limits, waiting: Waiting::default() })
    }

    /// Serves until `ending` says so, and then what is under way.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, mut ending: watch::Receiver<bool>) {
        let mut connections = JoinSet::new();
        let mut rounds = tokio::time::interval(self.limits.answer_within / 4);
        let told = ending.clone();
        loop {
            tokio::select! {
                () = ended(&mut ending) => break,
                Some(_) = connections.join_next() => {}
                _ = rounds.tick() => self.waiting.close_older_than(self.limits.answer_within),
                accepted = listener.accept() => match accepted {
                    Ok((stream, from)) => {
                        self.make_room(&mut connections).await;
                        // Replies are small and nobody adds to one later.
                        let _ = stream.set_nodelay(true);
                        connections.spawn(self.clone().attend(stream, from, told.clone()));
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

    /// Attends to one connection until it ends, by itself, by a deadline or for others.
    async fn attend<S>(self: Arc<Self>, stream: S, from: SocketAddr, mut ending: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let connection = self.waiting.enter();
        let service = service_fn(async |request| {
            if !connection.is_served() {
                // It is closed below before this is polled again.
                return std::future::pending().await;
            }
            let (response, is_whole) = answer::answer(&self, &connection, from, request).await;
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

/// Waits until the server is to end, or nobody is left who could say so.
async fn ended(ending: &mut watch::Receiver<bool>) {
    let _ = ending.wait_for(|ending| *ending).await;
}
