//! Reading TOML that people wrote: all faults at once, each with where it is and what to do about it, and nothing
//! secret shown. It knows no manifest and no sink.

mod context;
mod fault;
mod faults;
mod fields;
mod hosts;
pub mod masking;
mod nearest;
pub mod snippet;
pub mod syntax;
mod text;

pub use context::{Allowances, Reading};
pub use fault::{Fault, Severity, Span};
pub use faults::Faults;
pub use fields::{Fields, Section, sections, wrong_type};
pub use masking::shown;
pub use nearest::{Slips, listed, listed_of, nearest};
pub use text::{Text, is_plain, text_of};
