//! The appliance's own certificate authority: what agents, engines and people of the site trust when they reach it over HTTPS.
//!
//! It is made by `init`, or when it is first needed, and signs one certificate at a time for the appliance itself, which lives in
//! memory alone. Its key never leaves `identity/`.
//!
//! # Clocks
//!
//! Neither this machine's clock nor an agent's can be trusted, and no vendor's date is asked (threat model 2.6). So every certificate
//! begins a day before this version of airlock was built, and its end counts from the clock, but never from before the birth of the
//! authority: a clock that stands at 1970 or 2099 makes no certificate that is good for nobody.

use std::fs::File;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::folder::{AUTHORITY_CERTIFICATE as CERTIFICATE, AUTHORITY_KEY as KEY, IDENTITY};
use super::present::built;
use super::state::Appliance;
use crate::crypto::{CertificateFacts, KeyFile};
use crate::domain::{Class, Clock, Error, Hash, Result, SiteId, Timestamp};
use crate::stream::{Expected, LockFile, look, open_plain, read_bounded, write_atomically};

const CERTIFICATE_BYTES: u64 = 64 << 10;

const DAY: i64 = 24 * 3600;
/// How long the authority is good: 20 years.
const AUTHORITY_SECONDS: i64 = 7305 * DAY;
/// How long a certificate that it signs is good.
const LEAF_SECONDS: i64 = 397 * DAY;

/// What to do where it is not good at present.
pub const RENEW_AUTHORITY: &str = "look at the machine's clock; where that is right, end airlock serve, remove identity/ca.pem and identity/ca.key, start it again, and run `airlock target connect TARGET` for every target once more";

/// The certificate authority of one appliance.
pub struct Authority {
    state: PathBuf,
    site: SiteId,
    pem: String,
    fingerprint: Hash,
    facts: CertificateFacts,
    /// What signs, once its key was read.
    issuer: OnceLock<Issuer<'static, KeyPair>>,
    clock: Arc<dyn Clock>,
}

/// A certificate for the appliance, and its key.
pub struct Leaf {
    /// DER.
    pub certificate: Vec<u8>,
    /// PKCS#8 DER.
    pub key: Zeroizing<Vec<u8>>,
    /// The first second it is good.
    pub from: Timestamp,
    /// When it should be replaced: a third of its life is left then.
    pub renew_at: Timestamp,
    /// The last second it is good.
    pub until: Timestamp,
}

impl Authority {
    /// Opens the authority of an appliance, and makes it where there is none yet.
    ///
    /// # Errors
    ///
    /// `E-STATE authority` when it is damaged; `E-STATE` for the database, `E-IO`, `E-SPACE`.
    pub fn open(appliance: &Appliance) -> Result<Self> {
        let authority = Self::open_to_show(appliance)?;
        authority.issuer()?;
        Ok(authority)
    }

    /// As [`Authority::open`], whatever its key is like: without that nothing is signed, and its certificate is what agents are told still.
    ///
    /// # Errors
    ///
    /// `E-STATE authority` when its certificate is damaged; `E-STATE` for the database, `E-IO`, `E-SPACE`.
    pub fn open_to_show(appliance: &Appliance) -> Result<Self> {
        let (state, site, clock) = (appliance.folder(), appliance.site(), appliance.clock.clone());
        let certificate = state.join(CERTIFICATE);
        if look(&certificate, Expected::File)?.is_none() {
            create(state, site, clock.now())?;
        }
        let Shown { pem, der, facts } = shown(state)?.ok_or_else(|| damaged("its certificate is gone"))?;
        Ok(Self {
            state: state.to_owned(),
            site: site.clone(),
            fingerprint: Hash(Sha256::digest(&der).into()),
            pem,
            issuer: OnceLock::new(),
            facts,
            clock,
        })
    }

