//! Files with further CA certificates.

use std::path::PathBuf;

use rustls::pki_types::CertificateDer;

use crate::client_tls;
use crate::domain::{Class, Error, Result};
use crate::stream::{open_named, read_bounded};

/// Bytes of a file with CA certificates.
const CA_BYTES: u64 = 16 << 20;

/// Reads the certificates of files in PEM form.
///
/// # Errors
///
/// `E-USAGE ca-file` for a file without any; those of reading a file that a person named.
pub(crate) fn certificates(files: &[PathBuf]) -> Result<Vec<CertificateDer<'static>>> {
    let mut certificates = Vec::new();
    for path in files {
        let file = open_named(path, "open the CA file")?;
        let pem = read_bounded(file, CA_BYTES, "the CA file")?;
        let found = client_tls::certificates(&pem);
        if found.is_empty() {
            return Err(Error::new(
                Class::Usage,
                "ca-file",
                format!("{} holds no certificate", path.display()),
            )
            .expected("certificates in PEM form"));
        }
        certificates.extend(found);
    }
    Ok(certificates)
}
