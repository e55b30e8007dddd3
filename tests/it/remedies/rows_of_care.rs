//! As [`rows`](super::rows), for the care of an appliance and the log of what was done there.

use super::rows::Row::{self, Followed, PassedOn};

#[rustfmt::skip]
pub(super) const CARE: &[(&str, Row)] = &[
    ("?: mount the medium so that this user may read it (`uid=` of FAT and exFAT), or let root read it: cat FILE | {prefix} airlock import -", Followed(&["a_medium_of_another_user_is_read_by_root_as_the_message_says"])),
    ("?: name the right file, or begin with `airlock config reference --sample`", Followed(&["what_may_not_be_meant_is_noted"])),
    ("Io read-only: copy the folder with `cp -a` to a disk that can be written, and name the copy with --state; or mount it for writing", Followed(&["a_state_folder_on_a_read_only_disk_is_copied_as_the_message_says"])),
    ("State AUDIT_BROKEN: end airlock serve, keep a copy of the state folder as evidence, then put a whole copy of it from before in its place", Followed(&["a_changed_root_or_audit_row_is_answered_with_a_whole_copy"])),
    ("Trust fingerprint: do not enrol the file; ask the site for the right one, and compare again", Followed(&["a_key_is_compared_before_it_counts"])),
    ("Usage what: if {meant} is meant, say that", Followed(&["what_there_is_not_cannot_be_asked_for"])),
    ("Usage what: leave it out to see every row", Followed(&["what_there_is_not_cannot_be_asked_for"])),
    ("appliance/care/whole_rows.rs State release-rows: <import_again(&release)>", PassedOn),
    ("Busy generation: use that one", Followed(&["f12_a_start_on_a_damaged_database_serves_the_last_generation"])),
    ("State GENERATION_DAMAGED: start airlock serve again once airlock.db is whole: it writes it anew", Followed(&["f12_what_is_kept_is_served_whole_or_not_at_all"])),
    ("?: {remedy}; until then, airlock serve, started again, serves the last generation", Followed(&["f12_a_page_that_is_damaged_while_a_server_runs_is_none_for_the_next_one"])),
    ("appliance/state.rs ?: <remedy>", PassedOn),
    ("appliance/last_generation/open.rs State NAMELESS: <remedy>", PassedOn),
    ("appliance/wrong_rows.rs State release-rows: <import_again(release)>", Followed(&["f23_rows_that_are_gone_or_wrong_come_back_from_the_bundle"])),
];
