//! As [`rows`](super::rows), for bundles in volumes.

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
    ("Usage volume-size: give a larger --volume-size", Followed(&["a_volume_size_is_corrected_as_the_messages_say"])),
    ("Usage volume-size: leave --volume-size out, or give -o FILE", Followed(&["a_volume_size_is_corrected_as_the_messages_say"])),
];
