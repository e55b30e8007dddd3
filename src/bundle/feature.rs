//! Features that a bundle may need beyond what every reader of version 1 takes (SPEC M-31).
//!
//! Each stands for a rule of content that does not hold in this bundle, because its vendor said so: the head is signed, so nobody else can.

/// A feature that this reader knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// What a document says it is about need not be carried (M-57).
    MissingSubjects,
    /// Layers may say that they are found elsewhere, or are not to be distributed (M-56).
    NondistributableLayers,
}

impl Feature {
    /// All of them.
    pub(super) const ALL: [Self; 2] = [Self::MissingSubjects, Self::NondistributableLayers];
    /// Their names, as they stand in a head.
    pub(super) const NAMES: [&str; 2] = [Self::MissingSubjects.name(), Self::NondistributableLayers.name()];

    /// Returns its name in a head.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MissingSubjects => "missing-subjects-1",
            Self::NondistributableLayers => "nondistributable-layers-1",
        }
    }
}
