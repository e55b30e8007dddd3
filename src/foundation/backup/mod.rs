//! A file of backup: a site's state or a vendor's workspace, encrypted with a passphrase, read whole or refused.
//!
//! # The file
//!
//! ```text
//! airlock-backup 1
//! {"check":HEX,"kind":"site","made_at":TIME,"made_by":VERSION,"memory_kib":65536,"passes":3,"salt":HEX}
//! SHA-256 of the two lines, in hex
//! records: 64 KiB each but for the last, each followed by its 16 bytes of tag
//! airlock-backup-end
//! ```
//!
//! - `key` = Argon2id(passphrase, salt; memory and passes as stated, 4 lanes), 32 bytes.
//! - `check` = HMAC-SHA-256(key, `airlock-backup check` 00 second line without its `check`): whether the passphrase is the right one.
//! - records: ChaCha20-Poly1305 under HMAC-SHA-256(key, `airlock-backup records` 00 the three lines); the nonce is 00 00 00, the number
//!   from 0 on in 8 bytes, and 01 for the last record or 00. So the head is bound, and no record can be left out, moved or added.
//! - The sum of the head and the last line tell damage and a cut copy from a wrong passphrase; they prove nothing.
//!
//! The plain text of the records is `facts`, then entries, then four zero bytes. Each of these begins with a number of four bytes, the
//! highest first: the length of the canonical JSON that follows. That of the facts says what the backup is of, that of an entry is
//! `{"mode":384,"path":"identity/status.pem","size":119}`, with its bytes behind it.
//!
//! | File | One step or type |
//! |---|---|
//! | `head` | the three lines |
//! | `records` | bytes into records and back |
//! | `entry` | a file in it, and which names it may have |
//! | `write` | made as `.partial`, synced, read back, named |
//! | `read` | opened, gone through |
//!
//! # Threats and defences
//!
//! - *The file is found by somebody else*: all but its kind, time and maker is encrypted; guessing costs 64 MiB and tenths of a second a try.
//! - *It was changed, cut, or made longer*: nothing of a record is handed on before its tag held, and who restores has read it to its end
//!   before anything is written.
//! - *It asks for much*: what the key costs and every length is bounded before memory is taken, files are streamed.
//! - *A name leads elsewhere*: names are plain words below the folder; whoever restores writes only names of its own.

mod entry;
mod head;
mod names;
mod read;
mod records;
#[cfg(test)]
mod tests;
mod write;

pub use entry::Entry;
pub use head::{Kind, WORD, damaged};
pub use names::names_in;
pub use read::{OpenedBackup, peek};
pub use write::{BackupWriter, Sealing, check_room};
