//! Notices on their way out: who is told of what, in which form, and how that goes. What there is to tell the service keeps
//! ([`latchkey::notice`]); here it is read, sent and settled.

mod address;
mod email;
mod eventbridge;
mod failure;
mod link;
mod message;
mod receiver;
mod sender;
mod signing;
mod slack;
mod stored;
mod text;
mod webhook;

pub use failure::Failure;
pub use message::Message;
pub use receiver::{NAME_RULE, Origin, Receiver, Way, is_name, receivers};
pub use sender::Sender;
pub use stored::{SETTINGS, published, setting};
