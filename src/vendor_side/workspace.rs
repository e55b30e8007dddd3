//! A vendor's workspace: a folder with keys, the trust chain and the ledger, made as a whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use super::key_ring::KeyRing;
use super::signing_time::SigningTime;
use crate::crypto::{
    AskPassphrase, Chain, Envelope, Key, PayloadType, RoleName, Roles, RootDocument, Rule, Scheme, SigningKey,
};
use crate::db::{Db, Schema};
use crate::domain::{Class, Error, Name, Result, Timestamp, Version, limits};
use crate::stream::{create_folder, open_beside, read_bounded, sync_folder, write_atomically};

pub(super) const KEYS: &str = "keys";
pub(super) const CHAIN: &str = "root.json";
pub(super) const LEDGER: &str = "ledger.db";
/// The version of airlock that reads root documents as they are made here.
const ROOT_READER: Version = Version::new(0, 1, 0);

/// What a new workspace is made from.
#[derive(Debug, Clone)]
pub struct Init {
    /// Products that the vendor may sign for; at least one.
    pub products: Vec<Name>,
    /// The vendor's name, for people.
    pub vendor: String,
    /// How many root keys are made.
    pub root_keys: usize,
    /// How many of them must sign a new root.
    pub threshold: usize,
    /// When root 1 is signed.
    pub time: SigningTime,
    /// When it is issued.
    pub issued_at: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
}

/// An open workspace.
#[derive(Debug)]
pub struct Workspace {
    folder: PathBuf,
    chain: Chain,
}

impl Workspace {
    /// Makes a workspace in a folder that is new or empty. A failure leaves nothing behind.
    ///
    /// Everything is written into a folder beside it, which takes its name at the end.
    ///
    /// # Errors
    ///
    /// `E-USAGE` for a folder with something in it and for numbers that make no root; `E-TRUST` for a root document that would
    /// not be accepted; `E-CLOCK` and `E-EXPIRED` for dates that a vendor does not sign; `E-IO`, `E-SPACE`.
    pub fn init(folder: &Path, init: &Init, passphrase: Option<&str>) -> Result<Self> {
        if !(1..=limits::SIGNATURES).contains(&init.root_keys) || !(1..=init.root_keys).contains(&init.threshold) {
            return Err(Error::new(
                Class::Usage,
                "threshold",
                format!("{} of {} root keys shall sign", init.threshold, init.root_keys),
            )
            .expected(format!(
                "1 to {} keys and at most as many signatures",
                limits::SIGNATURES
            )));
        }
        if !(1..=limits::VENDOR_BYTES).contains(&init.vendor.len()) || init.vendor.chars().any(|c| c.is_ascii_control())
        {
            return Err(usage("vendor", format!("{:?} cannot be a vendor's name", init.vendor))
                .expected(format!(
                    "1 to {} bytes of text without line breaks and control characters",
                    limits::VENDOR_BYTES
                ))
                .remedy("name the vendor in one line with --vendor"));
        }
        let target = free_folder(folder)?;
        let parent = target
            .parent()
            .ok_or_else(|| usage("folder", "a workspace cannot be the root folder"))?;
        fs::create_dir_all(parent).map_err(|e| Error::io("create the folder", parent, e))?;
        let mut name = std::ffi::OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(format!(".{}.new", std::process::id()));
        let draft = parent.join(name);
        fs::create_dir(&draft).map_err(|e| Error::io("create the folder", &draft, e))?;
        let made = fill(&draft, init, passphrase).and_then(|chain| {
            #[expect(clippy::disallowed_methods, reason = "a whole folder appears at once")]
            fs::rename(&draft, &target).map_err(|e| Error::io("create", &target, e))?;
            sync_folder(parent)?;
            Ok(chain)
        });
        match made {
            Ok(chain) => Ok(Self { folder: target, chain }),
            Err(error) => {
                // The first error is the one that matters.
                fs::remove_dir_all(&draft).ok();
                Err(error)
            }
        }
    }

    /// Opens a workspace and walks its trust chain.
    ///
    /// # Errors
    ///
    /// `E-USAGE no-workspace`; `E-TRUST` when the chain does not hold; `E-IO`.
    pub fn open(folder: &Path) -> Result<Self> {
        let chain = Self::chain_in(folder)?.ok_or_else(|| {
            usage("no-workspace", format!("{} holds no {CHAIN}", folder.display()))
                .expected("a vendor's workspace")
                .remedy("make one with `airlock vendor init --vendor NAME --product NAME DIR`, or point -w at the right folder")
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            chain,
        })
    }

