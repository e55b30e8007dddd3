//! HTTPS: which certificate is shown, and how it is replaced while the server runs (threat model R13).
//!
//! Without files of the site's own, the appliance's authority signs a certificate for the configured names; it is made anew in memory
//! at every start, and when a third of its life is left. With files of its own, the site replaces them and they are read again within
//! seconds: a pair that does not fit, perhaps half of a replacement, is not taken, and the one before stays. One that is out of its time
//! when the server starts, or ends later, is shown all the same, with a warning and a bad word in `/readyz`, because agents of a closed
//! network are better served late than never. Where there is none that can be shown (files that cannot be read, a key of another one, an
//! authority without its key), what is served without TLS goes on, handshakes fail, and it is tried again; a server that could answer nobody
//! without it does not start. Files of the site's own are judged by the machine's clock alone; one
//! that stands before this version of airlock was built is wrong, and judges nothing.
//!
//! # Ciphers
//!
//! Which cipher is used is for the side that has a reason: AES costs a tenth where the CPU knows it, and many times as much as `ChaCha20`
//! where it does not. A machine that knows AES leaves the choice to its clients, which ask for `ChaCha20` first when they do not; one that
//! does not chooses `ChaCha20` itself, where the client can.
//!
//! Kernel TLS is not used: not every kernel has it, and with it the keys would be the kernel's. It would save the copy of a file into
//! memory and the one of its records into the socket (`sendfile` encrypts on its way), about a quarter of the CPU time of a large answer.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::cipher_suite as ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, InconsistentKeys, ServerConfig, SupportedCipherSuite};
use tokio_rustls::TlsAcceptor;

use super::server_name::server_name;
use super::settings::{OwnCertificate, Settings};
use crate::appliance::{Authority, RENEW_AUTHORITY};
use crate::crypto::{CertificateFacts, KeyFile};
use crate::domain::{Class, Error, Problem, Result, Timestamp};
use crate::panics::{self, caught};
use crate::stream::{open_lasting, read_bounded};

/// A chain of certificates with room to spare.
const CHAIN_BYTES: u64 = 1 << 20;
/// Certificates in a chain.
const CHAIN: usize = 16;
/// What to do where files of the site's own cannot be shown: a server that runs notices.
const RIGHT: &str = "put certificate and key into the files that [tls] names, or take them out of [tls] and start the server again: then the appliance's own authority signs one";

/// The certificate that the server shows at present.
#[derive(Debug)]
pub(super) struct Certificates {
    authority: Arc<Authority>,
    names: Vec<String>,
    own: Option<OwnCertificate>,
    served: RwLock<Option<Served>>,
    /// Why there is none.
    missing: Mutex<Option<Problem>>,
    /// What the files looked like when they were last tried.
    tried: Mutex<Option<Look>>,
    /// Why the certificate is not looked after, for as long as it is not.
    neglected: Mutex<Option<Problem>>,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug, Clone)]
struct Served {
    key: Arc<CertifiedKey>,
    renew_at: Timestamp,
    from: Timestamp,
    until: Timestamp,
    warned: bool,
}

/// What tells two states of the files apart.
type Look = [(u64, u64, i64, i64); 2];

