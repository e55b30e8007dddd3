//! Under which hosts the images of a target are published elsewhere.

use std::collections::BTreeSet;

use super::assignment::Assignment;
use crate::domain::Result;

/// Returns the hosts that what a target runs was published under.
pub(super) fn image_hosts(assignment: &Assignment) -> Result<BTreeSet<String>> {
    let mut hosts: BTreeSet<String> = assignment
        .agent()?
        .images()
        .map(|image| image.repository.host().to_owned())
        .collect();
    for assigned in &assignment.deployments {
        let images = &assignment.deployment(assigned)?.images;
        hosts.extend(images.iter().map(|image| image.repository.host().to_owned()));
    }
    Ok(hosts)
}