    /// Reads the trust chain of a folder, if it has one.
    pub(super) fn chain_in(folder: &Path) -> Result<Option<Chain>> {
        let Some(file) = open_beside(&folder.join(CHAIN), "open")? else {
            return Ok(None);
        };
        Chain::parse(&read_bounded(file, limits::TRUST_BYTES, "the chain file")?).map(Some)
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the trust chain.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Returns the key files.
    pub fn keys(&self) -> KeyRing {
        KeyRing::new(self.folder.join(KEYS))
    }

    /// Opens the ledger.
    ///
    /// # Errors
    ///
    /// `E-STATE` and `E-IO` as [`Db::open`].
    pub fn ledger(&self) -> Result<Db> {
        let path = self.folder.join(LEDGER);
        let present = path.try_exists().map_err(|e| Error::io("look at", &path, e))?;
        if !present {
            return Err(Error::new(
                Class::State,
                "database-missing",
                format!("there is no {}", path.display()),
            )
            .expected("the ledger of the workspace")
            .remedy("put it back from your backup: it knows which release numbers were signed"));
        }
        Db::open(&path, &Schema::LEDGER)
    }

    /// Opens the keys of a role of the newest root that are here.
    ///
    /// # Errors
    ///
    /// Those of [`KeyRing::open`].
    pub fn signing_keys(&self, role: RoleName, ask: &mut AskPassphrase<'_>) -> Result<Vec<SigningKey>> {
        self.keys().open(&role_keys(self.chain.newest(), role).collect(), ask)
    }

    /// Puts a longer chain in place of the old one, whole.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`; the old chain stays then.
    pub(super) fn replace_chain(&mut self, chain: Chain) -> Result<()> {
        write_atomically(&self.folder.join(CHAIN), &chain.to_file(), 0o644)?;
        self.chain = chain;
        Ok(())
    }
}

/// Returns the ids of the keys of a role.
pub(super) fn role_keys(root: &RootDocument, role: RoleName) -> impl Iterator<Item = crate::crypto::KeyId> {
    root.roles.get(role).iter().flat_map(|rule| rule.keys.iter().copied())
}

/// Lists a key as root documents do.
pub(super) fn listed(key: crate::crypto::PublicKey) -> Key {
    Key {
        id: key.id(),
        public: key,
        scheme: Scheme::Ed25519,
    }
}

/// Returns the absolute path of a folder that is new or empty.
pub(super) fn free_folder(folder: &Path) -> Result<PathBuf> {
    match fs::read_dir(folder) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(usage("folder-in-use", format!("{} is not empty", folder.display()))
                    .expected("a new or empty folder")
                    .remedy("choose another folder"));
            }
            fs::canonicalize(folder).map_err(|e| Error::io("look at", folder, e))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            std::path::absolute(folder).map_err(|e| Error::io("look at", folder, e))
        }
        Err(error) => Err(Error::io("open the folder", folder, error)),
    }
}

fn fill(draft: &Path, init: &Init, passphrase: Option<&str>) -> Result<Chain> {
    let folder = draft.join(KEYS);
    create_folder(&folder)?;
    let ring = KeyRing::new(folder);
    let mut keys = Vec::new();
    let mut make = |role: RoleName, count: usize, threshold: usize| -> Result<(Vec<Rule>, Vec<SigningKey>)> {
        let mut made = Vec::new();
        for _ in 0..count {
            let key = SigningKey::generate()?;
            ring.add(role, &key, passphrase)?;
            keys.push(listed(key.public()));
            made.push(key);
        }
        let mut ids: Vec<_> = made.iter().map(|key| key.public().id()).collect();
        ids.sort_unstable();
        let rule = Rule {
            keys: ids,
            scheme: Scheme::Ed25519,
            threshold,
        };
        Ok((vec![rule], made))
    };
    let (root, root_keys) = make(RoleName::Root, init.root_keys, init.threshold)?;
    let roles = Roles {
        root,
        release: make(RoleName::Release, 2, 1)?.0,
        withdrawal: make(RoleName::Withdrawal, 2, 1)?.0,
        licence: make(RoleName::Licence, 1, 1)?.0,
        ack: make(RoleName::Ack, 1, 1)?.0,
    };
    keys.sort_by_key(|key| key.id);
    let mut products = init.products.clone();
    products.sort();
    products.dedup();
    let document = RootDocument {
        epochs: Vec::new(),
        expires: init.expires,
        issued_at: init.issued_at,
        keys,
        products,
        reader: ROOT_READER,
        roles,
        time_reset: false,
        vendor: init.vendor.clone(),
        version: 1,
    };
    document.check()?;
    init.time.check_root(&document)?;
    let signers: Vec<&SigningKey> = root_keys.iter().collect();
    let envelope = Envelope::sign(PayloadType::TrustRoot, document.to_payload(), &signers);
    let chain = Chain::start(envelope)?;
    write_atomically(&draft.join(CHAIN), &chain.to_file(), 0o644)?;
    // Closed before the folder takes its name, so that no side file of the database stays open under the old one.
    drop(Db::create(&draft.join(LEDGER), &Schema::LEDGER)?);
    sync_folder(draft)?;
    Ok(chain)
}

