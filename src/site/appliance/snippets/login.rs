//! Who an engine logs in as.

use zeroize::Zeroizing;

/// Who logs in.
pub struct Login {
    /// Any name will do.
    pub user: String,
    /// What was shown once.
    pub secret: Zeroizing<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
