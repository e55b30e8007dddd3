//! Gzip layers at a site: they travel as what is compressed in them, and are stored as the bytes that their producer made.

use std::io::Cursor;
use std::path::PathBuf;

use airlock::bundle::{CheckOnly, OpenedBundle};
use airlock::domain::Class;
use airlock::encoding::Encoding;
use airlock::producer::{Producer, Sample};
use airlock::recipe::Writer;

use crate::format::vectors::{judge as judge_vector, vectors};
use crate::support::appliance::{self, Appliance, check, incoming, read, write};
use crate::support::bundles::{Made, SMALL_CHUNKS, Vendor};
use crate::support::site::noise;
use crate::support::travel::{self, GzipLayer, Travelled};

/// A text that repeats itself farther away than deflate reaches.
fn text(size: usize) -> Vec<u8> {
    let mut text = Sample::Tar.plain()[..40_000].repeat(size.div_ceil(40_000));
    text.truncate(size);
    text
}

/// One that travels in several chunks, some that are packed with neighbours, restored ones above and below a chunk, each core.
fn gzip_layers() -> Vec<GzipLayer> {
    vec![
        GzipLayer::of(Producer::Go1Level1, noise(1_300_000, 7).repeat(2)),
        GzipLayer::of(Producer::Go1Level6, text(90_000)),
        GzipLayer::of(Producer::Zlib1Level6, text(110_000)),
        GzipLayer::of(Producer::Pigz1Level6, text(180_000)),
        GzipLayer::of(Producer::Pgzip2Level5, text(200_000)),
    ]
}

struct Stage {
    folder: tempfile::TempDir,
    site: Appliance,
    vendor: Vendor,
    gzips: Vec<GzipLayer>,
    layers: Vec<Vec<u8>>,
}

impl Stage {
    fn new(gzips: Vec<GzipLayer>) -> Self {
        let vendor = Vendor::new();
        let mut layers = vec![noise(2_000, 1), vec![3; 80_000]];
        layers.extend(gzips.iter().map(|gzip| gzip.file.clone()));
        layers.push(noise(70_000, 2));
        Self {
            folder: appliance::scratch(),
            site: Appliance::init(&vendor),
            vendor,
            gzips,
            layers,
        }
    }

    /// The bundle in which the gzip layers travel as `travels` says.
    fn made(&self, sequence: u64, travels: &dyn Fn(&GzipLayer) -> Travelled) -> Made {
        let layers = &self.layers;
        self.vendor.travelling(sequence, layers, SMALL_CHUNKS, &mut |layer| {
            let gzip = self.gzips.iter().find(|gzip| gzip.file == layer);
            gzip.map(travels)
                .or_else(|| Some((travel::plain(layer)?, Encoding::Plain)))
        })
    }

    fn good(&self, sequence: u64) -> Made {
        self.made(sequence, &GzipLayer::travel)
    }

    fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join("bundle");
        write(&path, bytes);
        path
    }

    fn import(&self, made: &Made) -> appliance::Ended {
        self.site.import(&self.file(&made.bytes))
    }

    fn blob(&self, made: &Made, number: usize) -> PathBuf {
        let hex = made.layers[number].0.to_hex();
        self.site.path().join("blobs/sha256").join(&hex[..2]).join(hex)
    }
}

