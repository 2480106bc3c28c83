//! The command line: arguments, and one file per command.

mod accounts;
mod agree;
mod apply;
mod arguments;
mod bootstrap;
mod check;
mod choose;
mod clock;
mod completing;
mod compromised;
mod consent;
mod copy;
mod doctor;
mod events;
mod exit;
mod forget;
mod gitignore;
mod import;
mod init;
mod interrupt;
mod job;
mod leases;
mod lock;
mod login;
mod logout;
mod manifest;
mod many;
mod notices;
mod open;
mod plan;
mod promise;
mod publish;
mod quickstart;
mod reach;
mod role;
mod run;
mod saved;
mod schedule;
mod serve;
mod server;
mod setting;
mod settings;
mod shell;
mod slips;
mod spilt;
mod status;
mod suspect;
mod token;
mod topics;
mod user;
mod when;
mod whoami;

use std::ffi::OsString;
use std::process::ExitCode;

pub use exit::{Code, Fault as CommandFault};
use futures_util::future::{LocalBoxFuture, ready};
use latchkey_sinks::heroku;
pub use topics::Topic;

use crate::output::{self, Format, Printer, Volume, actions, markdown};
use arguments::{Arguments, Command, Everywhere};

/// The whole command: what `main` calls.
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    output::set_colour(arguments::colour(&words));
    // A shell that completes a line asks this very command, and nothing else is done then.
    if completing::answered() {
        return ExitCode::SUCCESS;
    }
    log();
    // Secrets must not get into a core file, nor be read by another process of the same user.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() else {
        return ExitCode::FAILURE;
    };
    let code = runtime.block_on(run(words));
    // A read of stdin that nobody ends must not keep the process.
    runtime.shutdown_background();
    ExitCode::from(code)
}

/// What `LATCHKEY_LOG` asks for, on stderr.
fn log() {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::layer::{Layer, SubscriberExt};
    use tracing_subscriber::util::SubscriberInitExt;
    // Levels and targets only: filters on fields would take a whole engine of regular expressions.
    let asked = std::env::var("LATCHKEY_LOG").ok().and_then(|asked| asked.parse::<Targets>().ok());
    let filter = asked.unwrap_or_else(|| Targets::new().with_default(LevelFilter::ERROR));
    // What the SDK logs at trace level includes what services answer; no setting of ours lets it through.
    let ours = tracing_subscriber::filter::filter_fn(|metadata| {
        let target = metadata.target();
        target.starts_with("latchkey") || target.starts_with("provisioner") || *metadata.level() <= tracing::Level::INFO
    });
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(Printer { format: Format::Text }.colour())
        .with_writer(std::io::stderr);
    tracing_subscriber::registry().with(layer.with_filter(filter).with_filter(ours)).init();
}

/// Runs the command line and answers the exit code.
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<_> = arguments.into_iter().collect();
    if let Some(fault) = spilt::refusal(&arguments) {
        Printer { format: Format::Text }.error(&fault.message, fault.hint.as_deref());
        return usage_code(&arguments);
    }
    if let Some(topic) = topics::asked(&arguments) {
        // Whoever reads it may have seen enough.
        let _ = Printer { format: Format::Text }.block(&topic.text());
        return 0;
    }
    let parsed = match arguments::parse(&arguments) {
        Ok(parsed) => parsed,
        Err(error) if error.use_stderr() => {
            slips::show(&arguments, &error);
            return usage_code(&arguments);
        }
        Err(page) => {
            let _ = page.print();
            return 0;
        }
    };
    let printer = Printer { format: parsed.format() };
    match begin(&parsed.everywhere) {
        Ok(()) => end(printer, dispatch(printer, parsed).await),
        Err(fault) => end(printer, Err(fault)),
    }
}

/// What options of every command change before the command begins.
fn begin(everywhere: &Everywhere) -> Result<(), CommandFault> {
    output::set_volume(match everywhere {
        Everywhere { quiet: true, .. } => Volume::Quiet,
        Everywhere { verbose: true, .. } => Volume::Verbose,
        _ => Volume::Normal,
    });
    if let Err(rule) = heroku::address() {
        let message =
            format!("nothing was done: `{}` is not an address that Heroku can be reached at", heroku::VARIABLE);
        return Err(CommandFault::new(message).hint(format!("{rule}; unset it for Heroku's own address")));
    }
    let Some(folder) = &everywhere.directory else { return Ok(()) };
    std::env::set_current_dir(folder).map_err(|error| {
        CommandFault::new(format!("cannot change to the folder `{}`: {error}", folder.display()))
            .hint("nothing was done; check what `--directory` names")
    })
}

