//! Remedies of backups, of what is put back, and of what a workspace that was put back does not know, and which tests follow them.

use super::rows::Row::{self, Followed};

#[rustfmt::skip]
pub(super) const BACKUPS: &[(&str, Row)] = &[
    ("Busy backup: wait for it to end", Followed(&["one_backup_and_one_restore_at_a_time_and_the_next_one_works"])),
    ("Busy restore: wait for it to end", Followed(&["one_backup_and_one_restore_at_a_time_and_the_next_one_works"])),
    ("Equivocation number-told: take that release in with `airlock vendor ledger learn FILE`, or say with --sequence {}, in place of --next, that you mean a number above it", Followed(&["what_a_site_tells_an_older_copy_of_a_workspace_stops_it_from_using_that_number"])),
    ("Equivocation number-used: take the releases that were signed since in with `airlock vendor ledger learn FILE`, or raise sequence to {}", Followed(&["a_workspace_is_put_back_and_uses_no_number_twice"])),
    ("Policy restored: take the newest one in with `airlock vendor ledger learn FILE`; where none was signed since, say so with --sequence {}, in place of --next", Followed(&["a_workspace_that_is_put_back_alone_asks_for_its_newest_release"])),
    ("State DATABASE_MISSING: wait for it; where nothing is at work there, give the same `airlock restore BACKUP --state DIR` again: it takes away what it left", Followed(&["a_restore_that_is_killed_anywhere_makes_a_whole_appliance_or_none"])),
    ("Space no-space: free space there and give the command again: the ledger is copied beside itself", Followed(&["room_for_a_workspace_is_asked_for_first"])),
    ("Space no-space: free space there, or give another --state folder; nothing was written", Followed(&["room_for_a_backup_and_for_what_is_put_back_is_asked_for_first"])),
    ("Space no-space: free space there, or name another folder; nothing was written", Followed(&["room_for_a_workspace_is_asked_for_first"])),
    ("Space no-space: free space there, with `airlock gc` for one, and give the command again", Followed(&["room_for_a_backup_and_for_what_is_put_back_is_asked_for_first"])),
    ("State content-damaged: import the bundles that are named for it, the oldest first: `airlock import FILE`; `airlock release list` names them once more", Followed(&["content_comes_back_with_the_bundles_that_are_named_and_nothing_ends_well_before", "damage_is_set_aside_told_and_mended_by_the_bundle_that_is_named"])),
    ("Format backup-version: use the airlock that made it, or a newer one; nothing was written", Followed(&["what_is_not_this_backup_whole_is_refused_and_nothing_is_written"])),
    ("Format no-backup: check that it is the right file; nothing was written", Followed(&["what_is_not_this_backup_whole_is_refused_and_nothing_is_written"])),
    ("Incomplete backup-cut: copy it again from where it was kept, or use another backup; nothing was written", Followed(&["what_is_not_this_backup_whole_is_refused_and_nothing_is_written"])),
    ("Integrity backup-damaged: copy it again from where it was kept, or use another backup; nothing was written", Followed(&["what_is_not_this_backup_whole_is_refused_and_nothing_is_written"])),
    ("?: give the passphrase that it was made with; where it is lost, use another backup: there is no other way into this one", Followed(&["what_is_not_this_backup_whole_is_refused_and_nothing_is_written"])),
    ("Trust PASSPHRASE: give --passphrase-file FILE", Followed(&["what_is_not_this_backup_whole_is_refused_and_nothing_is_written"])),
    ("Usage backup-kind: `{}` puts this one back; here, name {expected}", Followed(&["a_backup_of_the_other_kind_or_into_a_folder_in_use_is_refused"])),
    ("Usage other-site: name the folder or backup of this site, or leave --against out", Followed(&["f13_marks_of_the_folder_before_or_of_a_newer_backup_are_taken_over"])),
    ("Usage other-vendor: name the workspace or backup of this vendor, or leave --against out", Followed(&["a_backup_of_the_other_kind_or_into_a_folder_in_use_is_refused"])),
    ("State restore-stopped: give another --state folder, or move away by hand what is in this one", Followed(&["what_a_stopped_restore_did_not_make_is_left_alone"])),
    ("Usage against: name the folder or backup of this site, or leave --against out", Followed(&["what_is_compared_says_something_of_the_site"])),
    ("Usage output: give another name with -o, or move it away: a backup replaces nothing", Followed(&["what_is_not_this_backup_whole_is_refused_and_nothing_is_written"])),
];
