//! A clock that is far behind what its table has seen: what is said of it, and what its operator says to it.

use latchkey::clock::ClockBehind;
use latchkey::service::AcceptError;

use super::arguments::ClockFlag;
use super::exit::{Code, Fault};
use crate::output::Printer;
use crate::plan::{Stop, minute};
use crate::service::Client;

/// The fault of a clock that stops a command.
pub(super) fn fault(behind: ClockBehind) -> Fault {
    let stop = Stop::Clock(behind);
    Fault::new(stop.to_string()).hint(format!("nothing was changed; {}", stop.hint())).code(Code::Guard)
}

/// Accepts the clock where the operator says that it is right.
pub(super) async fn accept(printer: Printer, client: &Client, flag: &ClockFlag) -> Result<(), Fault> {
    if !flag.clock_is_right {
        return Ok(());
    }
    let Some((service, caller)) = client.operated() else {
        return Err(Fault::new("`--clock-is-right` needs the table of the service, not a server").hint(
            "pass it to a command on the machine of the table, for example `provision serve --clock-is-right` there",
        ));
    };
    match service.accept_clock(caller).await {
        Ok(Some(behind)) => printer.talk(&format!(
            "The clock is taken to be right: {}, not {}",
            minute(behind.now),
            minute(behind.seen)
        )),
        Ok(None) => printer.warning("`--clock-is-right` changed nothing, as the clock is not behind"),
        Err(AcceptError::Impossible(behind)) => return Err(fault(behind)),
        Err(error) => return Err(Fault::new(error.to_string())),
    }
    Ok(())
}
