//! Encoded layers that a site has lost, made again of a repair file: what must travel does, and what is copied from stands at the site.

use std::path::{Path, PathBuf};

use airlock::encoding::Encoding;

use super::stage::Stage;
use crate::healing::repair::{repair, report_of};
use crate::support::appliance::read;
use crate::support::bundles::SMALL_CHUNKS;
use crate::support::site::{digest, noise};
use crate::support::travel;

impl Stage {
    /// Loses layers, has a repair file made of a bundle, and imports it; returns its chunks, and how many blobs came back.
    #[track_caller]
    fn lose_and_mend(&self, bundle: &Path, lost: &[&[u8]]) -> (u64, u64) {
        for layer in lost {
            std::fs::remove_file(self.stored(&digest(layer))).unwrap();
        }
        let (report, output) = (self.folder.path().join("damage.json"), self.repair_file());
        report_of(&self.site.path(), &report);
        std::fs::remove_file(&output).ok();
        let made = repair(bundle, &report, &output);
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        let ended = self.site.import(&output);
        assert_eq!((ended.code, ended.word()), (Some(0), "already"), "{}", ended.stderr);
        assert_eq!(ended.result["still_damaged"], 0, "{}", ended.stderr);
        for layer in lost {
            assert!(read(&self.stored(&digest(layer))) == *layer);
        }
        let restored = ended.result["restored_blobs"].as_u64().unwrap();
        (made.result["chunks"].as_u64().unwrap(), restored)
    }

    fn repair_file(&self) -> PathBuf {
        self.folder.path().join("repair")
    }
}

#[test]
fn encoded_and_copied_layers_are_mended_with_what_must_travel() {
    let stage = Stage::new();
    let old = noise(2_600_000, 1);
    let new = [&old[..1_000_000], &noise(70_000, 2)[..], &old[1_100_000..]].concat();
    let third = [&new[..2_000_000], &noise(60_000, 3)[..], &new[2_000_000..]].concat();
    let plain = [noise(1_300_000, 4), vec![5; 2_000_000]].concat();
    let first = stage.vendor.bundle(1, std::slice::from_ref(&old), SMALL_CHUNKS);
    let first = stage.file("first", &first.bytes);
    stage.site.import(&first).assert_imported();
    // `new` is copied from what release 1 brought, `third` from `new`, which this release carries, and `plain` travels compressed.
    let layers = [new.clone(), third.clone(), plain.clone(), noise(500, 6)];
    let second = stage.vendor.copying(2, &layers, SMALL_CHUNKS, &mut |layer| {
        if layer == new {
            let form = travel::copied(&new, &old);
            Some(((form, Encoding::Plain), vec![travel::base(&old, false)]))
        } else if layer == third {
            let form = travel::copied(&third, &new);
            Some(((form, Encoding::Plain), vec![travel::base(&new, true)]))
        } else {
            travel::plain(layer).map(|form| ((form, Encoding::Plain), Vec::new()))
        }
    });
    let second = stage.file("second", &second.bytes);
    stage.site.import(&second).assert_imported();
    // Each alone, and what is copied with what it is copied from. The travel forms are small: two share a chunk.
    let (chunks, restored) = stage.lose_and_mend(&second, &[&plain]);
    assert!(restored == 1 && chunks == 2, "{chunks}");
    for lost in [&[&new[..]][..], &[&third], &[&new, &third]] {
        let (chunks, restored) = stage.lose_and_mend(&second, lost);
        assert_eq!((chunks, restored), (1, lost.len() as u64));
    }
    // What is copied from is lost too, and came with another bundle: that one's file first.
    std::fs::remove_file(stage.stored(&digest(&new))).unwrap();
    std::fs::remove_file(stage.stored(&digest(&old))).unwrap();
    let (report, output) = (stage.folder.path().join("both.json"), stage.repair_file());
    report_of(&stage.site.path(), &report);
    std::fs::remove_file(&output).unwrap();
    let made = repair(&second, &report, &output);
    assert_eq!(
        (made.code, made.result["copied"].as_u64()),
        (Some(0), Some(1)),
        "{}",
        made.stderr
    );
    let refused = stage.site.import(&output);
    assert_eq!(
        refused.refusal.as_ref().map(|it| it.0.as_str()),
        Some("E-DEPENDENCY"),
        "{}",
        refused.stderr
    );
    let base = stage.folder.path().join("base");
    assert_eq!(repair(&first, &report, &base).code, Some(0));
    assert_eq!(stage.site.import(&base).result["restored_blobs"], 1);
    assert_eq!(stage.site.import(&output).result["restored_blobs"], 1);
    assert!(read(&stage.stored(&digest(&new))) == new);
}
