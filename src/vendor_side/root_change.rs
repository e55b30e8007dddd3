//! The next root document, worked out from the newest one: pure, nothing is signed or written here.

use std::collections::BTreeSet;

use super::signing_time::SigningTime;
use super::workspace::listed;
use crate::crypto::{EpochRule, KeyId, PublicKey, RoleName, RootDocument, Rule};
use crate::domain::{Class, Error, Name, Result, Timestamp, limits};

/// One change to a root document.
#[derive(Debug, Clone)]
pub enum RootChange {
    /// A key joins a role.
    Add {
        /// The role.
        role: RoleName,
        /// The key.
        key: PublicKey,
    },
    /// A key leaves a role.
    Remove {
        /// The role.
        role: RoleName,
        /// The key.
        key: KeyId,
    },
    /// How many keys of a role must sign.
    Threshold {
        /// The role.
        role: RoleName,
        /// The number.
        threshold: usize,
    },
    /// A scope enters a higher epoch.
    Epoch {
        /// The product.
        product: Name,
        /// The channel.
        channel: Name,
        /// The epoch; never lower than before.
        epoch: u64,
    },
    /// The vendor may sign for one more product.
    Product(
        /// The product.
        Name,
    ),
    /// Sites set this vendor's time floor anew, to the time of issue or their clock, whichever is earlier.
    TimeReset,
}

/// When the next root is signed and issued, and until when it holds.
#[derive(Debug, Clone, Copy)]
pub struct NewRoot {
    /// When it is signed.
    pub time: SigningTime,
    /// Time of issue.
    pub issued_at: Timestamp,
    /// Expiry; without it the new root lives as long as the one before did.
    pub expires: Option<Timestamp>,
}

/// Makes root N+1 from root N.
///
/// # Errors
///
/// `E-USAGE` for a change that does not fit the root it is made to; `E-TRUST` with the sub-codes of
/// [`RootDocument::check`] when the outcome would not be accepted, for example a threshold above the number of keys; `E-CLOCK`
/// and `E-EXPIRED` for dates that a vendor does not sign.
pub(super) fn next_root(newest: &RootDocument, changes: &[RootChange], times: NewRoot) -> Result<RootDocument> {
    let mut root = newest.clone();
    root.version = root.version.saturating_add(1);
    // A reset is said by one root; every root after it would move floors again.
    root.time_reset = false;
    root.issued_at = times.issued_at;
    let lifetime = newest.expires.unix().saturating_sub(newest.issued_at.unix());
    root.expires = times.expires.unwrap_or_else(|| times.issued_at.plus_seconds(lifetime));
    for change in changes {
        apply(&mut root, change)?;
    }
    let used: BTreeSet<KeyId> = RoleName::ALL
        .iter()
        .flat_map(|role| root.roles.get(*role))
        .flat_map(|rule| rule.keys.iter().copied())
        .collect();
    root.keys.retain(|key| used.contains(&key.id));
    root.check()?;
    times.time.check_root(&root)?;
    Ok(root)
}

fn apply(root: &mut RootDocument, change: &RootChange) -> Result<()> {
    match change {
        RootChange::Add { role, key } => {
            if root.keys.iter().any(|known| known.id == key.id()) {
                return Err(usage(
                    "known-key",
                    format!("the key {} is already in the trust root", key.id()),
                )
                .expected("a key that no role has yet"));
            }
            root.keys.push(listed(*key));
            root.keys.sort_by_key(|key| key.id);
            let rule = single_rule(root, *role)?;
            rule.keys.push(key.id());
            rule.keys.sort_unstable();
            if rule.keys.len() > limits::SIGNATURES {
                return Err(usage(
                    "too-many-keys",
                    format!("the role {} would have {} keys", role.as_str(), rule.keys.len()),
                )
                .expected(format!("at most {}", limits::SIGNATURES)));
            }
        }
        RootChange::Remove { role, key } => {
            let rule = single_rule(root, *role)?;
            let before = rule.keys.len();
            rule.keys.retain(|known| known != key);
            if rule.keys.len() == before {
                return Err(
                    usage("unknown-key", format!("the role {} has no key {key}", role.as_str()))
                        .remedy("look at the key ids with `airlock vendor trust show`"),
                );
            }
            if rule.keys.len() < rule.threshold {
                return Err(Error::new(
                    Class::Trust,
                    "threshold",
                    format!(
                        "the role {} would have {} keys, and {} of them must sign",
                        role.as_str(),
                        rule.keys.len(),
                        rule.threshold
                    ),
                )
                .expected("at least as many keys as signatures")
                .remedy("add a key first, rotate instead, or lower the threshold with --threshold"));
            }
        }
        RootChange::Threshold { role, threshold } => single_rule(root, *role)?.threshold = *threshold,
        RootChange::Epoch {
            product,
            channel,
            epoch,
        } => {
            let current = root.epoch(product, channel);
            if *epoch <= current || *epoch > limits::JSON_INTEGER_MAX {
                return Err(usage(
                    "epoch",
                    format!("{product}/{channel} is in epoch {current}, and {epoch} is asked for"),
                )
                .expected("a higher epoch"));
            }
            root.epochs
                .retain(|rule| rule.product != *product || rule.channel != *channel);
            root.epochs.push(EpochRule {
                channel: channel.clone(),
                epoch: *epoch,
                product: product.clone(),
            });
            root.epochs
                .sort_by(|a, b| (&a.product, &a.channel).cmp(&(&b.product, &b.channel)));
        }
        RootChange::Product(product) => {
            if !root.products.contains(product) {
                root.products.push(product.clone());
                root.products.sort();
            }
        }
        RootChange::TimeReset => root.time_reset = true,
    }
    Ok(())
}

/// The commands change roles of one rule; which rule of several would be meant, only a person can say.
fn single_rule(root: &mut RootDocument, role: RoleName) -> Result<&mut Rule> {
    match root.roles.get_mut(role).as_mut_slice() {
        [rule] => Ok(rule),
        rules => Err(usage(
            "several-rules",
            format!("the role {} has {} rules", role.as_str(), rules.len()),
        )
        .expected("a role with one rule")),
    }
}

fn usage(code: &'static str, found: String) -> Error {
    Error::new(Class::Usage, code, found)
}
