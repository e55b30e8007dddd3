//! Places in a container at which something is mounted, and how.

use super::super::node::{Node, Value};
use super::super::problem::cut;
use super::super::volume::{Volume, clean};
use super::container::{Container, known};
use super::words::Word;

const PLACE: &str = "a path from the root of the container, and not the root itself";
const NO_DRIVE: &str =
    "a name of two characters or more for the volume: a letter before a colon is a drive, and no name";

/// Options of a file system in memory that stand alone.
const FLAGS: [&str; 33] = [
    "async",
    "atime",
    "bind",
    "defaults",
    "dev",
    "diratime",
    "dirsync",
    "exec",
    "mand",
    "noatime",
    "nodev",
    "nodiratime",
    "noexec",
    "nomand",
    "norelatime",
    "nostrictatime",
    "nosuid",
    "private",
    "rbind",
    "relatime",
    "remount",
    "ro",
    "rprivate",
    "rshared",
    "rslave",
    "runbindable",
    "rw",
    "shared",
    "slave",
    "strictatime",
    "suid",
    "sync",
    "unbindable",
];
/// Options that have a value.
const VALUES: [&str; 7] = ["gid", "mode", "mpol", "nr_blocks", "nr_inodes", "size", "uid"];

/// Notes mounts that an engine refuses.
pub(super) fn check(container: &mut Container<'_>) {
    let service = container.node;
    for item in service.get("volumes").and_then(Node::list).unwrap_or_default() {
        if let Some(text) = known(item) {
            if let Some(volume) = Volume::parse(text) {
                place(container, item, "volumes", volume.target);
            }
            continue;
        }
        if let Some(node) = item.get("target")
            && let Some(target) = known(node)
        {
            place(container, node, "volumes", target);
        }
        if item.get_text("type") == Some("tmpfs")
            && let Some(source) = item.get("source")
        {
            container.refuse(
                &source.place,
                "volumes",
                "has a source of a tmpfs",
                "none: it is in memory",
            );
        }
        if let Some(node) = item.get("bind").and_then(|bind| bind.get("propagation"))
            && let Some(text) = known(node)
            && !Word::Propagation.fits(text)
        {
            let found = format!("says the propagation {:?}", cut(text));
            container.refuse(&node.place, "volumes", found, Word::Propagation.expected());
        }
    }
    let Some(tmpfs) = service.get("tmpfs") else { return };
    let items: Vec<&Node> = match &tmpfs.value {
        Value::List(items) => items.iter().collect(),
        _ => vec![tmpfs],
    };
    for item in items {
        let Some(text) = known(item) else { continue };
        let (target, options) = text.split_once(':').unwrap_or((text, ""));
        place(container, item, "tmpfs", target);
        for option in options.split(',').filter(|_| !options.is_empty()) {
            let is_known = match option.split_once('=') {
                Some((key, _)) => VALUES.contains(&key),
                None => FLAGS.contains(&option),
            };
            if !is_known {
                let found = format!("has the option {:?}", cut(option));
                let expected = "options of a file system in memory, such as size=64m, mode=1777 or noexec";
                container.refuse(&item.place, "tmpfs", found, expected);
            }
        }
    }
}

fn place(container: &mut Container<'_>, node: &Node, key: &str, target: &str) {
    if !target.starts_with('/') || clean(target) == "/" {
        let is_drive = target.as_bytes().get(1) == Some(&b':') && target.starts_with(|c: char| c.is_ascii_alphabetic());
        let expected = if is_drive { NO_DRIVE } else { PLACE };
        let found = format!("mounts something at {:?}", cut(target));
        container.refuse(&node.place, key, found, expected);
    }
}
