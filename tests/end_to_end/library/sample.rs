//! The sample `axum-check`, with the login of its environment.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use latchkey::name::RoleName;
use latchkey::service::{Caller, Issued, UserChange};
use rustix::process::{Pid, Signal, kill_process};
use tests::deployment::{binaries, send};
use tests::lambda::Endpoint;
use tests::world::{name, new_token, permissions};

/// The sample on a table, with nothing in its environment but what is named here.
fn command(endpoint: &Endpoint) -> Command {
    let mut command = Command::new(binaries().join("axum-check"));
    command.env_clear().env("LATCHKEY_TABLE", endpoint.table).env("AWS_ENDPOINT_URL_DYNAMODB", &endpoint.url);
    // Neither a profile of whoever runs the tests nor a machine of EC2.
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// It serves, until it is told to end.
struct Serving {
    child: Child,
    address: SocketAddr,
}

impl Serving {
    async fn start(endpoint: &Endpoint) -> Self {
        let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        drop(socket);
        let mut command = command(endpoint);
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").env("AWS_REGION", "us-east-1");
        let child = command.env("LISTEN", address.to_string()).spawn().unwrap();
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(address).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(30), "`axum-check` does not answer");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Self { child, address }
    }

    async fn documents(&self, secret: Option<&str>) -> u16 {
        send(self.address, "localhost", ("GET", "/documents"), secret, None).await.status
    }

    fn end(mut self) -> bool {
        let id = Pid::from_child(&self.child);
        kill_process(id, Signal::TERM).unwrap();
        self.child.wait().unwrap().success()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn token(endpoint: &Endpoint, user: &str, role: &str, permits: &str) -> Issued {
    let (service, admin) = (&endpoint.service, Caller::operator("admin"));
    service.put_role(&admin, &name(role), &permissions(&[permits]), None).await.unwrap();
    let roles: Vec<RoleName> = vec![name(role)];
    let change = UserChange { roles: Some(roles), ..UserChange::default() };
    service.put_user(&admin, &name(user), &change).await.unwrap();
    service.create(&admin, new_token(user, "laptop")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn axum_check_lets_in_who_may_read_and_counts_every_use() {
    let endpoint = Endpoint::plain().await;
    let reader = token(&endpoint, "ana", "reader", "documents:read").await;
    let other = token(&endpoint, "bob", "writer", "documents:write").await;
    let serving = Serving::start(&endpoint).await;
    for _ in 0..3 {
        assert_eq!(serving.documents(Some(reader.secret.expose())).await, 200);
    }
    assert_eq!(serving.documents(Some(other.secret.expose())).await, 403);
    for wrong in [None, Some("let-me-in"), Some(&other.secret.expose()[1..])] {
        assert_eq!(serving.documents(wrong).await, 401);
    }
    assert!(serving.end());
    for (token, wanted) in [(&reader, 3), (&other, 1)] {
        let days = endpoint.service.usage(&token.token.id, endpoint.service.now()).await.unwrap();
        assert_eq!(days.iter().map(|day| day.uses).sum::<u64>(), wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn axum_check_without_region_or_login_ends_and_names_what_is_missing() {
    let endpoint = Endpoint::plain().await;
    let before = endpoint.calls();
    for (region, reason) in [(None, "Region"), (Some("us-east-1"), "Login")] {
        let mut command = command(&endpoint);
        command.envs(region.map(|region| ("AWS_REGION", region)));
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(reason), "{said}");
    }
    assert_eq!(endpoint.calls(), before, "a table is not asked for a login that is missing");
}