    /// Returns what signs. A key that was not good when it was looked at last is read again.
    fn issuer(&self) -> Result<&Issuer<'static, KeyPair>> {
        if let Some(issuer) = self.issuer.get() {
            return Ok(issuer);
        }
        let key = key(&self.state, &self.facts)?;
        let parameters = authority_parameters(&self.site, self.facts.from, self.facts.until);
        Ok(self.issuer.get_or_init(|| Issuer::new(parameters, key)))
    }

    /// Checks that its certificate is good by the clock of this machine; one that is wrong judges nothing.
    ///
    /// # Errors
    ///
    /// `E-EXPIRED authority`.
    pub fn check_time(&self) -> Result<()> {
        self.clock().map_or(Ok(()), |now| check_time(&self.facts, now))
    }

    /// Returns its certificate, PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// Returns the SHA-256 of its certificate, as `openssl x509 -fingerprint -sha256` prints it.
    pub fn fingerprint(&self) -> Hash {
        self.fingerprint
    }

    /// Returns the last second it is good.
    pub fn until(&self) -> Timestamp {
        self.facts.until
    }

    /// Returns the present for what it signs: the clock, but never before the birth of the authority.
    pub fn now(&self) -> Timestamp {
        self.clock.now().max(self.birth())
    }

    /// Returns what the clock says; nothing when that is before this version of airlock was built: such a clock is wrong, and judges
    /// nothing.
    pub fn clock(&self) -> Option<Timestamp> {
        Some(self.clock.now()).filter(|clock| *clock >= built())
    }

    /// When it was made, by the clock of that time.
    fn birth(&self) -> Timestamp {
        self.facts.until.plus_seconds(-AUTHORITY_SECONDS)
    }

    /// Signs a certificate for host names and addresses, with a new key.
    ///
    /// # Errors
    ///
    /// `E-USAGE tls-name` for a text that is neither; `E-STATE authority` when its key is damaged; `E-INTERNAL` when it cannot be made.
    pub fn issue(&self, names: &[String]) -> Result<Leaf> {
        let mut parameters = CertificateParams::default();
        for name in names {
            parameters.subject_alt_names.push(match name.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(name.as_str().try_into().map_err(|e: rcgen::Error| {
                    Error::new(
                        Class::Usage,
                        "tls-name",
                        format!("{name:?} is no name for a certificate"),
                    )
                    .expected("a host name or an address")
                    .with_source(e)
                })?),
            });
        }
        let now = self.now();
        let until = now.plus_seconds(LEAF_SECONDS).min(self.facts.until);
        limit(&mut parameters, self.facts.from, until);
        parameters.distinguished_name = subject("airlock appliance");
        parameters.use_authority_key_identifier_extension = true;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().map_err(|e| not_made(&e))?;
        let certificate = parameters.signed_by(&key, self.issuer()?).map_err(|e| not_made(&e))?;
        Ok(Leaf {
            certificate: certificate.der().to_vec(),
            key: Zeroizing::new(key.serialize_der()),
            from: self.facts.from,
            renew_at: until.plus_seconds(-LEAF_SECONDS / 3),
            until,
        })
    }
}

/// Makes the authority of an appliance. The key is written first: a certificate is never there without it.
pub(super) fn create(state: &Path, site: &SiteId, clock: Timestamp) -> Result<()> {
    // Two processes may need it for the first time at once.
    let identity = state.join(IDENTITY);
    let folder = LockFile::new(File::open(&identity).map_err(|e| Error::io("open", &identity, e))?);
    folder.lock().map_err(|e| Error::io("lock", &identity, e.into()))?;
    let path = state.join(CERTIFICATE);
    if look(&path, Expected::File)?.is_some() {
        return Ok(());
    }
    // Whoever trusts the one before would be cut off: another one is made only where nothing of it is left.
    if look(&state.join(KEY), Expected::File)?.is_some() {
        return Err(damaged("its certificate is gone"));
    }
    let until = clock.max(built()).plus_seconds(AUTHORITY_SECONDS);
    let key = KeyPair::generate().map_err(|e| not_made(&e))?;
    let certificate = authority_parameters(site, built().plus_seconds(-DAY), until)
        .self_signed(&key)
        .map_err(|e| not_made(&e))?;
    let key = Zeroizing::new(key.serialize_pem());
    write_atomically(&state.join(KEY), key.as_bytes(), 0o600)?;
    write_atomically(&path, certificate.pem().as_bytes(), 0o644)
}

/// What its certificate says; the same for the same site and times, because what it signs must name it alike.
fn authority_parameters(site: &SiteId, from: Timestamp, until: Timestamp) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    let short = site.as_str().get(..8).unwrap_or_default();
    parameters.distinguished_name = subject(&format!("airlock authority of site {short}"));
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    limit(&mut parameters, from, until);
    parameters
}

