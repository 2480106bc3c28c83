//! Word of the end: Lambda tells a function that it is about to end only if an extension is registered.
//!
//! This one runs inside the function and asks for no event. Where nothing answers under the Extensions API (in an
//! emulator, say), the function goes without.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

/// Unique among the extensions of a function.
const NAME: &str = "latchkey-usage";
const IDENTIFIER: &str = "lambda-extension-identifier";
/// It is on the same machine.
const ANSWER: Duration = Duration::from_millis(300);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Registers at the Runtime API's address and waits in the background. Says why not, if it could not.
pub(super) async fn register(runtime: &str) -> Result<(), Failure> {
    timeout(ANSWER, registered(runtime)).await?
}

async fn registered(runtime: &str) -> Result<(), Failure> {
    let stream = TcpStream::connect(runtime).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let register = Request::post("/2020-01-01/extension/register")
        .header("host", runtime)
        .header("lambda-extension-name", NAME)
        .header("content-type", "application/json")
        .body(Full::from(r#"{"events":[]}"#))?;
    let headers = send(&mut sender, register).await?;
    let identifier = headers.get(IDENTIFIER).ok_or("no identifier")?;
    let next = Request::get("/2020-01-01/extension/event/next")
        .header("host", runtime)
        .header(IDENTIFIER, identifier)
        .body(Full::default())?;
    // Lambda takes the extension for ready once it asks; as it wants no event, no answer ever comes.
    tokio::spawn(async move { send(&mut sender, next).await });
    Ok(())
}

async fn send(sender: &mut SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> Result<HeaderMap, Failure> {
    let (head, body) = sender.send_request(request).await?.into_parts();
    body.collect().await?;
    if !head.status.is_success() {
        return Err(head.status.to_string().into());
    }
    Ok(head.headers)
}

/// Waits until Lambda says that the function ends.
pub(super) async fn end() {
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        // Then nobody can tell.
        Err(_) => std::future::pending().await,
    }
}