#[test]
fn gzip_layers_arrive_byte_for_byte() {
    let stage = Stage::new(gzip_layers());
    let made = stage.good(1);
    // A dry run makes them and keeps nothing.
    let bundle = stage.file(&made.bytes);
    let output = appliance::import_command(&stage.site.path(), &bundle)
        .arg("--dry-run")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!stage.blob(&made, 3).try_exists().unwrap());
    // A stop inside the one that spans chunks goes on behind the one before.
    let spans = stage.gzips[0].travel().0.len();
    assert!(spans > 1 << 20, "{spans}");
    let at = made.bytes.len() - 1_100_000;
    let stopped = stage.site.import(&stage.file(&made.bytes[..at]));
    stopped.assert_refused("E-INCOMPLETE", "truncated", "X11");
    assert!(!stage.blob(&made, 2).try_exists().unwrap());
    stage.import(&made).assert_imported();
    assert_eq!(check(&stage.site.path(), &[&made]), 1);
    for (number, layer) in stage.layers.iter().enumerate() {
        assert!(read(&stage.blob(&made, number)) == *layer, "layer {number}");
    }
    assert_eq!(incoming(&stage.site.path()), Vec::<String>::new());
    // What is damaged or gone there is made again by the same bundle.
    for number in [2, 4] {
        std::fs::remove_file(stage.blob(&made, number)).unwrap();
    }
    let ended = stage.import(&made);
    assert_eq!((ended.code, ended.word()), (Some(0), "already"), "{}", ended.stderr);
    for number in [2, 4] {
        assert!(read(&stage.blob(&made, number)) == stage.layers[number]);
    }
    // Another way of travelling finds them all.
    let again = stage.vendor.bundle(2, &stage.layers, SMALL_CHUNKS);
    stage.import(&again).assert_imported();
    assert_eq!(check(&stage.site.path(), &[&made, &again]), 2);
}

/// A bundle that is refused: what its gzip layer travels as, and how it is answered.
struct Bad {
    travels: Box<dyn Fn(&GzipLayer) -> Travelled>,
    class: &'static str,
    code: &'static str,
}

fn bad(class: &'static str, code: &'static str, travels: impl Fn(&GzipLayer) -> Travelled + 'static) -> Bad {
    let travels = Box::new(travels);
    Bad { travels, class, code }
}

/// The same travel form under another line.
fn stating(layer: &GzipLayer, change: impl FnOnce(&mut airlock::encoding::Gzip)) -> Travelled {
    let mut gzip = layer.gzip;
    change(&mut gzip);
    (layer.travel().0, Encoding::Gzip(gzip))
}

fn with_recipe(layer: &GzipLayer, recipe: &[u8]) -> Travelled {
    (layer.travel_with(recipe), Encoding::Gzip(layer.gzip))
}

/// Each row of what is refused while a gzip layer is made.
fn all_bad() -> Vec<Bad> {
    vec![
        bad("E-FORMAT", "recipe", |layer| with_recipe(layer, &[7])),
        bad("E-FORMAT", "recipe", |layer| {
            with_recipe(layer, &layer.recipe[..layer.recipe.len() - 1])
        }),
        bad("E-LIMIT", "recipe-size", |layer| {
            with_recipe(layer, &vec![0; (1 << 20) + 1])
        }),
        bad("E-INTEGRITY", "rebuild", |layer| {
            let bits = (layer.file.len() as u64 - 18) * 8;
            let size = layer.plain.len() as u64;
            let mut recipe = Writer::default();
            recipe.raw(&[1; 18]);
            recipe.stream(&[(size / 2, bits / 2), (size - size / 2, bits - bits / 2)]);
            with_recipe(layer, &recipe.finish())
        }),
        bad("E-INTEGRITY", "rebuild", |layer| {
            // The same plain, by another hand.
            stating(layer, |gzip| gzip.producer = Producer::Zlib1Level6)
        }),
        bad("E-INTEGRITY", "plain-digest", |layer| {
            stating(layer, |gzip| gzip.plain_digest.0.0[0] ^= 1)
        }),
        bad("E-INTEGRITY", "content-digest", |layer| {
            let mut recipe = layer.recipe.clone();
            *recipe.last_mut().unwrap() ^= 1;
            with_recipe(layer, &recipe)
        }),
        bad("E-FORMAT", "travel", |layer| {
            let (mut form, encoding) = layer.travel();
            form.pop();
            (form, encoding)
        }),
    ]
}

