//! As [`rows`](super::rows), for the ways out: bundles unpacked, files, credentials, snippets, copies into other registries.

use super::rows::Row::{self, Followed};

#[rustfmt::skip]
pub(super) const ROWS_OUT: &[(&str, Row)] = &[
    ("?: choose another name, or let that one go with `airlock access remove {}`", Followed(&["what_is_mistyped_is_put_right_as_the_messages_say"])),
    ("?: name vendor, product, channel and repositories; `airlock trust show` and `airlock release list` show what is here", Followed(&["what_is_mistyped_is_put_right_as_the_messages_say"])),
    ("?: nothing is to be done: whoever shows one of that name is refused already", Followed(&["what_is_mistyped_is_put_right_as_the_messages_say"])),
    ("?: put the first 8 digits of the vendor's trust domain before it, which `airlock trust show` prints: DIGITS/PRODUCT/CHANNEL:REPOSITORIES", Followed(&["of_two_vendors_with_one_product_the_digits_say_which"])),
    ("Busy extract: wait until it has ended, or give another name with -o", Followed(&["a_run_that_was_stopped_is_gone_on_with"])),
    ("Content file-form: ask the vendor for a release that carries it as a plain file; as an artifact it can be pulled as it is", Followed(&["a_form_that_leads_elsewhere_writes_nothing"])),
    ("Io mirror: where it has plain HTTP, write plain_http = true under [mirror] in the configuration; nothing was sent", Followed(&["a_registry_without_tls_is_reached_as_the_message_says"])),
    ("Io unnamed-files: with -o DIR name a folder on ext4, xfs, btrfs or tmpfs, and copy it from there (`cp -r`); with -o - name such a folder with --work; nothing was written", Followed(&["a_file_system_that_cannot_take_a_layout_is_told_before_anything_is_written"])),
    ("Space no-space: free space there, or name another place with -o; nothing was written", Followed(&["room_is_asked_for_before_a_byte_is_written"])),
    ("Space no-space: free space there, or name another place: with -o DIR, or with -o - by --work", Followed(&["room_for_all_content_is_asked_for_before_any_is_written"])),
    ("Usage file: did you mean {meant}?", Followed(&["a_name_that_nothing_has_is_answered_with_the_nearest"])),
    ("Usage file: look at `airlock file list`", Followed(&["a_name_that_nothing_has_is_answered_with_the_nearest"])),
    ("Usage output: give another name with -o, or move it away; a file that may be lost is replaced with --replace", Followed(&["what_stands_there_is_kept_unless_somebody_says_otherwise"])),
    ("Usage output: make the folder, or mount the medium; nothing was written", Followed(&["places_that_are_none_or_the_appliances_own_are_refused"])),
    ("Usage release-not-live: take the file of the live one, without --release; or make that one live with `airlock release activate RELEASE`", Followed(&["a_release_that_is_not_live_gives_files_once_it_is_made_live"])),
    ("Usage several-files: say which one: with --product PRODUCT/CHANNEL, with --vendor and its name or trust domain, with --release and its head digest, or by its own digest in place of NAME", Followed(&["of_several_with_one_name_a_person_says_which", "a_file_of_one_vendor_never_stands_in_for_anothers"])),
    ("Usage title: name the file with -o; nothing was written", Followed(&["a_form_that_leads_elsewhere_writes_nothing"])),
    ("Dependency needs: give what holds them with --base, several where they build on one another, or unpack a bundle that was made with --full", Followed(&["layers_that_are_copied_from_others_are_made_of_their_bases"])),
    ("Io mirror-refused: see what the registry says; everything else is there, and the same command passes over it", Followed(&["a_copy_that_was_stopped_goes_on"])),
    ("?: wait, or see its limits and its own log; then give the same command again: what is there already is passed over", Followed(&["what_passes_is_tried_again_and_what_does_not_is_told"])),
    ("Io mirror: check [mirror] in the configuration and the registry; then give the same command again: what is there already is passed over", Followed(&["what_passes_is_tried_again_and_what_does_not_is_told"])),
    ("State staging: give the same command again: what was left of that run is removed now", Followed(&["content_that_an_earlier_run_lost_is_told_and_unpacked_again"])),
    ("Usage access: make one with `airlock access add NAME --read PATTERN`, and give what it prints", Followed(&["hosts_and_credentials_are_given_as_the_messages_say"])),
    ("Usage host: name the host alone, without a scheme or a path", Followed(&["hosts_and_credentials_are_given_as_the_messages_say"])),
    ("Usage mirror-login: write USER:PASSWORD into a file of mode 600, and name it with [mirror] credentials in the configuration", Followed(&["a_login_is_asked_for_and_lies_in_a_file_for_its_owner_alone"])),
    ("Usage mirror-login: write USER:PASSWORD into that file, and chmod 600 it", Followed(&["a_login_is_asked_for_and_lies_in_a_file_for_its_owner_alone"])),
    ("Usage mirror-map: change [mirror] map in the configuration", Followed(&["two_repositories_never_become_one"])),
    ("Usage mirror-token: where that is right, name its host with [mirror] token_host in the configuration", Followed(&["a_login_goes_to_a_token_service_that_is_named_alone"])),
    ("Usage mirror: check [mirror] authority in the configuration", Followed(&["nothing_connects_before_a_registry_is_named"])),
    ("Usage mirror: name the registry there; nothing connects before that", Followed(&["nothing_connects_before_a_registry_is_named"])),
    ("Usage output: give another name with -o, or move away what stands there; nothing was written", Followed(&["what_stands_there_is_never_written_into"])),
];
