//! Which test follows which remedy.
//!
//! One line for each: what [`source`](super::source) calls it, and the tests that follow it. What nobody follows yet says why; their
//! number may only fall.

use std::collections::BTreeSet;
use std::path::Path;

use Row::{Followed, NotYet};

use super::source::remedies;

/// What becomes of a remedy.
enum Row {
    /// Tests bring the error about, do what is said, and see that it helps.
    Followed(&'static [&'static str]),
    /// Not yet, and why.
    NotYet(&'static str),
}

/// The vendor's messages: their tests see the words, and build the corrected release beside them.
const VENDOR: &str = "the vendor's side: its tests compare the words, and do not yet do what they say";
/// Somebody else makes another bundle, image or root; that good ones pass is what the good vectors show.
const OTHERS: &str = "an act of the vendor: that the good bundle passes is tested, but not from the message";
/// Nobody has written it.
const LATER: &str = "no test follows it yet";
/// Repeats an error that was made elsewhere.
const PASSED_ON: &str = "passed on: the text stands where the error is made, and is followed there";

/// Remedies that no test follows.
const OPEN: usize = 62;

#[rustfmt::skip]
const ROWS: &[(&str, Row)] = &[
    ("?: ", NotYet(LATER)),
    ("?: add a line {key}: …", Followed(&["what_a_release_file_lacks_or_mistypes_is_put_right_as_the_message_says"])),
    ("?: add {} to image_values, or to unused_image_values", Followed(&["charts_are_packed_after_what_the_message_says"])),
    ("?: ask the vendor for another UUID, or remove that target here", NotYet(LATER)),
    ("?: check that it is the right file, or copy the {noun} again; nothing of it was kept", Followed(&["what_is_no_bundle_is_answered_with_the_right_file"])),
    ("?: check that it is the right file, or copy the {} again", Followed(&["what_is_no_bundle_is_answered_with_the_right_file"])),
    ("?: choose another folder", Followed(&["folders_of_workspaces_are_chosen_as_the_message_says"])),
    ("?: copy it again, and try again{}", Followed(&["a_damaged_copy_is_copied_again"])),
    ("?: did you mean {meant}?", Followed(&["what_a_release_file_lacks_or_mistypes_is_put_right_as_the_message_says"])),
    ("?: did you mean {meant}? {OLDER}", Followed(&["what_a_release_before_told_targets_is_kept_or_named_as_the_message_says"])),
    ("?: give --new-passphrase-file FILE", Followed(&["passphrases_are_given_as_the_message_says"])),
    ("?: give --passphrase-file FILE", Followed(&["passphrases_are_given_as_the_message_says"])),
    ("?: give it one under images: {source: where it comes from, name: registry.example.com/app:1.0}", Followed(&["compose_files_are_corrected_as_the_message_says"])),
    ("?: keep the signature in a file beside the bundle: `airlock bundle sign --detached`, then --signatures", NotYet(VENDOR)),
    ("?: keep the state folder on a file system that has such files: ext4, xfs, btrfs or tmpfs", NotYet(LATER)),
    ("?: leave id out; a target that was renamed, or moved to another product or channel, is another target: name the old one under removed: where it was, and connect its agents again", Followed(&["keys_of_targets_and_values_of_compose_files_are_put_right_as_the_message_says"])),
    ("?: leave it empty: images are rewritten one by one", Followed(&["charts_are_packed_after_what_the_message_says"])),
    ("?: look at the key ids with `airlock vendor trust show`", Followed(&["keys_are_looked_up_as_the_message_says"])),
    ("?: make a release of {} live that has it no more, then this one", Followed(&["of_two_channels_the_one_that_had_it_live_first_has_it"])),
    ("?: make an appliance with `airlock init`, or point --state at the right folder", Followed(&["a_wrong_state_folder_is_answered_with_the_right_one"])),
    ("?: make another release live, or ask the vendor for one without it", NotYet(OTHERS)),
    ("?: make one with `airlock vendor init`, or point -w at the right folder", Followed(&["folders_of_workspaces_are_chosen_as_the_message_says"])),
    ("?: name the bundle file in the folder itself | name the bundle file itself, or copy the bundle to a file first", Followed(&["what_cannot_be_signed_in_place_is_signed_as_the_message_says"])),
    ("?: pin the vendor's root again with `airlock trust add ROOT --fingerprint HEX`", Followed(&["a_damaged_pin_is_pinned_again", "a_server_without_a_pin_answers_again_once_it_is_pinned"])),
    ("?: put a copy in its place, or leave it out with .helmignore", Followed(&["charts_are_packed_after_what_the_message_says"])),
    ("?: put a whole copy of the state folder in its place", Followed(&["a_whole_copy_of_the_state_folder_in_its_place_helps"])),
    ("?: put it in quotes", Followed(&["keys_of_targets_and_values_of_compose_files_are_put_right_as_the_message_says"])),
    ("?: rebuild the image with ordinary layers", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("?: rebuild the image without foreign layers", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("?: renew it, or take certificate and key out of [tls]: then the appliance's own authority signs one", NotYet(LATER)),
    ("?: start again; nothing was changed", NotYet(LATER)),
    ("?: take {key} out", Followed(&["keys_of_targets_and_values_of_compose_files_are_put_right_as_the_message_says"])),
    ("?: the appliance is made; copy its enrolment file from {}", NotYet(LATER)),
    ("?: update airlock to {} and try again", NotYet(LATER)),
    ("?: {renew}; or set the clock", Followed(&["an_expired_root_is_renewed_as_the_message_says"])),
    ("Audience appliance-version: update airlock on this appliance first", NotYet(LATER)),
    ("Audience product: have the vendor issue a root that names it", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("Audience scope: use a bundle of these, or name its product and channel under `accept` in the configuration", Followed(&["a_product_is_accepted_in_the_configuration"])),
    ("Audience site: ask the vendor for this site's bundle", Followed(&["what_the_vendor_is_asked_for_helps"])),
    ("Busy import: wait for it to end", Followed(&["an_import_that_meets_another_waits_for_its_end"])),
    ("Busy secret: try again", NotYet(LATER)),
    ("Busy signing: wait for the other signing to end, and try again", Followed(&["a_bundle_is_signed_in_place_after_what_the_message_says"])),
    ("Busy status-queue: try again", NotYet(LATER)),
    ("Busy status-writer: try again; where that does not help, start the server again", Followed(&["a_writer_that_does_not_answer_is_busy_and_trying_again_helps"])),
    ("Busy status-writer: wait for it to end: it is tried again by itself", Followed(&["a_buffer_waits_for_another_writer_to_end"])),
    ("Busy stopping: try again", NotYet(LATER)),
    ("Clock clock-ahead: correct the clock, or confirm today's date with --date YYYY-MM-DDTHH:MM:SSZ", Followed(&["a_runaway_clock_leaves_nothing_behind"])),
    ("Clock issued-after-root: ask the vendor for a bundle with the right date", Followed(&["what_the_vendor_is_asked_for_helps"])),
    ("Clock issued-after-root: make it with a later --expires or with --expires-years, or set the clock", Followed(&["a_root_is_made_with_the_dates_that_the_message_asks_for"])),
    ("Clock issued-after-root: put the date right; or {renew}", Followed(&["numbers_and_dates_are_put_right_as_the_message_says"])),
    ("Clock issued-ahead: correct the clock, or ask the vendor whether the date is right and give it with --at", NotYet(OTHERS)),
    ("Clock issued-ahead: find out today's date: if it is {issued_at} or later, correct the clock or import with --date {issued_at}; if not, ask the vendor for a bundle with the right date", Followed(&["a_date_ahead_is_confirmed_as_the_message_says"])),
    ("Clock issued-ahead: put the date or the clock right; --allow-future takes it as it is: {outcome}", Followed(&["numbers_and_dates_are_put_right_as_the_message_says"])),
    ("Content chart: fetch the archive and name it: chart: {source: FILE.tgz, name: HOST/PATH/CHART}", Followed(&["charts_of_repositories_are_fetched_as_the_message_says"])),
    ("Content closure: add the images they belong to", NotYet(VENDOR)),
    ("Content derived-uuid: have the vendor build the bundle again without this id", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("Content desired-state: have the vendor make the release again; `airlock bundle create` writes the desired state as it must be", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("Content image: have the vendor build the bundle again; it must carry everything that its targets need", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("Content missing: run `helm dependency build` and pack the chart again", Followed(&["charts_are_completed_and_made_smaller_as_the_message_says"])),
    ("Content name: add name: HOST/REPOSITORY:TAG to the image", Followed(&["images_are_named_as_the_message_says"])),
    ("Content pin: correct the reference, or where images: says that it comes from", Followed(&["compose_files_are_corrected_as_the_message_says"])),
    ("Content reference: give it one: {source: where it comes from, name: registry.example.com/docker-agent:3.1.0}", Followed(&["images_are_named_as_the_message_says"])),
    ("Content referrers-tag: delete that tag in the source", Followed(&["images_of_layouts_are_chosen_as_the_message_says"])),
    ("Content tag-twice: give one of the images another name", Followed(&["images_of_layouts_are_chosen_as_the_message_says"])),
    ("Content verifier: have the vendor leave the verifier out, and give the agent a secret of this site with `airlock target secret`", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("Content which-image: add :TAG or @DIGEST to the source", Followed(&["images_of_layouts_are_chosen_as_the_message_says"])),
    ("Content written-image: take it from the values, or list it under images and set the appliance as a mirror", Followed(&["charts_are_packed_after_what_the_message_says"])),
    ("Dependency base-damaged: ask the vendor for a full bundle", NotYet(OTHERS)),
    ("Dependency needs: import the base bundle first, or ask the vendor for a full one", NotYet(OTHERS)),
    ("Equivocation number-used: raise the sequence number", Followed(&["numbers_and_dates_are_put_right_as_the_message_says"])),
    ("Equivocation site-keys: ask the site which appliance is the real one before anything is sent there", Followed(&["a_site_with_other_keys_is_asked_which_appliance_is_the_real_one"])),
    ("Expired bundle: give it a later expiry (expires, expires_in or --expires) and make it again, or set the clock", Followed(&["numbers_and_dates_are_put_right_as_the_message_says"])),
    ("Expired code: ask the vendor for a newer bundle", NotYet(OTHERS)),
    ("Expired code: ask the vendor for a newer bundle; what is live here goes on being served", Followed(&["what_the_vendor_is_asked_for_helps"])),
    ("Format header: check that it is the right file, or copy it again", Followed(&["what_is_no_bundle_is_answered_with_the_right_file"])),
    ("Format header: copy the {noun} again, or ask {} for it: something changed it or it is no airlock {noun}", Followed(&["what_is_no_bundle_is_answered_with_the_right_file"])),
    ("Format home-hosts: have the vendor correct `home_hosts` in the release file and make the release again", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("Format layout: expand it with `zstd -d {name} -o {name}.tar` and name the plain tar", Followed(&["compressed_layouts_are_expanded_as_the_message_says"])),
    ("Format layout: write the tar again", Followed(&["compressed_layouts_are_expanded_as_the_message_says"])),
    ("Format needs-newer-reader: update airlock to {} and try again", NotYet(LATER)),
    ("Format source: check that the right medium is mounted", Followed(&["a_folder_is_answered_with_what_to_name"])),
    ("Format source: name the bundle file itself", Followed(&["a_folder_is_answered_with_what_to_name"])),
    ("Format trailing-data: copy the {noun} again; if it stays so, do not use this medium", Followed(&["a_damaged_copy_is_copied_again"])),
    ("Format unsupported-version: update airlock", NotYet(LATER)),
    ("Format volumes: {arrival} it with a version of airlock that reads sets of volumes", NotYet(LATER)),
    ("Format what: copy the {} again: something changed it", Followed(&["a_damaged_copy_is_copied_again"])),
    ("Incomplete stall: start the feed again, and try again{}", Followed(&["a_feed_that_fell_silent_is_started_again"])),
    ("Integrity content-digest: tell {}: the {} was built wrong, although its signature is good", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("Integrity frame: ask {} for a {} made by another builder", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("Integrity page-hash: copy the {} again", Followed(&["a_damaged_copy_is_copied_again"])),
    ("Integrity source: check the registry, and what stands between it and here", Followed(&["what_a_registry_says_falsely_is_put_right_there"])),
    ("Integrity source: check the repository, and what stands between it and here", Followed(&["charts_of_repositories_are_fetched_as_the_message_says"])),
    ("Integrity source: check the source; it changed or is damaged", NotYet(LATER)),
    ("Integrity stored-hash: copy the {noun} again: the medium or the copy is damaged", Followed(&["a_damaged_copy_is_copied_again"])),
    ("Internal panic: keep the input and report it; nothing half done was made visible", NotYet(LATER)),
    ("Internal panic: start it again, and report it with its input and the log; nothing half done was made visible", NotYet(LATER)),
    ("Io REGISTRY: check the name, the network and --ca-file, and try again", Followed(&["a_registry_is_reached_as_the_message_says"])),
    ("Io bind: choose another address, or end the program that uses it", Followed(&["an_address_in_use_is_answered_with_another"])),
    ("Io database-io: check the disk, and that it is not full", NotYet(LATER)),
    ("Io read-back: use another medium; this one cannot be trusted", NotYet(LATER)),
    ("Io read: put the medium back or use another copy, and try again{}", Followed(&["every_read_of_the_medium_may_fail"])),
    ("Io status-closed: see the log; it is tried again by itself", NotYet(LATER)),
    ("Io terminal: put the passphrase on the first line of that file", Followed(&["passphrases_are_given_as_the_message_says"])),
    ("Limit annotations: have the vendor build the bundle again; it must carry everything it refers to", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("Limit annotations: have the vendor leave some of these documents out, or move what they say into their layers", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("Limit chart: leave out what is no part of the chart with .helmignore", Followed(&["charts_are_completed_and_made_smaller_as_the_message_says"])),
    ("Limit edges: have the vendor make several releases of it, or name its images in fewer repositories", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("Limit expanded: raise the bound with --expand-limit SIZE, or expand the file yourself and name the plain tar", Followed(&["compressed_layouts_are_expanded_as_the_message_says"])),
    ("Limit folder: name the bundle file itself", Followed(&["in_a_folder_of_very_many_entries_the_bundle_itself_is_named"])),
    ("Limit head-size: make several releases, for fewer targets and sites each", NotYet(VENDOR)),
    ("Limit home-hosts: have the vendor name fewer `home_hosts` in the release file; images keep their names with host", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("Limit items: have the vendor make several products of it, or releases for fewer sites each", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("Limit lines: have the vendor make several releases of it", NotYet(OTHERS)),
    ("Limit links: copy the bundle again; where that changes nothing, compare the fingerprints with the vendor over a second channel", Followed(&["a_root_that_differs_is_answered_with_another_copy"])),
    ("Limit names: have the vendor name the same images in fewer repositories", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("Limit nesting: have the vendor name the inner indexes themselves", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("Limit rendered: make these documents smaller, or share the deployments out over more targets and releases, at the vendor", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("Limit window: have {} make the {} with airlock", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("Policy UNDEPLOY: ask the vendor for a release that names what is removed; or import it with --no-activate and decide here, with `airlock release activate … --undeploy`", Followed(&["an_unsaid_removal_is_decided_here"])),
    ("Policy identity: keep it, or name {old} under removed: and give the new one another id", Followed(&["what_a_release_before_told_targets_is_kept_or_named_as_the_message_says"])),
    ("Policy undeploy: add it again, or name it under removed:{}", Followed(&["what_a_release_before_told_targets_is_kept_or_named_as_the_message_says"])),
    ("Rollback lower-number: raise sequence to {}, the next free number; or say that you mean the lower one with --sequence {}", Followed(&["numbers_and_dates_are_put_right_as_the_message_says"])),
    ("Signature BELOW_THRESHOLD: have it signed with the vendor's keys, or check that the pinned root is the vendor's", Followed(&["signatures_that_do_not_hold_are_fetched_or_made_again"])),
    ("Signature bad-signature: fetch the document again; if it stays so, somebody changed it", Followed(&["signatures_that_do_not_hold_are_fetched_or_made_again"])),
    ("Signature wrong-type: take the enrolment file that `airlock init` wrote", NotYet(LATER)),
    ("Space no-space: free space and try again", Followed(&["a_disk_that_fills_up_meanwhile_stops_the_import_and_nothing_else"])),
    ("Space no-space: free space on that file system and import again", Followed(&["f23_a_full_disk_stops_healing_and_loses_nothing"])),
    ("State OTHER_USER: find out who made it; then, as root: chown -h {user} {}", Followed(&["f19_nothing_inside_belongs_to_another_user"])),
    ("State PLANTED: find out who put it there; then move it away (mv {} …) and try again", Followed(&["what_others_put_or_wrote_into_the_state_folder_is_undone_as_the_message_says"])),
    ("State SCHEMA_TOO_NEW: use the airlock that wrote it, or a newer one; nothing in it was changed", NotYet(LATER)),
    ("State agent-image: import a release that carries it", NotYet(LATER)),
    ("State already: to pin a further vendor, use `airlock trust add`; to make another appliance, {whole}", Followed(&["init_is_answered_with_another_folder"])),
    ("State audit-broken: keep the state folder as evidence and compare with exported copies of the log", NotYet(LATER)),
    ("State authority: restore both files; or remove both, start again, and run `airlock target connect` for every target once more", NotYet(LATER)),
    ("State base-damaged: ask the vendor for a full bundle", NotYet(OTHERS)),
    ("State database-damaged: put a whole copy of its folder in the folder's place", Followed(&["a_whole_copy_of_the_state_folder_in_its_place_helps"])),
    ("State database-damaged: put a whole copy of its folder in the folder's place, side files and all", Followed(&["a_whole_copy_replaces_a_database_that_is_not_the_appliances"])),
    ("State database-damaged: put a whole copy of the state folder in its place", Followed(&["a_whole_copy_of_the_state_folder_in_its_place_helps"])),
    ("State database-missing: put a whole copy of its folder in the folder's place, or name the right folder", NotYet(LATER)),
    ("State database-missing: put it back from your backup: it knows which release numbers were signed", Followed(&["keys_of_other_roles_are_looked_up_and_lost_files_come_from_the_backup"])),
    ("State desired-state: import a newer release", NotYet(LATER)),
    ("State evidence-full: look at the disk; then move the files {}.blob-* out of {} and try again", Followed(&["evidence_that_is_full_is_moved_away"])),
    ("State floor-missing: put a whole copy of the state folder in its place", Followed(&["a_whole_copy_of_the_state_folder_in_its_place_helps"])),
    ("State ledger: put the workspace back from your backup", Followed(&["a_damaged_ledger_is_put_back"])),
    ("State mark-missing: put a whole copy of the state folder in its place", Followed(&["a_whole_copy_of_the_state_folder_in_its_place_helps"])),
    ("State marks-file: put a whole copy of the state folder in its place; without the marks an older release could come back", Followed(&["a_whole_copy_of_the_state_folder_in_its_place_helps"])),
    ("State no-store: put a whole copy of the state folder in its place, or point --state at the right one", Followed(&["a_wrong_state_folder_is_answered_with_the_right_one"])),
    ("State not-empty: give another --state folder", Followed(&["init_is_answered_with_another_folder"])),
    ("State not-empty: run this command as the user that the folder belongs to", NotYet(LATER)),
    ("State other-database: point --state at the appliance's state folder", Followed(&["a_wrong_state_folder_is_answered_with_the_right_one"])),
    ("State other-root: put a whole copy of the state folder in its place", NotYet(LATER)),
    ("State other-schema: put a whole copy of its folder in the folder's place", Followed(&["a_whole_copy_replaces_a_database_that_is_not_the_appliances"])),
    ("State owner-missing: put a whole copy of the state folder in its place", Followed(&["a_whole_copy_of_the_state_folder_in_its_place_helps"])),
    ("State parent-writable: move the state folder below folders that only root may write, or let another user own and run the appliance", Followed(&["a_state_folder_is_moved_below_folders_of_roots"])),
    ("State part-of-state: give another --state folder", NotYet(LATER)),
    ("State part-of-state: {first}; {advice}", Followed(&["f22_an_init_that_failed_says_what_it_left"])),
    ("State part-of-state: {whole}; what an interrupted `airlock init` left, and nobody ever used, may be moved away by hand", Followed(&["f22_an_init_that_failed_says_what_it_left"])),
    ("State pin-damaged: pin the vendor's root again with `airlock trust add ROOT --fingerprint HEX`", Followed(&["a_damaged_pin_is_pinned_again"])),
    ("State release-damaged: import the bundle of this release again: `airlock import FILE`", Followed(&["a_release_with_missing_or_damaged_content_is_imported_again_and_goes_live", "f23_the_kept_head_and_the_hashes_of_pieces_come_back"])),
    ("State release-missing: look at `airlock release list`", NotYet(LATER)),
    ("State release-missing: put a whole copy of the state folder in its place; its database is older than its marks", Followed(&["a_whole_copy_replaces_a_database_that_is_not_the_appliances"])),
    ("State set-aside-full: find out what damages the disk, and move {}.damaged-* away", NotYet(LATER)),
    ("State staging: import the bundle again", NotYet(LATER)),
    ("State staging: import the same bundle once more: `airlock import FILE`", NotYet(LATER)),
    ("State trust-damaged: put a whole copy of the state folder in its place", Followed(&["a_whole_copy_of_the_state_folder_in_its_place_helps"])),
    ("State writable: find out who did write it; then chmod go-w {}", Followed(&["what_others_put_or_wrote_into_the_state_folder_is_undone_as_the_message_says"])),
    ("Trust code: give --passphrase-file FILE", NotYet(LATER)),
    ("Trust code: have the vendor issue a correct root", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("Trust fingerprint: do not trust the file; ask the vendor for the right one", Followed(&["a_wrong_fingerprint_is_answered_with_the_right_file"])),
    ("Trust key-file: find out who read it; then chmod 600 {}, or replace the key", Followed(&["a_key_that_others_may_read_is_protected_as_the_message_says"])),
    ("Trust key-file: put the right pair of files back from your backup", Followed(&["keys_of_other_roles_are_looked_up_and_lost_files_come_from_the_backup"])),
    ("Trust missing-link: get the bundle again from the vendor: its root links were removed", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("Trust no-key: give --key FILE, or --unsigned and sign elsewhere with `airlock bundle sign`", Followed(&["without_a_key_it_is_signed_elsewhere_as_the_message_says"])),
    ("Trust no-root: give it with --trust ROOT.JSON", Followed(&["without_a_key_it_is_signed_elsewhere_as_the_message_says"])),
    ("Trust other-role: look at the key ids and their files with `airlock vendor trust show`", Followed(&["keys_of_other_roles_are_looked_up_and_lost_files_come_from_the_backup"])),
    ("Trust product: add it with `airlock vendor trust set --product`", Followed(&["a_product_is_named_in_the_root_as_the_message_says"])),
    ("Trust product: issue a new root that names it, or correct the product", NotYet(VENDOR)),
    ("Trust threshold: add a key first, rotate instead, or lower the threshold with --threshold", Followed(&["keys_are_looked_up_as_the_message_says"])),
    ("Trust unknown-domain: check where it comes from; a new vendor's root is pinned with `airlock trust add`, after comparing its fingerprint by voice", Followed(&["a_new_vendor_is_pinned_and_its_bundle_comes_in"])),
    ("Trust unknown-domain: give the chain file of the vendor who made it", Followed(&["a_bundle_is_looked_at_with_the_chain_of_its_vendor"])),
    ("Trust unknown-domain: give the vendor's chain file with --trust ROOT.JSON", Followed(&["without_a_key_it_is_signed_elsewhere_as_the_message_says"])),
    ("Trust version: bring the missing root keys into keys/, or carry the root to them: `airlock vendor trust propose`, `sign`, `adopt`", Followed(&["root_keys_are_brought_or_the_root_is_carried_to_them"])),
    ("Usage NOT_A_FILE: name the file itself", NotYet(LATER)),
    ("Usage OUTSIDE: put a copy into the folder, or allow it: --allow-outside {real}, or allow_outside: [{real}] in the release file", Followed(&["images_are_named_as_the_message_says"])),
    ("Usage REGISTRY_CREDENTIALS: log in with `docker login {}`", Followed(&["a_person_logs_in_as_the_message_says"])),
    ("Usage REGISTRY_CREDENTIALS: put that file and its credential helper right, then log in again with `docker login {host}`", Followed(&["a_person_logs_in_as_the_message_says"])),
    ("Usage TOKEN_REALM: find out whether that host belongs to the registry; if so, allow it with --token-realm {registry}={realm}", Followed(&["a_token_service_is_allowed_as_the_message_says"])),
    ("Usage application: did you mean {meant:?}?", Followed(&["what_was_mistyped_is_guessed"])),
    ("Usage application: name the deployment by its UUID: `airlock target list --format json`", NotYet(LATER)),
    ("Usage config: correct that key in the file; the README shows what a configuration says", NotYet(LATER)),
    ("Usage confirm: when all of this is meant: `{command} --yes`", Followed(&["freeing_is_confirmed_by_a_word", "what_was_mistyped_is_guessed"])),
    ("Usage descriptors: raise the limit with `ulimit -n`, or with LimitNOFILE= in the unit", NotYet(LATER)),
    ("Usage folder-in-use: name another folder with --dir; nothing was written", NotYet(LATER)),
    ("Usage list: give --trust ROOT.JSON too", Followed(&["a_bundle_is_looked_at_with_the_chain_of_its_vendor"])),
    ("Usage missing-key: add {key} to the file, or give {options}", Followed(&["what_a_release_file_lacks_or_mistypes_is_put_right_as_the_message_says"])),
    ("Usage no-root: give the vendor's root.json with --trust", NotYet(LATER)),
    ("Usage output: give another name, or move away what stands there; nothing was written", Followed(&["an_output_is_named_otherwise_as_the_message_says"])),
    ("Usage output: give another name, or move it away; where they may be lost, --replace", NotYet(LATER)),
    ("Usage passphrase: give --remove to leave the files without one", Followed(&["key_files_are_left_without_a_passphrase_as_the_message_says"])),
    ("Usage plain-http: allow it with --plain-http {host}", Followed(&["charts_of_repositories_are_fetched_as_the_message_says"])),
    ("Usage plain-http: listen there with [tls], put a TLS proxy in front (behind it everybody needs credentials), or set plain_http_beyond_loopback = true in the configuration", NotYet(LATER)),
    ("Usage release: ask the vendor for a release that names what is removed; or, when agents shall delete it, give the same command with --undeploy", Followed(&["an_unsaid_removal_is_decided_here"])),
    ("Usage release: look at `airlock release list`", Followed(&["what_others_put_or_wrote_into_the_state_folder_is_undone_as_the_message_says"])),
    ("Usage release: look at `airlock release list` and name it by its head digest, or add --product PRODUCT/CHANNEL", Followed(&["a_release_is_named_as_the_list_has_it"])),
    ("Usage secret: issue a new one with `airlock target secret`", Followed(&["a_wrong_secret_is_issued_anew"])),
    ("Usage secret: or let a new one take its place with --new-secret", Followed(&["a_wrong_secret_is_issued_anew"])),
    ("Usage site-name: choose another one with --name", Followed(&["sites_are_enrolled_under_the_name_that_the_message_gives"])),
    ("Usage site-name: use --name {}", Followed(&["sites_are_enrolled_under_the_name_that_the_message_gives"])),
    ("Usage target-name: choose another name", NotYet(LATER)),
    ("Usage target-name: choose another name; `airlock target list` shows those that are taken", NotYet(LATER)),
    ("Usage target: did you mean {meant:?}?", Followed(&["a_target_is_named_as_the_list_has_it"])),
    ("Usage target: look at `airlock target list`", Followed(&["a_target_is_named_as_the_list_has_it"])),
    ("Usage target: name it by its UUID: {} | ,", NotYet(LATER)),
    ("Usage template: name the target that it follows itself: `airlock target list`", NotYet(LATER)),
    ("Usage template: remove what follows it first: `airlock target remove NAME`", Followed(&["what_follows_a_target_goes_first"])),
    ("Usage threshold: name the vendor in one line with --vendor", Followed(&["folders_of_workspaces_are_chosen_as_the_message_says"])),
    ("Usage tls: install ca-certificates, or check --ca-file", Followed(&["a_registry_is_reached_as_the_message_says"])),
    ("Usage uuid: take it away with `airlock target remove`", Followed(&["what_follows_a_target_goes_first"])),
    ("Usage value: leave epoch out, or raise it with `airlock vendor trust set --epoch`", Followed(&["what_a_release_file_lacks_or_mistypes_is_put_right_as_the_message_says"])),
    ("Usage which-key: look at the key ids with `airlock vendor trust show`", Followed(&["keys_are_looked_up_as_the_message_says"])),
    ("appliance/fleet/fault.rs ?: <self.remedy>", Followed(&["a_damaged_desired_state_is_imported_again", "a_target_whose_release_is_not_live_is_answered_after_activation"])),
    ("appliance/folder.rs ?: <remedy>", NotYet(LATER)),
    ("appliance/import/heal.rs Dependency base-damaged: <import_again(&release)>", NotYet(LATER)),
    ("appliance/import/policy/sequence.rs ?: <remedy>", Followed(&["an_earlier_release_is_brought_back_by_activation"])),
    ("appliance/registry/snapshot.rs ?: <remedy>", NotYet(PASSED_ON)),
    ("appliance/release.rs State blob-missing: <import_again(release)>", Followed(&["a_release_with_missing_or_damaged_content_is_imported_again_and_goes_live"])),
    ("appliance/status/writer.rs ?: <advice>", NotYet(PASSED_ON)),
    ("cli/passphrase.rs ?: <LOST_PASSPHRASE>", Followed(&["passphrases_are_given_as_the_message_says"])),
    ("container/format_lines.rs Format wrong-type: <other.remedy>", NotYet(PASSED_ON)),
    ("crypto/canonical.rs Format grammar: <DAMAGED>", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("crypto/canonical.rs Format non-canonical: <DAMAGED>", Followed(&["what_the_vendor_made_again_comes_in"])),
    ("crypto/key_file.rs ?: <NAME_KEY>", NotYet(PASSED_ON)),
    ("crypto/key_file.rs Trust code: <LOST_PASSPHRASE>", NotYet(PASSED_ON)),
    ("crypto/key_file.rs Trust code: <NAME_KEY>", NotYet(PASSED_ON)),
    ("crypto/key_file.rs Trust key-file: <NAME_KEY>", NotYet(PASSED_ON)),
    ("db/failure.rs Internal database: <remedy>", NotYet(PASSED_ON)),
    ("db/site/owners.rs ?: <remedy>", Followed(&["a_uuid_of_somebody_else_is_freed_as_the_message_says"])),
    ("domain/error.rs ?: <remedy>", NotYet(PASSED_ON)),
    ("domain/error.rs Io io: <remedy>", NotYet(LATER)),
    ("media/in_place.rs ?: <DETACHED>", Followed(&["what_cannot_be_signed_in_place_is_signed_as_the_message_says"])),
    ("store/blobs.rs State blob-damaged: <IMPORT_AGAIN>", Followed(&["a_blob_that_a_request_finds_damaged_is_imported_again"])),
    ("store/blobs.rs State blob-missing: <IMPORT_AGAIN>", Followed(&["a_blob_that_a_request_finds_damaged_is_imported_again", "f23_files_that_are_gone_at_the_start_and_repairs_by_hand_are_told"])),
    ("store/reader.rs State blob-damaged: <IMPORT_AGAIN>", Followed(&["a_blob_that_a_request_finds_damaged_is_imported_again"])),
    ("vendor_side/collect/problem.rs ?: <advice>", NotYet(PASSED_ON)),
    ("vendor_side/compose/problem.rs ?: <self.remedy.clone()>", NotYet(PASSED_ON)),
    ("vendor_side/fleet/assemble.rs ?: <remedy>", NotYet(PASSED_ON)),
    ("vendor_side/fleet/earlier_release.rs ?: <OLDER>", NotYet(LATER)),
    ("vendor_side/fleet/outside.rs ?: <error.advice().unwrap_or_default()>", NotYet(PASSED_ON)),
    ("vendor_side/leak/findings.rs Policy secret: <remedy>", NotYet(PASSED_ON)),
    ("vendor_side/release.rs ?: <remedy>", NotYet(PASSED_ON)),
    ("vendor_side/release.rs Usage value: <remedy>", NotYet(PASSED_ON)),
];

#[test]
fn every_remedy_is_followed_by_a_test_or_says_why_not() {
    let found = remedies();
    assert!(
        found.len() > 100,
        "only {} remedies were seen: the check would be empty",
        found.len()
    );
    let rows: BTreeSet<&str> = ROWS.iter().map(|(remedy, _)| *remedy).collect();
    assert_eq!(rows.len(), ROWS.len(), "a remedy has two rows");
    let missing: Vec<&String> = found.iter().filter(|remedy| !rows.contains(remedy.as_str())).collect();
    let stale: Vec<&&str> = rows.iter().filter(|row| !found.contains(**row)).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "remedies without a row: {missing:#?}; rows without their remedy: {stale:#?}"
    );
}

#[test]
fn what_follows_a_remedy_is_a_test() {
    let mut sources = String::new();
    gather(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it"), &mut sources);
    for (remedy, row) in ROWS {
        match row {
            Followed(tests) => {
                assert!(!tests.is_empty(), "{remedy}");
                for test in *tests {
                    assert!(
                        sources.contains(&format!("#[test]\nfn {test}(")),
                        "{remedy}: there is no test {test}"
                    );
                }
            }
            NotYet(why) => assert!(!why.is_empty(), "{remedy}"),
        }
    }
    let open = ROWS
        .iter()
        .filter(|(_, row)| matches!(row, NotYet(why) if *why != PASSED_ON))
        .count();
    assert!(open <= OPEN, "{open} remedies are followed by nobody");
    println!("{} remedies, {open} of them followed by nobody", ROWS.len());
}

#[expect(clippy::disallowed_methods, reason = "committed files of the project")]
fn gather(folder: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
