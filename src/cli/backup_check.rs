//! What a backup is, checked to its last byte and not put back: for `airlock backup --check` and `airlock vendor backup --check`.

use std::path::Path;

use serde_json::{Value, json};

use super::backup_passphrase::BackupPassphraseArgs;
use super::ui::{Ui, bytes, escape};
use crate::backup::{Kind, OpenedBackup, peek};
use crate::domain::{Result, counted};

/// Reads a backup of either kind to its end and says what it is of.
///
/// # Errors
///
/// Those of [`OpenedBackup`].
pub(super) fn run(path: &Path, passphrase: &BackupPassphraseArgs, ui: &mut Ui) -> Result<()> {
    // What is no backup, or a newer one, is told before anybody is asked.
    let (kind, _) = peek(path)?;
    let passphrase = passphrase.of(path)?;
    let mut opened = OpenedBackup::open(path, kind, &passphrase)?;
    let (of, lines) = facts(kind, &opened)?;
    let (files, size) = opened.check(&mut drop, &mut |done, total| ui.progress("check", done, total))?;
    let made_at = opened.made_at();
    let place = path.display().to_string();
    ui.result(
        &json!({"file": place, "made_at": made_at, "files": files, "bytes": size, "of": of}),
        format_args!(
            "{} is {kind}, whole\nmade         {made_at}\n{lines}\nholds        {}, {}",
            escape(&place),
            counted(files, "file"),
            bytes(size)
        ),
    )
}

fn facts(kind: Kind, opened: &OpenedBackup) -> Result<(Value, String)> {
    match kind {
        #[cfg(feature = "site")]
        Kind::Site => opened.facts().map(|facts| super::restore::said(&facts)),
        #[cfg(feature = "vendor")]
        Kind::Workspace => opened.facts().map(|facts| super::vendor_restore::said(&facts)),
        // This program was built without that side, and knows no more of it.
        #[cfg(not(all(feature = "site", feature = "vendor")))]
        other => {
            let facts: Value = opened.facts()?;
            Ok((
                json!({"kind": other, "facts": facts}),
                "of a side that this airlock was built without".to_owned(),
            ))
        }
    }
}
