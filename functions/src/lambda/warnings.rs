//! What the layers below warn of, in the form of the log. A formatting subscriber would cost a third of the start.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::log::{self, Level};
use crate::api::Function;
use crate::clock::{Clock, SystemClock};

/// Writes from now on what this crate and the Lambda runtime warn of. Others may repeat what they were sent.
pub(super) fn pass_on(function: Function) {
    // It fails only if it was called before.
    let _ = tracing::subscriber::set_global_default(Warnings(function));
}

struct Warnings(Function);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let ours = ["latchkey", "lambda_runtime"].iter().any(|own| metadata.target().starts_with(own));
        // This one repeats an error that the invocation's own line has.
        let repeated = metadata.target() == "lambda_runtime::layers::panic";
        ours && !repeated && *metadata.level() <= tracing::Level::WARN
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn event(&self, event: &Event<'_>) {
        let mut told = Told::default();
        event.record(&mut told);
        let level = if *event.metadata().level() == tracing::Level::WARN { Level::Warn } else { Level::Error };
        log::write(log::note(SystemClock.now(), level, self.0, &told.message, &told.rest));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The message of an event, and its fields.
#[derive(Default)]
struct Told {
    message: String,
    rest: String,
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
            return;
        }
        let between = if self.rest.is_empty() { "" } else { ", " };
        self.rest = format!("{}{between}{}: {value:?}", self.rest, field.name());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_behind_the_message() {
        struct Keep(std::sync::Arc<crate::mutex::Mutex<Told>>);
        impl Subscriber for Keep {
            fn enabled(&self, metadata: &Metadata<'_>) -> bool {
                Warnings(Function::LIST).enabled(metadata)
            }
            fn event(&self, event: &Event<'_>) {
                event.record(&mut *self.0.lock());
            }
            fn new_span(&self, attributes: &Attributes<'_>) -> Id {
                Warnings(Function::LIST).new_span(attributes)
            }
            fn record(&self, _: &Id, _: &Record<'_>) {}
            fn record_follows_from(&self, _: &Id, _: &Id) {}
            fn enter(&self, _: &Id) {}
            fn exit(&self, _: &Id) {}
        }
        let told = std::sync::Arc::new(crate::mutex::Mutex::new(Told::default()));
        tracing::subscriber::with_default(Keep(told.clone()), || {
            tracing::warn!(error = %"gone", attempt = 2, "a use was not recorded");
            tracing::info!("not passed on");
            tracing::error!(target: "aws_smithy_runtime", "nor is this");
        });
        let told = told.lock();
        assert_eq!((told.message.as_str(), told.rest.as_str()), ("a use was not recorded", "error: gone, attempt: 2"));
    }
}
