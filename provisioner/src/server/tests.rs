//! What callers get who are slow, send too much, or never come to an end. Deadlines that are to be met here are short,
//! and those that are not are long: no test waits for a time.

use latchkey::clock::SystemClock;
use latchkey::entropy::SystemEntropy;
use latchkey::service::{Caller, Life, NewToken, Service, UserChange};
use latchkey::token::TokenKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpStream;

use super::*;

const LONG: Duration = Duration::from_hours(1);
const SHORT: Duration = Duration::from_millis(20);
const PATIENT: Limits = Limits { connections: 9, head_within: LONG, body_within: LONG, answer_within: LONG };

/// A server on a table of its own, somebody's secret, and what keeps it from ending.
struct Scene {
    server: Arc<Server>,
    secret: String,
    ending: watch::Sender<bool>,
    told: watch::Receiver<bool>,
}

impl Scene {
    async fn new(limits: Limits) -> Self {
        Self::with(limits, Front::default()).await
    }

    async fn with(limits: Limits, front: Front) -> Self {
        let table = crate::embedded::memory().unwrap();
        let service = Service::open(table, Arc::new(SystemClock), Arc::new(SystemEntropy)).await.unwrap();
        let operator = Caller::operator("test");
        let permits = ["tokens:write", "tokens:introspect"].map(|permission| permission.parse().unwrap());
        let role = "all".parse().unwrap();
        service.put_role(&operator, &role, &permits.into_iter().collect(), None).await.unwrap();
        let change = UserChange { roles: Some(vec![role]), ..UserChange::default() };
        let user = "ada".parse().unwrap();
        service.put_user(&operator, &user, &change).await.unwrap();
        let new = NewToken::new(TokenKey::new(user, "laptop".parse().unwrap()), Life::Until(None));
        let secret = service.create(&operator, new).await.unwrap().secret.expose().to_owned();
        let (ending, told) = watch::channel(false);
        Self { server: Server::new(Api::new(Arc::new(service)), limits, front), secret, ending, told }
    }

    /// A connection, to which no more than `buffer` bytes are sent before they are read.
    fn connect(&self, buffer: usize) -> (DuplexStream, tokio::task::JoinHandle<()>) {
        self.connect_from([127, 0, 0, 1], buffer)
    }

    fn connect_from(&self, from: [u8; 4], buffer: usize) -> (DuplexStream, tokio::task::JoinHandle<()>) {
        let (near, far) = tokio::io::duplex(buffer);
        let opening = std::future::ready(Ok(far));
        let attended = self.server.clone().attend(opening, (from, 1).into(), self.told.clone());
        (near, tokio::spawn(attended))
    }

    /// Sends text, never its end, and reads until the server closes.
    async fn say(&self, text: &str) -> String {
        let (mut near, _) = self.connect(1 << 20);
        near.write_all(text.as_bytes()).await.unwrap();
        read_all(&mut near).await
    }

    /// The same with the secret in its head.
    async fn ask(&self, head: &str, body: &str) -> String {
        self.say(&format!("{head}\r\nhost: here\r\nauthorization: Bearer {}\r\n{body}", self.secret)).await
    }
}

/// All that comes until the end, which has to come.
async fn read_all(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_mins(1), stream.read_to_end(&mut answer)).await;
    // Whoever is thrown out may see a reset.
    let _ = read.expect("the server closes the connection");
    String::from_utf8(answer).unwrap()
}

/// An answer's status and code, once it is known to be the last one on its connection.
#[track_caller]
fn refusal(answer: &str) -> (&str, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.to_lowercase().contains("connection: close"), "{head}");
    let problem: serde_json::Value = serde_json::from_str(body).unwrap();
    (&head["HTTP/1.1 ".len()..][..3], problem["code"].as_str().unwrap().to_owned())
}

const JSON: &str = "content-type: application/json\r\n";

