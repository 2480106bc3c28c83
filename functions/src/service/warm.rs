//! What a first check would read, read ahead of it.

use super::Service;
use crate::table::TableError;

impl Service {
    /// Reads what roles allow, so that a check in the next seconds need not.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn warm(&self) -> Result<(), TableError> {
        self.roles_read().await.map(drop)
    }
}
