//! Travel forms of layers, as a vendor would write them.

use std::io::Cursor;

use airlock::delta::{self, Stretch};
use airlock::encoding::{Base, Encoding, Gzip, Level, write_gzip_travel, write_travel};
use airlock::producer::{Border, Operation, Output, Producer, Stop, make};
use airlock::recipe::Writer;

use super::site::digest;

/// The travel form of form `plain`, where that makes a layer smaller.
pub(crate) fn plain(layer: &[u8]) -> Option<Vec<u8>> {
    let mut form = Vec::new();
    let mut source = Cursor::new(layer.to_vec());
    let size = layer.len() as u64;
    let written = write_travel(digest(layer), size, &mut source, Level::Quick, &mut form, &mut |_| ());
    written.unwrap().map(|_| form)
}

/// What travels of a layer, and how.
pub(crate) type Travelled = (Vec<u8>, Encoding);

/// The same, and what it is copied from.
pub(crate) type Copied = (Travelled, Vec<Base>);

/// A gzip layer and what it is made of.
#[derive(Clone)]
pub(crate) struct GzipLayer {
    pub(crate) file: Vec<u8>,
    pub(crate) plain: Vec<u8>,
    pub(crate) recipe: Vec<u8>,
    pub(crate) gzip: Gzip,
}

struct Gathered(Vec<u8>);

impl Output for Gathered {
    fn block(&mut self, bytes: &[u8], _: Border) -> Result<(), Stop> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

impl GzipLayer {
    /// One member, as a producer makes it; its trailer is nobody's business.
    pub(crate) fn of(producer: Producer, plain: Vec<u8>) -> Self {
        let mut stream = Gathered(Vec::new());
        make(producer, &plain, &mut stream).unwrap();
        let (stream, size) = (stream.0, plain.len() as u64);
        let mut recipe = Writer::default();
        recipe.raw(&HEADER);
        match producer.operation() {
            Operation::Stream => recipe.stream(&[(size, stream.len() as u64 * 8)]),
            Operation::Framed => recipe.framed(131_072, size, stream.len() as u64),
        }
        recipe.raw(b"the end.");
        Self {
            file: [&HEADER[..], &stream, b"the end."].concat(),
            gzip: Gzip {
                producer,
                plain_size: size,
                plain_digest: digest(&plain),
            },
            plain,
            recipe: recipe.finish(),
        }
    }

    /// Its travel form with a recipe of its own or another one.
    pub(crate) fn travel_with(&self, recipe: &[u8]) -> Vec<u8> {
        let mut form = Vec::new();
        let mut plain = Cursor::new(self.plain.clone());
        // Whether it is worth it is not asked here.
        let size = u64::MAX / 10;
        let of = (self.gzip, recipe);
        let written = write_gzip_travel(size, of, &mut plain, Level::Quick, &mut form, &mut |_| ());
        assert!(written.unwrap().is_some());
        form
    }

    pub(crate) fn travel(&self) -> Travelled {
        (self.travel_with(&self.recipe), Encoding::Gzip(self.gzip))
    }
}

/// What a layer that another one is copied from is called in an index.
pub(crate) fn base(layer: &[u8], carried: bool) -> Base {
    Base {
        digest: digest(layer),
        size: layer.len() as u64,
        inflated: None,
        carried,
    }
}

/// Groups of a plain that is copied from another one where both begin alike and end alike; what lies between travels as it is.
pub(crate) fn copied(plain: &[u8], base: &[u8]) -> Vec<u8> {
    assert!(plain.len() <= 64 << 20, "one group");
    let alike = |(a, b): &(&u8, &u8)| a == b;
    let front = plain.iter().zip(base).take_while(alike).count();
    let back = plain[front..]
        .iter()
        .rev()
        .zip(base[front..].iter().rev())
        .take_while(alike)
        .count();
    let literals = &plain[front..plain.len() - back];
    let mut script = delta::Writer::default();
    let copy = |offset: usize, length: usize| Stretch {
        base: 0,
        offset: offset as u64,
        length: length as u64,
    };
    script.copy(copy(0, front));
    script.literal(literals.len() as u64);
    script.copy(copy(base.len() - back, back));
    let records = literals.chunks(4 << 20);
    let mut form = record(&script.finish(&vec![Vec::new(); records.len()]));
    form.extend(records.flat_map(record));
    form
}

/// A record of plain bytes.
fn record(body: &[u8]) -> Vec<u8> {
    let head = u32::try_from(body.len()).unwrap() | 1 << 31;
    [&head.to_le_bytes()[..], body].concat()
}

impl GzipLayer {
    /// Its travel form over what is compressed in another one, and how an index speaks of that one.
    pub(crate) fn copied_from(&self, base: &Self, carried: bool) -> Copied {
        let form = [record(&self.recipe), copied(&self.plain, &base.plain)].concat();
        let base = Base {
            inflated: Some(base.gzip.plain_size),
            ..self::base(&base.file, carried)
        };
        ((form, Encoding::Gzip(self.gzip)), vec![base])
    }
}
