//! The tags of a repository (OCI distribution specification, listing tags).

use serde::Deserialize;

use super::connections::Connections;
use super::reference::ImageReference;
use super::registry::next_page;
use super::registry_options::RegistryOptions;
use crate::domain::{Class, Error, Result, Tag};

/// Bytes of one page.
const PAGE_BYTES: u64 = 16 << 20;
/// Pages of one list.
const PAGES: usize = 1000;

/// Lists the tags of a repository, in the registry's order.
///
/// # Errors
///
/// `E-CONTENT missing` for a repository that is not there; those of the connection; `E-LIMIT tags`.
pub(crate) fn tags_of(options: &RegistryOptions, repository: &ImageReference) -> Result<Vec<Tag>> {
    #[derive(Deserialize)]
    struct Page {
        tags: Option<Vec<String>>,
    }
    let mut connections = Connections::new(options.clone());
    let client = connections.repository(&repository.host, &repository.path)?;
    let mut url = client.url("tags/list")?;
    let mut tags = Vec::new();
    for _ in 0..PAGES {
        let answer = client.wait(client.get(url.clone(), "application/json", PAGE_BYTES, "a list of tags"))?;
        let Some((bytes, headers)) = answer else {
            let found = format!("{} has no such repository", client.name());
            return Err(Error::new(Class::Content, "missing", found));
        };
        #[expect(clippy::disallowed_methods, reason = "a registry's answer, bounded")]
        let page: Page = serde_json::from_slice(&bytes).map_err(|_| client.failed("its list of tags is none"))?;
        // What is no tag by the specification is nothing that could be asked for.
        tags.extend(page.tags.unwrap_or_default().iter().filter_map(|tag| tag.parse().ok()));
        match next_page(&headers, &url) {
            Some(next) if client.is_ours(&next) => url = next,
            Some(_) => return Err(client.failed("its list of tags goes on at another host")),
            None => return Ok(tags),
        }
    }
    let found = format!("{} has more than {PAGES} pages of tags", client.name());
    Err(Error::new(Class::Limit, "tags", found))
}
