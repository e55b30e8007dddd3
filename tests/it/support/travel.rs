//! Travel forms of layers, as a vendor would write them.

use std::io::Cursor;

use airlock::encoding::{Encoding, Gzip, Level, write_gzip_travel, write_travel};
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
