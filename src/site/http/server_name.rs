//! Names that a certificate can be for.

use rustls::pki_types::ServerName;

use crate::domain::{Class, Error, Result};

/// Reads a host name or an address.
pub(super) fn server_name(name: &str) -> Result<ServerName<'static>> {
    ServerName::try_from(name.to_owned()).map_err(|e| {
        Error::new(
            Class::Usage,
            "tls-name",
            format!("{name:?} is no name for a certificate"),
        )
        .expected("a host name or an address, without port")
        .with_source(e)
    })
}
