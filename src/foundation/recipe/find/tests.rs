//! Recipes found for files of every producer, and none for others.

use std::io::{Cursor, Write as _};
use std::process::{Command, Stdio};
use std::thread;

use crate::producer::tests::{is_slow, member, tried};
use crate::producer::{Producer, Sample};

use super::{Found, Search, Why};

fn found(file: &[u8]) -> Result<Found, Why> {
    let mut open = || Ok(Cursor::new(file));
    let search = Search::of(&mut open)?;
    let likely = search.likely(&mut open)?;
    search.thorough(&mut open).inspect(|found| assert_eq!(likely, *found))
}

#[test]
fn every_producer_is_found_by_what_it_made() {
    let mut plain = [Sample::Text.plain(), Sample::Far.plain()].concat();
    plain.truncate(if is_slow() { plain.len() } else { 140_000 });
    for producer in tried() {
        let file = member(producer, &plain);
        let found = found(&file).unwrap();
        assert_eq!(found.producer, producer);
        assert_eq!(found.plain, plain.len() as u64);
        assert!(found.recipe.len() < 100, "{} bytes", found.recipe.len());
    }
}

#[test]
fn members_empty_ones_and_padding_are_of_the_recipe() {
    let mut file = member(Producer::Go1Level6, &Sample::Text.plain()[..90_000]);
    file.extend(member(Producer::Go1Level6, b""));
    file.extend(member(Producer::Go1Level6, b"a short one"));
    file.extend([0; 512]);
    let found = found(&file).unwrap();
    assert_eq!(
        (found.producer, found.plain, found.pieces),
        (Producer::Go1Level6, 90_011, 2)
    );
}

#[test]
fn a_file_whose_rebuilding_is_too_much_work_is_not_given_a_recipe() {
    // Each start of an emulator counts; many tiny members are more than half of what their plain allows.
    let file: Vec<u8> = (0..200).flat_map(|_| member(Producer::Go1Level6, b"x")).collect();
    assert!(matches!(found(&file), Err(Why::Work)));
}

#[test]
fn what_no_producer_made_has_no_recipe_and_says_why() {
    let plain = &Sample::Text.plain()[..120_000];
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(3));
    encoder.write_all(plain).unwrap();
    let other = encoder.finish().unwrap();
    assert!(matches!(found(&other), Err(Why::UnknownProducer)));
    let mixed = [member(Producer::Go1Level6, plain), member(Producer::Zlib1Level9, plain)].concat();
    assert!(matches!(found(&mixed), Err(Why::Differs)));
    let whole = member(Producer::Go1Level6, plain);
    assert!(matches!(found(&whole[..whole.len() / 2]), Err(Why::NoGzip)));
    assert!(matches!(found(b"no gzip"), Err(Why::NoGzip)));
    assert!(matches!(
        found(&member(Producer::Go1Level6, b"")),
        Err(Why::UnknownProducer)
    ));
}

const PYTHON: &str = "import gzip, sys; sys.stdout.buffer.write(gzip.compress(sys.stdin.buffer.read(), LEVEL))";

/// What a program makes of some plain.
fn piped(command: &str, plain: &[u8]) -> Vec<u8> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let output = thread::scope(|scope| {
        scope.spawn(move || input.write_all(plain).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{command}");
    output.stdout
}

/// Fresh plain of this machine and its own tools, so that what emulators give does not rest on samples alone.
#[test]
fn what_real_tools_make_of_this_machine_has_recipes() {
    if !is_slow() {
        return;
    }
    for folder in ["bin", "share/doc"] {
        let plain = piped(&format!("tar cf - -C /usr {folder} | head -c 6000000"), b"");
        assert!(plain.len() > 1_000_000, "{folder}");
        for (command, producer) in [
            ("pigz -6".to_owned(), Producer::Pigz1Level6),
            ("pigz -9 --no-time".to_owned(), Producer::Pigz1Level9),
            (
                format!("python3 -c '{}'", PYTHON.replace("LEVEL", "6")),
                Producer::Zlib1Level6,
            ),
            (
                format!("python3 -c '{}'", PYTHON.replace("LEVEL", "9")),
                Producer::Zlib1Level9,
            ),
        ] {
            let file = piped(&command, &plain);
            let found = found(&file).unwrap();
            assert_eq!(
                (found.producer, found.plain),
                (producer, plain.len() as u64),
                "{command} of {folder}"
            );
        }
    }
}
