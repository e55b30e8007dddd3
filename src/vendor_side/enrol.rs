//! Takes a site's enrolment file into the ledger, replaces its keys, and withdraws it.

use super::Workspace;
use crate::crypto::{Enrolment, KeyId};
use crate::db::Connection;
use crate::db::ledger::{self, Recorded, Replacement, Site};
use crate::domain::{Class, Error, Result, SiteId, Timestamp};

/// Longest local name of a site, in bytes.
const NAME_BYTES: usize = 100;

/// A site that is known now.
#[derive(Debug, Clone)]
pub struct Enrolled {
    /// What the file says, verified.
    pub enrolment: Enrolment,
    /// The local name.
    pub name: String,
    /// Whether it was known before.
    pub recorded: Recorded,
}

/// A site with the keys of a later enrolment file.
#[derive(Debug, Clone)]
pub struct Replaced {
    /// What the file says, verified.
    pub enrolment: Enrolment,
    /// The local name.
    pub name: String,
    /// The status key that it had.
    pub before: KeyId,
    /// What changed.
    pub replacement: Replacement,
}

/// Verifies an enrolment file and records the site. The same file again changes nothing.
///
/// Without a name a site keeps the one it has, and a new one goes by its id until one is given.
///
/// # Errors
///
/// Those of [`Enrolment::parse`]; `E-TRUST other-domain` for another vendor's file, `withdrawn-site`; `E-EQUIVOCATION site-keys` for a
/// known site with other keys; `E-USAGE site-name`; `E-STATE`, `E-IO`, `E-SPACE` of the ledger.
pub fn enrol(workspace: &Workspace, file: &[u8], name: Option<&str>, at: Timestamp) -> Result<Enrolled> {
    let enrolment = look(workspace, file)?;
    if let Some(name) = name {
        check_name(name)?;
    }
    let ledger = workspace.ledger()?;
    let (name, recorded) = ledger.write(|transaction| {
        let known = ledger::site(transaction, &enrolment.site)?;
        let name = name
            .map(str::to_owned)
            .or(known.map(|site| site.name))
            .unwrap_or_else(|| enrolment.site.to_string());
        let recorded = ledger::enrol(transaction, &enrolment, file, &name, at)?;
        Ok((name, recorded))
    })?;
    Ok(Enrolled {
        enrolment,
        name,
        recorded,
    })
}

/// Verifies an enrolment file and puts its keys in the place of those that the site, named by id or name, had; a withdrawn one counts
/// again. A person has compared the fingerprint.
///
/// # Errors
///
/// Those of [`Enrolment::parse`]; `E-TRUST other-domain`, `replaced-key`; `E-USAGE no-site` for a site that is not enrolled, `other-site`
/// when the file is another one's; `E-STATE`, `E-IO`, `E-SPACE` of the ledger.
pub fn replace(workspace: &Workspace, file: &[u8], site: &str, at: Timestamp) -> Result<Replaced> {
    let enrolment = look(workspace, file)?;
    let ledger = workspace.ledger()?;
    let (known, replacement) = ledger.write(|transaction| {
        let known = find_site(transaction, site)?;
        if known.site != enrolment.site {
            return Err(Error::new(
                Class::Usage,
                "other-site",
                format!("the file is that of site {}", enrolment.site),
            )
            .expected(format!("the file of {}, site {}", known.name, known.site))
            .remedy(
                "take the file of this site; another appliance is another site, and is enrolled without --replace",
            ));
        }
        let replacement = ledger::replace(transaction, &known, &enrolment, file, at)?;
        Ok((known, replacement))
    })?;
    Ok(Replaced {
        enrolment,
        before: known.status_key_id()?,
        name: known.name,
        replacement,
    })
}

