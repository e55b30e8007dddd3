//! The folder in which a layout grows: a store and a staging, as those of a site, and a lock.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::layout::{self, Layout};
use super::room;
use crate::bundle::Graph;
use crate::domain::{Class, Digest, Error, Hash, Result};
use crate::store::{Staging, Store};
use crate::stream::{
    Expected, LockFile, Looked, create_own_folder, look_at_own, open_or_create, sync_folder, write_atomically,
};

/// Held by whoever works in the folder; by it the folder is known for one of ours.
const LOCK: &str = "extract.lock";
/// The layout, once its content is complete.
const LAYOUT: &str = "layout";
/// Where blobs stand below their own folder, in a layout and in the store alike.
const BLOBS: &str = "blobs";
const SHA256: &str = "blobs/sha256";
/// What was gathered and is no part of the layout.
const REST: &str = "rest";

/// A folder in which the content of one bundle is gathered.
#[derive(Debug)]
pub struct WorkFolder {
    path: PathBuf,
    pub(super) store: Store,
    pub(super) staging: Staging,
    /// Whether an earlier run has left something.
    pub(super) goes_on: bool,
    _lock: LockFile,
}

impl WorkFolder {
    /// Opens the folder, or makes it, for the bundle of a head. What an earlier run left there is gone on with.
    ///
    /// # Errors
    ///
    /// `E-USAGE output` when something else stands there; `E-IO unnamed-files` when its file system cannot take it; `E-BUSY` when another run
    /// works in it; `E-STATE`, `E-IO`, `E-SPACE`.
    pub fn open(path: &Path, head: Hash) -> Result<Self> {
        let goes_on = check_free_or_ours(path)?;
        room::check_kind(match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        })?;
        create_own_folder(path)?;
        let lock = LockFile::new(open_or_create(&path.join(LOCK), 0o600)?);
        lock.try_lock().map_err(|errno| match errno {
            Errno::WOULDBLOCK => Error::new(
                Class::Busy,
                "extract",
                format!("another `airlock bundle extract` works in {}", path.display()),
            )
            .remedy("wait until it has ended, or give another name with -o"),
            errno => Error::io("lock", &path.join(LOCK), errno.into()),
        })?;
        put_back(path)?;
        let store = Store::open_flat(path)?;
        let staging = Staging::open(&store, head)?;
        Ok(Self {
            path: path.to_owned(),
            store,
            staging,
            goes_on,
            _lock: lock,
        })
    }

    /// Whether this run has made the folder, and no earlier one.
    pub fn is_new(&self) -> bool {
        !self.goes_on
    }

    /// Whether a blob is here already.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub fn has(&self, digest: &Digest, size: u64) -> Result<bool> {
        Ok(self.store.size_of(digest)? == Some(size))
    }

    /// Checks that content fits here, as far as it is not here already: `contents` with their sizes, and beside them `scratch` bytes for a
    /// while.
    ///
    /// # Errors
    ///
    /// `E-SPACE no-space`; `E-IO`.
    pub fn check_space(&self, contents: impl IntoIterator<Item = (Digest, u64)>, scratch: u64) -> Result<()> {
        let (mut bytes, mut files) = (0_u64, 0_u64);
        for (digest, size) in contents {
            if !self.has(&digest, size)? {
                bytes = bytes.saturating_add(size);
                files = files.saturating_add(1);
            }
        }
        let grown = self.staging.part_bytes()?;
        room::check_space(&self.path, bytes.saturating_sub(grown), files, scratch)
    }

    /// Removes the folder and everything in it.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub fn remove(self) -> Result<()> {
        let Self { path, staging, .. } = self;
        // Whatever it is at ends first.
        drop(staging);
        fs::remove_dir_all(&path).map_err(|e| Error::io("remove", &path, e))
    }

    /// Makes the layout of a graph whose content is all here, and returns where it stands.
    ///
    /// # Errors
    ///
    /// `E-IO`, `E-SPACE`.
    pub fn lay_out(&self, graph: &Graph) -> Result<PathBuf> {
        let layout = self.path.join(LAYOUT);
        create_own_folder(&layout)?;
        let Layout { content, index } = Layout::of(graph);
        let rest = self.path.join(REST);
        create_own_folder(&rest)?;
        let mut others = Vec::new();
        self.store.each_name(|digest| {
            others.extend((!content.contains(&digest)).then_some(digest));
            Ok(())
        })?;
        for digest in others {
            let hex = digest.0.to_hex();
            rename(&self.path.join(SHA256).join(&hex), &rest.join(hex))?;
        }
        // The store becomes the layout's: no blob is named once more.
        rename(&self.path.join(BLOBS), &layout.join(BLOBS))?;
        let folders = [layout.clone(), layout.join(BLOBS), layout.join(SHA256)];
        for folder in &folders {
            // As any other layout: whoever may reach the folder may read it.
            let open = fs::Permissions::from_mode(0o755);
            fs::set_permissions(folder, open).map_err(|e| Error::io("open to others", folder, e))?;
        }
        write_atomically(&layout.join("index.json"), &index, 0o644)?;
        write_atomically(&layout.join("oci-layout"), layout::VERSION, 0o644)?;
        for folder in folders.iter().rev() {
            sync_folder(folder)?;
        }
        Ok(layout)
    }

    /// Gives the layout its name, and removes everything else.
    ///
    /// # Errors
    ///
    /// `E-USAGE output` when the name was taken meanwhile; `E-IO`.
    pub fn publish(self, layout: &Path, name: &Path) -> Result<()> {
        match renameat_with(CWD, layout, CWD, name, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(taken(name)),
            // File systems that cannot say it: nobody else gives this name but in this very moment.
            Err(Errno::INVAL) if Looked::itself(name).is_err() => rename(layout, name)?,
            Err(errno) => return Err(Error::io("name", name, errno.into())),
        }
        sync_folder(name.parent().unwrap_or(Path::new(".")))?;
        self.remove()
    }
}