#[tokio::test]
async fn a_head_that_does_not_come_or_end_closes_its_connection() {
    let scene = Scene::new(Limits { head_within: SHORT, ..PATIENT }).await;
    assert_eq!(scene.say("").await, "");
    assert_eq!(scene.say("GET /v1/me HTTP/1.1\r\nhost: h").await, "");
    // After an answer too.
    let answer = scene.ask("GET /v1/me HTTP/1.1", "\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_body_that_does_not_come_to_its_end_is_answered() {
    let scene = Scene::new(Limits { body_within: SHORT, ..PATIENT }).await;
    for (path, length) in [("users/me/tokens", "content-length: 20"), ("introspect", "transfer-encoding: chunked")] {
        let body = format!("{JSON}{length}\r\n\r\n2\r\n");
        let answer = scene.ask(&format!("POST /v1/{path} HTTP/1.1"), &body).await;
        assert_eq!(refusal(&answer), ("408", "request_timeout".to_owned()), "{path}");
    }
    let answer = scene.ask("POST /v1/users/me/tokens HTTP/1.1", "transfer-encoding: chunked\r\n\r\nx\r\n").await;
    assert_eq!(refusal(&answer), ("400", "invalid_request".to_owned()));
}

#[tokio::test]
async fn a_body_is_not_waited_for_before_its_caller_is_known() {
    let scene = Scene::new(PATIENT).await;
    let wrong = scene.secret.replace("lk_", "lx_");
    for token in ["", "authorization: Bearer lk_x\r\n", &format!("authorization: Bearer {wrong}\r\n")] {
        for path in ["users/me/tokens", "introspect", "nowhere"] {
            for length in ["content-length: 20", "content-length: 4000000000", "transfer-encoding: chunked"] {
                let head = format!("POST /v1/{path} HTTP/1.1\r\nhost: h\r\n{token}{JSON}{length}\r\n\r\n");
                let answer = scene.say(&head).await;
                assert!(matches!(refusal(&answer).0, "401" | "404"), "{head}{answer}");
            }
        }
    }
    // Nobody without a token is asked to go on.
    let expecting = "content-length: 2\r\nexpect: 100-continue\r\n\r\n";
    let answer = scene.say(&format!("POST /v1/users/me/tokens HTTP/1.1\r\nhost: h\r\n{JSON}{expecting}")).await;
    assert_eq!(refusal(&answer).0, "401");
    let (mut near, _) = scene.connect(1 << 20);
    let head = format!("POST /v1/introspect HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {}\r\n", scene.secret);
    near.write_all(format!("{head}{JSON}{expecting}").as_bytes()).await.unwrap();
    let mut asked = [0; 25];
    near.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
}

#[tokio::test]
async fn a_body_that_is_too_long_is_not_read_to_its_end() {
    let scene = Scene::new(PATIENT).await;
    for (path, max) in [("users/me/tokens", 64 * 1024), ("introspect", 8 * 1024)] {
        let head = format!("POST /v1/{path} HTTP/1.1");
        let announced = scene.ask(&head, &format!("{JSON}content-length: {}\r\n\r\n", max + 1)).await;
        assert_eq!(refusal(&announced), ("413", "too_large".to_owned()), "{path}");
        assert!(announced.contains(&max.to_string()), "{announced}");
        let chunks = format!("{JSON}transfer-encoding: chunked\r\n\r\n{:x}\r\n{}", max + 1, " ".repeat(max + 1));
        assert_eq!(refusal(&scene.ask(&head, &chunks).await).0, "413", "{path}");
        // What is just as long is read, and is no JSON.
        let body = format!("{JSON}connection: close\r\ncontent-length: {max}\r\n\r\n{}", " ".repeat(max));
        assert_eq!(refusal(&scene.ask(&head, &body).await).0, "400", "{path}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let scene = Scene::new(PATIENT).await;
    let padded = |length: usize| format!("x: {}\r\nconnection: close\r\n\r\n", "x".repeat(length));
    let answer = scene.ask("GET /v1/me HTTP/1.1", &padded(17 * 1024)).await;
    assert_eq!(refusal(&answer), ("431", "headers_too_large".to_owned()));
    // What is not even buffered has no answer but its status.
    let answer = scene.ask("GET /v1/me HTTP/1.1", &"x".repeat(limits::HEAD_MAX)).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let answer = scene.ask(&format!("GET /{} HTTP/1.1", "x".repeat(limits::HEAD_MAX)), "").await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
}

#[tokio::test]
async fn who_does_not_take_an_answer_is_closed() {
    let scene = Scene::new(PATIENT).await;
    let (mut near, attended) = scene.connect(256);
    near.write_all(b"GET /v1/openapi.json HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    let mut begun = [0; 8];
    near.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1");
    scene.server.waiting.close_older_than(Duration::ZERO);
    let ended = tokio::time::timeout(Duration::from_mins(1), attended).await;
    ended.expect("the connection ends").unwrap();
}

/// A server that listens, and its address.
async fn listening(scene: &Scene) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (address, tokio::spawn(scene.server.clone().serve(listener, scene.told.clone())))
}

#[tokio::test]
async fn when_all_connections_are_in_use_the_longest_wait_ends() {
    let scene = Scene::new(Limits { connections: 2, ..PATIENT }).await;
    let (address, serving) = listening(&scene).await;
    let begin = async || {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /v1/me HTTP/1.1\r\nhost: h\r\n").await.unwrap();
        stream
    };
    let finish = async |stream: &mut TcpStream| {
        let rest = format!("authorization: Bearer {}\r\nconnection: close\r\n\r\n", scene.secret);
        stream.write_all(rest.as_bytes()).await.unwrap();
        read_all(stream).await
    };
    let (mut first, mut second) = (begin().await, begin().await);
    let mut third = begin().await;
    assert_eq!(read_all(&mut first).await, "", "who came first leaves");
    for stream in [&mut third, &mut second] {
        let answer = finish(stream).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    scene.ending.send(true).unwrap();
    serving.await.unwrap();
}

#[tokio::test]
async fn who_waits_too_long_is_closed_by_the_rounds() {
    let scene = Scene::new(Limits { answer_within: SHORT, ..PATIENT }).await;
    let (address, _serving) = listening(&scene).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    assert_eq!(read_all(&mut stream).await, "");
}

/// A token that came in plain text past the proxy is not used, and the page is not given either.
#[tokio::test]
async fn who_asks_past_the_proxies_is_refused_and_who_asks_through_them_is_not() {
    let networks = vec!["10.0.0.0/8".parse().unwrap()];
    let front = Front { proxies: Proxies { networks, ..Proxies::default() }, ..Front::default() };
    let scene = Scene::with(PATIENT, front).await;
    for (from, status) in [([192, 0, 2, 9], "403"), ([10, 1, 2, 3], "200"), ([127, 0, 0, 1], "200")] {
        for path in ["/v1/me", "/"] {
            let (mut near, _) = scene.connect_from(from, 1 << 20);
            let head = format!(
                "GET {path} HTTP/1.1\r\nhost: here\r\nx-forwarded-for: 10.1.2.3\r\nauthorization: Bearer {}\r\nconnection: \
                 close\r\n\r\n",
                scene.secret
            );
            near.write_all(head.as_bytes()).await.unwrap();
            let answer = read_all(&mut near).await;
            assert_eq!(&answer["HTTP/1.1 ".len()..][..3], status, "{from:?} {path}: {answer}");
            assert_eq!(answer.contains("not_by_proxy"), status == "403", "{answer}");
        }
    }
}