/// Withdraws a site, named by id or name; says whether it counted before. Bundles for it are made no more, and nothing of it counts.
///
/// # Errors
///
/// `E-USAGE no-site`; `E-STATE`, `E-IO`, `E-SPACE` of the ledger.
pub fn withdraw(workspace: &Workspace, site: &str, at: Timestamp) -> Result<(Site, bool)> {
    workspace.ledger()?.write(|transaction| {
        let known = find_site(transaction, site)?;
        let withdrawn = ledger::withdraw(transaction, &known.site, at)?;
        Ok((known, withdrawn))
    })
}

/// Reads a file that is for the vendor of this workspace, and records nothing.
///
/// # Errors
///
/// Those of [`Enrolment::parse`]; `E-TRUST other-domain` for another vendor's file.
pub fn look(workspace: &Workspace, file: &[u8]) -> Result<Enrolment> {
    let enrolment = Enrolment::parse(file)?;
    let domain = workspace.chain().domain();
    if enrolment.domain() != domain {
        return Err(Error::new(
            Class::Trust,
            "other-domain",
            format!("the file introduces the site to the vendor of the trust domain {}", enrolment.domain()),
        )
        .expected(format!("a file for the trust domain {domain} of this workspace"))
        .remedy("ask the site for the file that is meant for you: it has one for each vendor that it has pinned, in outbox/"));
    }
    let chain = workspace.chain();
    let signs = |version: u64| {
        chain
            .document(version)
            .is_some_and(|root| root.keys.iter().any(|key| key.id == enrolment.status.id))
    };
    if (1..=chain.newest().version).any(signs) {
        return Err(Error::new(
            Class::Trust,
            "shared-key",
            format!(
                "the status key {} is a key of this vendor's own root",
                enrolment.status.id.spoken()
            ),
        )
        .expected("a key that the appliance made for itself")
        .remedy("find out who has that key: whoever signed this file can sign for this vendor"));
    }
    Ok(enrolment)
}

/// Returns a site, named by id or name, that counts.
///
/// # Errors
///
/// `E-USAGE no-site`; `E-TRUST withdrawn-site`; those of the ledger.
pub fn site(workspace: &Workspace, text: &str) -> Result<Site> {
    let known = workspace.ledger()?.read(|connection| find_site(connection, text))?;
    match known.withdrawn_at {
        Some(_) => Err(ledger::withdrawn(&known.site)),
        None => Ok(known),
    }
}

/// Returns the site of a name or id.
///
/// # Errors
///
/// `E-USAGE no-site`; those of the ledger.
pub fn find_site(connection: &Connection, text: &str) -> Result<Site> {
    let by_id = match text.parse::<SiteId>() {
        Ok(id) => ledger::site(connection, &id)?,
        Err(_) => None,
    };
    let found = match by_id {
        Some(site) => Some(site),
        None => ledger::site_by_name(connection, text)?,
    };
    found.ok_or_else(|| {
        Error::new(Class::Usage, "no-site", format!("no site {text:?} is enrolled"))
            .expected("the name or id of a site that is enrolled")
            .remedy("look at `airlock vendor sites`")
    })
}