/// Checks that a name for a layout is free.
///
/// # Errors
///
/// `E-USAGE output`; `E-IO`.
pub fn check_free(name: &Path) -> Result<()> {
    match Looked::itself(name) {
        Ok(_) => Err(taken(name)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("look at", name, error)),
    }
}

fn taken(name: &Path) -> Error {
    Error::new(Class::Usage, "output", format!("{} is there already", name.display()))
        .expected("a free name: nothing that stands there is written into or replaced")
        .remedy("give another name with -o, or move away what stands there; nothing was written")
}

/// Checks that nothing stands where the work is done, or what an earlier run has left; says whether that is so.
fn check_free_or_ours(path: &Path) -> Result<bool> {
    let in_the_way = |what: &str| {
        Error::new(
            Class::Usage,
            "output",
            format!(
                "{} is {what}, where the layout grows before it has its name",
                path.display()
            ),
        )
        .expected("nothing, or what an earlier run of this command left")
        .remedy("give another name with -o, or move away what stands there; nothing was written")
    };
    let looked = match Looked::itself(path) {
        Ok(looked) => looked,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::io("look at", path, error)),
    };
    if !looked.is_folder() {
        return Err(in_the_way(looked.what()));
    }
    let mut entries = fs::read_dir(path).map_err(|e| Error::io("list", path, e))?;
    if entries.next().is_some() && look_at_own(&path.join(LOCK), Expected::File)?.is_none() {
        return Err(in_the_way("a folder of somebody's"));
    }
    look_at_own(path, Expected::Folder).map(|_| true)
}

/// Puts what stands in a layout that got no name back into the store, and beside it what is no part of that layout.
fn put_back(path: &Path) -> Result<()> {
    let (layout, rest) = (path.join(LAYOUT), path.join(REST));
    let (blobs, own) = (layout.join(BLOBS), path.join(BLOBS));
    match Looked::itself(&blobs) {
        Ok(_) => rename(&blobs, &own)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("look at", &blobs, error)),
    }
    match fs::read_dir(&rest) {
        Ok(entries) => {
            for entry in entries {
                let entry = entry.map_err(|e| Error::io("list", &rest, e))?;
                rename(&entry.path(), &path.join(SHA256).join(entry.file_name()))?;
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("list", &rest, error)),
    }
    for folder in [layout, rest] {
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &folder, error));
            }
            _ => {}
        }
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "what is renamed here is durable already, and its folders are synced then"
)]
fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|error| Error::io("name", to, error))
}