fn limit(parameters: &mut CertificateParams, from: Timestamp, until: Timestamp) {
    let seconds = |time: Timestamp| Duration::from_secs(time.unix().unsigned_abs());
    parameters.not_before = rcgen::date_time_ymd(1970, 1, 1) + seconds(from);
    parameters.not_after = rcgen::date_time_ymd(1970, 1, 1) + seconds(until);
}

fn subject(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

/// Looks at the authority of a state folder, and makes none: what its certificate says; nothing where there is none yet.
///
/// # Errors
///
/// `E-STATE authority`, `planted`; `E-IO`.
pub(super) fn examine(state: &Path) -> Result<Option<CertificateFacts>> {
    let Some(shown) = shown(state)? else {
        return match look(&state.join(KEY), Expected::File)? {
            Some(_) => Err(damaged("its certificate is gone")),
            None => Ok(None),
        };
    };
    key(state, &shown.facts)?;
    Ok(Some(shown.facts))
}

/// Checks that a certificate is good at a time.
///
/// # Errors
///
/// `E-EXPIRED authority`.
pub(super) fn check_time(facts: &CertificateFacts, now: Timestamp) -> Result<()> {
    let what = if now > facts.until {
        format!("ended at {}", facts.until)
    } else if now < facts.from {
        format!("begins at {} only", facts.from)
    } else {
        return Ok(());
    };
    Err(Error::new(
        Class::Expired,
        "authority",
        format!("the appliance's authority {what}, and it is {now} by the clock of this machine: clients that check it turn away"),
    )
    .remedy(RENEW_AUTHORITY))
}

/// The certificate of an authority.
struct Shown {
    pem: String,
    der: Vec<u8>,
    facts: CertificateFacts,
}

/// Reads the certificate of the authority of a state folder; nothing where there is none.
fn shown(state: &Path) -> Result<Option<Shown>> {
    let Some(file) = open_plain(&state.join(CERTIFICATE))? else {
        return Ok(None);
    };
    let pem = String::from_utf8(read_bounded(file, CERTIFICATE_BYTES, "the authority's certificate")?)
        .map_err(|e| damaged("its certificate is no PEM file").with_source(e))?;
    let der = from_pem(&pem).ok_or_else(|| damaged("its certificate is no PEM file"))?;
    let facts = CertificateFacts::read(&der).map_err(|e| damaged("its certificate cannot be read").with_source(e))?;
    Ok(Some(Shown { pem, der, facts }))
}

/// Reads the key of a certificate that signs others.
fn key(state: &Path, facts: &CertificateFacts) -> Result<KeyPair> {
    if !facts.is_authority {
        return Err(damaged("its certificate may sign no others"));
    }
    look(&state.join(KEY), Expected::File)?.ok_or_else(|| damaged("its key is gone"))?;
    let file = KeyFile::read(&state.join(KEY)).map_err(|e| e.reclassified(Class::State, "authority"))?;
    let key = KeyPair::from_pem(file.pem()).map_err(|e| damaged("its key cannot be read").with_source(e))?;
    if rcgen::PublicKeyData::subject_public_key_info(&key) != facts.public_key {
        return Err(damaged("its key belongs to another certificate"));
    }
    Ok(key)
}

/// Returns the fingerprint of the authority of a state folder that is being made.
pub(super) fn fingerprint(state: &Path) -> Result<Hash> {
    let path = state.join(CERTIFICATE);
    let file = open_plain(&path)?.ok_or_else(|| damaged("its certificate is gone"))?;
    let pem = read_bounded(file, CERTIFICATE_BYTES, "the authority's certificate")?;
    let der = from_pem(&String::from_utf8_lossy(&pem)).ok_or_else(|| damaged("its certificate is no PEM file"))?;
    Ok(Hash(Sha256::digest(&der).into()))
}

fn from_pem(pem: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let body = pem
        .trim()
        .strip_prefix("-----BEGIN CERTIFICATE-----")?
        .strip_suffix("-----END CERTIFICATE-----")?;
    let text: String = body.split_ascii_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

fn damaged(what: &str) -> Error {
    Error::new(
        Class::State,
        "authority",
        format!("the appliance's certificate authority is damaged: {what}"),
    )
    .expected("identity/ca.pem and identity/ca.key as they were made")
    .remedy(
        "restore both files; or remove both, start again, and run `airlock target connect TARGET` for every target once more",
    )
}

fn not_made(error: &rcgen::Error) -> Error {
    Error::new(
        Class::Internal,
        "authority",
        format!("a certificate could not be made: {error}"),
    )
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({})", self.fingerprint)
    }
}

impl std::fmt::Debug for Leaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Leaf(until {})", self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FixedClock;

    /// A folder with an identity, and an authority in it that was made by a clock.
    fn made(clock: &str) -> (tempfile::TempDir, CertificateFacts) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("identity")).unwrap();
        let site = "0123456789abcdef0123456789abcdef".parse().unwrap();
        create(folder.path(), &site, clock.parse().unwrap()).unwrap();
        let file = File::open(folder.path().join(CERTIFICATE)).unwrap();
        let pem = String::from_utf8(read_bounded(file, CERTIFICATE_BYTES, "").unwrap()).unwrap();
        (folder, CertificateFacts::read(&from_pem(&pem).unwrap()).unwrap())
    }

    fn opened(folder: &Path, clock: &str) -> Authority {
        let file = File::open(folder.join(CERTIFICATE)).unwrap();
        let pem = String::from_utf8(read_bounded(file, CERTIFICATE_BYTES, "").unwrap()).unwrap();
        let facts = CertificateFacts::read(&from_pem(&pem).unwrap()).unwrap();
        let key = KeyPair::from_pem(KeyFile::read(&folder.join(KEY)).unwrap().pem()).unwrap();
        let site = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let issuer = Issuer::new(authority_parameters(&site, facts.from, facts.until), key);
        Authority {
            state: folder.to_owned(),
            site,
            fingerprint: fingerprint(folder).unwrap(),
            pem,
            issuer: issuer.into(),
            facts,
            clock: Arc::new(FixedClock(clock.parse().unwrap())),
        }
    }

    /// Whatever the clock said at the birth and says now, the certificates are good for an agent whose clock was right at both times.
    #[test]
    fn whatever_the_clock_says_certificates_are_good_at_the_birth_and_now() {
        let built = built();
        let clocks = [
            "1970-01-01T00:00:00Z",
            "2016-06-01T00:00:00Z",
            "2027-06-01T00:00:00Z",
            "2040-01-01T00:00:00Z",
        ];
        for birth in clocks {
            let (folder, facts) = made(birth);
            let born = birth.parse::<Timestamp>().unwrap().max(built);
            assert_eq!(
                (facts.from, facts.until),
                (built.plus_seconds(-DAY), born.plus_seconds(AUTHORITY_SECONDS))
            );
            for clock in clocks {
                let authority = opened(folder.path(), clock);
                let now = clock.parse::<Timestamp>().unwrap().max(born);
                assert_eq!(authority.now(), now, "{birth} {clock}");
                let leaf = authority.issue(&["a.example".into(), "10.0.0.1".into()]).unwrap();
                let leaf_facts = CertificateFacts::read(&leaf.certificate).unwrap();
                assert_eq!(leaf_facts.from, facts.from, "{birth} {clock}");
                assert_eq!(leaf_facts.until, now.plus_seconds(LEAF_SECONDS), "{birth} {clock}");
                assert!(leaf.renew_at < leaf.until && leaf.renew_at > now, "{birth} {clock}");
                assert_ne!(leaf_facts.public_key, facts.public_key);
            }
        }
    }

    #[test]
    fn a_clock_before_the_build_judges_nothing() {
        let (folder, _) = made("2027-06-01T00:00:00Z");
        assert_eq!(opened(folder.path(), "2026-10-31T23:59:59Z").clock(), None);
        for clock in ["2026-11-01T00:00:00Z", "2027-01-01T00:00:00Z", "2099-01-01T00:00:00Z"] {
            assert_eq!(opened(folder.path(), clock).clock(), Some(clock.parse().unwrap()));
        }
    }

    #[test]
    fn it_is_made_once_and_names_are_checked() {
        let (folder, facts) = made("2026-11-21T10:00:00Z");
        let site = "0123456789abcdef0123456789abcdef".parse().unwrap();
        create(folder.path(), &site, Timestamp::EPOCH).unwrap();
        let authority = opened(folder.path(), "2026-11-21T10:00:00Z");
        assert_eq!(authority.facts, facts);
        let error = authority.issue(&["hôte".into()]).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Usage, "tls-name"));
        assert_eq!(
            format!("{authority:?}"),
            format!("Authority({})", authority.fingerprint())
        );
    }
}
