//! What a release says, worked out from its file, the command line, the trust root and the ledger.
//!
//! Nothing is taken from the clock in passing: the same inputs give the same release on any day.

use std::path::PathBuf;

use super::collect::Platform;
use super::encode::EncodeOptions;
use super::release_file::{AudienceText, Expiry, MissingKeys, Notes, ReleaseFile, check_label};
use super::release_folder::ReleaseFolder;
use super::rendering::HelmChoice;
use super::standing::StandingRelease;
use super::suggest::nearest;
use crate::bundle::ReleaseStatement;
use crate::crypto::RootDocument;
use crate::db::ledger::Site;
use crate::domain::{Audience, Class, DocumentType, Error, Result, SiteId, Timestamp, Version, limits};
use crate::stream::read_bounded;

/// The oldest airlock that reads bundles made here.
const MINIMUM_APPLIANCE: Version = Version::new(0, 1, 0);

/// What the command line and the environment say; it wins over the file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--sequence`.
    pub sequence: Option<u64>,
    /// `--next`: the next free number, whatever else says one.
    pub next: bool,
    /// `--version`.
    pub version: Option<String>,
    /// `--issued-at`.
    pub issued_at: Option<Timestamp>,
    /// `--expires`.
    pub expires: Option<Timestamp>,
    /// `--site`: ids or names; replaces the file's audience when not empty.
    pub sites: Vec<String>,
    /// `--platform`; replaces the file's platforms when not empty.
    pub platforms: Vec<Platform>,
    /// `SOURCE_DATE_EPOCH`: gives the time of issue when neither file nor option does.
    pub source_date_epoch: Option<Timestamp>,
    /// `--allow-outside`: what may be read outside the folder of the release file, besides what the file itself allows.
    pub allow_outside: Vec<PathBuf>,
    /// `--expand-limit`: most bytes that a compressed layout may have when it is expanded.
    pub expanded: Option<u64>,
    /// `--full`: carry everything, whatever the sites hold.
    pub full: bool,
    /// `--base`: bundles, numbers of signed releases and state folders of sites whose layers every site of this one holds, by the word of
    /// who names them.
    pub base: Vec<PathBuf>,
    /// `--helm`: what works charts out.
    pub helm: HelmChoice,
    /// `--strict`: what only looks like an image that is not carried is refused.
    pub strict: bool,
    /// `--base-max-age`, in seconds: how old what a site said last may be for a bundle to build on it.
    pub base_max_age: Option<i64>,
    /// `--volume-size`: most bytes of a file of the bundle.
    pub volume_bytes: Option<u64>,
    /// Bundles where this one is to be written, which are not to be replaced by another release's.
    pub standing: Vec<StandingRelease>,
    /// `--encodings`, `--level`, `--no-cache`: how layers are made to travel smaller.
    pub encode: EncodeOptions,
}

/// Everything that goes into a bundle besides content.
#[derive(Debug, Clone)]
pub struct ResolvedRelease {
    /// What the head will say.
    pub release: ReleaseStatement,
    /// Platforms to carry; all when empty.
    pub platforms: Vec<Platform>,
    /// Release documents.
    pub documents: Vec<(DocumentType, Vec<u8>)>,
}

