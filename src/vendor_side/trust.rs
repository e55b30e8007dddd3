//! Moves a workspace's trust forward: root N+1, signed by thresholds of N and N+1, checked as an appliance checks it.
//!
//! Where all keys are at hand, one step does it ([`apply`]). Where root keys live elsewhere, a proposal travels to them:
//! [`propose`], [`sign_proposal`] once per key, [`adopt`]. Only a chain that holds replaces `root.json`, in one rename.

use std::collections::BTreeSet;
use std::path::Path;

use super::root_change::{NewRoot, RootChange, next_root};
use super::signing_time::SigningTime;
use super::workspace::{Workspace, role_keys};
use crate::crypto::{
    AskPassphrase, BELOW_THRESHOLD, Chain, Envelope, KeyId, PayloadType, RoleName, RootDocument, Signature, SigningKey,
    canonical, open_key,
};
use crate::domain::{Class, Error, Result, limits};
use crate::stream::read_bounded;

/// Bytes of a proposal: a root document in base64 and its signatures.
const PROPOSAL_BYTES: u64 = 256 << 10;

/// Makes, signs and takes root N+1 with the root keys that are in the workspace.
///
/// # Errors
///
/// Those of the change; `E-TRUST below-threshold` when too few root keys are here. The workspace is unchanged then.
pub fn apply(
    workspace: &mut Workspace,
    changes: &[RootChange],
    times: NewRoot,
    ask: &mut AskPassphrase<'_>,
) -> Result<()> {
    let root = next_root(workspace.chain().newest(), changes, times)?;
    let wanted: BTreeSet<KeyId> = role_keys(workspace.chain().newest(), RoleName::Root)
        .chain(role_keys(&root, RoleName::Root))
        .collect();
    let keys = workspace.keys().open(&wanted, ask)?;
    let signers: Vec<&SigningKey> = keys.iter().collect();
    let envelope = Envelope::sign(PayloadType::TrustRoot, root.to_payload(), &signers);
    let chain = extended(workspace, envelope)?;
    workspace.replace_chain(chain)
}

/// Makes root N+1 without signatures: the file that travels to the root keys.
///
/// # Errors
///
/// Those of the change.
pub fn propose(workspace: &Workspace, changes: &[RootChange], times: NewRoot) -> Result<(RootDocument, Vec<u8>)> {
    let root = next_root(workspace.chain().newest(), changes, times)?;
    let envelope = Envelope::sign(PayloadType::TrustRoot, root.to_payload(), &[]);
    Ok((root, canonical::to_vec(&envelope)))
}

/// Adds the signature of one key to a proposal. Signing twice with one key changes nothing.
///
/// Returns the document, so that its signer sees what was signed, the id of the key, and the new file.
///
/// # Errors
///
/// `E-TRUST` for a file that is no proposal or a root that would never be accepted; `E-CLOCK` and `E-EXPIRED` for dates that a
/// vendor does not sign; those of the key file; `E-LIMIT` for too many signatures.
pub fn sign_proposal(
    proposal: &[u8],
    key_file: &Path,
    time: SigningTime,
    ask: &mut AskPassphrase<'_>,
) -> Result<(RootDocument, KeyId, Vec<u8>)> {
    let mut envelope = parse_proposal(proposal)?;
    let root = RootDocument::parse(&envelope.payload)?;
    time.check_root(&root)?;
    let key = open_key(key_file, ask)?;
    let signature = Signature::make(&key, PayloadType::TrustRoot, &envelope.payload);
    let id = signature.keyid;
    envelope.signatures.retain(|known| known.keyid != id);
    envelope.signatures.push(signature);
    envelope.signatures.sort_by_key(|signature| signature.keyid);
    if envelope.signatures.len() > limits::SIGNATURES {
        return Err(Error::new(
            Class::Limit,
            "signatures",
            format!("a document would have {} signatures", envelope.signatures.len()),
        )
        .expected(format!("at most {}", limits::SIGNATURES)));
    }
    Ok((root, id, canonical::to_vec(&envelope)))
}

