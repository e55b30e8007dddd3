//! The refusal of a release that states what is not its product's: what people here read, and what its vendor may know of it.

use super::owner::Owner;
use super::targets::NAMED;
use crate::domain::{Class, Error, Scope, Uuid};

/// What a release states belongs to others, or is live in another channel.
pub(super) const FOREIGN: &str = "foreign-target";

/// Returns the refusal with its class and sub-code.
pub(super) fn refusal(found: String) -> Error {
    Error::new(Class::Policy, FOREIGN, found)
}

/// The refusal of what belongs to others, all of it at once, each with its way out: who asks a vendor asks once.
pub(super) fn not_its_own(scope: &Scope, foreign: &[(Uuid, Option<Owner>)]) -> Error {
    if let [(id, None)] = foreign {
        return made_here(scope, id);
    }
    let named = foreign.get(..NAMED).unwrap_or(foreign);
    let whose: Vec<String> = named
        .iter()
        .map(|(id, owner)| match owner {
            Some(owner) => format!("{id}, which belongs to {owner}"),
            None => format!("{id}, which is a target made here"),
        })
        .collect();
    let free: Vec<String> = named
        .iter()
        .filter(|(_, owner)| owner.is_some())
        .map(|(id, _)| format!("`airlock target free {id}`"))
        .collect();
    let more = match foreign.len().saturating_sub(named.len()) {
        0 => String::new(),
        more => format!("; and {more} more that are not its own either"),
    };
    let another = if foreign.len() == 1 {
        "another UUID"
    } else {
        "other UUIDs"
    };
    let (claim, free) = match free.as_slice() {
        [one] => ("that claim is wrong, let it", one.clone()),
        _ => ("those claims are wrong, let each", free.join(", ")),
    };
    let remedy = if free.is_empty() {
        format!("ask the vendor for {another}")
    } else {
        format!("ask the vendor for {another}; or, when {claim} go here with {free}")
    };
    let error = refusal(format!("the release of {scope} states {}{more}", whose.join("; ")))
        .expected("targets and deployments under UUIDs that are its product's or nobody's")
        .remedy(remedy);
    let is_of_another = |owner: &Owner| owner.domain != scope.domain;
    if foreign
        .iter()
        .filter_map(|(_, owner)| owner.as_ref())
        .any(is_of_another)
    {
        // A vendor could ask the appliance who else is there.
        return error.told_as(Class::Policy, "local");
    }
    error
}

fn made_here(scope: &Scope, id: &Uuid) -> Error {
    refusal(format!(
        "the release of {scope} states {id}, which is a target made here"
    ))
    .expected("targets and deployments under UUIDs of its own")
    .remedy("ask the vendor for another UUID, or remove that target here")
}
