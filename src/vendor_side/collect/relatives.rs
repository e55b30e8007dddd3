//! Follows what was found to what it is about, and to everything that is about it: referrers, and tags made for them.

use sha2::{Digest as _, Sha256};

use super::plan::Coverage;
use super::walk::{Children, Walk};
use crate::domain::oci::Kind;
use crate::domain::{Class, Digest, Error, Hash, Result, Tag};

/// How long a chain of referrers of referrers may be: signature, its attestation, and room.
const REFERRER_DEPTH: usize = 8;
/// Endings of the tags by which cosign finds what belongs to a digest.
const COSIGN: [&str; 3] = [".sig", ".att", ".sbom"];

impl Walk<'_> {
    /// Follows a document to its subject and to what refers to it.
    pub(super) fn relatives(&mut self, digest: Digest, depth: usize) -> Result<()> {
        self.subject(digest, depth)?;
        if depth >= REFERRER_DEPTH {
            self.note(
                &Error::new(
                    Class::Limit,
                    "referrer-depth",
                    format!("{digest} is at the end of a chain of {depth} referrers"),
                )
                .expected(format!("fewer than {REFERRER_DEPTH}")),
            );
            return Ok(());
        }
        for referrer in self.origin.referrers(&digest)? {
            match self.origin.manifest(&referrer)? {
                Some(found) => {
                    self.name(
                        None,
                        referrer,
                        found,
                        None,
                        Children::All,
                        &mut Coverage::default(),
                        depth.saturating_add(1),
                    )?;
                }
                None => self.missing(format!("the referrer {referrer} is not there")),
            }
        }
        let base = format!("sha256-{}", digest.0);
        self.referrer_tag(&base, Some(digest), depth)?;
        for ending in COSIGN {
            self.referrer_tag(&format!("{base}{ending}"), None, depth)?;
        }
        Ok(())
    }

    /// Takes a tag made for what refers to a digest; the tag schema's own holds an index of its referrers and nothing else.
    fn referrer_tag(&mut self, text: &str, members_about: Option<Digest>, depth: usize) -> Result<()> {
        let tag: Tag = text.parse().expect("a digest and a short ending make a tag");
        let Some(found) = self.origin.tag(&tag)? else {
            return Ok(());
        };
        let digest = Digest(Hash(Sha256::digest(&found.bytes).into()));
        let taken = self.name(
            Some(tag.clone()),
            digest,
            found,
            None,
            Children::All,
            &mut Coverage::default(),
            depth.saturating_add(1),
        )?;
        let (Some(subject), true) = (members_about, taken) else {
            return Ok(());
        };
        let document = self.collected.documents.get(&digest).cloned();
        let members = document
            .as_ref()
            .filter(|document| document.kind == Kind::Index)
            .map(|document| {
                document.manifests.iter().all(|member| {
                    let about = self.collected.documents.get(&member.digest);
                    about.is_none_or(|about| about.subject.as_ref().is_some_and(|about| about.digest == subject))
                })
            });
        if members != Some(true) {
            self.note(
                &Error::new(
                    Class::Content,
                    "referrers-tag",
                    format!("the tag {tag} is not an index of manifests about {subject}"),
                )
                .expected("what the referrers tag schema says")
                .remedy("delete that tag in the source"),
            );
        }
        Ok(())
    }

    fn subject(&mut self, digest: Digest, depth: usize) -> Result<()> {
        let Some(subject) = self
            .collected
            .documents
            .get(&digest)
            .and_then(|known| known.subject.clone())
        else {
            return Ok(());
        };
        if let Some(held) = self.collected.manifests.get(&subject.digest) {
            if held.len() as u64 != subject.size {
                self.note(&Error::new(
                    Class::Content,
                    "size",
                    format!(
                        "{digest} says that its subject {} has {} bytes",
                        subject.digest, subject.size
                    ),
                ));
            }
            return Ok(());
        }
        let Some(found) = self.origin.manifest(&subject.digest)? else {
            let gone = format!("the subject {} of {digest} is not there", subject.digest);
            if self.options.allow_missing_subject {
                let warning = format!(
                    "{}: {gone}: what is about it is carried without it, and checks nothing at a site",
                    self.image
                );
                self.collected.gone.entry(subject.digest).or_insert(warning);
            } else {
                self.note(&Error::new(Class::Content, "missing", gone).remedy(
                    "name a source that has both; where the subject is gone for good, say allow_missing_subject: true on the image",
                ));
            }
            return Ok(());
        };
        if found.bytes.len() as u64 != subject.size {
            self.note(&Error::new(
                Class::Content,
                "size",
                format!(
                    "{} has {} bytes instead of {}",
                    subject.digest,
                    found.bytes.len(),
                    subject.size
                ),
            ));
            return Ok(());
        }
        self.name(
            None,
            subject.digest,
            found,
            Some(&subject.media_type),
            Children::Wanted,
            &mut Coverage::default(),
            depth,
        )?;
        Ok(())
    }
}
