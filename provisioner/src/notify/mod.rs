//! Notices on their way out: who is told of what, in which form, and how that goes. What there is to tell the service keeps
//! ([`latchkey::notice`]); here it is read, sent and settled.

mod address;
mod directory;
mod email;
mod eventbridge;
mod failure;
mod link;
mod message;
mod page;
mod receiver;
mod send;
mod sender;
mod signing;
mod slack;
mod stored;
mod tell;
mod text;
mod webhook;

pub use directory::settings;
pub use email::To;
pub use failure::Failure;
pub use message::Message;
pub use receiver::{NAME_RULE, Origin, Receiver, Way, is_name, receivers};
pub use send::{Down, GivenUp, Post, Sent};
pub use sender::{Sender, Taken};
pub use stored::{SETTINGS, published, setting};
pub use tell::{Failed, put_off, tell, tell_due, tell_failed};
