//! Lists of somebody who sees several scopes, each of which answers for itself: pages put together.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::appliance::registry::{Asked, Missing, Referrer, ReferrersPage, Registry, Snapshot, TagPage};
use crate::domain::{Digest, RepositoryName, Result, Tag};

/// What a question about one repository came to.
type Answer<T> = Result<std::result::Result<T, Missing>>;

/// Lists repositories after `last`, at most `limit`.
pub(super) fn catalogue(
    registry: &Registry,
    snapshots: &[Arc<Snapshot>],
    last: &str,
    limit: usize,
) -> Result<Vec<RepositoryName>> {
    let mut found = BTreeSet::new();
    for snapshot in snapshots {
        found.extend(registry.catalogue(snapshot, last, limit)?);
    }
    Ok(found.into_iter().take(limit).collect())
}

/// Lists the tags of a repository after `last`, at most `limit`.
pub(super) fn tags(
    registry: &Registry,
    snapshots: &[Arc<Snapshot>],
    asked: &Asked,
    last: &str,
    limit: usize,
) -> Answer<TagPage> {
    let (mut union, mut missing) = (None, None);
    for snapshot in snapshots {
        match registry.tags(snapshot, asked, last, limit)? {
            Ok(page) => {
                union = Some(match union {
                    Some(before) => joined(before, page, limit),
                    None => page,
                });
            }
            Err(why) => missing = missing.or(Some(why)),
        }
    }
    Ok(union.ok_or_else(|| missing.unwrap_or(Missing::Repository)))
}

/// Lists what refers to a digest, in the first scope that has any of it.
pub(super) fn referrers(
    registry: &Registry,
    snapshots: &[Arc<Snapshot>],
    asked: &Asked,
    subject: &Digest,
    page: &ReferrersPage<'_>,
) -> Answer<(Vec<Referrer>, bool)> {
    let mut nothing = Err(Missing::Repository);
    for snapshot in snapshots {
        match registry.referrers(snapshot, asked, subject, page)? {
            Ok((found, more)) if found.is_empty() => nothing = Ok((found, more)),
            Ok(found) => return Ok(Ok(found)),
            Err(why) => nothing = nothing.or(Err(why)),
        }
    }
    Ok(nothing)
}

/// Joins two pages of one list. Each says what there is up to its end, so nothing behind the nearer end is said.
fn joined(one: TagPage, other: TagPage, limit: usize) -> TagPage {
    let end: Option<Tag> = match (one.next, other.next) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (end, None) | (None, end) => end,
    };
    let all: BTreeSet<Tag> = one.tags.into_iter().chain(other.tags).collect();
    let within = all.into_iter().filter(|tag| end.as_ref().is_none_or(|end| tag <= end));
    let mut tags: Vec<Tag> = within.collect();
    if tags.len() <= limit {
        return TagPage { tags, next: end };
    }
    tags.truncate(limit);
    let next = tags.last().cloned();
    TagPage { tags, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(tags: &str, next: Option<&str>) -> TagPage {
        TagPage {
            tags: tags.split_whitespace().map(|tag| tag.parse().unwrap()).collect(),
            next: next.map(|next| next.parse().unwrap()),
        }
    }

    #[test]
    fn nothing_is_said_behind_the_end_of_either_page() {
        for (one, other, limit, expected) in [
            (page("a c", None), page("b c", None), 9, page("a b c", None)),
            (page("a c", Some("c")), page("b d", None), 9, page("a b c", Some("c"))),
            (page("a c", Some("c")), page("b", Some("b")), 9, page("a b", Some("b"))),
            (page("a c", None), page("b d", None), 3, page("a b c", Some("c"))),
            (page("", Some("x")), page("y", None), 9, page("", Some("x"))),
        ] {
            assert_eq!(joined(one.clone(), other.clone(), limit), expected);
            assert_eq!(joined(other, one, limit), expected);
        }
    }
}
