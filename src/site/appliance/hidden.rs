//! What of a release only its own clients see, because its names belong to others (D18 c): said by name wherever a person decides.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::state::Appliance;
use crate::bundle::Graph;
use crate::db::Connection;
use crate::db::site::name_claims;
use crate::db::site::release::ReleaseRow;
use crate::domain::{Digest, Hash, RepositoryName, Result, Scope, Tag};

/// Digits of a domain's hash that people are shown.
const SHOWN: usize = 16;

/// Whose a name is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// Of the scope that had the tag live first.
    Scope(Scope),
    /// Of the domain whose home the host is.
    Domain(Hash),
}

/// A tag that clients of other scopes get from its owner, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiddenTag {
    /// Where it is.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Tag,
    /// Whose release states it in vain.
    pub stated_by: Scope,
    /// Whose it is.
    pub owner: Owner,
}

/// A host below which the release has names, or which it calls its home, and which belongs to another domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiddenHost {
    /// The host.
    pub host: String,
    /// Whose home it is.
    pub domain: Hash,
}

/// What of a release only its own clients see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hidden {
    /// Tags that stand for other bytes than those of their owner.
    pub tags: Vec<HiddenTag>,
    /// Hosts below which everything of it is hidden: tags, referrers, agent images, charts.
    pub hosts: Vec<HiddenHost>,
}

impl HiddenTag {
    /// Returns what hides a tag of a scope, if anything does. What stands for the same bytes as the owner's is not hidden.
    pub(super) fn find(
        connection: &Connection,
        stated_by: &Scope,
        (repository, tag, digest): (&RepositoryName, &Tag, Option<&Digest>),
        host_owner: Option<Hash>,
    ) -> Result<Option<Self>> {
        let owner = name_claims::tag_owner(connection, repository, tag, host_owner)?;
        let foreign_host = host_owner.filter(|domain| *domain != stated_by.domain);
        let owner = match (owner, foreign_host) {
            (Some(owner), _) if owner.scope == *stated_by => return Ok(None),
            (Some(owner), _) if digest.is_some() && owner.digest.as_ref() == digest => return Ok(None),
            (Some(owner), _) => Owner::Scope(owner.scope),
            (None, Some(domain)) => Owner::Domain(domain),
            (None, None) => return Ok(None),
        };
        Ok(Some(Self {
            repository: repository.clone(),
            tag: tag.clone(),
            stated_by: stated_by.clone(),
            owner,
        }))
    }
}

impl Hidden {
    /// Whether everybody sees everything of the release.
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.hosts.is_empty()
    }

    fn find<'a>(
        connection: &Connection,
        scope: &Scope,
        host_owners: &BTreeMap<String, Hash>,
        hosts: BTreeSet<&str>,
        tags: impl Iterator<Item = (&'a RepositoryName, &'a Tag, &'a Digest)>,
    ) -> Result<Self> {
        let foreign = |host: &str| host_owners.get(host).filter(|domain| **domain != scope.domain);
        let hosts = hosts.into_iter().filter_map(|host| {
            Some(HiddenHost {
                host: host.to_owned(),
                domain: *foreign(host)?,
            })
        });
        let mut hidden = Self {
            tags: Vec::new(),
            hosts: hosts.collect(),
        };
        for (repository, tag, digest) in tags {
            let owner = host_owners.get(host_of(repository)).copied();
            let found = HiddenTag::find(connection, scope, (repository, tag, Some(digest)), owner)?;
            hidden.tags.extend(found);
        }
        Ok(hidden)
    }
}

impl Appliance {
    /// Returns what of a release only its own clients see, or would see if it were live.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn hidden(&self, release: &ReleaseRow) -> Result<Hidden> {
        self.db.read(|connection| self.hidden_in(connection, release))
    }

    /// As [`Appliance::hidden`], as a connection sees it.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(super) fn hidden_in(&self, connection: &Connection, release: &ReleaseRow) -> Result<Hidden> {
        let tags = name_claims::tags_of(connection, release.id)?;
        let repositories = name_claims::repositories_of(connection, release.id)?;
        let homes = name_claims::homes_of(connection, release.id)?;
        let hosts = homes
            .iter()
            .map(String::as_str)
            .chain(repositories.iter().map(host_of))
            .collect();
        let tags = tags.iter().map(|(repository, tag, digest)| (repository, tag, digest));
        Hidden::find(connection, &release.scope, &self.host_owners(connection)?, hosts, tags)
    }

    /// Returns what of a release that is not here yet only its own clients would see.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(super) fn hidden_of_graph(&self, scope: &Scope, home_hosts: &[String], graph: &Graph) -> Result<Hidden> {
        self.db.read(|connection| {
            let repositories = graph.contents().map(|content| host_of(content.repository));
            let hosts = home_hosts.iter().map(String::as_str).chain(repositories).collect();
            let tags = graph
                .tags
                .iter()
                .filter_map(|line| Some((&line.repository, line.tag.as_ref()?, &line.digest)));
            Hidden::find(connection, scope, &self.host_owners(connection)?, hosts, tags)
        })
    }
}

fn host_of(repository: &RepositoryName) -> &str {
    repository.as_str().split('/').next().unwrap_or_default()
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |domain: &Hash| domain.to_hex().get(..SHOWN).unwrap_or_default().to_owned();
        match self {
            Self::Scope(scope) => write!(f, "{scope} of domain {}", short(&scope.domain)),
            Self::Domain(domain) => write!(f, "domain {}, whose home the host is", short(domain)),
        }
    }
}

impl fmt::Display for HiddenTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} belongs to {}", self.repository, self.tag, self.owner)
    }
}

impl fmt::Display for HiddenHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "everything below {} belongs to {}",
            self.host,
            Owner::Domain(self.domain)
        )
    }
}
