//! Bundles in volumes, which may come one medium at a time, in any order: what has its turn is taken in, and the rest waits.
//!
//! A reading goes as far as the volumes reach, and its journal says how far that is: so in their order each volume is read from its medium
//! once, and no byte is written twice. One that comes before its turn is kept beside the journal, every stored hash compared, and counts
//! from then on as at hand. The refusal names the volume that the reading would go on with.

use super::event::Event;
use super::room;
use crate::appliance::state::Appliance;
use crate::bundle::VerifiedBundle;
use crate::domain::{Result, Step};
use crate::media;
use crate::store::{Earlier, Staging};

/// Adds what earlier tries kept, and keeps what this one does not come to.
pub(super) fn gather(
    appliance: &Appliance,
    bundle: &mut VerifiedBundle,
    staging: &Staging,
    events: &mut dyn FnMut(Event<'_>),
) -> Result<()> {
    let mut kept = Vec::new();
    for volume in bundle.missing_volumes() {
        if let Some((file, path)) = staging.kept_volume(volume, bundle.volume_bytes(volume))? {
            bundle.add_volume(volume, media::input(file, &path)?);
            kept.push(volume);
        }
    }
    let to_keep = bundle.volumes_to_keep(staging.chunks_done());
    let to_keep: Vec<usize> = to_keep.into_iter().filter(|volume| !kept.contains(volume)).collect();
    let sizes = to_keep.iter().map(|volume| bundle.volume_bytes(*volume));
    let bytes = sizes.fold(0, u64::saturating_add);
    if bytes > 0 {
        room::check_space(appliance, bytes, to_keep.len() as u64, 0).map_err(|error| error.at(Step::X10))?;
    }
    for volume in to_keep {
        let total = bundle.volume_bytes(volume);
        let mut progress = |done| events(Event::Progress { done, total });
        staging.keep_volume(volume, |out, told| bundle.move_volume(volume, out, told, &mut progress))?;
        if let Some((file, path)) = staging.kept_volume(volume, bundle.volume_bytes(volume))? {
            bundle.add_volume(volume, media::input(file, &path)?);
        }
        events(Event::Note(format!(
            "volume {volume} of {} comes before its turn: it is good, and kept until the others are here",
            bundle.head().volumes.len()
        )));
    }
    Ok(())
}

/// For a dry run: adds what earlier tries kept, and says how many chunks they have taken in where volumes are missing for that; keeps nothing.
pub(super) fn recall(bundle: &mut VerifiedBundle, earlier: &Earlier) -> Result<u64> {
    for volume in bundle.missing_volumes() {
        if let Some((file, path)) = earlier.kept_volume(volume, bundle.volume_bytes(volume))? {
            bundle.add_volume(volume, media::input(file, &path)?);
        }
    }
    let done = earlier.chunks_done();
    let is_needed = bundle.is_missing_before(done) && !bundle.is_missing_behind(done);
    Ok(if is_needed { done } else { 0 })
}