#[test]
fn whatever_is_wrong_with_a_gzip_layer_leaves_nothing_at_a_site() {
    let stage = Stage::new(vec![GzipLayer::of(Producer::Go1Level6, text(70_000))]);
    for Bad { travels, class, code } in all_bad() {
        let made = stage.made(1, &travels);
        stage.import(&made).assert_refused(class, code, "X11");
        assert_eq!(incoming(&stage.site.path()), Vec::<String>::new());
        assert!(!stage.blob(&made, 2).try_exists().unwrap(), "{code}");
    }
    // A plain that is too large is told from the line, before anything is taken.
    let large = stage.made(1, &|layer| stating(layer, |gzip| gzip.plain_size = 1 << 37));
    stage.import(&large).assert_refused("E-LIMIT", "plain-size", "X9a");
    stage.import(&stage.good(1)).assert_imported();
}

#[test]
fn what_an_emulator_or_a_recipe_kept_out_comes_once_more_or_without_encodings() {
    let stage = Stage::new(vec![GzipLayer::of(Producer::Go1Level6, text(70_000))]);
    let again = "import the same bundle once more, for the memory of this machine may have failed; if it is refused again, ask the \
                 vendor for a bundle made with --encodings none";
    let none = "ask the vendor for a bundle made with --encodings none";
    let wrong = format!("{none}, and tell them that this one was built wrong");
    for Bad { travels, code, .. } in all_bad() {
        let made = stage.made(1, &travels);
        let opened = OpenedBundle::open(Box::new(Cursor::new(made.bytes.clone()))).unwrap();
        let verified = opened.verify(stage.vendor.chain()).unwrap();
        let error = verified
            .read_index(|_, _| Ok(()))
            .unwrap()
            .read_payload(&mut CheckOnly(|_| ()))
            .unwrap_err();
        let says = match error.code() {
            "rebuild" | "content-digest" => again,
            "recipe-size" => none,
            _ => wrong.as_str(),
        };
        assert_eq!((error.code(), error.advice()), (code, Some(says)));
        assert!(matches!(error.class(), Class::Format | Class::Integrity | Class::Limit));
    }
    let works = vectors("bad")
        .into_iter()
        .find(|vector| vector.name == "recipe-work")
        .unwrap();
    let error = judge_vector(works.bundle(), &works.pins().unwrap()).unwrap_err();
    assert_eq!((error.code(), error.advice()), ("rebuild-work", Some(none)));
    let bad = stage.made(1, &all_bad()[6].travels);
    stage
        .import(&bad)
        .assert_refused("E-INTEGRITY", "content-digest", "X11");
    // What failed was this machine: the same release comes as it is. What was built wrong: under no encodings.
    stage.import(&stage.good(1)).assert_imported();
    let none = stage.vendor.bundle(2, &stage.layers, SMALL_CHUNKS);
    stage.import(&none).assert_imported();
    assert_eq!(check(&stage.site.path(), &[&none]), 2);
}

#[test]
fn an_emulator_that_fails_here_is_told_before_a_chunk_is_read() {
    let stage = Stage::new(vec![GzipLayer::of(Producer::Pigz1Level9, text(70_000))]);
    let bundle = stage.file(&stage.good(1).bytes);
    let panics = appliance::scratch();
    write(&panics.path().join("emulator"), b"");
    let mut command = appliance::import_command(&stage.site.path(), &bundle);
    let output = command.env("AIRLOCK_TEST_PANICS", panics.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    for word in ["E-INTERNAL", "\"emulator\"", "X10", "pigz-1-9", "--encodings none"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(incoming(&stage.site.path()), Vec::<String>::new());
    // Another machine, and this one without encodings.
    let elsewhere = Appliance::init(&stage.vendor);
    elsewhere.import(&bundle).assert_imported();
    let none = stage.vendor.bundle(2, &stage.layers, SMALL_CHUNKS);
    stage.import(&none).assert_imported();
}
