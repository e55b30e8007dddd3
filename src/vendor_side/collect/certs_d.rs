//! Certificates for one registry, where docker and podman have them: `certs.d/HOST/`.
//!
//! ```text
//! *.crt          authorities to trust besides those of the system
//! NAME.cert      a certificate to show
//! NAME.key       its key
//! ```

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::client_tls::ClientIdentity;
use crate::domain::{Class, Error, Result};
use crate::stream::{open_named, read_bounded};

/// Where the machine has them.
const OF_MACHINE: [&str; 2] = ["/etc/docker/certs.d", "/etc/containers/certs.d"];
/// Where a person has them, below the folder of configurations.
const OF_PERSON: [&str; 2] = ["docker/certs.d", "containers/certs.d"];
/// Bytes of a certificate and its key.
const BYTES: u64 = 1 << 20;

/// What there is for one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HostCertificates {
    /// Files of authorities.
    pub(super) authorities: Vec<PathBuf>,
    /// Files of a certificate and its key.
    shown: Option<(PathBuf, PathBuf)>,
}

impl HostCertificates {
    /// Finds those of a host, with its port as it stands in image names.
    ///
    /// # Errors
    ///
    /// `E-IO` for a folder that cannot be listed; `E-USAGE client-certificate` for a certificate without its key.
    pub(super) fn of(host: &str) -> Result<Self> {
        let own = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".config")));
        let machine = OF_MACHINE.iter().map(PathBuf::from);
        let person = own
            .iter()
            .flat_map(|own| OF_PERSON.iter().map(move |below| own.join(below)));
        let mut found = Self::default();
        for folder in machine.chain(person) {
            found.take(&folder.join(host))?;
        }
        Ok(found)
    }

    fn take(&mut self, folder: &Path) -> Result<()> {
        let failed = |error| Error::io("list", folder, error);
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(());
            }
            Err(error) => return Err(failed(error)),
        };
        let mut paths = Vec::new();
        for entry in entries {
            paths.push(entry.map_err(failed)?.path());
        }
        paths.sort();
        for path in paths {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("crt") => self.authorities.push(path),
                Some("cert") => {
                    let key = path.with_extension("key");
                    if !key.try_exists().map_err(failed)? {
                        let found = format!("{} has no {} beside it", path.display(), key.display());
                        return Err(Error::new(Class::Usage, "client-certificate", found)
                            .expected("a certificate and its key, as docker has them")
                            .remedy("put the key there, or take the certificate away"));
                    }
                    self.shown = Some((path, key));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads what is to be shown.
    ///
    /// # Errors
    ///
    /// `E-USAGE client-certificate`; those of reading files that a person keeps.
    pub(super) fn identity(&self) -> Result<Option<ClientIdentity>> {
        let Some((certificate, key)) = &self.shown else {
            return Ok(None);
        };
        let read = |path: &Path| {
            let file = open_named(path, "open the certificate for a registry")?;
            read_bounded(file, BYTES, "a certificate")
        };
        let (chain, key) = (read(certificate)?, Zeroizing::new(read(key)?));
        ClientIdentity::from_pem(&chain, &key).map(Some).ok_or_else(|| {
            let found = format!("{} and its key are none that TLS can use", certificate.display());
            Error::new(Class::Usage, "client-certificate", found).expected("both in PEM form")
        })
    }
}