/// A name that looks like another site's id would make `--site` ambiguous.
fn check_name(name: &str) -> Result<()> {
    let printable = !name.is_empty() && name.len() <= NAME_BYTES && !name.chars().any(char::is_control);
    if !printable || name == "any" || name.parse::<SiteId>().is_ok() {
        return Err(Error::new(
            Class::Usage,
            "site-name",
            format!(
                "{:?} cannot name a site",
                name.chars().take(NAME_BYTES).collect::<String>()
            ),
        )
        .expected(format!(
            "1 to {NAME_BYTES} bytes of printable text that is neither `any` nor a site id"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::workspace::tests::sample;
    use super::*;
    use crate::crypto::{RecipientKey, SigningKey};
    use crate::domain::Hash;

    fn file(site: u8, status: u8, domain: Hash) -> Vec<u8> {
        Enrolment::sign(
            format!("{site:032x}").parse().unwrap(),
            domain,
            RecipientKey::of_secret(&[site; 32]),
            Timestamp::EPOCH,
            &SigningKey::from_secret(&[status; 32]),
        )
    }

    #[test]
    fn a_site_is_recorded_once_and_never_with_other_keys() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(&folder.path().join("w"), &sample(), None).unwrap();
        let domain = workspace.chain().domain();
        let take = |file: &[u8], name| enrol(&workspace, file, name, Timestamp::EPOCH);
        let first = take(&file(1, 1, domain), Some("plant")).unwrap();
        assert_eq!(first.recorded, Recorded::New);
        let again = take(&file(1, 1, domain), None).unwrap();
        assert_eq!((again.recorded, again.name.as_str()), (Recorded::Already, "plant"));
        let error = take(&file(1, 2, domain), None).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Equivocation, "site-keys"));
        // One that nobody named goes by its id until somebody does, by a name that is free.
        assert_eq!(
            take(&file(2, 2, domain), None).unwrap().name,
            "00000000000000000000000000000002"
        );
        assert_eq!(
            take(&file(2, 2, domain), Some("plant")).unwrap_err().code(),
            "site-name"
        );
        let named = take(&file(2, 2, domain), Some("mill")).unwrap();
        assert_eq!((named.recorded, named.name.as_str()), (Recorded::Already, "mill"));
        assert_eq!(take(&file(2, 2, domain), None).unwrap().name, "mill");
        assert_eq!(
            take(&file(2, 2, domain), Some("press")).unwrap_err().code(),
            "site-name"
        );
        for name in ["", "any", "a\nb", "00000000000000000000000000000003"] {
            let error = take(&file(3, 3, domain), Some(name)).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Usage, "site-name"));
        }
        // Another vendor's file is not ours to take, new or in a replacement.
        let foreign = file(1, 2, Hash([7; 32]));
        for error in [
            take(&foreign, None).unwrap_err(),
            replace(&workspace, &foreign, "plant", Timestamp::EPOCH).unwrap_err(),
        ] {
            assert_eq!((error.class(), error.code()), (Class::Trust, "other-domain"));
        }
        assert_eq!(workspace.ledger().unwrap().read(ledger::sites).unwrap().len(), 2);
    }

    #[test]
    fn keys_are_replaced_for_the_site_that_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(&folder.path().join("w"), &sample(), None).unwrap();
        let domain = workspace.chain().domain();
        let at = Timestamp::EPOCH;
        enrol(&workspace, &file(1, 1, domain), Some("plant"), at).unwrap();
        enrol(&workspace, &file(2, 2, domain), Some("mill"), at).unwrap();
        for (file, site, code) in [
            (file(1, 3, domain), "mill", "other-site"),
            (file(1, 3, domain), "press", "no-site"),
            (file(3, 3, domain), "00000000000000000000000000000003", "no-site"),
        ] {
            let error = replace(&workspace, &file, site, at).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Usage, code));
        }
        let replaced = replace(&workspace, &file(1, 3, domain), "plant", at).unwrap();
        assert_eq!(
            (replaced.replacement, replaced.name.as_str()),
            (Replacement::Keys, "plant")
        );
        assert_eq!(replaced.before, SigningKey::from_secret(&[1; 32]).public().id());
        let id = "00000000000000000000000000000001";
        let again = replace(&workspace, &file(1, 3, domain), id, at).unwrap();
        assert_eq!(again.replacement, Replacement::Already);
        assert!(withdraw(&workspace, id, at).unwrap().1);
        assert!(!withdraw(&workspace, "plant", at).unwrap().1);
        let error = enrol(&workspace, &file(1, 3, domain), None, at).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Trust, "withdrawn-site"));
        let back = replace(&workspace, &file(1, 3, domain), "plant", at).unwrap();
        assert_eq!(back.replacement, Replacement::TakenBack);
        assert_eq!(withdraw(&workspace, "press", at).unwrap_err().code(), "no-site");
    }
}