/// Works a release out.
///
/// # Errors
///
/// `E-USAGE missing-key` and `value` for what the file and the options leave open or get wrong; `E-TRUST product` for a product
/// that the root does not name; `E-IO` and `E-LIMIT` for the notes.
pub fn resolve(
    file: &ReleaseFile,
    folder: &ReleaseFolder,
    overrides: &Overrides,
    root: &RootDocument,
    sites: &[Site],
) -> Result<ResolvedRelease> {
    if !root.products.contains(&file.product) {
        return Err(Error::new(
            Class::Trust,
            "product",
            format!("the trust root does not name the product {}", file.product),
        )
        .expected(
            root.products
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
        )
        .remedy(format!(
            "add it with `airlock vendor trust set --product {}`",
            file.product
        )));
    }
    let version = overrides.version.clone().or_else(|| file.version.clone());
    let sequence = overrides.sequence.or(file.sequence);
    let issued_at = overrides.issued_at.or(file.issued_at).or(overrides.source_date_epoch);
    let expires = overrides.expires.map(Expiry::At).or(file.expires);
    let audience = audience(file, overrides, sites)?;
    let mut missing = MissingKeys::of(&file.path);
    for (key, is_said) in [
        ("version", version.is_some()),
        ("sequence", sequence.is_some()),
        ("issued_at", issued_at.is_some()),
        ("expires or expires_in", expires.is_some()),
        ("audience", audience.is_some()),
    ] {
        if !is_said {
            missing.either(key);
        }
    }
    missing.into_result()?;
    let (Some(version), Some(sequence), Some(issued_at), Some(expires), Some(audience)) =
        (version, sequence, issued_at, expires, audience)
    else {
        return Err(Error::new(
            Class::Internal,
            "missing-key",
            "a key is missing that was said",
        ));
    };
    check_label(&version).map_err(|found| Error::new(Class::Usage, "value", found))?;
    if sequence > limits::JSON_INTEGER_MAX {
        return Err(
            Error::new(Class::Usage, "value", format!("the sequence number is {sequence}"))
                .expected("a whole number from 0 to 2^53-1"),
        );
    }
    let expires = match expires {
        Expiry::At(time) => time,
        Expiry::After(seconds) => issued_at.plus_seconds(seconds),
    };
    if expires <= issued_at {
        return Err(Error::new(
            Class::Usage,
            "value",
            format!("the release expires at {expires} and is issued at {issued_at}"),
        )
        .expected("an expiry after the time of issue"));
    }
    let named = root.epoch(&file.product, &file.channel);
    if let Some(epoch) = file.epoch.as_ref().filter(|epoch| epoch.value != named) {
        return Err(file
            .mistake(epoch.place, format!("the epoch is {}", epoch.value))
            .expected(format!("{named}, which the trust root names"))
            .remedy(format!(
                "leave epoch out, or raise it with `airlock vendor trust set --epoch {}/{}={}`",
                file.product, file.channel, epoch.value
            )));
    }
    Ok(ResolvedRelease {
        release: ReleaseStatement {
            product: file.product.clone(),
            channel: file.channel.clone(),
            version,
            epoch: named,
            sequence,
            issued_at,
            expires,
            audience,
            home_hosts: file.home_hosts.clone(),
            minimum_appliance: file.minimum_appliance.unwrap_or(MINIMUM_APPLIANCE),
        },
        platforms: if overrides.platforms.is_empty() {
            file.platforms.clone()
        } else {
            overrides.platforms.clone()
        },
        documents: notes(file, folder)?
            .into_iter()
            .map(|notes| (DocumentType::Notes, notes))
            .collect(),
    })
}

fn audience(file: &ReleaseFile, overrides: &Overrides, sites: &[Site]) -> Result<Option<Audience>> {
    let mut ids: Vec<SiteId> = Vec::new();
    if overrides.sites.is_empty() {
        match &file.audience {
            None => return Ok(None),
            Some(AudienceText::Any) => return Ok(Some(Audience::ANY)),
            Some(AudienceText::Sites(names)) => {
                for name in names {
                    ids.push(find_site(&name.value, sites).map_err(|(found, remedy)| {
                        file.mistake(name.place, found)
                            .expected("an enrolled site")
                            .remedy(remedy)
                    })?);
                }
            }
        }
    } else {
        for name in &overrides.sites {
            ids.push(find_site(name, sites).map_err(|(found, remedy)| {
                Error::new(Class::Usage, "value", format!("--site: {found}"))
                    .expected("an enrolled site")
                    .remedy(remedy)
            })?);
        }
    }
    ids.sort();
    ids.dedup();
    Ok(Some(Audience::Sites(ids)))
}

/// A site id counts also when the site is not enrolled here: another workspace of the vendor may know it.
///
/// # Errors
///
/// What was found, and what to do.
pub(super) fn find_site(text: &str, sites: &[Site]) -> Result<SiteId, (String, String)> {
    let known = sites
        .iter()
        .find(|site| site.name == text)
        .or_else(|| sites.iter().find(|site| site.site.as_str() == text));
    match known {
        Some(site) if site.withdrawn_at.is_some() => {
            return Err((
                format!("the site {} was withdrawn", site.name),
                format!(
                    "leave it out, or take it back with `airlock vendor enroll FILE --replace {}`",
                    site.site
                ),
            ));
        }
        Some(site) => return Ok(site.site.clone()),
        None => {}
    }
    text.parse().map_err(|_| {
        let found = format!("no site is called {:?}", text.chars().take(100).collect::<String>());
        let remedy = match nearest(text, sites.iter().map(|site| site.name.as_str())) {
            Some(name) => format!("did you mean {name}?"),
            None => "see `airlock vendor sites`, or enrol it with `airlock vendor enroll FILE`".to_owned(),
        };
        (found, remedy)
    })
}

