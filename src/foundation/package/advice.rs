//! What to do about a package or summary that was refused, where nothing more exact is known: its classes speak of what came from a site,
//! where [`Error::with_a_remedy`] speaks of what a vendor made.

use super::keys::REPLACED_KEY;
use crate::domain::{Class, Error};

/// Says of a package what to do, where the refusal itself does not. `replaced` is what to do where the site has another key now.
#[must_use]
pub fn of_package(error: Error, replaced: &str) -> Error {
    if error.advice().is_some() {
        return error;
    }
    match error.class() {
        Class::Signature if error.is(REPLACED_KEY) => error.remedy("take the site's next package: it is signed with its new key, and covers this one"),
        Class::Signature => error.remedy(format!("{replaced}; where it replaced none, the file is not what the site signed: ask for it again")),
        Class::Format | Class::Integrity | Class::Incomplete => error.remedy("copy the package again; if that changes nothing, ask the site for it again, which `airlock status export DEST --again NUMBER` writes there, or for its next one, which covers it"),
        Class::Limit => error.remedy("nothing on this side raises the bound: ask the site for smaller packages, which `airlock status preview --max-size SIZE` makes there, or with less in them (`[export]` in its configuration)"),
        Class::Trust | Class::Content | Class::Policy => error.remedy("an appliance makes no such package: keep the file, ask the site what made it, and take its next package"),
        _ => error,
    }
}

/// The same of a summary.
#[must_use]
pub fn of_summary(error: Error) -> Error {
    if error.advice().is_some() {
        return error;
    }
    match error.class() {
        Class::Signature => error.remedy("give the whole summary again; where the site replaced its key, first take its new enrolment file, after comparing the fingerprint by voice, with `airlock vendor enroll FILE --replace SITE`"),
        Class::Trust => error.remedy("enrol the site first, after comparing its fingerprint by voice: `airlock vendor enroll FILE`"),
        Class::Format => error.remedy("give the summary again, as `airlock status summary` printed it at the site; if that changes nothing, ask for the status package itself"),
        Class::Limit => error.remedy("ask the site for the status package itself"),
        _ => error,
    }
}
