//! Features that a bundle may need beyond what every reader of version 1 takes (SPEC M-31).
//!
//! Some stand for a rule of content that does not hold in this bundle, because its vendor said so: the head is signed, so nobody else can.
//! One stands for content that older readers would not know to fill in, some for bytes that they could not make blobs of, one for a
//! payload that lies in several files.

use crate::domain::Version;
use crate::producer::Producer;

/// A feature that this reader knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// Blobs that travel in another form than their own (M-141).
    Encoding,
    /// Blobs that are copied from others in part (M-145).
    Delta,
    /// Gzip files that are made again as a producer makes them (M-143).
    Gzip(Producer),
    /// What a document says it is about need not be carried (M-57).
    MissingSubjects,
    /// Layers may say that they are found elsewhere, or are not to be distributed (M-56).
    NondistributableLayers,
    /// Documents of sealed secrets, or deployments that use secrets (M-126).
    Secrets,
    /// The chunks lie in several volumes (M-36).
    Volumes,
}

impl Feature {
    /// Those that content needs; what the index needs is judged with it.
    pub(super) const OF_CONTENT: [Self; 3] = [Self::MissingSubjects, Self::NondistributableLayers, Self::Secrets];
    /// Those that the lines of an index need, exactly as it uses them (M-143).
    pub(super) fn of_index() -> impl Iterator<Item = Self> {
        [Self::Encoding, Self::Delta]
            .into_iter()
            .chain(Producer::ALL.into_iter().map(Self::Gzip))
    }

    /// The names of all, as they stand in a head.
    pub(super) const NAMES: [&str; 17] = [
        Self::Encoding.name(),
        Self::Delta.name(),
        Producer::Go1Level1.feature(),
        Producer::Go1Level6.feature(),
        Producer::Go1Level9.feature(),
        Producer::Zlib1Level6.feature(),
        Producer::Zlib1Level9.feature(),
        Producer::Pigz1Level6.feature(),
        Producer::Pigz1Level9.feature(),
        Producer::Klauspost2Level5.feature(),
        Producer::Klauspost2Level6.feature(),
        Producer::Pgzip2Level5.feature(),
        Producer::Pgzip1Level5.feature(),
        Self::MissingSubjects.name(),
        Self::NondistributableLayers.name(),
        Self::Secrets.name(),
        Self::Volumes.name(),
    ];

    /// Returns the first version of airlock that knows it.
    pub const fn reader(self) -> Version {
        match self {
            Self::Encoding | Self::Delta | Self::Gzip(_) | Self::Volumes => Version::new(0, 2, 0),
            Self::MissingSubjects | Self::NondistributableLayers | Self::Secrets => Version::new(0, 1, 0),
        }
    }

    /// Returns its name in a head.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Encoding => "encoding-1",
            Self::Delta => "delta-1",
            Self::Gzip(producer) => producer.feature(),
            Self::MissingSubjects => "missing-subjects-1",
            Self::NondistributableLayers => "nondistributable-layers-1",
            Self::Secrets => "secrets-1",
            Self::Volumes => "volumes-1",
        }
    }
}