/// Takes a proposal that thresholds of N and N+1 have signed.
///
/// # Errors
///
/// `E-TRUST` and `E-LIMIT` as an appliance would refuse it; `E-CLOCK` and `E-EXPIRED` for dates that a vendor does not sign. The
/// workspace is unchanged then.
pub fn adopt(workspace: &mut Workspace, proposal: &[u8], time: SigningTime) -> Result<()> {
    let envelope = parse_proposal(proposal)?;
    let chain = extended(workspace, envelope)?;
    time.check_root(chain.newest())?;
    workspace.replace_chain(chain)
}

/// Returns the chain with root N+1 at its end, checked as an appliance checks it.
fn extended(workspace: &Workspace, envelope: Envelope) -> Result<Chain> {
    let before = workspace.chain().newest().version;
    let mut links: Vec<Envelope> = workspace.chain().links().cloned().collect();
    links.push(envelope);
    let step = workspace.chain().extend(&links);
    if let Some(refusal) = step.refusal {
        return Err(explain(refusal));
    }
    // What is written is read first: a file that the workspace could not open again never replaces one that it can.
    let chain = Chain::parse(&step.chain.to_file())?;
    if chain.newest().version != before.saturating_add(1) {
        return Err(Error::new(
            Class::Trust,
            "version",
            format!("the workspace already holds root {before}"),
        )
        .expected(format!("root {}", before.saturating_add(1))));
    }
    Ok(chain)
}

fn explain(refusal: Error) -> Error {
    if refusal.is(BELOW_THRESHOLD) {
        refusal.remedy(
            "bring the missing root keys into keys/, or carry the root to them: write it with `airlock vendor trust propose -o FILE` and \
             the change, have each sign it with `airlock vendor trust sign FILE --key KEY`, and take it with `airlock vendor trust adopt FILE`",
        )
    } else {
        refusal
    }
}

fn parse_proposal(bytes: &[u8]) -> Result<Envelope> {
    let bytes = read_bounded(bytes, PROPOSAL_BYTES, "a root proposal")?;
    let envelope: Envelope =
        canonical::envelopes_from_slice(&bytes, "the root proposal").map_err(|error| error.into_class(Class::Trust))?;
    if envelope.payload_type != PayloadType::TrustRoot {
        return Err(Error::new(
            Class::Trust,
            "wrong-type",
            format!("an envelope holds {}", envelope.payload_type.as_str()),
        )
        .expected(PayloadType::TrustRoot.as_str()));
    }
    Ok(envelope)
}

#[cfg(test)]
mod tests {
    use super::super::workspace::tests::{never, sample};
    use super::*;

    fn workspace() -> (tempfile::TempDir, Workspace) {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(&folder.path().join("w"), &sample(), None).unwrap();
        (folder, workspace)
    }

    fn now() -> NewRoot {
        let issued_at = "2026-06-01T00:00:00Z".parse().unwrap();
        NewRoot {
            time: SigningTime::at(issued_at),
            issued_at,
            expires: None,
        }
    }

    fn release_keys(workspace: &Workspace) -> Vec<KeyId> {
        role_keys(workspace.chain().newest(), RoleName::Release).collect()
    }

    #[test]
    fn a_release_key_is_rotated_and_the_chain_still_opens() {
        let (_folder, mut workspace) = workspace();
        let old = release_keys(&workspace)[0];
        let new = SigningKey::from_secret(&[5; 32]);
        workspace.keys().add(RoleName::Release, &new, None).unwrap();
        let changes = [
            RootChange::Add {
                role: RoleName::Release,
                key: new.public(),
            },
            RootChange::Remove {
                role: RoleName::Release,
                key: old,
            },
        ];
        apply(&mut workspace, &changes, now(), &mut never).unwrap();
        let again = Workspace::open(workspace.folder()).unwrap();
        assert_eq!(again.chain().newest().version, 2);
        assert_eq!(again.chain().domain(), workspace.chain().domain());
        let keys = release_keys(&again);
        assert!(keys.contains(&new.public().id()) && !keys.contains(&old));
        assert_eq!(again.signing_keys(RoleName::Release, &mut never).unwrap().len(), 2);
        let lifetime = |root: &RootDocument| root.expires.unix() - root.issued_at.unix();
        let root = again.chain();
        assert_eq!(lifetime(root.document(1).unwrap()), lifetime(root.newest()));
    }

