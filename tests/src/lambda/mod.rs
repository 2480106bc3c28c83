//! The functions as Lambda runs them: the real binaries against a stub of the Runtime API, on a real table behind a
//! socket.

pub mod events;
mod function;
mod quota;
mod runtime_api;
mod table;

pub use function::{Function, Started, built};
pub use quota::Quota;
pub use runtime_api::{Extensions, Invoked, RuntimeApi};
pub use table::{Endpoint, Tls};
