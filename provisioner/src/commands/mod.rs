//! The command line: arguments, and one file a command.

mod apply;
mod arguments;
mod check;
mod exit;
mod init;
mod lock;
mod open;
mod plan;
mod role;
mod status;
mod token;
mod user;

use clap::Parser;

pub use exit::{Code, Fault as CommandFault};

use crate::output::{Format, Printer};
use arguments::{Arguments, Command};

/// Runs the command line and answers the exit code.
pub async fn run(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> u8 {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let parsed = match Arguments::try_parse_from(&arguments) {
        Ok(parsed) => parsed,
        Err(error) => {
            let _ = error.print();
            return usage_code(&error, &arguments);
        }
    };
    let printer = Printer { format: parsed.format() };
    match dispatch(printer, parsed).await {
        Ok(code) => code.number(),
        Err(fault) => {
            if printer.format == Format::Json {
                // A program reads stdout; a person the same on stderr.
                let _ = printer.json(&serde_json::json!({ "error": fault.message, "help": fault.hint }));
            }
            printer.error(&fault.message, fault.hint.as_deref());
            fault.code.number()
        }
    }
}

/// Usage errors exit 1, as errors of every command do; `token verify` keeps 1 for what is not valid.
fn usage_code(error: &clap::Error, arguments: &[std::ffi::OsString]) -> u8 {
    if !error.use_stderr() {
        return 0;
    }
    let verify = arguments.iter().any(|word| word == "token") && arguments.iter().any(|word| word == "verify");
    if verify { 2 } else { 1 }
}

async fn dispatch(printer: Printer, arguments: Arguments) -> Result<Code, CommandFault> {
    let Arguments { service, command, .. } = arguments;
    match command {
        Command::Init(init) => init::run(printer, &init),
        Command::Check(check) => check::run(printer, &check),
        Command::Schema => check::schema(printer),
        Command::Plan(plan) => plan::run(printer, service.as_deref(), &plan).await,
        Command::Apply(apply) => apply::apply(printer, service.as_deref(), &apply).await,
        Command::Rotate(rotate) => apply::rotate(printer, service.as_deref(), &rotate).await,
        Command::Status(status) => status::run(printer, service.as_deref(), &status).await,
        Command::Token { command } => token::run(printer, service.as_deref(), command).await,
        Command::User { command } => user::run(printer, service.as_deref(), command).await,
        Command::Role { command } => role::run(printer, service.as_deref(), command).await,
    }
}
