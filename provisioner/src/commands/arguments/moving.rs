//! Moving in: what takes over entries that are there already.

use clap::Args;

use super::SAFETY;

/// Whose entries a run takes over, beside those whose push has `adopt = true`.
#[derive(Debug, Default, Args)]
pub(in crate::commands) struct AdoptFlags {
    /// Replace values that Latchkey did not write in the entries of this token, `NAME` or `USER/NAME` (repeatable)
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = SAFETY)]
    pub(in crate::commands) adopt: Vec<String>,
    /// Replace values that Latchkey did not write in the entries of all tokens
    #[arg(long, conflicts_with = "adopt", help_heading = SAFETY)]
    pub(in crate::commands) adopt_all: bool,
}
