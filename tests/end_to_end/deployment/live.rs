//! The whole of it: the real template, the real script and the real functions, behind an HTTP API here.

use std::process::Child;
use std::time::{Duration, Instant};

use latchkey::entropy::SystemEntropy;
use latchkey::secret::{Prefix, Secret, TokenId};
use latchkey_sinks::files::write_atomic;
use serde_json::{Value, json};
use tests::deployment::{Answer, Stack, binaries, root, send};

/// The service, deployed, and its admin.
struct Live {
    stack: Stack,
    api: String,
    url: String,
    authorizer: String,
    table: String,
    admin: String,
}

impl Live {
    fn start() -> Self {
        let stack = Stack::start();
        let outputs = stack.deploy("latchkey", &["ThrottlingRate=1000"]);
        let [api, url, authorizer, table] =
            ["ApiId", "Url", "AuthorizeArn", "TableName"].map(|name| outputs[name].clone());
        let service = format!("table:{table}");
        let mut bootstrap = stack.command(binaries().join("provision"));
        let output = bootstrap.args(["bootstrap", "--service", &service, "--user", "root"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let admin = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        Self { stack, api, url, authorizer, table, admin }
    }

    async fn send(&self, request: (&str, &str), secret: Option<&str>, body: Option<Value>) -> Answer {
        self.stack.send(&self.api, request, secret, body.as_ref()).await
    }

    /// A request of the admin; its answer's body.
    async fn ask(&self, request: (&str, &str), body: Option<Value>, wanted: u16) -> Value {
        let answer = self.send(request, Some(&self.admin), body).await;
        assert_eq!(answer.status, wanted, "{request:?}: {} {}", answer.body, self.stack.log());
        answer.body
    }
}

#[tokio::test]
async fn one_command_brings_up_a_service_that_works_and_ends_tokens_at_once() {
    let live = Live::start();
    strangers_are_told_to_log_in(&live).await;
    let (reader, guest) = make_tokens(&live).await;
    let protected = deploy_protected(&live);
    protected_lets_the_valid_in(&live, &protected, &reader, &guest).await;
    let plain = Plain::start(&live);
    assert_eq!(plain.documents(Some(&reader)).await, 200);
    assert_eq!(plain.documents(Some(&guest)).await, 403);
    assert_eq!(plain.documents(None).await, 401);
    every_sample_request_works(&live);
    a_job_applies_a_manifest_by_url(&live, &protected).await;

    // Deleted: refused everywhere by the very next request.
    live.ask(("DELETE", "/v1/users/bot@example.com/tokens/reports"), None, 204).await;
    let refused = live.send(("GET", "/v1/me"), Some(&reader), None).await;
    assert_eq!((refused.status, &refused.body["code"]), (401, &json!("invalid_token")));
    assert_eq!(live.stack.send(&protected, ("GET", "/whoami"), Some(&reader), None).await.status, 403);
    assert_eq!(plain.documents(Some(&reader)).await, 401);
    let asked = live.ask(("POST", "/v1/introspect"), Some(json!({"token": reader})), 200).await;
    assert_eq!(asked, json!({"active": false}));
    drop(plain);

    // Nothing that was written down holds a secret.
    let log = live.stack.log() + &live.stack.logs();
    assert!(log.contains("\"outcome\""), "the functions' own lines are among them: {log}");
    for secret in [&live.admin, &reader, &guest] {
        assert!(!log.contains(&secret[secret.len() - 49..]), "a secret was logged");
    }
    going_back_and_taking_down(&live);
}

async fn strangers_are_told_to_log_in(live: &Live) {
    let answer = live.send(("GET", "/v1/me"), None, None).await;
    assert_eq!((answer.status, &answer.body["code"]), (401, &json!("unauthenticated")), "{}", live.stack.log());
    assert!(answer.headers["www-authenticate"].starts_with("Bearer"));
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    let me = live.ask(("GET", "/v1/me"), None, 200).await;
    assert_eq!(me["user"], "root");
    // What the gateway has no route for never reaches a function.
    assert_eq!(live.send(("GET", "/v1/nothing"), Some(&live.admin), None).await.status, 404);
}

/// A token that may read documents, and one that may not.
async fn make_tokens(live: &Live) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    live.ask(("PUT", "/v1/roles/reader"), Some(json!({"permissions": ["documents:read"]})), 200).await;
    let user = "/v1/users/bot@example.com";
    live.ask(("PUT", user), Some(json!({"kind": "service", "roles": ["reader"]})), 200).await;
    let tokens = "/v1/users/bot@example.com/tokens";
    let made = live.ask(("POST", tokens), Some(json!({"name": "reports"})), 201).await;
    let reader = text(&made["secret"]);
    let made = live.ask(("POST", tokens), Some(json!({"name": "guest", "roles": []})), 201).await;
    let guest = text(&made["secret"]);
    let listed = live.ask(("GET", tokens), None, 200).await;
    let names: Vec<&str> = listed["tokens"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["guest", "reports"]);
    let roles = live.ask(("GET", "/v1/users/bot@example.com/tokens/reports/roles"), None, 200).await;
    assert_eq!(roles, json!({"roles": ["reader"], "permissions": ["documents:read"]}));
    let asked = live.ask(("POST", "/v1/introspect"), Some(json!({"token": reader})), 200).await;
    assert_eq!((&asked["active"], &asked["sub"]), (&json!(true), &json!("bot@example.com")));
    assert_eq!(asked["scope"], "documents:read");
    (reader, guest)
}

/// Deploys the sample as its README says; the id of its API.
fn deploy_protected(live: &Live) -> String {
    let template = root().join("samples/protected-api/template.yaml");
    let parameter = format!("AuthorizeArn={}", live.authorizer);
    live.stack.aws(&[
        "cloudformation",
        "deploy",
        "--stack-name",
        "protected-api",
        "--template-file",
        template.to_str().unwrap(),
        "--capabilities",
        "CAPABILITY_IAM",
        "CAPABILITY_AUTO_EXPAND",
        "--parameter-overrides",
        &parameter,
    ]);
    let told = live.stack.aws(&["cloudformation", "describe-stacks", "--stack-name", "protected-api"]);
    let outputs = told["Stacks"][0]["Outputs"].as_array().unwrap();
    let id = outputs.iter().find(|output| output["OutputKey"] == "ApiId").unwrap();
    id["OutputValue"].as_str().unwrap().to_owned()
}

async fn protected_lets_the_valid_in(live: &Live, api: &str, reader: &str, guest: &str) {
    let send = async |path, secret| live.stack.send(api, ("GET", path), secret, None).await;
    let who = send("/whoami", Some(reader)).await;
    assert_eq!(who.status, 200, "{} {}", who.body, live.stack.log());
    let id: TokenId = who.body["token_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(
        who.body,
        json!({"user": "bot@example.com", "token": "reports", "token_id": id, "roles": ["reader"], "permissions": ["documents:read"]})
    );
    assert_eq!(send("/documents", Some(reader)).await.body["for"], "bot@example.com");
    let who = send("/whoami", Some(guest)).await;
    assert_eq!((who.status, &who.body["permissions"]), (200, &json!([])));
    assert_eq!(send("/documents", Some(guest)).await.status, 403);
    // Nobody else: no secret, something else, one of no token, a good one with another end.
    assert_eq!(send("/whoami", None).await.status, 401);
    let unknown = Secret::mint(&Prefix::default(), &TokenId::mint(&SystemEntropy).unwrap(), &SystemEntropy).unwrap();
    let other = Secret::mint(&Prefix::default(), &id, &SystemEntropy).unwrap();
    for secret in ["let-me-in", unknown.expose(), other.expose(), &reader[..reader.len() - 1]] {
        assert_eq!(send("/whoami", Some(secret)).await.status, 403);
    }
}

/// The sample `axum-check`, a web service on the table itself.
struct Plain {
    child: Child,
    port: u16,
}

impl Plain {
    fn start(live: &Live) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = live.stack.command(binaries().join("axum-check"));
        command.env("LATCHKEY_TABLE", &live.table).env("LISTEN", format!("127.0.0.1:{port}"));
        let child = command.spawn().unwrap();
        let (plain, started) = (Self { child, port }, Instant::now());
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(20), "`axum-check` does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        plain
    }

