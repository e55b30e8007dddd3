//! The proof that a release was installed at a site: an in-toto Statement (M-115).
//!
//! The statement says what the site's own signatures say: its receipts stand in it whole, with the keys to check them by, so that nobody
//! has to believe this workspace. Signing it says who collected them.

use serde_json::{Value, json};

use super::release_named::release_named;
use crate::Workspace;
use crate::crypto::{Envelope, IN_TOTO, KeyId, PublicKey, SigningKey, canonical, sign_statement};
use crate::db::Connection;
use crate::db::ledger::questions::{
    PackageWithHead, ReceiptRow, SignedHeadRow, held, names_of, newest, packages, receipt_envelope, receipts_of,
};
use crate::db::ledger::{Lineage, Site, earlier_keys, shown};
use crate::domain::{Class, Error, Hash, Result, Timestamp, counted};
use crate::enrol::find_site;

/// Type of the statement.
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// Type of what it says.
const PREDICATE: &str = "urn:airlock:installation:v1";

/// A proof.
#[derive(Debug)]
pub struct Proof {
    /// Local name of the site.
    pub name: String,
    /// The release.
    pub release: SignedHeadRow,
    /// When it was imported first.
    pub imported_at: Option<Timestamp>,
    /// When it went live last.
    pub activated_at: Option<Timestamp>,
    /// How many receipts prove it.
    pub receipts: usize,
    /// The statement: canonical JSON.
    pub statement: Vec<u8>,
}

/// Makes the statement for a site, by name or id, and a release, by head digest, number or label.
///
/// # Errors
///
/// `E-USAGE no-site`, `no-release`, `several-releases`; `E-TRUST withdrawn-site`; `E-POLICY no-receipt` when the site never told that it
/// imported the release; those of the ledger.
pub fn proof(workspace: &Workspace, name: &str, release: &str) -> Result<Proof> {
    workspace.ledger()?.read(|connection| {
        let site = find_site(connection, name)?;
        let release = release_named(connection, release)?;
        if site.withdrawn_at.is_some() {
            return Err(Error::new(
                Class::Trust,
                "withdrawn-site",
                format!("site {} was withdrawn: nothing of it counts", site.name),
            )
            .expected("a site that counts")
            .remedy(format!(
                "take it back, after comparing its fingerprint by voice, with `airlock vendor enroll FILE --replace {}`",
                site.site
            )));
        }
        make(connection, workspace.chain().domain(), &site, release)
    })
}

fn make(connection: &Connection, domain: Hash, site: &Site, release: SignedHeadRow) -> Result<Proof> {
    let line = shown(connection, &site.site)?;
    let mut receipts = match &line {
        Some(line) => receipts_of(connection, line, release.head)?,
        None => Vec::new(),
    };
    receipts.retain(|receipt| receipt.matched);
    let (refused, mut receipts): (Vec<_>, Vec<_>) =
        receipts.into_iter().partition(|receipt| receipt.result == "refused");
    receipts.reverse();
    let (Some(line), Some(last)) = (line, receipts.last()) else {
        return Err(nothing_proven(site, &release, &refused));
    };
    let package = carrying(connection, &line, last)?;
    let newest = newest(connection, line.youngest().id)?;
    let at = |result: &str| {
        receipts
            .iter()
            .find(|receipt| receipt.result == result)
            .map(|receipt| receipt.at)
    };
    let imported_at = at("imported");
    let activated = receipts.iter().rev().find(|receipt| receipt.result == "activated");
    let activated_at = activated.map(|receipt| receipt.at);
    let state = held(connection, &site.site)?
        .into_iter()
        .find(|held| held.head == release.head)
        .map(|held| held.state);
    let mut envelopes = Vec::new();
    for receipt in &receipts {
        let envelope: Envelope = canonical::from_slice(&receipt_envelope(connection, receipt)?, "the receipt")?;
        envelopes.push(envelope);
    }
    let mut keys = vec![PublicKey::try_from(site.status)?];
    for (key, _) in earlier_keys(connection, &site.site)? {
        keys.push(PublicKey::try_from(key)?);
    }
    let keys: Vec<Value> = keys
        .into_iter()
        .map(|key| json!({"keyid": key.id(), "public": key}))
        .collect();
    let statement = json!({
        "_type": STATEMENT,
        "predicate": {
            "activated_at": activated_at,
            "as_of": newest.map(|newest| newest.made_at),
            "domain": domain,
            "imported_at": imported_at,
            "package": package.map(|(package, instance)| json!({
                "head": package.newest.head, "ingested_at": package.newest.ingested_at, "instance": instance,
                "made_at": package.newest.made_at, "number": package.newest.number,
            })),
            "receipts": envelopes,
            "release": {
                "channel": release.channel, "epoch": release.counter.epoch, "head": release.head, "product": release.product,
                "sequence": release.counter.sequence, "version": release.version,
            },
            "site": site.site,
            "state": state,
            "status_keys": keys,
        },
        "predicateType": PREDICATE,
        "subject": subjects(connection, &release)?,
    });
    Ok(Proof {
        name: site.name.clone(),
        imported_at,
        activated_at,
        receipts: receipts.len(),
        statement: canonical::to_vec(&statement),
        release,
    })
}

