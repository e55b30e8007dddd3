//! Charts at appliances whose addresses look otherwise than most: what comes out there is to be the same but for the address.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::chart::Reading;
use crate::domain::{Class, Error};
use crate::invented_site::{InventedSite, OTHER_ADDRESSES};

/// What a chart does with an address of another kind.
pub(super) struct OtherAddress {
    /// The kind, in words.
    pub(super) kind: &'static str,
    /// What comes of it.
    pub(super) found: String,
    /// Whether most charts do not take it.
    pub(super) is_common: bool,
}

/// Works a chart out at sites with addresses of other kinds; `after` is what came out of it at those that it was proven for.
///
/// # Errors
///
/// Those of `read` that are none of the chart.
pub(super) fn other_addresses(
    sites: &[InventedSite; 2],
    values: &Value,
    after: &Reading,
    read: impl Fn(&Value, &InventedSite) -> Result<Reading, Error>,
) -> Result<Vec<OtherAddress>, Error> {
    let addresses: Vec<&str> = sites.iter().map(|site| site.address).collect();
    let without = |text: &str, address: &str| text.replace(address, "");
    let known: BTreeSet<(&str, String)> = after
        .images
        .iter()
        .flat_map(|image| {
            addresses
                .iter()
                .map(|address| (image.at.as_str(), without(&image.reference, address)))
        })
        .collect();
    let mut all = Vec::new();
    let [first, _] = sites;
    for (address, kind) in OTHER_ADDRESSES {
        let found = match read(values, &first.moved(address)) {
            Ok(reading) => {
                let mut strange = reading
                    .images
                    .iter()
                    .filter(|image| !known.contains(&(image.at.as_str(), without(&image.reference, address))));
                let image = strange
                    .next()
                    .map(|image| format!("{}: the image comes out as {:?}", image.place, image.reference));
                image.or_else(|| {
                    let spoilt = reading.spoilt.iter().find(|spoilt| !after.has_spoilt(spoilt));
                    spoilt.map(|spoilt| {
                        format!(
                            "{}: {:?} comes out, which kubernetes does not take",
                            spoilt.place, spoilt.text
                        )
                    })
                })
            }
            Err(error) if error.class() == Class::Content => Some(error.found().to_owned()),
            Err(error) => return Err(error),
        };
        let is_common = address.starts_with('[');
        all.extend(found.map(|found| OtherAddress { kind, found, is_common }));
    }
    Ok(all)
}