    #[test]
    fn refused_changes_leave_the_chain_as_it_was() {
        let (_folder, mut workspace) = workspace();
        let before = workspace.chain().to_file();
        let release = release_keys(&workspace)[0];
        let root = role_keys(workspace.chain().newest(), RoleName::Root).next().unwrap();
        let ack = role_keys(workspace.chain().newest(), RoleName::Ack).next().unwrap();
        let key = |role| workspace.chain().newest().role(role).key(release).unwrap();
        let scope = |epoch| RootChange::Epoch {
            product: "web".parse().unwrap(),
            channel: "stable".parse().unwrap(),
            epoch,
        };
        let remove = |role, key| RootChange::Remove { role, key };
        let cases = [
            (vec![remove(RoleName::Release, root)], Class::Usage, "unknown-key"),
            (vec![remove(RoleName::Ack, ack)], Class::Trust, "threshold"),
            (
                vec![RootChange::Add {
                    role: RoleName::Root,
                    key: key(RoleName::Release),
                }],
                Class::Usage,
                "known-key",
            ),
            (
                vec![RootChange::Threshold {
                    role: RoleName::Release,
                    threshold: 3,
                }],
                Class::Trust,
                "threshold",
            ),
            (vec![scope(0)], Class::Usage, "epoch"),
            (
                vec![RootChange::Epoch {
                    product: "other".parse().unwrap(),
                    channel: "stable".parse().unwrap(),
                    epoch: 1,
                }],
                Class::Trust,
                "epochs",
            ),
        ];
        for (changes, class, code) in cases {
            let error = apply(&mut workspace, &changes, now(), &mut never).unwrap_err();
            assert_eq!((error.class(), error.code()), (class, code));
            assert_eq!(Workspace::open(workspace.folder()).unwrap().chain().to_file(), before);
        }
        apply(&mut workspace, &[scope(3)], now(), &mut never).unwrap();
        let root = workspace.chain().newest();
        assert_eq!(root.epoch(&"web".parse().unwrap(), &"stable".parse().unwrap()), 3);
    }

    #[test]
    fn a_proposal_travels_to_keys_kept_elsewhere() {
        let (folder, mut workspace) = workspace();
        let away = folder.path().join("safe");
        std::fs::create_dir(&away).unwrap();
        let keys = workspace.folder().join("keys");
        for n in 1..=3 {
            let name = format!("root-{n}.pem");
            std::fs::copy(keys.join(&name), away.join(&name)).unwrap();
            std::fs::remove_file(keys.join(&name)).unwrap();
        }
        let changes = [RootChange::Product("new".parse().unwrap())];
        let error = apply(&mut workspace, &changes, now(), &mut never).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Trust, "below-threshold"));

        let (_, unsigned) = propose(&workspace, &changes, now()).unwrap();
        let (root, _, once) = sign_proposal(&unsigned, &away.join("root-1.pem"), now().time, &mut never).unwrap();
        assert_eq!(root.version, 2);
        let error = adopt(&mut workspace, &once, now().time).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Trust, "below-threshold"));
        let (_, _, same) = sign_proposal(&once, &away.join("root-1.pem"), now().time, &mut never).unwrap();
        assert_eq!(once, same);
        let (_, _, twice) = sign_proposal(&once, &away.join("root-3.pem"), now().time, &mut never).unwrap();
        adopt(&mut workspace, &twice, now().time).unwrap();
        assert_eq!(workspace.chain().newest().version, 2);
        let error = adopt(&mut workspace, &twice, now().time).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Trust, "version"));
    }

    #[test]
    fn a_proposal_of_another_kind_is_refused() {
        let (_folder, mut workspace) = workspace();
        let key = SigningKey::from_secret(&[5; 32]);
        let receipt = Envelope::sign(PayloadType::ImportReceipt, b"{}".to_vec(), &[&key]);
        let error = adopt(&mut workspace, &canonical::to_vec(&receipt), now().time).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Trust, "wrong-type"));
        assert_eq!(
            adopt(&mut workspace, b"{}", now().time).unwrap_err().class(),
            Class::Trust
        );
    }
}
