//! What is written is read again: lines of every kind, the least, nothing at all, approvals.

use std::io::Cursor;

use airlock::domain::Hash;
use airlock::package::{
    Acknowledged, Line, Numbers, OpenedPackage, RecordCounts, Room, StatusKeys, Switch, UnsignedPackage, check,
};

use super::made::{self, DOMAIN, input, key, site};

fn read(bytes: &[u8]) -> Vec<Line> {
    let package = OpenedPackage::open(input(bytes)).unwrap();
    let hints = package.hints().unwrap();
    assert_eq!((hints.domain, hints.site), (DOMAIN, site()));
    let package = package.verify(StatusKeys::new(key().public(), [])).unwrap();
    let mut lines = Vec::new();
    package
        .read_index()
        .unwrap()
        .read_lines(&mut |line, _| {
            lines.push(line.clone());
            Ok(())
        })
        .unwrap();
    lines
}

#[test]
fn lines_of_every_kind_come_back_as_they_were() {
    let lines = made::every_kind();
    let lasts = Numbers {
        audit: 3,
        receipts: 3,
        records: 15,
    };
    let write = || {
        made::write(
            made::statement(&Switch::ALL),
            Room::default(),
            &lines,
            lasts,
            RecordCounts::default(),
        )
        .unwrap()
    };
    let draft = write();
    assert!(!draft.is_cut);
    assert_eq!(draft.bytes, write().bytes, "the same lines gave other bytes");
    assert_eq!(draft.bytes.len() % (16 << 10), 0);
    let head = &draft.package.head;
    assert_eq!(head.file_name(), "01234567-cdcdcdcd-11112222-1.airlock-status");
    assert_eq!(head.records.shown, 15);
    let signed = made::sign(&draft.bytes);
    // Only the bytes before the payload changed, and the head not at all.
    let payload = usize::try_from(head.payload_offset).unwrap();
    assert_eq!(signed[payload..], draft.bytes[payload..]);
    assert_eq!(made::sign(&signed), signed, "the same key gave other bytes");
    assert_eq!(read(&signed), lines);
    assert_eq!(check(&signed, key().public()).unwrap(), *head);
}

/// Before it is signed, the site itself reads the whole of what it wrote.
#[test]
fn a_draft_is_read_by_its_site_and_by_nobody_else() {
    let (lines, lasts, counts) = made::least();
    let draft = made::write(made::statement(&[]), Room::default(), &lines, lasts, counts).unwrap();
    let open = || OpenedPackage::open(input(&draft.bytes)).unwrap();
    let mut seen = 0;
    let own = open().own_draft().unwrap();
    assert_eq!(own.head_digest(), draft.package.head_digest);
    own.read_index()
        .unwrap()
        .read_lines(&mut |_, _| {
            seen += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(seen, lines.len());
    let refused = open().verify(StatusKeys::new(key().public(), [])).unwrap_err();
    assert_eq!(refused.code(), "below-threshold");
    // A bit of its payload is enough.
    let mut damaged = draft.bytes.clone();
    let place = usize::try_from(draft.package.head.payload_offset).unwrap() + 600;
    damaged[place] ^= 1;
    let own = OpenedPackage::open(input(&damaged)).unwrap().own_draft().unwrap();
    let refused = own.read_index().unwrap().read_lines(&mut |_, _| Ok(())).unwrap_err();
    assert_eq!(refused.code(), "stored-hash");
}

/// After everything was acknowledged and nothing happened, there is nothing to tell, and that is a package too.
#[test]
fn a_package_without_a_line_is_one() {
    let mut statement = made::statement(&[]);
    statement.number = 2;
    statement.previous = Some(Hash([9; 32]));
    statement.acknowledged = Some(Acknowledged {
        audit: 3,
        number: 1,
        receipts: 2,
        records: 240,
    });
    statement.firsts = Numbers {
        audit: 4,
        receipts: 3,
        records: 241,
    };
    let lasts = Numbers {
        audit: 3,
        receipts: 2,
        records: 240,
    };
    let draft = made::write(statement, Room::default(), &[], lasts, RecordCounts::default()).unwrap();
    assert_eq!(draft.bytes.len(), 16 << 10);
    let signed = made::sign(&draft.bytes);
    let head = check(&signed, key().public()).unwrap();
    assert!(head.parts.is_empty() && head.index.is_empty() && head.volumes == [0]);
}

#[test]
fn approvals_have_the_room_that_was_kept_for_them() {
    let (lines, lasts, counts) = made::least();
    for count in [0_u8, 1, 3, 32] {
        let room = Room {
            approvals: u64::from(count),
            ..Room::default()
        };
        let draft = made::write(made::statement(&[]), room, &lines, lasts, counts).unwrap();
        let mut package = UnsignedPackage::open(input(&draft.bytes)).unwrap();
        let keys: Vec<_> = (0..count)
            .map(|n| airlock::crypto::SigningKey::from_secret(&[100 + n; 32]))
            .collect();
        for key in &keys {
            // Twice by one key is once.
            package.add_approval(package.approval().sign(key));
            package.add_approval(package.approval().sign(key));
        }
        package.sign(&key());
        let mut signed = Vec::new();
        package.write(&mut Cursor::new(&draft.bytes), &mut signed).unwrap();
        assert_eq!(signed.len(), draft.bytes.len());
        let read = OpenedPackage::open(input(&signed)).unwrap();
        let read = read.verify(StatusKeys::new(key().public(), [])).unwrap();
        let approvals = read.approvals().unwrap();
        assert_eq!(approvals.len(), usize::from(count));
        let public = keys.iter().map(airlock::crypto::SigningKey::public);
        package
            .approval()
            .check(public, usize::from(count), &approvals)
            .unwrap();
        check(&signed, key().public()).unwrap();
    }
}