/// Says why nothing is proven: the site told nothing of the release yet, or that it refused it; of those the newest is first.
fn nothing_proven(site: &Site, release: &SignedHeadRow, refused: &[ReceiptRow]) -> Error {
    let name = format!("{}/{} {}", release.product, release.channel, release.label());
    let error = |found| {
        Error::new(Class::Policy, "no-receipt", found)
            .expected("a receipt that the release was imported, in a package that was taken in")
    };
    let Some(newest) = refused.first() else {
        return error(format!("site {} sent no receipt that {name} was imported", site.name))
            .remedy("ask the site for its next status package, and take it in with `airlock status verify FILE`");
    };
    let before = match refused.len().saturating_sub(1) {
        0 => String::new(),
        more => format!(", after {} before it", counted(more, "refusal")),
    };
    let why = [&newest.class, &newest.code].map(|word| word.as_deref().unwrap_or("nothing more"));
    error(format!(
        "site {} refused {name}: receipt {} of {} says {}{before}",
        site.name,
        newest.number,
        newest.at,
        why.join(" ")
    ))
    .remedy(
        "there is nothing to prove: put right what the site refused it for, and once it has imported a release, take in its next status package \
         with `airlock status verify FILE`",
    )
}

/// The head first, then everything that it names.
fn subjects(connection: &Connection, release: &SignedHeadRow) -> Result<Vec<Value>> {
    let subject = |name: &str, digest: Hash| json!({"digest": {"sha256": digest}, "name": name});
    let name = format!("{}/{} {}", release.product, release.channel, release.label());
    let mut subjects = vec![subject(&name, release.head)];
    if let Some(id) = release.id {
        for (repository, digest) in names_of(connection, id)? {
            subjects.push(subject(&repository, digest.0));
        }
    }
    Ok(subjects)
}

/// Returns the first package of the line that carries a receipt, with its instance.
fn carrying(
    connection: &Connection,
    line: &Lineage,
    receipt: &ReceiptRow,
) -> Result<Option<(PackageWithHead, crate::domain::InstanceId)>> {
    for instance in line.instances() {
        for package in packages(connection, instance.id)? {
            let range = Ranges::of(&package.bytes);
            if range.is_some_and(|(first, last)| (first..=last).contains(&receipt.number)) {
                return Ok(Some((package, instance.instance.clone())));
            }
        }
    }
    Ok(None)
}

/// The range of receipts in a head that was verified when it was taken in.
#[derive(serde::Deserialize)]
struct Ranges {
    receipts: Range,
}

#[derive(serde::Deserialize)]
struct Range {
    first: u64,
    last: u64,
}

impl Ranges {
    #[expect(
        clippy::disallowed_methods,
        reason = "the ledger's own copy of what was verified; nothing but a range is asked"
    )]
    fn of(head: &[u8]) -> Option<(u64, u64)> {
        let ranges: Self = serde_json::from_slice(head).ok()?;
        Some((ranges.receipts.first, ranges.receipts.last))
    }
}

/// Wraps a statement in a DSSE envelope of in-toto's payload type, signed with a key of no role: what a role signs is of a type of ours.
///
/// # Errors
///
/// `E-TRUST role-key` for a key that a root of this workspace lists.
pub fn sign(workspace: &Workspace, statement: &[u8], key: &SigningKey) -> Result<Vec<u8>> {
    let id: KeyId = key.public().id();
    let chain = workspace.chain();
    let roots = (1..=chain.newest().version).filter_map(|version| chain.document(version));
    if roots.flat_map(|root| &root.keys).any(|known| known.id == id) {
        return Err(Error::new(
            Class::Trust,
            "role-key",
            format!("the key {id} has a role under this workspace's root"),
        )
        .expected(format!("a key of no role: {IN_TOTO} is not airlock's own type"))
        .remedy("make one for proofs alone, such as with `openssl genpkey -algorithm ed25519 -out proof.pem`"));
    }
    Ok(sign_statement(statement, key))
}
