//! As [`rows`](super::rows), for `airlock doctor`.

use super::rows::Row::{self, Followed};

#[rustfmt::skip]
pub(super) const DOCTOR: &[(&str, Row)] = &[
    ("?: {}; {REPAIR}", Followed(&["a_repair_file_mends_what_the_site_reported", "what_is_damaged_is_told_part_by_part_and_nothing_is_touched"])),
    ("?: do what stands beside each, then run `airlock doctor` again", Followed(&["what_is_damaged_is_told_part_by_part_and_nothing_is_touched"])),
    ("Clock clock: set the clock of this machine; vendors are told of the step, and times that it wrote before stay as they are", Followed(&["a_wrong_clock_and_an_old_authority_are_put_right"])),
    ("Expired authority: look at the machine's clock; where that is right, end airlock serve, remove identity/ca.pem and identity/ca.key, start it again, and run `airlock target connect TARGET` for every target once more", Followed(&["a_wrong_clock_and_an_old_authority_are_put_right"])),
    ("Expired certificate: put a renewed one into the files that [tls] names: a server that runs takes it up by itself", Followed(&["a_certificate_that_ends_is_renewed_in_its_files"])),
    ("Expired root: ask the vendor for its next bundle, which brings a newer root; what is live here goes on being served", Followed(&["a_root_that_ends_is_replaced_by_the_next_bundle"])),
    ("appliance/doctor/rows.rs Expired authority: <authority::RENEW_AUTHORITY>", Followed(&["a_wrong_clock_and_an_old_authority_are_put_right"])),
    ("Usage tls-certificate: put certificate and key into the files that [tls] names, or take them out of [tls] and start the server again: then the appliance's own authority signs one", Followed(&["an_expired_certificate_is_renewed_or_taken_out_as_the_message_says"])),
    ("State status-missing: end airlock serve, and start it again: it begins another, and vendors are told of what is missing as a gap", Followed(&["the_server_that_runs_is_asked_and_believed"])),
    ("Io no-answer: look at its log (`journalctl -u airlock.service`); then end it, and start it again", Followed(&["the_server_that_runs_is_asked_and_believed"])),
    ("Io file-system: end airlock serve, move the state folder to a disk of this machine (ext4, XFS, Btrfs), and point --state at it there", Followed(&["disks_are_put_right_as_the_findings_say"])),
    ("Io read-only: look at what the kernel says of it (`dmesg`), and mount it for writing", Followed(&["disks_are_put_right_as_the_findings_say"])),
    ("Other no-unit: copy systemd/airlock.service to /etc/systemd/system, then `systemctl enable --now airlock.service`", Followed(&["units_are_put_in_place_as_the_findings_say"])),
    ("Other not-enabled: `systemctl enable --now airlock.service`", Followed(&["units_are_put_in_place_as_the_findings_say"])),
    ("Other not-served: start the service (`systemctl start airlock.service`), or `airlock serve`", Followed(&["an_appliance_that_is_well_is_said_to_be_well_in_every_part"])),
    ("Other other-unit: put the one that is shipped under systemd/ in its place, and what this site needs otherwise into a drop-in (`systemctl edit UNIT`)", Followed(&["units_are_put_in_place_as_the_findings_say"])),
    ("appliance/own_key.rs State code: <lost>", Followed(&["what_is_damaged_is_told_part_by_part_and_nothing_is_touched"])),
    ("State pin-missing: pin the vendor's root again with `airlock trust add ROOT --fingerprint HEX`", Followed(&["what_is_damaged_is_told_part_by_part_and_nothing_is_touched"])),
    ("State readable: find out who read them; then chmod go-rwx {shown}", Followed(&["modes_are_put_right_as_the_findings_say"])),
    ("Other silent: see that `airlock serve` runs and its log names no refused login, then look at the agent's own log on that machine; a new agent is installed by what `airlock target connect TARGET` prints", Followed(&["silent_agents_are_heard_again"])),
    ("Space low: make room: `airlock disk` says who uses what, `airlock gc --dry-run` what can go", Followed(&["disks_are_put_right_as_the_findings_say"])),
];
