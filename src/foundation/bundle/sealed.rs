//! The sealed secrets of a release, for one site of its audience (SPEC section 11, X13).

use super::desired::{DesiredState, SecretSource, Target};
use super::head::Head;
use crate::crypto::SealedSecrets;
use crate::domain::{Class, Error, Result, SecretName, SiteId};

/// What to do where a site cannot read its secrets.
const ENROL: &str = "have the vendor enrol this appliance's present key (`airlock vendor enroll FILE --replace SITE`, with the enrolment file \
    that it keeps for this vendor, after comparing the fingerprint by voice), make the release again, and import that";

/// Finds what a release seals for a site, and checks it against the head and the desired state. `documents` are the bytes of those of type
/// `secrets`, in any order; nothing is returned where the site needs no sealed secret.
///
/// # Errors
///
/// `E-CONTENT secrets` when one has a wrong form, or more than one opens with the key; `secrets-scope` when the one that does is of another
/// release or site, or holds what the desired state does not ask for; `E-POLICY secrets-missing` when the site needs a sealed value that
/// is not there.
pub fn sealed_for<'a>(
    head: &Head,
    documents: impl IntoIterator<Item = &'a [u8]>,
    desired: &DesiredState,
    site: &SiteId,
    key: &[u8; 32],
) -> Result<Option<SealedSecrets>> {
    let mut found: Option<SealedSecrets> = None;
    for document in documents {
        if let Some(opened) = SealedSecrets::open(document, key)?
            && found.replace(opened).is_some()
        {
            return Err(Error::new(
                Class::Content,
                "secrets",
                "two documents of sealed secrets are for this site",
            )
            .expected("at most one for each site")
            .remedy("have the vendor make the release again with `airlock bundle create`"));
        }
    }
    if let Some(secrets) = &found {
        check_scope(head, secrets, desired, site)?;
    }
    let mut missing: Vec<String> = Vec::new();
    for (target, secret) in needed(desired, site) {
        let whose = secret.per_target.then_some(target.id);
        if found
            .as_ref()
            .is_none_or(|found| found.value(&secret.name, whose).is_none())
        {
            let wanted = match whose {
                Some(_) => format!("{} of {:?}", secret.name, target.name),
                None => secret.name.to_string(),
            };
            if !missing.contains(&wanted) {
                missing.push(wanted);
            }
        }
    }
    if missing.is_empty() {
        return Ok(found);
    }
    let what = if found.is_some() {
        "the secrets that are sealed to this site lack"
    } else {
        "no document of sealed secrets opens with this site's key, and it needs"
    };
    Err(
        Error::listing(Class::Policy, "secrets-missing", format!("{what}:"), &missing)
            .expected("a value for every sealed secret that this site's targets use")
            .remedy(ENROL),
    )
}

/// What its targets at a site use of sealed secrets.
fn needed<'a>(
    desired: &'a DesiredState,
    site: &'a SiteId,
) -> impl Iterator<Item = (&'a Target, &'a super::desired::SecretUse)> {
    desired.secrets().filter(move |(target, secret)| {
        secret.source == SecretSource::Sealed && target.site.as_ref().is_none_or(|stands_at| stands_at == site)
    })
}

fn check_scope(head: &Head, secrets: &SealedSecrets, desired: &DesiredState, site: &SiteId) -> Result<()> {
    let wrong = |found: String| {
        Err(Error::new(Class::Content, "secrets-scope", found)
            .expected("sealed secrets of this release, for this site, that its targets use")
            .remedy("have the vendor make the release again with `airlock bundle create`"))
    };
    if secrets.scope != head.scope() || secrets.counter != head.counter() || secrets.site != *site {
        return wrong(format!(
            "sealed secrets are of release {} of {} for the site {}, and stand in another release or at another site",
            secrets.counter, secrets.scope, secrets.site
        ));
    }
    let is_used = |name: &SecretName, target: Option<crate::domain::Uuid>| {
        needed(desired, site)
            .any(|(used_at, used)| used.name == *name && used.per_target.then_some(used_at.id) == target)
    };
    for secret in &secrets.secrets {
        let all_used = match secret.targets.as_slice() {
            [] => is_used(&secret.name, None),
            targets => targets.iter().all(|target| is_used(&secret.name, Some(*target))),
        };
        if !all_used {
            return wrong(format!(
                "a value of {} is sealed to this site for what does not use it",
                secret.name
            ));
        }
    }
    Ok(())
}
