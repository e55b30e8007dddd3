//! The vectors of `bundle-spec/status-vectors`: each package judged here as `verify.py` judges it, and the good ones made again, byte for byte.

use std::io::Cursor;
use std::path::PathBuf;

use airlock::crypto::{Acknowledgement, Chain, Enrolment, RoleName, SigningKey};
use airlock::domain::{Error, Hash, Result};
use airlock::package::{EnrolledSites, Head, Line, OpenedPackage, RecordCounts, Room, UnsignedPackage};
use serde_json::Value;

use super::made::{self, input};
use crate::format::vectors::{described, load};

struct Vector {
    name: String,
    folder: PathBuf,
    text: Value,
}

fn vectors(kind: &str) -> Vec<Vector> {
    let described = described(&format!("status-vectors/{kind}")).into_iter();
    described
        .map(|(name, folder, text)| Vector { name, folder, text })
        .collect()
}

impl Vector {
    fn paths(&self, member: &str) -> Vec<PathBuf> {
        let names = self.text[member].as_array().unwrap();
        names
            .iter()
            .map(|name| self.folder.join(name.as_str().unwrap()))
            .collect()
    }

    fn expected(&self) -> String {
        let word = |name: &str| self.text["expect"][name].as_str().unwrap_or_default();
        format!("{} {} {}", word("class"), word("code"), word("step"))
    }

    /// The last file: what the verdict is about.
    fn file(&self) -> (String, Vec<u8>) {
        let path = self.paths("files").pop().unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = load(&path);
        match name.strip_suffix(".zst") {
            Some(name) => (name.to_owned(), zstd::stream::decode_all(&bytes[..]).unwrap()),
            None => (name, bytes),
        }
    }

    fn sites(&self) -> EnrolledSites {
        let mut sites = EnrolledSites::default();
        for path in self.paths("enrolments") {
            sites.add(Enrolment::parse(&load(&path)).unwrap()).unwrap();
        }
        sites
    }

    /// What only who knows earlier packages, or the site itself, can say.
    fn is_for_a_ledger(&self) -> bool {
        let expected = self.expected();
        ["E-EQUIVOCATION", "E-POLICY ack-", "E-POLICY never-exported"]
            .iter()
            .any(|start| expected.starts_with(start))
    }
}

fn judge(sites: &EnrolledSites, bytes: &[u8]) -> Result<(Head, Hash, Vec<Line>)> {
    let opened = OpenedPackage::open(input(bytes))?;
    let keys = sites
        .keys_of(&opened.hints()?)
        .map_err(|error| error.at(airlock::domain::Step::V2))?;
    let package = opened.verify(keys)?.read_index()?;
    let total = package.total_bytes();
    let digest = package.head_digest();
    let mut lines = Vec::new();
    let head = package.read_lines(&mut |line, seal| {
        assert_eq!(seal.is_some(), matches!(line, Line::Audit(_)));
        lines.push(line.clone());
        Ok(())
    })?;
    assert_eq!(total, bytes.len() as u64);
    Ok((head, digest, lines))
}

fn acknowledgement(vector: &Vector, bytes: &[u8]) -> Result<Acknowledgement> {
    let chain = Chain::parse(&load(&vector.paths("trust")[0])).unwrap();
    Acknowledgement::parse(bytes, &chain.newest().role(RoleName::Ack))
}

fn told(error: &Error) -> String {
    let step = error.step().map(|step| step.to_string()).unwrap_or_default();
    format!("{} {} {step}", error.class(), error.code())
}

#[test]
fn every_package_and_acknowledgement_is_judged_as_by_the_other_reader() {
    let (mut packages, mut acknowledgements) = (0, 0);
    let mut wrong = Vec::new();
    for vector in ["good", "bad"].into_iter().flat_map(vectors) {
        let (file, bytes) = vector.file();
        let found = if file.ends_with(".airlock-status") {
            packages += 1;
            judge(&vector.sites(), &bytes).map(drop)
        } else if file == "acknowledgement.json" {
            acknowledgements += 1;
            acknowledgement(&vector, &bytes).map(drop)
        } else {
            continue;
        };
        let refused = vector.text["expect"]["verdict"] == "refused" && !vector.is_for_a_ledger();
        let agrees = match &found {
            Ok(()) => !refused,
            Err(error) => refused && vector.expected().trim() == told(error).trim(),
        };
        if !agrees {
            wrong.push(format!(
                "{}: expected {}, found {found:?}",
                vector.name,
                vector.expected()
            ));
        }
    }
    println!("{packages} packages, {acknowledgements} acknowledgements");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(packages > 180 && acknowledgements > 20);
}

/// The same lines and facts give the same file, down to the last byte.
#[test]
fn good_packages_are_made_again_byte_for_byte() {
    let mut made_again = 0;
    for vector in vectors("good")
        .iter()
        .filter(|vector| vector.text["make"]["rounded"] == true)
    {
        let (_, bytes) = vector.file();
        let (head, digest, lines) = judge(&vector.sites(), &bytes).unwrap();
        let room = Room {
            approvals: vector.text["make"]["approvals"].as_u64().unwrap(),
            ..Room::default()
        };
        let draft = made::write(made::statement_of(&head), room, &lines, head.lasts(), counts_of(&head)).unwrap();
        assert_eq!(draft.package.head_digest, digest, "{}", vector.name);
        let mut unsigned = UnsignedPackage::open(input(&draft.bytes)).unwrap();
        let opened = OpenedPackage::open(input(&bytes)).unwrap().own_draft().unwrap();
        for approval in opened.approvals().unwrap() {
            unsigned.add_approval(approval);
        }
        unsigned.sign(&SigningKey::from_secret(&[7; 32]));
        let mut again = Vec::new();
        unsigned.write(&mut Cursor::new(&draft.bytes), &mut again).unwrap();
        assert!(again == bytes, "{}: other bytes", vector.name);
        made_again += 1;
    }
    assert!(made_again >= 6, "only {made_again}");
}

fn counts_of(head: &Head) -> RecordCounts {
    RecordCounts {
        missing: head.records.missing,
        unexplained: head.records.unexplained,
        withheld: head.records.withheld,
    }
}
