//! What the functions cost to start and to run: release binaries (or those in the folder `LATCHKEY_FUNCTIONS`) against a stub of the Runtime API and a table over
//! TLS, beside a function that does nothing, one that reads one item, and the same check in Python. CPU time and ratios
//! hold on a busy machine, wall times do not.
//!
//! ```sh
//! cargo build --profile lambda -p latchkey -p bench-parts --features latchkey/lambda --bins
//! cargo build --profile lambda -p provisioner --features lambda --bin rotate
//! cargo bench --workspace --bench cold_start --profile dev
//! ```

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

mod cold;
mod table;
mod warm;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use latchkey::api::Function as Which;
use latchkey::name::RoleName;
use latchkey::service::{Caller, Issued, UserChange};
use tempfile::NamedTempFile;
use tests::lambda::{Endpoint, Function, Quota, Tls};
use tests::world::{name, new_token, permissions};

use cold::{Cold, Subject};
use table::{Bar, print};

/// What everything is measured against.
struct Stage {
    endpoint: Endpoint,
    root: NamedTempFile,
    token: Issued,
    binaries: PathBuf,
}

impl Stage {
    async fn set() -> Self {
        let tls = Tls::new();
        let endpoint = Endpoint::over_tls(&tls).await;
        let mut root = NamedTempFile::new().expect("a temporary file");
        root.write_all(tls.root.as_bytes()).expect("it takes the root");
        let (service, admin) = (&endpoint.service, Caller::operator("admin"));
        let permits = permissions(&["admin:roles", "admin:tokens", "tokens:introspect", "tokens:write"]);
        service.put_role(&admin, &name("everything"), &permits, None).await.expect("a role");
        let roles: Vec<RoleName> = vec![name("everything")];
        let change = UserChange { roles: Some(roles), max_tokens: Some(Some(1000)), ..UserChange::default() };
        service.put_user(&admin, &name("ana"), &change).await.expect("a user");
        let token = service.create(&admin, new_token("ana", "laptop")).await.expect("a token");
        let binaries = std::env::var_os("LATCHKEY_FUNCTIONS")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/lambda"), PathBuf::from);
        Self { endpoint, root, token, binaries }
    }

    fn function(&self, subject: Subject) -> Function {
        let function = Function::new(subject.name(), self.endpoint.table, &self.endpoint.url);
        let root = self.root.path().to_str().expect("its path");
        let (program, arguments) = subject.program(&self.binaries);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let function = function.program(program, &arguments).with("LATCHKEY_ROOTS", root);
        function.with("AWS_CA_BUNDLE", root).with("AWS_DEFAULT_REGION", "us-east-1")
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let stage = Stage::set().await;
    if !stage.binaries.join("noop").exists() {
        println!("first: cargo build --profile lambda -p latchkey -p bench-parts --features latchkey/lambda --bins");
        return ExitCode::FAILURE;
    }
    let quota = match Quota::new(7) {
        Ok(quota) => Some(Arc::new(quota)),
        Err(error) => {
            println!("no quota: {error}");
            None
        }
    };
    let mut rows: Vec<(Subject, Cold)> = Vec::new();
    let functions = Which::ALL.map(Subject::Function);
    for subject in [Subject::Noop, Subject::GetItem].into_iter().chain(functions).chain(Subject::python()) {
        if !subject.program(&stage.binaries).0.exists() {
            println!("not built: {}", subject.name());
            continue;
        }
        rows.push((subject, cold::measure(&stage, subject, quota.as_ref()).await));
    }
    // Of a few functions the rows alone are printed.
    let both = ["authorize", "introspect"].iter().all(|name| stage.binaries.join(name).exists());
    let warm = if both { Some(warm::measure(&stage).await) } else { None };
    let bars: Vec<Bar> = print(&rows, warm.as_ref());
    if bars.iter().all(Bar::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
