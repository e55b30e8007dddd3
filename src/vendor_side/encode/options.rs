//! What the person who makes a bundle says of its encodings.

use crate::encoding::Level;

/// Bytes that travel forms of earlier bundles may take.
const CACHE_BYTES: u64 = 20 << 30;

/// Bytes that layers of earlier bundles may take, to copy from.
const CONTENT_BYTES: u64 = 40 << 30;

/// Which encodings may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encodings {
    /// Every one that makes a layer smaller.
    #[default]
    Auto,
    /// None: every layer travels as it is.
    None,
    /// All but deltas.
    Recipes,
}

/// How layers are encoded.
#[derive(Debug, Clone)]
pub struct EncodeOptions {
    /// `--encodings`.
    pub encodings: Encodings,
    /// `--level`.
    pub level: Level,
    /// Whether what is made is kept for the next run, and what was kept is used.
    pub cache: bool,
    /// Bytes that what is kept may take.
    pub cache_bytes: u64,
    /// Bytes that layers of earlier bundles may take.
    pub content_bytes: u64,
}

impl Encodings {
    /// Returns its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::None => "none",
            Self::Recipes => "recipes",
        }
    }
}

impl Default for EncodeOptions {
    fn default() -> Self {
        Self {
            encodings: Encodings::default(),
            level: Level::default(),
            cache: true,
            cache_bytes: CACHE_BYTES,
            content_bytes: CONTENT_BYTES,
        }
    }
}
