//! Images on the command line or in plain lists, in place of a release file.

use std::path::{Path, PathBuf};

use clap::Args;

use super::times::source_date_epoch;
use super::ui::Ui;
use crate::domain::{Class, Clock as _, Error, Name, Result, SystemClock};
use crate::stream::{open_named, read_bounded};
use crate::vendor_side::release_file::{ImageLines, ListedRelease, RELEASE_FILE_BYTES, ReleaseFile};
use crate::vendor_side::{Workspace, next_number, usual_scope};

/// What lines of the command line are called in messages.
const OPTION: &str = "--image";

// Options that name images.
#[derive(Debug, Args)]
pub(super) struct ImageListArgs {
    /// Image to carry, without a release file (may repeat): a reference, docker:NAME, docker-archive:FILE or oci:PATH. The release is then
    /// for any site unless --site says whom for, has the next free number, is issued now and expires after a year; other options say otherwise
    #[arg(long = "image", value_name = "SOURCE", conflicts_with = "file")]
    images: Vec<String>,
    /// File with the images to carry, without a release file (may repeat): a reference a line, behind it perhaps another name to store it
    /// under; # begins a remark
    #[arg(long = "images", value_name = "FILE", conflicts_with = "file")]
    pub(super) lists: Vec<PathBuf>,
    /// Product of a release without a release file [default: the only one of the trust root]
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    product: Option<Name>,
    /// Channel of a release without a release file [default: the only one that the product was released in, else stable]
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    channel: Option<Name>,
}

impl ImageListArgs {
    /// Makes the release that they stand for, and says what nobody said.
    ///
    /// # Errors
    ///
    /// Those of [`ReleaseFile::of_images`] and [`usual_scope`]; `E-IO`, `E-LIMIT`.
    pub(super) fn release(&self, workspace: &Workspace, sequence: Option<u64>, ui: &mut Ui) -> Result<ReleaseFile> {
        let (product, channel) = usual_scope(workspace, self.product.as_ref(), self.channel.as_ref())?;
        let sequence = match sequence {
            Some(sequence) => sequence,
            None => next_number(workspace, &product, &channel)?.sequence,
        };
        let issued_at = source_date_epoch()?.unwrap_or_else(|| SystemClock.now());
        let typed = self.images.join("\n");
        let texts = self.lists.iter().map(|path| Ok((path.as_path(), text(path)?)));
        let texts = texts.collect::<Result<Vec<_>>>()?;
        let mut lists: Vec<ImageLines<'_>> = texts
            .iter()
            .map(|(path, text)| ImageLines {
                called: path,
                base: path.parent().unwrap_or(Path::new("")),
                text,
            })
            .collect();
        if !self.images.is_empty() {
            lists.push(ImageLines {
                called: Path::new(OPTION),
                base: Path::new(""),
                text: &typed,
            });
        }
        let said = format!(
            "without a release file: {product}/{channel}, release {sequence}, issued {issued_at}, for any site, to be imported within a year, \
             unless options say otherwise"
        );
        let release = ListedRelease {
            product,
            channel,
            sequence,
            issued_at,
        };
        let mut file = ReleaseFile::of_images(release, Path::new(""), &lists)?;
        // Whoever runs the command named each of these: no file of somebody else's did.
        for named in &file.named {
            if named.value.try_exists().unwrap_or(false) {
                file.allow_outside.push(named.value.clone());
            }
        }
        ui.say(said);
        Ok(file)
    }
}

fn text(path: &Path) -> Result<String> {
    let bytes = read_bounded(
        open_named(path, "open the list of images")?,
        RELEASE_FILE_BYTES,
        "the list of images",
    )?;
    String::from_utf8(bytes)
        .map_err(|_| Error::new(Class::Usage, "images", format!("{} is no UTF-8 text", path.display())))
}
