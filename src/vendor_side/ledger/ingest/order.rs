//! The order in which several packages are taken in, so that each can follow the one before.

use std::collections::HashMap;

use super::copied::Copied;
use super::judge::{Court, Seen, verify};
use crate::db::Connection;
use crate::domain::{InstanceId, Result, SiteId};
use crate::package::{Head, OpenedPackage};

/// Returns the places of copies in the order in which they are to be taken: by site, shorter lineages first, by number. Of instances
/// beside one another the one that was named first comes first. What cannot be read that far comes last, and says so itself when it is
/// judged.
pub(super) fn order(connection: &Connection, court: Court, copies: &[Option<Copied>]) -> Vec<usize> {
    let heads: Vec<Option<Head>> = copies
        .iter()
        .map(|copied| copied.as_ref().and_then(|copied| head(connection, court, copied).ok()))
        .collect();
    let mut first: HashMap<(&SiteId, &InstanceId), usize> = HashMap::new();
    for (place, head) in heads.iter().enumerate() {
        if let Some(head) = head {
            first.entry((&head.site, &head.instance)).or_insert(place);
        }
    }
    let mut places: Vec<usize> = (0..copies.len()).collect();
    places.sort_by_key(|place| {
        let head = heads.get(*place).and_then(Option::as_ref);
        let key = head.map(|head| {
            let first = first.get(&(&head.site, &head.instance)).copied().unwrap_or(*place);
            (&head.site, head.lineage.len(), first, head.number)
        });
        (key.is_none(), key)
    });
    places
}

fn head(connection: &Connection, court: Court, copied: &Copied) -> Result<Head> {
    let (input, _) = copied.open()?;
    let (_, signed) = verify(connection, court, OpenedPackage::open(input)?, &mut Seen::default())?;
    Ok(signed.head().clone())
}
