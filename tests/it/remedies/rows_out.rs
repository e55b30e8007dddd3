//! As [`rows`](super::rows), for the ways out: bundles unpacked, credentials, snippets, copies into other registries.

use super::rows::Row::{self, Followed};

#[rustfmt::skip]
pub(super) const ROWS_OUT: &[(&str, Row)] = &[
    ("?: choose another name, or let that one go with `airlock access remove {}`", Followed(&["what_is_mistyped_is_put_right_as_the_messages_say"])),
    ("?: name vendor, product, channel and repositories; `airlock trust show` and `airlock release list` show what is here", Followed(&["what_is_mistyped_is_put_right_as_the_messages_say"])),
    ("?: nothing is to be done: whoever shows one of that name is refused already", Followed(&["what_is_mistyped_is_put_right_as_the_messages_say"])),
    ("?: put the first 8 digits of the vendor's trust domain before it, which `airlock trust show` prints: DIGITS/PRODUCT/CHANNEL:REPOSITORIES", Followed(&["of_two_vendors_with_one_product_the_digits_say_which"])),
    ("Busy extract: wait until it has ended, or give another name with -o", Followed(&["a_run_that_was_stopped_is_gone_on_with"])),
    ("Dependency needs: give what holds them with --base, several where they build on one another, or unpack a bundle that was made with --full", Followed(&["layers_that_are_copied_from_others_are_made_of_their_bases"])),
    ("State staging: give the same command again: what was left of that run is removed now", Followed(&["content_that_an_earlier_run_lost_is_told_and_unpacked_again"])),
    ("Usage access: make one with `airlock access add NAME --read PATTERN`, and give what it prints", Followed(&["hosts_and_credentials_are_given_as_the_messages_say"])),
    ("Usage host: name the host alone, without a scheme or a path", Followed(&["hosts_and_credentials_are_given_as_the_messages_say"])),
    ("Usage output: give another name with -o, or move away what stands there; nothing was written", Followed(&["what_stands_there_is_never_written_into"])),
];