fn usage(code: &'static str, found: impl Into<String>) -> Error {
    Error::new(Class::Usage, code, found)
}

#[cfg(test)]
pub(super) mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use zeroize::Zeroizing;

    use super::*;

    pub(crate) fn sample() -> Init {
        Init {
            products: vec!["web".parse().unwrap(), "erp".parse().unwrap()],
            vendor: "Acme".to_owned(),
            root_keys: 3,
            threshold: 2,
            time: SigningTime::at("2026-01-01T00:00:00Z".parse().unwrap()),
            issued_at: "2026-01-01T00:00:00Z".parse().unwrap(),
            expires: "2031-01-01T00:00:00Z".parse().unwrap(),
        }
    }

    pub(crate) fn never(_: &Path) -> Result<Zeroizing<String>> {
        panic!("no passphrase is needed")
    }

    #[test]
    fn a_workspace_opens_again_and_its_keys_sign_for_their_roles() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("deep/acme");
        let made = Workspace::init(&folder, &sample(), None).unwrap();
        let opened = Workspace::open(&folder).unwrap();
        assert_eq!(opened.chain().fingerprint(), made.chain().fingerprint());
        assert_eq!(opened.chain().domain(), opened.chain().fingerprint());
        for (role, count) in [(RoleName::Root, 3), (RoleName::Release, 2), (RoleName::Ack, 1)] {
            assert_eq!(opened.signing_keys(role, &mut never).unwrap().len(), count);
        }
        let mode = fs::metadata(folder.join(KEYS)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        opened.ledger().unwrap().quick_check().unwrap();
        let names: Vec<_> = fs::read_dir(parent.path().join("deep")).unwrap().collect();
        assert_eq!(names.len(), 1);
    }

    #[test]
    fn what_cannot_be_made_leaves_nothing_behind() {
        let parent = tempfile::tempdir().unwrap();
        let empty = |path: &Path| fs::read_dir(path).unwrap().next().is_none();
        let cases = [
            (
                Init {
                    threshold: 4,
                    ..sample()
                },
                Class::Usage,
                "threshold",
            ),
            (
                Init {
                    root_keys: 0,
                    threshold: 0,
                    ..sample()
                },
                Class::Usage,
                "threshold",
            ),
            (
                Init {
                    products: Vec::new(),
                    ..sample()
                },
                Class::Trust,
                "products",
            ),
            (
                Init {
                    vendor: String::new(),
                    ..sample()
                },
                Class::Usage,
                "vendor",
            ),
            (
                Init {
                    expires: sample().issued_at,
                    ..sample()
                },
                Class::Trust,
                "times",
            ),
            (
                Init {
                    issued_at: "2026-01-01T01:00:01Z".parse().unwrap(),
                    ..sample()
                },
                Class::Clock,
                "issued-ahead",
            ),
            (
                Init {
                    issued_at: "2020-01-01T00:00:00Z".parse().unwrap(),
                    expires: sample().time.now,
                    ..sample()
                },
                Class::Expired,
                "root",
            ),
        ];
        for (init, class, code) in cases {
            let error = Workspace::init(&parent.path().join("w"), &init, None).unwrap_err();
            assert_eq!((error.class(), error.code()), (class, code));
            assert!(empty(parent.path()), "{code}");
        }
        let used = parent.path().join("used");
        fs::create_dir(&used).unwrap();
        Workspace::init(&used, &sample(), None).unwrap();
        let error = Workspace::init(&used, &sample(), None).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Usage, "folder-in-use"));
        let error = Workspace::open(parent.path()).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Usage, "no-workspace"));
    }
}