fn notes(file: &ReleaseFile, folder: &ReleaseFolder) -> Result<Option<Vec<u8>>> {
    let bytes = match &file.notes {
        None => return Ok(None),
        Some(Notes::Text(text)) => text.clone().into_bytes(),
        Some(Notes::File(path)) => read_bounded(
            folder.file(path, "open the notes")?,
            limits::MANIFEST_BYTES,
            "the notes",
        )?,
    };
    if bytes.is_empty() || std::str::from_utf8(&bytes).is_err() {
        return Err(
            Error::new(Class::Usage, "notes", "the notes are empty or no UTF-8 text").expected("text for people"),
        );
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::workspace::tests::sample;
    use super::*;
    use crate::Workspace;
    use crate::domain::Hash;

    const FILE: &str = "product: erp\nchannel: stable\nversion: v1\nsequence: 7\nexpires_in: 1d\naudience: [plant]\n\
                        images: [{source: postgres}]\n";

    fn root() -> RootDocument {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(&folder.path().join("w"), &sample(), None).unwrap();
        workspace.chain().newest().clone()
    }

    fn plant() -> Site {
        Site {
            site: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            name: "plant".to_owned(),
            status: Hash([1; 32]),
            recipient: Hash([2; 32]),
            enrolled_at: Timestamp::EPOCH,
            withdrawn_at: None,
        }
    }

    fn attempt(text: &str, overrides: &Overrides) -> Result<ResolvedRelease> {
        let file = ReleaseFile::parse(Path::new("release.yaml"), text)?;
        resolve(&file, &ReleaseFolder::anywhere(), overrides, &root(), &[plant()])
    }

    #[test]
    fn options_win_over_the_file_and_the_environment_comes_last() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let environment = Overrides {
            source_date_epoch: Some(time("2026-01-01T00:00:00Z")),
            ..Overrides::default()
        };
        let plain = attempt(FILE, &environment).unwrap().release;
        assert_eq!(plain.issued_at, time("2026-01-01T00:00:00Z"));
        assert_eq!(plain.expires, time("2026-01-02T00:00:00Z"));
        assert_eq!(plain.audience, Audience::Sites(vec![plant().site]));
        assert_eq!((plain.sequence, plain.epoch), (7, 0));
        let other = "f".repeat(32);
        let overridden = attempt(
            FILE,
            &Overrides {
                sequence: Some(9),
                version: Some("v2".into()),
                issued_at: Some(time("2026-03-01T00:00:00Z")),
                sites: vec![other.clone(), "plant".into(), other.clone()],
                platforms: vec!["linux/amd64".parse().unwrap()],
                ..environment
            },
        )
        .unwrap();
        assert_eq!(overridden.platforms.len(), 1);
        let overridden = overridden.release;
        assert_eq!((overridden.sequence, overridden.version.as_str()), (9, "v2"));
        assert_eq!(overridden.expires, time("2026-03-02T00:00:00Z"));
        assert_eq!(
            overridden.audience,
            Audience::Sites(vec![plant().site, other.parse().unwrap()])
        );
    }

    #[test]
    fn what_is_left_open_or_wrong_is_said() {
        let dated = Overrides {
            issued_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            ..Overrides::default()
        };
        let none = Overrides::default();
        for (text, overrides, class, code, says) in [
            (FILE.to_owned(), &none, Class::Usage, "missing-key", "SOURCE_DATE_EPOCH"),
            (
                FILE.replace("version: v1\n", ""),
                &dated,
                Class::Usage,
                "missing-key",
                "--version",
            ),
            (
                FILE.replace("sequence: 7\n", ""),
                &dated,
                Class::Usage,
                "missing-key",
                "--sequence",
            ),
            (
                FILE.replace("expires_in: 1d\n", ""),
                &dated,
                Class::Usage,
                "missing-key",
                "--expires",
            ),
            (
                FILE.replace("audience: [plant]\n", ""),
                &dated,
                Class::Usage,
                "missing-key",
                "--site",
            ),
            (
                FILE.replace("[plant]", "[plnat]"),
                &dated,
                Class::Usage,
                "value",
                "did you mean plant?",
            ),
            (
                FILE.replace("product: erp", "product: x"),
                &dated,
                Class::Trust,
                "product",
                "erp, web",
            ),
            (
                format!("{FILE}epoch: 1\n"),
                &dated,
                Class::Usage,
                "value",
                "release.yaml:8:8",
            ),
            (
                FILE.replace("expires_in: 1d", "expires: 2025-01-01T00:00:00Z"),
                &dated,
                Class::Usage,
                "value",
                "2025",
            ),
            (format!("{FILE}notes: \"\"\n"), &dated, Class::Usage, "notes", "empty"),
            (
                format!("{FILE}notes_file: no/such\n"),
                &dated,
                Class::Io,
                "io",
                "no/such",
            ),
        ] {
            let error = attempt(&text, overrides).unwrap_err();
            assert_eq!((error.class(), error.code()), (class, code), "{text}");
            assert!(error.to_string().contains(says), "{error}");
        }
        attempt(FILE, &dated).unwrap();
    }
}