impl Certificates {
    /// Takes the certificate that is there, or has one signed. Where neither goes, it waits until that is put right; unless nobody would be
    /// answered meanwhile (`is_needed`).
    ///
    /// # Errors
    ///
    /// Where it is needed: `E-USAGE tls-certificate` for files of the site's own that cannot be read, do not fit each other, or are for other
    /// names; `E-USAGE tls-name`; `E-STATE authority`, `E-IO`. Always: `E-INTERNAL`.
    pub(super) fn open(
        authority: Arc<Authority>,
        names: Vec<String>,
        own: Option<OwnCertificate>,
        is_needed: bool,
    ) -> Result<Arc<Self>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let (loaded, tried) = match &own {
            None => (sign(&authority, &names, &provider), None),
            Some(own) => {
                let look = look(own);
                (load(own, &names, &provider), Some(look))
            }
        };
        let (served, missing) = match loaded {
            Ok(served) => (Some(served), None),
            Err(error) if is_needed || error.class() == Class::Internal => {
                return Err(error);
            }
            Err(error) => {
                tracing::warn!(%error, "nobody is answered over HTTPS until there is a certificate");
                (None, Some(Problem::of("certificate", &error)))
            }
        };
        let certificates = Self {
            authority,
            names,
            own,
            served: RwLock::new(served),
            missing: Mutex::new(missing),
            tried: Mutex::new(tried),
            neglected: Mutex::new(None),
            provider,
        };
        certificates.warn_of_time();
        Ok(Arc::new(certificates))
    }

    /// Makes what accepts TLS connections: 1.2 and 1.3, HTTP/1.1 only.
    pub(super) fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor> {
        let config = configuration(&self.provider, has_aes(), self.clone())
            .map_err(|e| Error::new(Class::Internal, "tls", format!("TLS cannot be set up: {e}")).with_source(e))?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Replaces the certificate when it is time, or when its files changed. Waits for the disk. After a panic the one before is shown on,
    /// and the next call tries again.
    pub(super) fn refresh(&self) {
        let looked = caught("certificate", || {
            panics::point("certificate");
            self.look_after();
        });
        let neglected = looked.err().map(|error| {
            *self.tried.lock().unwrap_or_else(PoisonError::into_inner) = None;
            Problem::of("certificate", &error)
        });
        *self.neglected.lock().unwrap_or_else(PoisonError::into_inner) = neglected;
    }

    fn look_after(&self) {
        let replaced = match &self.own {
            None => self
                .is_due()
                .then(|| sign(&self.authority, &self.names, &self.provider)),
            Some(own) => {
                let look = Some(look(own));
                let before = std::mem::replace(&mut *self.tried.lock().unwrap_or_else(PoisonError::into_inner), look);
                (before != look).then(|| self.load_next(own))
            }
        };
        match replaced {
            None => {}
            Some(Ok(served)) => {
                tracing::info!(until = %served.until, "another certificate is shown from now on");
                *self.served.write().unwrap_or_else(PoisonError::into_inner) = Some(served);
                *self.missing.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
            Some(Err(error)) if self.served().is_some() => {
                tracing::warn!(%error, "the certificate was not replaced; the one before stays");
            }
            Some(Err(error)) => {
                let problem = Some(Problem::of("certificate", &error));
                let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
                if *missing != problem {
                    tracing::warn!(%error, "nobody is answered over HTTPS until there is a certificate");
                    *missing = problem;
                }
            }
        }
        self.warn_of_time();
    }

    /// Reads what was put into the files. One that is not good at present takes no other one's place.
    fn load_next(&self, own: &OwnCertificate) -> Result<Served> {
        let next = load(own, &self.names, &self.provider)?;
        if let (Some(_), Some(now)) = (self.served(), self.authority.clock()) {
            check_time(own, &next, now)?;
        }
        Ok(next)
    }

    /// Says once of a certificate that it is out of its time.
    fn warn_of_time(&self) {
        let Some(problem) = self.out_of_time() else { return };
        let mut served = self.served.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(served) = served.as_mut().filter(|served| !served.warned) {
            tracing::warn!("{}; {}", problem.what, problem.remedy);
            served.warned = true;
        }
    }

    /// Returns how the certificate is: a stable word for `/readyz`.
    pub(super) fn health(&self) -> &'static str {
        match (self.served(), self.out_of_time()) {
            (None, _) => "missing",
            (Some(served), Some(_)) if self.is_past(served.until) => "expired",
            (Some(_), Some(_)) => "not-yet-valid",
            (Some(_), None) => "ok",
        }
    }

    /// Returns what is wrong with it.
    pub(super) fn problem(&self) -> Option<Problem> {
        let missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        missing.or_else(|| self.out_of_time()).or_else(|| self.neglect())
    }

    /// Says that the one which is shown is not good at present.
    fn out_of_time(&self) -> Option<Problem> {
        let served = self.served()?;
        let is_past = self.is_past(served.until);
        let is_early = self.authority.clock().is_some_and(|now| now < served.from);
        if !is_past && !is_early {
            return None;
        }
        let word = if is_past { "expired" } else { "not-yet-valid" };
        if self.own.is_none()
            && let Err(error) = self.authority.check_time()
        {
            return Some(Problem {
                error: word.into(),
                ..Problem::of("certificate", &error)
            });
        }
        let what = if is_past {
            format!("ended at {}", served.until)
        } else {
            format!("begins at {} only", served.from)
        };
        Some(Problem {
            part: "certificate",
            error: word.into(),
            what: format!("the certificate {what}: clients that check it turn away"),
            remedy: match &self.own {
                Some(own) => format!(
                    "put one that is good at present into {}, with its key",
                    own.certificate.display()
                ),
                None => RENEW_AUTHORITY.into(),
            },
        })
    }

    fn neglect(&self) -> Option<Problem> {
        self.neglected.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the authority shall sign another one. Never because the clock went back, and not when the next would end no later.
    fn is_due(&self) -> bool {
        self.served()
            .is_none_or(|served| self.authority.now() >= served.renew_at && served.until < self.authority.until())
    }

    fn is_past(&self, until: Timestamp) -> bool {
        match &self.own {
            None => self.authority.now() > until,
            Some(_) => self.authority.clock().is_some_and(|now| now > until),
        }
    }

    /// Returns the last second that the one which is shown is good; nothing where there is none.
    pub(super) fn until(&self) -> Option<Timestamp> {
        self.served().map(|served| served.until)
    }

    fn served(&self) -> Option<Served> {
        self.served.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.served().map(|served| served.key)
    }
}

/// Returns what connections are made with, on a machine whose CPU knows AES or does not.
fn configuration(
    provider: &CryptoProvider,
    has_aes: bool,
    shown: Arc<dyn ResolvesServerCert>,
) -> std::result::Result<ServerConfig, rustls::Error> {
    let provider = CryptoProvider {
        cipher_suites: suites(has_aes),
        ..provider.clone()
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(shown);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ignore_client_order = !has_aes;
    Ok(config)
}

/// Whether this CPU encrypts with AES and its checksum by itself.
fn has_aes() -> bool {
    #[cfg(target_arch = "x86_64")]
    let has = std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    let has = std::arch::is_aarch64_feature_detected!("aes") && std::arch::is_aarch64_feature_detected!("pmull");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let has = false;
    has
}

/// Returns the ciphers of a machine, the fastest first. Those that a client asks for in another order are as fast, where AES is.
fn suites(has_aes: bool) -> Vec<SupportedCipherSuite> {
    let mut suites = vec![
        ring::TLS13_AES_128_GCM_SHA256,
        ring::TLS13_AES_256_GCM_SHA384,
        ring::TLS13_CHACHA20_POLY1305_SHA256,
        ring::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ring::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        ring::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        ring::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        ring::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        ring::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ];
    if !has_aes {
        // Stable: TLS 1.3 stays before 1.2 among equals.
        suites.sort_by_key(|suite| !is_chacha(suite));
    }
    suites
}

fn is_chacha(suite: &SupportedCipherSuite) -> bool {
    matches!(
        suite.suite(),
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
    )
}

fn sign(authority: &Authority, names: &[String], provider: &CryptoProvider) -> Result<Served> {
    let leaf = authority.issue(names)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf.key.to_vec()));
    let chain = vec![CertificateDer::from(leaf.certificate)];
    let key = CertifiedKey::from_der(chain, key, provider).map_err(|e| {
        Error::new(
            Class::Internal,
            "tls",
            format!("a certificate that was just made does not work: {e}"),
        )
        .with_source(e)
    })?;
    Ok(Served {
        key: Arc::new(key),
        renew_at: leaf.renew_at,
        from: leaf.from,
        until: leaf.until,
        warned: false,
    })
}

