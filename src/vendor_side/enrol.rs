//! Takes a site's enrolment file into the ledger.

use super::Workspace;
use crate::crypto::Enrolment;
use crate::db::ledger::{self, Recorded};
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
    /// Whether the site has pinned this workspace's trust domain.
    pub pinned_here: bool,
}

/// Verifies an enrolment file and records the site. The same file again changes nothing.
///
/// Without a name a site keeps the one it has, and a new one goes by its id.
///
/// # Errors
///
/// Those of [`Enrolment::parse`]; `E-EQUIVOCATION site-keys` for a known site with other keys; `E-USAGE site-name`;
/// `E-STATE`, `E-IO`, `E-SPACE` of the ledger.
pub fn enrol(workspace: &Workspace, file: &[u8], name: Option<&str>, at: Timestamp) -> Result<Enrolled> {
    let enrolment = Enrolment::parse(file)?;
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
        pinned_here: enrolment.domains.contains(&workspace.chain().domain()),
        enrolment,
        name,
        recorded,
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
            vec![domain],
            RecipientKey::x25519([9; 32]),
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
        assert_eq!((first.recorded, first.pinned_here), (Recorded::New, true));
        let again = take(&file(1, 1, domain), None).unwrap();
        assert_eq!((again.recorded, again.name.as_str()), (Recorded::Already, "plant"));
        let error = take(&file(1, 2, domain), None).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Equivocation, "site-keys"));
        for name in ["", "any", "a\nb", "00000000000000000000000000000003"] {
            let error = take(&file(3, 3, domain), Some(name)).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Usage, "site-name"));
        }
        let foreign = take(&file(3, 3, Hash([7; 32])), None).unwrap();
        assert!(!foreign.pinned_here);
        assert_eq!(workspace.ledger().unwrap().read(ledger::sites).unwrap().len(), 2);
    }
}
