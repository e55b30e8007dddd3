//! Bundles in volumes: written, and read in whatever order they are given.

use std::io::{self, Write};

use super::*;

/// Volumes in memory.
struct Files {
    files: Vec<Vec<u8>>,
}

impl Write for Files {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.files.last_mut().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl VolumesOut for Files {
    fn next_volume(&mut self) -> Result<()> {
        self.files.push(Vec::new());
        Ok(())
    }
}

fn volumes(layers: &[Vec<u8>], most: u64) -> Vec<Vec<u8>> {
    let (content, blobs) = content(layers);
    let plan = BundleLayout::new(&release(), &content, &chain(), SMALL).unwrap();
    let plan = plan.in_volumes(most).unwrap();
    let most_volumes = plan.most_volumes().unwrap();
    let mut out = Files {
        files: vec![Vec::new()],
    };
    let unsigned = plan.write_volumes(content, &blobs, &mut out, |_| ()).unwrap();
    assert_eq!(unsigned.volumes(), out.files.len());
    assert!(unsigned.volumes() <= most_volumes);
    let signature = unsigned.sign(&key(2));
    let mut volumes = Vec::new();
    for (number, payload) in (1..).zip(out.files) {
        let prologue = unsigned.prologue_of(number, std::slice::from_ref(&signature)).unwrap();
        let volume = [prologue.clone(), payload].concat();
        assert!(
            volume.len() as u64 <= most,
            "volume {number} has {} bytes",
            volume.len()
        );
        unsigned
            .read_back_of(number, &prologue, Box::new(Cursor::new(volume.clone())), |_| ())
            .unwrap();
        volumes.push(volume);
    }
    volumes
}

const MOST: u64 = 1_500_000;

fn open(volumes: &[&Vec<u8>]) -> Result<OpenedBundle> {
    let mut opened = volumes
        .iter()
        .map(|bytes| OpenedBundle::open(Box::new(Cursor::new((*bytes).clone()))));
    let first = opened.next().unwrap()?;
    opened.try_fold(first, |first, other| first.with_volume(other?))
}

fn verified(volumes: &[&Vec<u8>]) -> Result<VerifiedBundle> {
    open(volumes)?.verify(&chain())?.read_index(|_, _| Ok(()))
}

#[test]
fn volumes_are_read_in_any_order_as_the_bundle_in_one_file() {
    let made = volumes(&layers(), MOST);
    let [one, two, three] = &made[..] else {
        panic!("{} volumes", made.len())
    };
    let mut whole = Collect::default();
    read(bundle(&layers(), SMALL), &mut whole).unwrap();
    for order in [
        [one, two, three],
        [three, one, two],
        [two, three, one],
        [three, two, one],
    ] {
        let bundle = verified(&order).unwrap();
        assert!(bundle.missing_volumes().is_empty());
        let mut bytes = order.iter().map(|volume| volume.len() as u64).sum::<u64>();
        bytes -= 2 * bundle.head().payload_offset;
        assert_eq!((bundle.total_bytes(), bundle.whole_bytes()), (bytes, bytes));
        let mut sink = Collect::default();
        bundle.read_payload(&mut sink).unwrap();
        assert_eq!((&sink.blobs, &sink.states), (&whole.blobs, &whole.states));
        assert_eq!((sink.graphs, sink.chunks), (1, whole.chunks));
    }
    // Each is a tar that lists its own chunks, and says so in its head.
    let head = open(&[two]).unwrap().unverified_head().unwrap().0;
    assert_eq!(head.volumes.iter().sum::<u64>(), head.totals.chunks);
    assert!(head.has(Feature::Volumes));
    assert_eq!(head.reader, Version::new(0, 2, 0));
    let mut listed = Vec::new();
    for entry in tar::Archive::new(&two[..]).entries().unwrap() {
        let name = entry.unwrap().path().unwrap().display().to_string();
        listed.extend(
            name.strip_prefix("chunks/")
                .map(|number| number.parse::<u64>().unwrap()),
        );
    }
    let first = head.volumes[0] + 1;
    assert_eq!(listed, (first..first + head.volumes[1]).collect::<Vec<_>>());
}

#[test]
fn one_volume_that_holds_everything_is_the_bundle_as_ever() {
    let made = volumes(&layers(), 100 << 20);
    assert_eq!(made, [bundle(&layers(), SMALL)]);
}

#[test]
fn a_set_that_is_not_complete_is_refused_by_the_number_that_is_missing() {
    let made = volumes(&layers(), MOST);
    let [one, two, three] = &made[..] else {
        panic!("{} volumes", made.len())
    };
    for (at_hand, next, missing) in [
        (vec![one], "volume 2 of 3", "volumes 2 and 3 of 3 are"),
        (vec![one, three], "volume 2 of 3", "volume 2 of 3 is"),
        (vec![three], "volume 1 of 3", "volumes 1 and 2 of 3 are"),
        (vec![two, one], "volume 3 of 3", "volume 3 of 3 is"),
    ] {
        let mut sink = Collect::default();
        let refused = verified(&at_hand).unwrap().read_payload(&mut sink).unwrap_err();
        assert_eq!((refused.class(), refused.code()), (Class::Incomplete, "volumes"));
        assert!(refused.found().starts_with(next), "{refused}");
        // And without reading for content: every byte at hand is good.
        let refused = verified(&at_hand).unwrap().incomplete(0, |_| ());
        assert_eq!((refused.class(), refused.code()), (Class::Incomplete, "volumes"));
        assert!(refused.found().starts_with(missing), "{refused}");
    }
    // Damage in a volume at hand comes before that, and names it.
    let mut damaged = three.clone();
    let at = damaged.len() - 3000;
    damaged[at] ^= 1;
    let refused = verified(&[&damaged]).unwrap().incomplete(0, |_| ());
    assert_eq!((refused.class(), refused.code()), (Class::Integrity, "stored-hash"));
    assert!(refused.advice().unwrap().contains("volume 3 of 3"), "{refused}");
    let refused = verified(&[one, two, &damaged])
        .unwrap()
        .read_payload(&mut Collect::default());
    let refused = refused.unwrap_err();
    assert!(refused.advice().unwrap().contains("volume 3 of 3"), "{refused}");
    // So does one that ends early, or goes on.
    for (volume, class, code) in [
        (two[..two.len() - 700].to_vec(), Class::Incomplete, "truncated"),
        ([&two[..], b"x"].concat(), Class::Format, "trailing-data"),
    ] {
        let bundle = verified(&[one, &volume, three]).unwrap();
        let refused = bundle.read_payload(&mut Collect::default()).unwrap_err();
        assert_eq!((refused.class(), refused.code()), (class, code));
        assert!(refused.found().contains("volume 2 of 3"), "{refused}");
    }
}

#[test]
fn volumes_that_do_not_belong_together_are_refused() {
    let made = volumes(&layers(), MOST);
    let [one, two, _] = &made[..] else {
        panic!("{} volumes", made.len())
    };
    let mut others = layers();
    others.push(b"one more".to_vec());
    let others = volumes(&others, MOST);
    let refused = open(&[one, &others[1]]).unwrap_err();
    assert_eq!((refused.class(), refused.code()), (Class::Format, "volumes"));
    let refused = verified(&[one, two, two]).unwrap_err();
    assert_eq!((refused.class(), refused.code()), (Class::Format, "volumes"));
    assert!(refused.found().contains("two files are volume 2 of 3"), "{refused}");
    // A number that is not that of its chunks.
    let mut lying = two.clone();
    let at = 512 + "airlock-bundle 1\nvolume ".len();
    assert_eq!(lying[at], b'2');
    lying[at] = b'3';
    let refused = verified(&[one, &lying]).unwrap_err();
    assert_eq!((refused.class(), refused.code()), (Class::Format, "format-lines"));
    // Other pages, and a fill with something in it.
    let head = open(&[two]).unwrap().unverified_head().unwrap().0;
    let mut filled = two.clone();
    filled[usize::try_from(head.payload_offset).unwrap() - 1] = 1;
    let refused = verified(&[one, &filled]).unwrap_err();
    assert_eq!((refused.class(), refused.code()), (Class::Format, "fill"));
    assert!(refused.advice().unwrap().contains("volume 2 of 3"), "{refused}");
}

#[test]
fn a_volume_has_room_for_a_chunk_and_there_are_not_too_many() {
    let (content, _) = content(&layers());
    let plan = || BundleLayout::new(&release(), &content, &chain(), SMALL).unwrap();
    let refused = plan().in_volumes(1 << 20).unwrap_err();
    assert_eq!((refused.class(), refused.code()), (Class::Usage, "volume-size"));
    let least: u64 = refused
        .expectation()
        .and_then(|text| text.split(' ').nth(2)?.parse().ok())
        .unwrap();
    assert!(plan().in_volumes(least - 1).is_err());
    let volumes = volumes(&layers(), least);
    assert!(volumes.len() > 4, "{}", volumes.len());
    let all: Vec<&Vec<u8>> = volumes.iter().collect();
    verified(&all).unwrap().read_payload(&mut Collect::default()).unwrap();
}

#[test]
fn a_reading_that_stopped_goes_on_without_the_volumes_that_it_has_read() {
    let made = volumes(&layers(), MOST);
    let bundle = verified(&[&made[1]]).unwrap();
    let first = bundle.head().volumes[0];
    // Nothing of the first is needed any more, and the third has not its turn.
    assert_eq!(bundle.volumes_to_keep(first), Vec::<usize>::new());
    assert_eq!(bundle.volumes_to_keep(0), [2]);
    let mut bundle = verified(&[&made[2]]).unwrap();
    assert_eq!(bundle.volumes_to_keep(first), [3]);
    let mut kept = Vec::new();
    let told = |error: io::Error| Error::new(Class::Io, "test", error.to_string());
    bundle.move_volume(3, &mut kept, &told, &mut |_| ()).unwrap();
    assert_eq!(kept.len() as u64, bundle.volume_bytes(3));
    assert_eq!(bundle.missing_volumes(), [1, 2, 3]);
    // What was kept of it stands for it.
    let mut bundle = verified(&[&made[0], &made[1]]).unwrap();
    bundle.add_volume(3, Box::new(Cursor::new(kept)));
    let mut sink = Collect::default();
    bundle.read_payload(&mut sink).unwrap();
    assert_eq!(sink.graphs, 1);
}