impl Settings {
    /// Looks at a certificate of the site's own: the last second it is good; nothing where there is none. A clock that is not given judges
    /// nothing.
    ///
    /// # Errors
    ///
    /// `E-USAGE tls-certificate`.
    pub fn examine_own_certificate(&self, clock: Option<Timestamp>) -> Result<Option<Timestamp>> {
        let Some(own) = &self.tls.own else { return Ok(None) };
        let provider = rustls::crypto::ring::default_provider();
        let names = self.certificate_names(&self.tls.listen, &self.agents_address(&self.listen, &self.tls.listen));
        let served = load(own, &names, &provider)?;
        clock.map_or(Ok(()), |now| check_time(own, &served, now))?;
        Ok(Some(served.until))
    }
}

fn check_time(own: &OwnCertificate, served: &Served, now: Timestamp) -> Result<()> {
    let (from, until) = (served.from, served.until);
    if (from..=until).contains(&now) {
        return Ok(());
    }
    let found = format!("is good from {from} to {until}, and it is {now}");
    Err(wrong(&own.certificate, found)
        .expected("a certificate that is good at present")
        .remedy("renew it, or take certificate and key out of [tls]: then the appliance's own authority signs one"))
}

fn wrong(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::new(Class::Usage, "tls-certificate", format!("{} {what}", path.display())).remedy(RIGHT)
}

