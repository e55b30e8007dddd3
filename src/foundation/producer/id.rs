//! The table of producers: a name, a level, and what that means for a recipe.

use super::encoder::Encoder;
use super::{go_1, klauspost_2, zlib_1};

/// How a recipe says what a producer made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// One deflate stream, in pieces.
    Stream,
    /// Blocks of so many plain bytes, framed by the producer.
    Framed,
}

/// One function from plain to bits, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Producer {
    /// `go-1-1`
    Go1Level1,
    /// `go-1-6`
    Go1Level6,
    /// `go-1-9`
    Go1Level9,
    /// `zlib-1-6`
    Zlib1Level6,
    /// `zlib-1-9`
    Zlib1Level9,
    /// `pigz-1-6`
    Pigz1Level6,
    /// `pigz-1-9`
    Pigz1Level9,
    /// `klauspost-2-5`
    Klauspost2Level5,
    /// `klauspost-2-6`
    Klauspost2Level6,
    /// `pgzip-2-5`
    Pgzip2Level5,
    /// `pgzip-1-5`
    Pgzip1Level5,
}

impl Producer {
    /// Every producer, in the order of the table.
    pub const ALL: [Self; 11] = [
        Self::Go1Level1,
        Self::Go1Level6,
        Self::Go1Level9,
        Self::Zlib1Level6,
        Self::Zlib1Level9,
        Self::Pigz1Level6,
        Self::Pigz1Level9,
        Self::Klauspost2Level5,
        Self::Klauspost2Level6,
        Self::Pgzip2Level5,
        Self::Pgzip1Level5,
    ];

    /// What a head says that a reader must know where this producer is named: `gzip-` and the id.
    pub const fn feature(self) -> &'static str {
        match self {
            Self::Go1Level1 => "gzip-go-1-1",
            Self::Go1Level6 => "gzip-go-1-6",
            Self::Go1Level9 => "gzip-go-1-9",
            Self::Zlib1Level6 => "gzip-zlib-1-6",
            Self::Zlib1Level9 => "gzip-zlib-1-9",
            Self::Pigz1Level6 => "gzip-pigz-1-6",
            Self::Pigz1Level9 => "gzip-pigz-1-9",
            Self::Klauspost2Level5 => "gzip-klauspost-2-5",
            Self::Klauspost2Level6 => "gzip-klauspost-2-6",
            Self::Pgzip2Level5 => "gzip-pgzip-2-5",
            Self::Pgzip1Level5 => "gzip-pgzip-1-5",
        }
    }

    /// The id.
    pub fn as_str(self) -> &'static str {
        let feature = self.feature();
        feature.strip_prefix("gzip-").unwrap_or(feature)
    }

    /// The producer of an id, if the table has it.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|producer| producer.as_str() == id)
    }

    /// Which operation is legal.
    pub fn operation(self) -> Operation {
        match self {
            Self::Pigz1Level6 | Self::Pigz1Level9 | Self::Pgzip2Level5 | Self::Pgzip1Level5 => Operation::Framed,
            Self::Go1Level1
            | Self::Go1Level6
            | Self::Go1Level9
            | Self::Zlib1Level6
            | Self::Zlib1Level9
            | Self::Klauspost2Level5
            | Self::Klauspost2Level6 => Operation::Stream,
        }
    }

    /// Whether a piece may begin at any block border; else a stream is one piece.
    pub fn begins_anywhere(self) -> bool {
        matches!(
            self,
            Self::Go1Level6 | Self::Go1Level9 | Self::Zlib1Level6 | Self::Zlib1Level9
        )
    }

    /// Blocks of a framed operation over so much plain: pgzip ends with one that may be empty, pigz never does.
    pub fn blocks(self, plain: u64, block: u64) -> u64 {
        match self {
            Self::Pgzip2Level5 | Self::Pgzip1Level5 => plain / block + 1,
            _ => plain.div_ceil(block).max(1),
        }
    }

    /// Its emulator.
    pub fn encoder(self) -> Box<dyn Encoder> {
        match self {
            Self::Go1Level1 => Box::new(go_1::Table::new()),
            Self::Go1Level6 => Box::new(go_1::Chains::level_6()),
            Self::Go1Level9 => Box::new(go_1::Chains::level_9()),
            Self::Zlib1Level6 | Self::Pigz1Level6 => Box::new(zlib_1::Chains::level_6()),
            Self::Zlib1Level9 | Self::Pigz1Level9 => Box::new(zlib_1::Chains::level_9()),
            Self::Klauspost2Level5 => Box::new(klauspost_2::Fast::level_5()),
            Self::Klauspost2Level6 => Box::new(klauspost_2::Fast::level_6()),
            Self::Pgzip2Level5 => Box::new(klauspost_2::Fast::pgzip_2()),
            Self::Pgzip1Level5 => Box::new(klauspost_2::Fast::pgzip_1()),
        }
    }
}
