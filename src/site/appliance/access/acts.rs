//! Makes, lists and removes credentials.

use serde_json::json;

use super::view::AccessView;
use crate::appliance::fleet::Secret;
use crate::appliance::{Appliance, last_generation};
use crate::db::site::access::{self, AccessGrant, AccessRow};
use crate::db::site::{audit, targets};
use crate::domain::{Class, Error, Name, RepositoryPattern, Result, Scope, nearest};

/// Most patterns of one credential: each request is asked in the scope of each.
const PATTERNS: usize = 32;
/// Digits of a trust domain that name it.
const DIGITS: usize = 8;

/// What a credential is to be.
#[derive(Debug, Clone, Copy)]
pub struct NewAccess<'a> {
    /// Its name.
    pub name: &'a Name,
    /// Patterns as a person writes them: `[VENDOR/]PRODUCT/CHANNEL:REPOSITORIES`.
    pub patterns: &'a [String],
}

impl Appliance {
    /// Returns the credentials of people and machines.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn accesses(&self) -> Result<Vec<AccessView>> {
        let rows = self.db.read(access::list)?;
        Ok(rows.into_iter().map(AccessView::from).collect())
    }

    /// Makes a credential, and returns its secret with what it may read.
    ///
    /// # Errors
    ///
    /// `E-USAGE access` when the name is taken, or a pattern names nothing that is trusted here; `E-STATE`, `E-IO`, `E-SPACE`.
    pub fn add_access(&self, new: NewAccess<'_>) -> Result<(Secret, AccessView)> {
        if !(1..=PATTERNS).contains(&new.patterns.len()) {
            return Err(usage(format!("{} patterns", new.patterns.len())).expected(format!("1 to {PATTERNS}")));
        }
        let patterns = new.patterns.iter().map(|pattern| self.grant(pattern));
        let grants = patterns.collect::<Result<Vec<_>>>()?;
        let secret = Secret::generate()?;
        let row = AccessRow {
            name: new.name.clone(),
            mac: self.keys()?.access_mac(secret.as_str()),
            created_at: self.clock.now(),
            grants,
        };
        let read: Vec<_> = row.grants.iter().map(detail).collect();
        self.db.write(|transaction| {
            if !access::add(transaction, &row)? {
                return Err(usage(format!("there is a credential {} already", row.name))
                    .expected("a name of its own")
                    .remedy(format!(
                        "choose another name, or let that one go with `airlock access remove {}`",
                        row.name
                    )));
            }
            let detail = json!({"name": row.name, "read": read});
            audit::append(transaction, row.created_at, "access-add", &detail, &[])?;
            targets::raise_edition(transaction)
        })?;
        Ok((secret, row.into()))
    }

    /// Removes a credential: whoever shows it is refused from then on. Says whether there was one.
    ///
    /// # Errors
    ///
    /// `E-USAGE access` where there is none; `E-IO`, `E-SPACE`.
    pub fn remove_access(&self, name: &Name) -> Result<()> {
        let now = self.clock.now();
        let withdrawn = last_generation::forget(self.folder())?;
        let removed = self.db.write(|transaction| {
            let removed = access::remove(transaction, name)?;
            if removed {
                audit::append(transaction, now, "access-remove", &json!({"name": name}), &[])?;
                targets::raise_edition(transaction)?;
            }
            Ok(removed)
        })?;
        drop(withdrawn);
        if removed {
            return Ok(());
        }
        let names: Vec<String> = self.accesses()?.iter().map(|access| access.name.to_string()).collect();
        let meant = nearest(name.as_str(), names.iter().map(String::as_str));
        let error =
            usage(format!("there is no credential {name}")).expected("the name of one of `airlock access list`");
        Err(match meant {
            Some(meant) => error.remedy(format!("did you mean {meant}?")),
            None => error.remedy("nothing is to be done: whoever shows one of that name is refused already"),
        })
    }

    /// Reads a pattern, and finds whom it names.
    fn grant(&self, pattern: &str) -> Result<AccessGrant> {
        let form = |found: String| {
            usage(found)
                .expected("[VENDOR/]PRODUCT/CHANNEL:REPOSITORIES, as in acme-erp/stable:registry.acme.example/erp/*")
                .remedy("name vendor, product, channel and repositories; `airlock trust show` and `airlock release list` show what is here")
        };
        let (whose, repositories) = pattern
            .rsplit_once(':')
            .ok_or_else(|| form(format!("{pattern:?} names no repositories")))?;
        let repositories: RepositoryPattern = repositories
            .parse()
            .map_err(|error| form(format!("{pattern:?}: {error}")))?;
        let mut words = whose.rsplitn(3, '/');
        let (channel, product, vendor) = (words.next(), words.next(), words.next());
        let name = |word: Option<&str>| word.and_then(|word| word.parse::<Name>().ok());
        let (Some(channel), Some(product)) = (name(channel), name(product)) else {
            return Err(form(format!("{pattern:?} names no product and channel")));
        };
        let chains = self.chains()?;
        let by_digits = |vendor: &str| {
            vendor.len() >= DIGITS && chains.iter().any(|chain| chain.domain().to_hex().starts_with(vendor))
        };
        let fits = |chain: &&crate::crypto::Chain| {
            let root = chain.newest();
            let is_meant = vendor.is_none_or(|vendor| {
                if by_digits(vendor) {
                    chain.domain().to_hex().starts_with(vendor)
                } else {
                    root.vendor == vendor
                }
            });
            is_meant && root.products.contains(&product)
        };
        let mut found = chains.iter().filter(fits);
        match (found.next(), found.next()) {
            (Some(chain), None) => Ok(AccessGrant {
                scope: Scope {
                    domain: chain.domain(),
                    product,
                    channel,
                },
                repositories,
            }),
            (None, _) => Err(form(format!("no pinned vendor that {pattern:?} names has the product {product}"))),
            (Some(_), Some(_)) => Err(form(format!("several pinned vendors have the product {product}"))
                .remedy("put the first 8 digits of the vendor's trust domain before it, which `airlock trust show` prints: DIGITS/PRODUCT/CHANNEL:REPOSITORIES")),
        }
    }
}

fn detail(grant: &AccessGrant) -> serde_json::Value {
    let AccessGrant { scope, repositories } = grant;
    json!({"channel": scope.channel, "domain": scope.domain, "product": scope.product, "repositories": repositories})
}

fn usage(found: String) -> Error {
    Error::new(Class::Usage, "access", found)
}
