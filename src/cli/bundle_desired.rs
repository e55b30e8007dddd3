//! What a bundle tells targets to run, read from its first bytes of content.

use crate::bundle::desired::DesiredState;
use crate::bundle::{Blob, Graph, Sink, VerifiedBundle};
use crate::domain::{Class, Digest, DocumentType, Error, Hash, Result};

use super::ui::escape;

/// Reads the desired state of a bundle whose index is verified; documents stand first, so little is read.
///
/// # Errors
///
/// Those of reading the payload up to it, and of the document.
pub(super) fn read(bundle: VerifiedBundle) -> Result<Option<DesiredState>> {
    let documents = &bundle.head().documents;
    let Some(entry) = documents.iter().find(|entry| entry.kind == DocumentType::DesiredState) else {
        return Ok(None);
    };
    let mut find = Find {
        digest: entry.digest,
        found: None,
    };
    let ended = bundle.read_payload(&mut find);
    match (find.found, ended) {
        (Some(bytes), _) => DesiredState::parse(&bytes).map(Some),
        (None, Err(error)) => Err(error),
        (None, Ok(())) => Err(Error::new(
            Class::Content,
            "desired-state",
            "the bundle does not hold its desired state",
        )),
    }
}

/// Returns one line for each deployment, and for each target without one.
pub(super) fn lines(state: &DesiredState) -> Vec<String> {
    let mut lines = Vec::new();
    for target in &state.targets {
        let agent = state.agents.iter().find(|agent| agent.id == target.agent);
        let site = match &target.site {
            Some(site) => format!("site {site}"),
            None => "every site".to_owned(),
        };
        lines.push(format!(
            "target       {} ({}), {site}, agent {}",
            escape(&target.name),
            target.id,
            agent.map(|agent| escape(&agent.name)).unwrap_or_default(),
        ));
        for (_, deployment) in target.in_order() {
            lines.push(format!(
                "  runs       {} {}, deployment {}, revision {}",
                deployment.application,
                escape(&deployment.version),
                deployment.id,
                deployment.revision
            ));
        }
    }
    lines.extend(state.removed.iter().map(|id| format!("removed      {id}")));
    lines
}

/// Takes one blob and ends the reading.
struct Find {
    digest: Digest,
    found: Option<Vec<u8>>,
}

impl Sink for Find {
    fn blob(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        if blob.digest != self.digest {
            return Ok(());
        }
        self.found = Some(bytes.to_vec());
        Err(Error::new(Class::Other, "found", "enough was read"))
    }

    fn begin(&mut self, _: &Blob) -> Result<()> {
        Ok(())
    }

    fn piece(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &Blob, _: &[Hash]) -> Result<()> {
        Ok(())
    }

    fn chunk_done(&mut self, _: u64, _: u64) -> Result<()> {
        Ok(())
    }

    fn graph(&mut self, _: Graph) -> Result<()> {
        Ok(())
    }
}