    async fn documents(&self, secret: Option<&str>) -> u16 {
        let address = ([127, 0, 0, 1], self.port).into();
        send(address, "localhost", ("GET", "/documents"), secret, None).await.status
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn every_sample_request_works(live: &Live) {
    let mut command = live.stack.command(root().join("samples/requests.sh"));
    let output = command.env("URL", &live.url).env("SECRET", &live.admin).output().unwrap();
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert!(output.status.success(), "{}\n{}\n{}", said[0], said[1], live.stack.log());
    assert!(!said[0].contains("lk_"), "{}", said[0]);
}

const MANIFEST: &str = r#"
manifest = "acme"
[roles.acme-reader]
permissions = ["documents:read"]
[users.acme-bot]
kind = "service"
roles = ["acme-reader"]
[sinks.dev]
type = "dotenv"
path = ".env"
[tokens.invoice-renderer]
user = "acme-bot"
push = [{ sink = "dev", name = "API_TOKEN" }]
"#;

async fn a_job_applies_a_manifest_by_url(live: &Live, protected: &str) {
    live.ask(("PUT", "/v1/roles/deployer"), Some(json!({"permissions": ["manifests:acme"]})), 200).await;
    live.ask(("PUT", "/v1/users/job"), Some(json!({"kind": "service", "roles": ["deployer"]})), 200).await;
    let job = live.ask(("POST", "/v1/users/job/tokens"), Some(json!({"name": "actions"})), 201).await;
    let grant = json!({"permissions": ["documents:read"], "new_users": ["acme-*"], "new_roles": ["acme-*"]});
    live.ask(("PUT", "/v1/manifests/acme/grant"), Some(grant), 200).await;
    // A process may go on for 5 seconds with what roles permitted before.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let url = format!("http://{}", live.stack.front(&live.api).await);
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{MANIFEST}[service]\nurl = \"{url}\"\n");
    write_atomic(&folder.path().join("tokens.toml"), text.as_bytes(), 0o600).unwrap();
    for (arguments, wanted) in [(&["apply"][..], 0), (&["plan", "--detailed-exitcode"], 0), (&["status"], 0)] {
        let mut command = live.stack.command(binaries().join("provision"));
        command.args(arguments).current_dir(folder.path()).env("LATCHKEY_URL", &url);
        command.env("LATCHKEY_TOKEN", job["secret"].as_str().unwrap());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(wanted), "{arguments:?}: {said}{}", live.stack.log());
    }
    let pushed = std::fs::read_to_string(folder.path().join(".env")).unwrap();
    let secret = pushed.trim().strip_prefix("API_TOKEN=").unwrap().trim_matches(['"', '\''] as [char; 2]);
    let who = live.stack.send(protected, ("GET", "/whoami"), Some(secret), None).await;
    assert_eq!((&who.body["user"], &who.body["token"]), (&json!("acme-bot"), &json!("invoice-renderer")), "{who:?}");
}

/// An earlier release comes back without a build, and the stack goes without its table.
fn going_back_and_taking_down(live: &Live) {
    let said = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let releases = live.stack.infra("deploy", &["--releases"]);
    let releases = String::from_utf8(releases.stdout).unwrap();
    let release = releases.lines().next().unwrap();
    let back = live.stack.infra("deploy", &["--release", release]);
    assert!(back.status.success(), "{}", said(&back));
    let other = live.stack.infra("deploy", &["--release", release, "--table", "other"]);
    assert!(said(&other).contains("the stack `latchkey` has the table `latchkey`, not `other`"), "{}", said(&other));
    let held = live.stack.infra("destroy", &["--stack", "latchkey"]);
    assert!(!held.status.success() && said(&held).contains("nothing was deleted"), "{}", said(&held));
    let gone = live.stack.infra("destroy", &["--stack", "latchkey", "--yes"]);
    assert!(gone.status.success() && said(&gone).contains("kept the table `latchkey`"), "{}", said(&gone));
    let table = live.stack.aws(&["dynamodb", "describe-table", "--table-name", &live.table]);
    assert_eq!(table["Table"]["DeletionProtectionEnabled"], true);
}
