//! Features that a bundle may need beyond what every reader of version 1 takes (SPEC M-31).
//!
//! Some stand for a rule of content that does not hold in this bundle, because its vendor said so: the head is signed, so nobody else can.
//! One stands for content that older readers would not know to fill in.

/// A feature that this reader knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// What a document says it is about need not be carried (M-57).
    MissingSubjects,
    /// Layers may say that they are found elsewhere, or are not to be distributed (M-56).
    NondistributableLayers,
    /// Documents of sealed secrets, or deployments that use secrets (M-126).
    Secrets,
}

impl Feature {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::MissingSubjects, Self::NondistributableLayers, Self::Secrets];
    /// Their names, as they stand in a head.
    pub(super) const NAMES: [&str; 3] = [
        Self::MissingSubjects.name(),
        Self::NondistributableLayers.name(),
        Self::Secrets.name(),
    ];

    /// Returns its name in a head.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MissingSubjects => "missing-subjects-1",
            Self::NondistributableLayers => "nondistributable-layers-1",
            Self::Secrets => "secrets-1",
        }
    }
}
