//! One `provision apply` of new tokens to Secrets Manager, Vercel and Heroku, against the vendors' own commands in a
//! loop, all on the same engines and fakes: `cargo build --release --bin provision`, then `cargo bench --workspace
//! --bench against_the_clis --profile dev [-- TOKENS]`; 100 tokens by default. Ends with 1 where `apply` takes
//! more than a fiftieth.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use tests::sinks::heroku::HerokuBench;
use tests::sinks::vercel::VercelBench;
use tests::sinks::{SecretsManagerBench, ToolBench};

/// How many times as long the loops may be expected to take.
const BAR: f64 = 50.0;

fn main() -> ExitCode {
    let tokens = std::env::args().skip(1).find_map(|word| word.parse::<usize>().ok()).unwrap_or(100);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("threads can be started");
    let (vault, web, worker) = runtime.block_on(async {
        (SecretsManagerBench::plain().await, VercelBench::start().await, HerokuBench::start().await)
    });
    let folder = tempfile::tempdir().expect("a folder");
    let benches: [(&str, &dyn ToolBench); 3] = [("vault", &vault), ("web", &web), ("worker", &worker)];
    let environment: Vec<_> = benches.iter().flat_map(|(_, bench)| bench.environment()).collect();
    latchkey_sinks::files::write_atomic(
        &folder.path().join("tokens.toml"),
        manifest(&benches, tokens).as_bytes(),
        0o600,
    )
    .expect("a manifest");

    let provision =
        std::env::var_os("PROVISION_BIN").map_or_else(|| root.join("target/release/provision"), PathBuf::from);
    let mut command = Command::new(provision);
    command.args(["apply", "--allow-outside"]).current_dir(folder.path()).envs(environment.clone());
    let apply = timed(&mut command);
    println!("provision apply, {tokens} tokens x 3 sinks: {:.2} s", apply.as_secs_f64());

    let url = |bench: &dyn ToolBench| bench.url().expect("it listens");
    let aws = root.join("target/engines/python/bin/aws");
    let heroku = root.join("target/engines/heroku/node_modules/.bin/heroku");
    let mut loops = Duration::ZERO;
    let mut add = |name: &str, one: &dyn Fn(usize) -> Command| {
        let mut took = Duration::ZERO;
        for number in 0..tokens {
            took += timed(&mut one(number));
        }
        println!("{name}, one token at a time: {:.2} s", took.as_secs_f64());
        loops += took;
    };
    add("aws secretsmanager create-secret", &|number| {
        let mut command = Command::new(&aws);
        let name = format!("by-hand/token-{number}");
        command.args(["secretsmanager", "create-secret", "--endpoint-url", &url(&vault), "--region", "eu-west-1"]);
        command.args(["--name", &name, "--secret-string", "value"]).envs(environment.clone());
        command
    });
    add("heroku config:set", &|number| {
        let mut command = Command::new(&heroku);
        command.args(["config:set", &format!("BY_HAND_{number}=value"), "-a", "acme-worker"]);
        command.env("HEROKU_HOST", url(&worker)).env("HEROKU_API_KEY", worker.login());
        command
    });
    add("curl to Vercel", &|number| {
        let body = serde_json::json!({
            "key": format!("BY_HAND_{number}"), "value": "value", "type": "sensitive", "target": ["production"],
        });
        let mut command = Command::new("curl");
        command.args(["-sSf", "-X", "POST", "-H", "content-type: application/json", "-H"]);
        command.arg(format!("authorization: Bearer {}", web.login())).args(["-d", &body.to_string()]);
        command.arg(format!("{}/v10/projects/acme-web/env", url(&web)));
        command
    });
    let ratio = loops.as_secs_f64() / apply.as_secs_f64();
    let verdict = if ratio >= BAR { "holds" } else { "FAILS" };
    println!("the loops: {:.2} s, {ratio:.0} times as long (bar {BAR:.0}): {verdict}", loops.as_secs_f64());
    if ratio >= BAR { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn manifest(benches: &[(&str, &dyn ToolBench)], tokens: usize) -> String {
    let mut text = String::from(
        "manifest = \"bench\"\n[service]\nembedded = \"latchkey.db\"\n[defaults]\nuser = \"ci\"\n[roles.reader]\n\
         permissions = [\"documents:read\"]\n[users.ci]\nkind = \"service\"\nroles = [\"reader\"]\nmax_tokens = 100000\n",
    );
    for (name, bench) in benches {
        let _ = write!(text, "[sinks.{name}]\n{}", bench.declaration(&bench.url().unwrap_or_default()));
    }
    for token in 0..tokens {
        let _ = write!(
            text,
            "[tokens.service-{token:05}]\npush = [{{ sink = \"vault\", name = \"prod/service-{token}\" }}, \
             {{ sink = \"web\", name = \"SERVICE_{token}\", targets = [\"production\"] }}, \
             {{ sink = \"worker\", name = \"SERVICE_{token}\" }}]\n"
        );
    }
    text
}

/// Runs a command, which has to succeed.
fn timed(command: &mut Command) -> Duration {
    let started = Instant::now();
    let ended = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let ended = ended.unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
    let took = started.elapsed();
    if !ended.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&ended.stderr));
        panic!("{} did not succeed", command.get_program().display());
    }
    took
}