fn load(own: &OwnCertificate, names: &[String], provider: &CryptoProvider) -> Result<Served> {
    let unread = |path: &Path, error: Error| wrong(path, format!("cannot be read: {error}")).with_source(error);
    let file = open_lasting(&own.certificate, "open").map_err(|e| unread(&own.certificate, e))?;
    let pem = read_bounded(file, CHAIN_BYTES, "the certificate").map_err(|e| unread(&own.certificate, e))?;
    let no_certificate =
        || wrong(&own.certificate, "holds no certificate").expected("a PEM file with the server's certificate first");
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
        .take(CHAIN)
        .collect::<std::result::Result<_, _>>()
        .map_err(|e| no_certificate().with_source(e))?;
    let first = chain.first().ok_or_else(no_certificate)?.clone();
    let key = KeyFile::read(&own.key).map_err(|e| unread(&own.key, e))?;
    let key = PrivateKeyDer::from_pem_slice(key.pem().as_bytes()).map_err(|e| {
        wrong(&own.key, "holds no private key")
            .expected("a PEM file without passphrase")
            .with_source(e)
    })?;
    let facts = CertificateFacts::read(&first).map_err(|e| unread(&own.certificate, e))?;
    let certified = CertifiedKey::from_der(chain, key, provider).map_err(|e| match e {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => wrong(
            &own.key,
            format!("is the key of another certificate than {}", own.certificate.display()),
        ),
        e => wrong(&own.key, format!("cannot be used: {e}")).with_source(e),
    })?;
    let parsed =
        ParsedCertificate::try_from(&first).map_err(|e| wrong(&own.certificate, "cannot be used").with_source(e))?;
    for name in names {
        let server = server_name(name)?;
        rustls::client::verify_server_name(&parsed, &server).map_err(|e| {
            wrong(&own.certificate, format!("is for other names than {name}"))
                .expected("a certificate for every name of [tls] and for the host of agents.address")
                .with_source(e)
        })?;
    }
    Ok(Served {
        key: Arc::new(certified),
        renew_at: facts.until,
        from: facts.from,
        until: facts.until,
        warned: false,
    })
}

fn look(own: &OwnCertificate) -> Look {
    [&own.certificate, &own.key].map(|path: &PathBuf| {
        std::fs::metadata(path).map_or((0, 0, 0, 0), |data| {
            // Modes count too.
            (data.ino(), data.size(), data.ctime(), data.ctime_nsec())
        })
    })
}

#[cfg(test)]
mod tests {
    use rustls::sign::SingleCertAndKey;
    use rustls::{CipherSuite as C, ClientConfig, ClientConnection, RootCertStore, ServerConnection};

    use super::*;

    /// The cipher that a server and a client with some ciphers in an order agree on.
    fn agreed(has_aes: bool, client: &[SupportedCipherSuite]) -> C {
        let provider = rustls::crypto::ring::default_provider();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let der = made.cert.der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let shown = CertifiedKey::from_der(vec![der.clone()], key, &provider).unwrap();
        let server = configuration(&provider, has_aes, Arc::new(SingleCertAndKey::from(shown))).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(der).unwrap();
        let client = CryptoProvider {
            cipher_suites: client.to_vec(),
            ..provider
        };
        let client = ClientConfig::builder_with_provider(Arc::new(client))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut server = ServerConnection::new(Arc::new(server)).unwrap();
        let mut client = ClientConnection::new(Arc::new(client), "localhost".try_into().unwrap()).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut sent = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut sent).unwrap();
            }
            server.read_tls(&mut sent.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            let mut sent = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut sent).unwrap();
            }
            client.read_tls(&mut sent.as_slice()).unwrap();
            client.process_new_packets().unwrap();
        }
        server.negotiated_cipher_suite().unwrap().suite()
    }

    #[test]
    fn a_machine_without_aes_chooses_and_one_with_it_lets_choose() {
        let (aes, chacha) = (ring::TLS13_AES_128_GCM_SHA256, ring::TLS13_CHACHA20_POLY1305_SHA256);
        assert_eq!(agreed(true, &[aes, chacha]), C::TLS13_AES_128_GCM_SHA256);
        assert_eq!(agreed(true, &[chacha, aes]), C::TLS13_CHACHA20_POLY1305_SHA256);
        assert_eq!(agreed(false, &[aes, chacha]), C::TLS13_CHACHA20_POLY1305_SHA256);
        assert_eq!(agreed(false, &[aes]), C::TLS13_AES_128_GCM_SHA256);
        // Nothing is left out on either.
        for suite in rustls::crypto::ring::default_provider().cipher_suites {
            for has_aes in [true, false] {
                assert!(suites(has_aes).iter().any(|ours| ours.suite() == suite.suite()));
            }
        }
    }
}
