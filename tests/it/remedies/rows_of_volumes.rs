//! As [`rows`](super::rows), for what holds a part of a bundle: volumes and repair files.

use super::rows::Row::{self, Followed};

#[rustfmt::skip]
pub(super) const VOLUMES: &[(&str, Row)] = &[
    ("Format source: name the volumes of one set", Followed(&["volumes_that_are_damaged_of_another_set_or_two_of_one_number_are_named"])),
    ("Format volumes: copy volume {} again, and name that one alone", Followed(&["volumes_that_are_damaged_of_another_set_or_two_of_one_number_are_named"])),
    ("Format volumes: name the volumes of one set", Followed(&["volumes_that_are_damaged_of_another_set_or_two_of_one_number_are_named"])),
    ("Trust unknown-domain: copy the volumes again and compare their SHA-256 with the sender's", Followed(&["volumes_that_are_damaged_of_another_set_or_two_of_one_number_are_named"])),
    ("Incomplete volumes: give volume {volume} too, by itself or in a folder with the others{}", Followed(&["volumes_come_one_medium_at_a_time_in_any_order"])),
    ("Incomplete volumes: name volume {first} too, or a folder with all of them", Followed(&["a_dry_run_of_a_set_that_is_not_complete_says_what_is_missing_and_keeps_nothing"])),
    ("Limit volumes: give a larger --volume-size", Followed(&["a_volume_size_is_corrected_as_the_messages_say"])),
    ("Space no-space: free space there, or name another place with -o; nothing of it is left, and the next run writes it anew", Followed(&["a_medium_that_fills_up_is_told_and_the_next_run_begins_anew"])),
    // A test cannot mount FAT; what it says to do is done there.
    ("Space file-size: write volumes that fit, with --volume-size 4G, or format the medium as exFAT or ext4", Followed(&["a_volume_size_is_corrected_as_the_messages_say"])),
    ("Dependency release: import the whole bundle: `airlock import FILE`", Followed(&["a_repair_file_that_is_not_for_this_site_changes_nothing"])),
    ("Dependency repair: have another repair file made by what is damaged now, which `airlock scrub --report FILE` writes down, or import the whole bundle", Followed(&["what_was_lost_since_is_named_and_mended_by_another_file"])),
    ("Format volumes: name the repair file by itself", Followed(&["a_repair_file_says_what_it_is_and_is_judged_without_a_site"])),
    ("Incomplete repair: name the {noun} itself; this file goes to `airlock import FILE` at the site that it mends", Followed(&["a_repair_file_says_what_it_is_and_is_judged_without_a_site"])),
    ("Usage repair: name the bundle itself, then make the repair file of it again: `airlock bundle repair BUNDLE --report FILE -o FILE`", Followed(&["a_repair_file_says_what_it_is_and_is_judged_without_a_site"])),
    ("Usage pieces: have the site write the report anew: `airlock scrub --report FILE`", Followed(&["reports_and_bundles_are_named_as_the_messages_say"])),
    ("Usage report: have the site write one: `airlock scrub --report FILE`", Followed(&["reports_and_bundles_are_named_as_the_messages_say"])),
    ("Usage report: make one of the bundle of each other release that the report names", Followed(&["reports_and_bundles_are_named_as_the_messages_say"])),
    ("Usage report: name the bundle of a release that the report names: `airlock bundle inspect BUNDLE` says the head of each", Followed(&["reports_and_bundles_are_named_as_the_messages_say"])),
    ("Usage volume-size: give a larger --volume-size", Followed(&["a_volume_size_is_corrected_as_the_messages_say"])),
    ("Usage volume-size: leave --volume-size out, or give -o FILE", Followed(&["a_volume_size_is_corrected_as_the_messages_say"])),
];
