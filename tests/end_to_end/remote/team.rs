//! A server for a team: what it listens on, whom it believes, what it tells of itself, and what it refuses.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::deployment::root;
use tests::programs::{find, missing};
use tests::provision::World;
use tests::remote::Served;

/// A table with an admin, a token that is valid from one address only, and both secrets.
struct Team {
    world: World,
    admin: String,
    bound: String,
}

impl Team {
    fn new() -> Self {
        let world = World::new();
        let table = "--service embedded:latchkey.db";
        let secret = |words: &str| world.run(&format!("{words} {table}")).exits(0).stdout.trim().to_owned();
        let admin = secret("bootstrap");
        let _ = secret("user set ada");
        let bound = secret("token create bound --user ada --allow-ip 127.0.0.2/32");
        Self { world, admin, bound }
    }

    fn serve(&self, words: &str) -> Served {
        let words = format!("serve --service embedded:latchkey.db {words}");
        Served::run(self.world.command(words.split_whitespace()))
    }
}

/// What curl got: the status, and the body.
pub(super) fn curl(words: &[&str], secret: Option<&str>) -> (u16, String) {
    let mut command = Command::new(find("curl").unwrap());
    command.args(["--silent", "--show-error", "--max-time", "20", "--write-out", "\n%{http_code}"]).args(words);
    // A header from stdin: secrets stand in no list of processes.
    if secret.is_some() {
        command.args(["--header", "@-"]);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    if let Some(secret) = secret {
        use std::io::Write as _;
        let line = format!("authorization: Bearer {secret}\n");
        child.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Tries until it is so. What is waited for comes by itself, within seconds.
fn until(mut so: impl FnMut() -> bool, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn tokens_cross_no_network_in_plain_text() {
    let world = World::new();
    let refused = world.run("serve --service embedded:latchkey.db --listen 0.0.0.0:0").exits(1);
    assert!(refused.stderr.contains("refusing to serve plain HTTP on 0.0.0.0:0"), "{refused:?}");
    assert!(refused.stderr.contains("--tls-cert") && refused.stderr.contains("--behind"), "{refused:?}");
    for (words, said) in [
        ("--tls-cert chain.pem", "--tls-key"),
        ("--tls-cert chain.pem --tls-key key.pem", "there is no such file"),
        ("--base-path tokens", "a base path is"),
        ("--forwarded forwarded", "--behind"),
    ] {
        let refused = world.run(&format!("serve --service embedded:latchkey.db --port 0 {words}"));
        assert_ne!(refused.code, Some(0), "{words}");
        assert!(refused.stderr.contains(said), "{words}: {}", refused.stderr);
    }
}

#[test]
fn a_certificate_that_is_renewed_is_used_without_a_restart() {
    if let Some(why) = missing(&["curl"]) {
        tests::skip!("{why}");
    }
    let team = Team::new();
    let issue = |name: &str| {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        team.world.write("chain.pem", &made.cert.pem());
        team.world.write("key.pem", &made.signing_key.serialize_pem());
        team.world.write(name, &made.cert.pem());
    };
    issue("first.pem");
    let server = team.serve("--listen 127.0.0.1:0 --tls-cert chain.pem --tls-key key.pem");
    let address = server.url().strip_prefix("https://").unwrap().replace("127.0.0.1", "localhost");
    let ask = |name: &str| {
        let trusted = team.world.path(name);
        let url = format!("https://{address}/v1/me");
        curl(&["--cacert", trusted.to_str().unwrap(), &url], Some(&team.admin)).0
    };
    assert_eq!(ask("first.pem"), 200);
    // A key that does not fit is what one sees between two writes: the former pair is used on.
    team.world.write("key.pem", "no key");
    assert_eq!(ask("first.pem"), 200);
    issue("second.pem");
    until(|| ask("second.pem") == 200, "the new certificate is never used");
    assert_eq!(ask("first.pem"), 0, "nobody is shown the former one");
    // Who speaks plain HTTP to it gets nothing.
    assert_eq!(curl(&[&format!("http://{address}/v1/me")], None).0, 0);
}

/// A proxy that ends with its test.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs nginx with this server.
fn nginx(folder: &Path, server: &str) -> Nginx {
    let text = format!(
        "daemon off; master_process off; pid {0}/nginx.pid; error_log {0}/error.log;
         events {{}}
         http {{
           access_log off; client_body_temp_path {0}/a; proxy_temp_path {0}/b; fastcgi_temp_path {0}/c;
           uwsgi_temp_path {0}/d; scgi_temp_path {0}/e;
           {server}
         }}",
        folder.display()
    );
    let file = folder.join("nginx.conf");
    #[expect(clippy::disallowed_methods, reason = "no secret is in it")]
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(find("nginx").unwrap());
    command.arg("-p").arg(folder).arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
    Nginx(command.spawn().unwrap())
}

#[test]
fn a_token_bound_to_a_network_is_held_to_it_behind_a_proxy_whatever_is_forged() {
    if let Some(why) = missing(&["curl", "nginx"]) {
        tests::skip!("{why}");
    }
    let team = Team::new();
    let server = team.serve("--port 0 --behind 127.0.0.1/32 --base-path /tokens");
    let port = free_port();
    let upstream = server.url().strip_suffix("/tokens").unwrap();
    let text = format!(
        "server {{
           listen 127.0.0.1:{port};
           location /tokens {{
             proxy_pass {upstream};
             proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
           }}
         }}"
    );
    let _proxy = nginx(team.world.folder(), &text);
    let url = format!("http://127.0.0.1:{port}/tokens/v1/me");
    until(|| curl(&[&url], None).0 == 401, "the proxy does not answer");
    // From its own address, and from another one that says it were there.
    assert_eq!(curl(&["--interface", "127.0.0.2", &url], Some(&team.bound)).0, 200);
    assert_eq!(curl(&["--interface", "127.0.0.3", &url], Some(&team.bound)).0, 401);
    for forged in [
        "X-Forwarded-For: 127.0.0.2",
        "X-Forwarded-For: 127.0.0.2, 127.0.0.1",
        "X-Forwarded-For: \"127.0.0.2",
        "Forwarded: for=127.0.0.2",
        "X-Real-IP: 127.0.0.2",
    ] {
        let asked = curl(&["--interface", "127.0.0.3", "--header", forged, &url], Some(&team.bound));
        assert_eq!(asked.0, 401, "{forged}");
        let asked =
            curl(&["--interface", "127.0.0.2", "--header", &forged.replace(".2", ".3"), &url], Some(&team.bound));
        assert_eq!(asked.0, 200, "{forged}");
    }
    // Past the proxy nobody's word is taken.
    let direct = format!("{}/v1/me", server.url());
    let forged = ["--interface", "127.0.0.3", "--header", "X-Forwarded-For: 127.0.0.2", &direct];
    assert_eq!(curl(&forged, Some(&team.bound)).0, 401);
    // The page is there, too, below its base.
    let page = curl(&["--location", &format!("http://127.0.0.1:{port}/tokens")], None);
    assert!(page.0 == 200 && page.1.contains("<title>Latchkey</title>"), "{page:?}");
    let outside = curl(&[&format!("{upstream}/v1/me")], Some(&team.admin));
    assert_eq!(outside.0, 404, "{}", outside.1);
}

#[test]
fn behind_the_nginx_of_the_sample_nobody_forges_where_the_server_is_or_where_they_ask_from() {
    if let Some(why) = missing(&["curl", "nginx"]) {
        tests::skip!("{why}");
    }
    let team = Team::new();
    let made = rcgen::generate_simple_self_signed(["tokens.example.com".to_owned()]).unwrap();
    team.world.write("chain.pem", &made.cert.pem());
    team.world.write("key.pem", &made.signing_key.serialize_pem());
    let server = team.serve("--port 0 --behind 127.0.0.1/32");
    let port = free_port();
    let folder = team.world.folder().to_str().unwrap();
    let sample = std::fs::read_to_string(root().join("samples/serve/nginx.conf")).unwrap();
    let here = sample.replace("listen 443", &format!("listen 127.0.0.1:{port}"));
    let here = here.replace("/etc/nginx/certificate", folder).replace("http://latchkey:8787", server.url());
    let _proxy = nginx(team.world.folder(), &here);
    let (authority, resolve) = (format!("{folder}/chain.pem"), format!("tokens.example.com:{port}:127.0.0.1"));
    let ask = |from: &str, path: &str, forged: &str, secret: Option<&str>| {
        let url = format!("https://tokens.example.com:{port}{path}");
        let words = ["--cacert", &authority, "--resolve", &resolve, "--interface", from, "--header", forged, &url];
        curl(&words, secret)
    };
    until(|| ask("127.0.0.2", "/healthz", "X-Nothing: x", None).0 == 200, "the proxy does not answer");
    for forged in [
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Proto: http",
        "Forwarded: host=evil.example;proto=http",
        "X-Forwarded-For: 127.0.0.2",
    ] {
        let told = ask("127.0.0.3", "/.well-known/oauth-authorization-server", forged, None);
        let told: Value = serde_json::from_str(&told.1).unwrap();
        assert_eq!(told["issuer"], "https://tokens.example.com", "{forged}");
        assert_eq!(ask("127.0.0.3", "/v1/me", forged, Some(&team.bound)).0, 401, "{forged}");
        assert_eq!(ask("127.0.0.2", "/v1/me", &forged.replace(".2", ".3"), Some(&team.bound)).0, 200, "{forged}");
    }
}

#[test]
fn the_command_reaches_a_server_below_its_base_and_nothing_beside_it() {
    let team = Team::new();
    let server = team.serve("--port 0 --base-path /tokens");
    let at = |url: &str| team.world.run_in(&[("LATCHKEY_URL", url), ("LATCHKEY_TOKEN", &team.admin)], "whoami");
    for url in [server.url().to_owned(), format!("{}/", server.url())] {
        assert!(at(&url).exits(0).stdout.contains("/tokens\n"), "{url}");
    }
    let root = server.url().strip_suffix("/tokens").unwrap();
    for beside in ["", "/other", "/tokens/v1", "/tokens/../tokens"] {
        assert_ne!(at(&format!("{root}{beside}")).code, Some(0), "{beside}");
    }
}

#[test]
fn a_server_tells_how_it_is_and_what_it_did_without_a_secret() {
    if let Some(why) = missing(&["curl"]) {
        tests::skip!("{why}");
    }
    let team = Team::new();
    let counters = free_port();
    let server = team.serve(&format!("--port 0 --access-log access.log --metrics 127.0.0.1:{counters} --pace 5"));
    let at = |path: &str| format!("{}{path}", server.url());
    assert_eq!(curl(&[&at("/healthz")], None), (200, "ok\n".to_owned()));
    assert_eq!(curl(&[&at("/readyz")], None), (200, "ready\n".to_owned()));
    assert_eq!(curl(&[&at("/v1/me")], Some(&team.admin)).0, 200);
    // A secret in an address, where it must not be, stays out of the log.
    assert_eq!(curl(&[&at(&format!("/v1/users/{}", team.admin))], Some(&team.admin)).0, 404);
    let (codes, mut answers): (Vec<u16>, Vec<String>) =
        (0..60).map(|_| curl(&["--include", &at("/v1/me")], None)).unzip();
    let paced = codes.iter().position(|code| *code == 429).expect("somebody who asks too much is told to wait");
    let told = answers.swap_remove(paced).to_lowercase();
    assert!(told.contains("retry-after: 1") && told.contains("too_many_requests"), "{told}");
    assert_eq!(curl(&[&at("/healthz")], None).0, 200, "a supervisor is never told so");

    let shown = curl(&[&format!("http://127.0.0.1:{counters}/metrics")], None).1;
    for line in [
        "latchkey_requests_total{route=\"GET /v1/me\",status=\"200\"} 1",
        "latchkey_checks_total{result=\"valid\"}",
        "# EOF",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    let log = team.world.read("access.log");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let me = lines.iter().find(|line| line["route"] == "GET /v1/me" && line["status"] == 200).unwrap();
    assert_eq!((&me["from"], &me["check"]), (&"127.0.0.1".into(), &"valid".into()));
    assert!(me["ms"].as_f64().is_some_and(|took| took > 0.0) && me["token"].is_string(), "{me}");
    assert!(!(log + &shown).contains(&team.admin[..30]), "no secret is in it");
    assert_eq!(curl(&[&at("/metrics")], None).0 / 100, 4, "counters are for their own address only");
}

/// The unit among the samples is one that systemd takes, and shuts what it can.
#[test]
fn systemd_takes_the_unit_and_finds_it_shut() {
    let Some(analyze) = find("systemd-analyze") else { tests::skip!("needs `systemd-analyze`") };
    let world = World::new();
    let unit = std::fs::read_to_string(root().join("samples/serve/latchkey.service")).unwrap();
    let file = world.path("latchkey.service");
    world.write("latchkey.service", &unit.replace("/usr/local/bin/provision", "/bin/true"));
    let output = Command::new(&analyze).args(["verify", "--man=no"]).arg(&file).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !told.contains("latchkey.service"), "{told}");
    // 0 is shut, 10 is open.
    let output =
        Command::new(analyze).args(["security", "--offline=yes", "--threshold=25"]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    // What it starts is a command line of ours.
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/provision ")).unwrap();
    let words = start.replace("%d/", "./").replace("/var/lib/latchkey/", "").replace("0.0.0.0:8443", "127.0.0.1:0");
    let refused = world.run(&words.replace("127.0.0.1:9187", "127.0.0.1:0"));
    assert!(refused.stderr.contains("cannot read `./chain.pem`"), "{refused:?}");
}
