//! How registries are reached, as the command line says it.

use std::path::PathBuf;
use std::time::Duration;

use super::patience::Patience;

/// How registries are reached.
#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// Files with further CA certificates, PEM.
    pub ca_files: Vec<PathBuf>,
    /// Hosts (with port) that are reached by plain HTTP.
    pub plain_http: Vec<String>,
    /// Registries, and hosts of their token services (with port) that get their credentials besides those of their own host.
    pub token_realms: Vec<(String, String)>,
    /// Pause before the second try; doubled before each further one.
    pub first_pause: Duration,
    /// Who is told when a registry asks to wait.
    pub told: Option<fn(&str)>,
    /// Who is told what is waited for, again and again while nothing comes.
    pub waiting: Option<fn(&str)>,
    /// How long that is.
    pub patience: Patience,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            ca_files: Vec::new(),
            plain_http: Vec::new(),
            token_realms: Vec::new(),
            first_pause: Duration::from_millis(500),
            told: None,
            waiting: None,
            patience: Patience::default(),
        }
    }
}