/// Prints why a command failed; answers its exit code.
fn end(printer: Printer, ended: Result<Code, CommandFault>) -> u8 {
    match ended {
        Ok(code) => code.number(),
        Err(fault) => {
            // A program reads stdout; a person the same on stderr.
            let (message, hint) = (fault.whole(), fault.hint.as_deref());
            let page = markdown::fault(&message, hint);
            match printer.format {
                Format::Json => drop(printer.json(&serde_json::json!({ "error": message, "help": fault.hint }))),
                Format::Markdown => drop(printer.block(&page)),
                Format::Text => {}
            }
            actions::summarise(&page);
            actions::fault(&message, hint);
            printer.error_with(&fault.message, &fault.details, hint);
            fault.code.number()
        }
    }
}

/// Usage errors exit 1, as errors of every command do; what tells something of a secret keeps 1 for its answer.
fn usage_code(arguments: &[OsString]) -> u8 {
    let tells = |word: &OsString| word == "verify" || word == "find" || word == "inspect";
    let answers = arguments.iter().any(|word| word == "token") && arguments.iter().any(tells);
    if answers { 2 } else { 1 }
}

/// All commands, those that only hold others too, each by its words.
pub fn grammar() -> Vec<(Vec<String>, clap::Command)> {
    let mut whole = arguments::grammar();
    whole.build();
    let mut found = vec![(Vec::new(), whole)];
    let mut next = 0;
    while let Some((words, command)) = found.get(next).cloned() {
        let below = command.get_subcommands().filter(|below| below.get_name() != "help");
        found.extend(below.map(|below| ([&words[..], &[below.get_name().to_owned()]].concat(), below.clone())));
        next += 1;
    }
    found
}

/// Each command's future is on the heap: together they are large, and whatever runs them would contain all of them.
fn dispatch(printer: Printer, arguments: Arguments) -> LocalBoxFuture<'static, Result<Code, CommandFault>> {
    let Arguments { everywhere: Everywhere { service, .. }, command } = arguments;
    match command {
        Command::Init(init) => at_once(init::run(printer, &init)),
        Command::Quickstart(quickstart) => {
            Box::pin(async move { quickstart::run(printer, service.as_deref(), &quickstart).await })
        }
        Command::Import(import) => Box::pin(async move { import::run(printer, service.as_deref(), &import).await }),
        Command::Check(check) => at_once(check::run(printer, &check)),
        Command::Schema => at_once(check::schema(printer)),
        Command::Plan(plan) => Box::pin(async move { plan::run(printer, service.as_deref(), &plan).await }),
        Command::Apply(apply) => Box::pin(async move { apply::apply(printer, service.as_deref(), &apply).await }),
        Command::Rotate(rotate) => Box::pin(async move { apply::rotate(printer, service.as_deref(), rotate).await }),
        Command::Publish(publish) => Box::pin(async move { publish::run(printer, service.as_deref(), &publish).await }),
        Command::Status(status) => Box::pin(async move { status::run(printer, service.as_deref(), &status).await }),
        Command::Doctor(doctor) => Box::pin(async move { doctor::run(printer, service.as_deref(), &doctor).await }),
        Command::Completions { shell } => at_once(shell::completions(printer, shell)),
        Command::Man { out } => at_once(shell::man(printer, out.as_deref())),
        Command::Token { command } => Box::pin(async move { token::run(printer, service.as_deref(), command).await }),
        Command::User { command } => Box::pin(async move { user::run(printer, service.as_deref(), command).await }),
        Command::Role { command } => Box::pin(async move { role::run(printer, service.as_deref(), command).await }),
        Command::Manifest { command } => {
            Box::pin(async move { manifest::run(printer, service.as_deref(), command).await })
        }
        Command::Events(events) => Box::pin(async move { events::run(printer, service.as_deref(), &events).await }),
        Command::Settings { command } => {
            Box::pin(async move { settings::run(printer, service.as_deref(), command).await })
        }
        Command::Notify { command } => {
            Box::pin(async move { notices::run(printer, service.as_deref(), command).await })
        }
        Command::Login(login) => Box::pin(async move { login::run(printer, service.as_deref(), &login).await }),
        Command::Logout(logout) => Box::pin(async move { logout::run(printer, service.as_deref(), &logout).await }),
        Command::Whoami(_) => Box::pin(async move { whoami::run(printer, service.as_deref()).await }),
        Command::Accounts(_) => at_once(accounts::list(printer)),
        Command::Switch(switch) => at_once(accounts::switch(printer, service.as_deref(), &switch)),
        Command::Bootstrap(bootstrap) => {
            Box::pin(async move { bootstrap::run(printer, service.as_deref(), &bootstrap).await })
        }
        Command::Copy(copy) => Box::pin(async move { copy::run(printer, &copy).await }),
        Command::Serve(serve) => Box::pin(async move { serve::run(printer, service, serve).await }),
    }
}

/// What a command that waits for nothing came to.
fn at_once(ended: Result<Code, CommandFault>) -> LocalBoxFuture<'static, Result<Code, CommandFault>> {
    Box::pin(ready(ended))
}
