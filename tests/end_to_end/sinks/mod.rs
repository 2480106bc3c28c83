//! The six types of sinks: one suite that all of them pass, and what is particular to each.

mod azure_key_vault;
mod command;
mod conformance;
mod dotenv;
mod heroku;
mod keyring;
mod same_entry;
mod secrets_manager;
mod story;
mod vercel;
mod witness;

use std::time::Duration;

use latchkey::entropy::SystemEntropy;
use latchkey::place::Place;
use latchkey::secret::{Prefix, Secret, TokenId};
use latchkey_sinks::deadline::Deadline;
use latchkey_sinks::host::{Ask, Host, Queues};
use latchkey_sinks::transport::Address;
use latchkey_sinks::{Marker, Receipt, Removal, Seen, SeenEntry, Sink, SinkError, Write};
use tests::sinks::elapsed;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// One version of a token.
struct Version {
    secret: Secret,
    marker: Marker,
}

impl Version {
    fn first() -> Self {
        Self::of(&TokenId::mint(&SystemEntropy).unwrap(), 1)
    }

    fn next(&self) -> Self {
        Self::of(&self.marker.token_id, self.marker.version + 1)
    }

    fn of(id: &TokenId, version: u32) -> Self {
        let secret = Secret::mint(&Prefix::default(), id, &SystemEntropy).unwrap();
        let marker = Marker { token_id: id.clone(), version, fingerprint: secret.fingerprint() };
        Self { secret, marker }
    }
}

fn soon() -> Deadline {
    Deadline::by(elapsed, Duration::from_mins(2))
}

async fn look(sink: &dyn Sink, place: &Place) -> Result<Seen, SinkError> {
    sink.look(&[place]).await.remove(0)
}

async fn held(sink: &dyn Sink, place: &Place) -> SeenEntry {
    match look(sink, place).await {
        Ok(Seen::Holds(held)) => held,
        other => panic!("something should be there: {other:?}"),
    }
}

async fn write_all(sink: &dyn Sink, writes: &[(&Place, &Version, &Seen)]) -> Vec<Result<Receipt, SinkError>> {
    let writes: Vec<Write<'_>> = writes
        .iter()
        .map(|(place, version, seen)| Write {
            place,
            secret: &version.secret,
            marker: &version.marker,
            token_name: "production-api",
            manifest: "acme-platform",
            seen,
        })
        .collect();
    sink.write(&writes, soon()).await
}

async fn write(sink: &dyn Sink, place: &Place, version: &Version, seen: &Seen) -> Result<Receipt, SinkError> {
    write_all(sink, &[(place, version, seen)]).await.remove(0)
}

async fn remove(sink: &dyn Sink, place: &Place, seen: &Seen) -> Result<(), SinkError> {
    sink.remove(&[Removal { place, seen }], soon()).await.remove(0)
}

/// The words of an error and its hint, which never hold a value.
#[track_caller]
fn words<T: std::fmt::Debug>(result: Result<T, SinkError>, versions: &[&Version]) -> String {
    let error = result.expect_err("it should be refused");
    let words = format!("{error}\n{}", error.hint().unwrap_or_default());
    let all = format!("{words}{error:?}");
    assert!(versions.iter().all(|version| !all.contains(version.secret.expose())), "{words}");
    words
}

#[tokio::test]
async fn a_redirect_takes_no_login_elsewhere() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let target = elsewhere.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let read = stream.read(&mut request).await.unwrap();
        assert!(String::from_utf8_lossy(&request[..read]).contains("Bearer hunter2"));
        let answer =
            format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{target}/\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    let address = Address::parse(&format!("http://{address}")).unwrap();
    let host = Host::new(address, &Queues::default(), |_| None);
    let answer = host.ask(&Ask::read("/").header("authorization", "Bearer hunter2")).await.unwrap();
    assert_eq!(answer.status, 307);
    serving.await.unwrap();
    let followed = tokio::time::timeout(Duration::from_millis(50), elsewhere.accept()).await;
    assert!(followed.is_err(), "the redirect was followed");
}
