//! Which tests show cases F01 to F24: what happens to a site's machine, its disk, its clock, and by its own users.

use super::Case;

/// The cases that must hold in the first release; each has an entry at least.
pub(super) const MUST_HOLD: [&str; 20] = [
    "F01", "F02", "F03", "F04", "F05", "F07", "F09", "F10", "F11", "F12", "F13", "F14", "F17", "F18", "F19", "F20",
    "F21", "F22", "F23", "F24",
];

/// The table; tests stand where they belong.
pub(super) const CASES: &[Case] = &[
    (
        "F01: killed at any call, and panics of workers",
        &[
            "every_changing_call_may_be_the_last",
            "every_changing_call_of_a_second_try_may_be_the_last",
            "every_changing_call_may_be_the_last_where_blobs_are_restored",
            "f22_an_interrupted_init_is_refused_or_whole",
            "f09_gc_that_is_killed_anywhere_is_finished_by_the_next",
            "f23_healing_that_is_killed_anywhere_is_finished_by_the_next",
            "a_backup_that_is_killed_anywhere_has_its_name_whole_or_not_at_all",
            "a_restore_that_is_killed_anywhere_makes_a_whole_appliance_or_none",
            "nothing_acknowledged_is_lost_by_a_kill",
            "f21_an_import_whose_threads_panic_ends_as_after_any_error",
        ],
        &[],
    ),
    (
        "F02: the power fails",
        &[
            "f02_whenever_the_power_fails_an_import_is_there_or_is_not",
            "the_data_is_synced_before_each_answer",
        ],
        &[],
    ),
    (
        "F03: no space, no inodes, no descriptors",
        &[
            "a_bundle_that_does_not_fit_is_refused_before_its_first_chunk",
            "f03_a_disk_without_files_left_is_refused_before_the_first_chunk",
            "a_disk_that_fills_up_meanwhile_stops_the_import_and_nothing_else",
            "a_disk_without_a_byte_left_still_takes_the_audit_row",
            "every_changing_call_may_be_the_last",
            "f23_a_full_disk_stops_healing_and_loses_nothing",
            "a_full_disk_refuses_statuses_until_there_is_room",
            "f03_too_few_descriptors_end_an_import_and_nothing_is_lost",
            "r14_too_few_files_stop_the_start_and_say_what_to_do",
        ],
        &[],
    ),
    (
        "F04: a disk that fails",
        &[
            "every_changing_call_may_be_the_last",
            "every_changing_call_of_a_second_try_may_be_the_last",
            "f04_a_sync_that_failed_once_is_not_believed_when_it_succeeds",
            "every_read_of_the_medium_may_fail",
            "a_database_that_fails_is_answered_as_the_message_says",
            "a_blob_that_changes_after_its_first_read_is_noticed",
        ],
        &[],
    ),
    (
        "F05: a medium that is pulled, and sectors that cannot be read",
        &[
            "a_medium_may_be_pulled_again_and_again",
            "a_feed_that_ends_early_goes_on_from_the_medium",
            "a_feed_goes_on_over_a_pipe_too",
            "every_read_of_the_medium_may_fail",
            "a_file_that_shrinks_meanwhile_is_incomplete",
            "a_killed_import_reads_one_batch_again_at_most",
        ],
        &[],
    ),
    (
        "F07: pipes, devices, links and folders that are called like bundles",
        &[
            "f07_nothing_but_plain_files_of_a_medium_is_opened",
            "f07_devices_and_folders_are_no_trust_no_signatures_no_keys",
            "kinds_are_told_apart_and_only_files_are_opened",
            "what_was_looked_at_is_what_is_opened",
        ],
        &[],
    ),
    (
        "F09: gc beside imports and pulls, and stopped anywhere",
        &[
            "f09_gc_that_is_killed_anywhere_is_finished_by_the_next",
            "nothing_goes_while_an_import_runs",
            "a_pull_that_runs_is_not_cut_off",
            "pulls_go_on_beside_gc_scrub_and_backup",
            "what_nobody_names_goes_unless_a_stopped_import_may_want_it",
        ],
        &[],
    ),
    (
        "F10: clocks that are wrong",
        &[
            "f10_wrong_clocks_stop_no_import",
            "f10_an_appliance_born_at_1970_serves_agents",
            "f10_a_dead_clock_asks_when_a_release_is_more_than_a_year_away",
        ],
        &[],
    ),
    (
        "F11: a clock in 2099, and put right",
        &[
            "a_runaway_clock_leaves_nothing_behind",
            "a_runaway_clock_asks_a_person",
            "a_runaway_clock_ends_the_authority_until_it_is_put_right",
            "a09_a_jump_of_the_clock_ends_in_new_tokens_for_all",
        ],
        &[],
    ),
    (
        "F12: a damaged status database",
        &[
            "f12_a_damaged_status_database_is_set_aside_and_serving_goes_on",
            "f12_what_a_crash_leaves_is_read_again",
            "a_damaged_database_is_set_aside_and_a_new_one_begins_with_a_gap",
            "damage_that_shows_up_while_running_stops_nobody",
            "a_damaged_page_of_old_records_is_found_after_the_start",
        ],
        &[],
    ),
    (
        "F12: a damaged security database",
        &[
            "a_database_that_is_cut_off_under_a_server_is_told_and_ends_with_a_whole_copy",
            "a_whole_copy_replaces_a_database_that_is_not_the_appliances",
            "a_database_that_fails_is_answered_as_the_message_says",
            "f15_a_newer_database_of_any_kind_is_left_as_it_is",
            "f23_rows_that_are_gone_or_wrong_come_back_from_the_bundle",
        ],
        &[],
    ),
    (
        "F13: an older database, another appliance's, and one without its log",
        &[
            "f13_marks_of_the_folder_before_or_of_a_newer_backup_are_taken_over",
            "a_release_that_only_the_marks_know_is_imported_again",
            "a_database_that_is_older_than_the_identity_is_a_problem_from_the_start",
            "a_folder_that_was_restored_from_an_old_copy_is_shown",
            "s03_a_copied_folder_begins_another_life_by_itself_and_the_original_goes_on",
            "f13_without_its_write_ahead_log_a_database_is_older_than_the_marks",
        ],
        &[],
    ),
    (
        "F14: what others may write, and links to a state folder",
        &[
            "f14_what_others_may_write_is_refused",
            "f14_a_link_to_a_state_folder_is_none",
        ],
        &[],
    ),
    (
        "F14: keys that others may read, that are gone, cut or another's",
        &[
            "what_does_not_hold_is_a_problem_before_an_import_meets_it",
            "a_status_key_that_nobody_was_given_is_replaced_as_the_message_says",
            "a_recipient_key_that_nobody_was_given_is_replaced_as_the_message_says",
            "a_lost_token_key_is_made_anew_by_nobody_but_whom_the_message_sends",
            "a_site_without_its_keys_is_not_backed_up_and_nothing_goes_to_a_pipe",
            "truncated_missing_and_linked_files_are_refused",
        ],
        &[],
    ),
    (
        "F15: a newer schema",
        &[
            "f15_a_newer_database_of_any_kind_is_left_as_it_is",
            "f15_no_command_touches_a_newer_security_database",
            "f12_a_newer_status_database_stops_no_pull_and_is_not_touched",
            "f12_agents_keep_what_they_report_until_the_newer_airlock_is_back",
        ],
        &[],
    ),
    (
        "F17: a log that was changed",
        &[
            "the_first_bad_row_is_named",
            "a_log_that_was_changed_is_named_by_its_first_row",
            "a_broken_log_stops_what_changes_and_nothing_else",
        ],
        &[],
    ),
    (
        "F18: what a process never needs, and what surrounds it",
        &[
            "a_confined_process_accepts_but_does_not_reach_out",
            "every_thread_of_an_import_is_confined",
            "f20_no_raw_call_reaches_out_and_what_a_server_does_goes_on",
            "without_a_network_everything_is_the_same",
            "verify_and_import_make_no_network_call_at_all",
            "f18_the_whole_run_reaches_nothing_but_this_machine",
            "f18_environment_and_current_folder_change_nothing",
        ],
        &[],
    ),
    (
        "F19: a planted state folder, and another user than its owner",
        &[
            "f19_nothing_that_was_planted_is_followed_written_or_waited_for_by_an_import",
            "f19_what_stands_in_a_blobs_place_is_set_aside",
            "f19_no_command_works_in_a_state_with_something_planted",
            "f19_a_server_starts_on_nothing_that_was_planted",
            "f19_root_works_in_no_folder_of_a_service_user_and_is_told_the_command",
            "f19_the_command_that_is_named_works",
            "f19_the_owner_is_compared_before_anything_is_opened",
            "f19_another_user_is_told_to_become_the_owner",
            "f19_nothing_inside_belongs_to_another_user",
            "f19_the_folders_above_are_roots_where_root_works",
        ],
        &[],
    ),
    (
        "F20: sending to addresses, io_uring, x32, and what else a confined process never needs",
        &[
            "a_confined_process_accepts_but_does_not_reach_out",
            "f20_no_raw_call_reaches_out_and_what_a_server_does_goes_on",
        ],
        &[],
    ),
    (
        "F21: panics in long-lived threads and tasks",
        &[
            "f21_the_watcher_goes_on_and_is_not_ready_until_it_does",
            "f21_a_check_that_panics_is_not_a_check_that_passed",
            "f21_the_writer_of_statuses_answers_who_waits_and_goes_on",
            "f21_a_writer_that_panics_at_the_end_does_not_keep_the_server",
            "f21_accepting_and_connections_go_on_and_seats_come_back",
            "f21_a_request_that_panics_is_answered_and_the_next_is_served",
            "f21_a_piece_that_panics_breaks_one_answer_off",
            "f21_an_expensive_login_that_panics_gives_its_place_back",
            "f21_a_certificate_is_shown_on_while_nobody_can_look_after_it",
            "f21_an_import_whose_threads_panic_ends_as_after_any_error",
            "f21_a_verification_whose_threads_panic_ends_with_its_code",
            "f21_a_creation_whose_threads_panic_leaves_no_file",
            "f21_the_demo_ends_with_its_agent",
            "a_panic_ends_the_run_in_the_place_of_its_job",
        ],
        &[],
    ),
    (
        "F22: init over any part of a state",
        &[
            "f22_over_every_subset_of_a_state_nothing_is_touched",
            "f22_what_is_not_airlocks_is_refused_and_untouched",
            "f22_new_and_empty_folders_are_taken",
            "f22_an_interrupted_init_is_refused_or_whole",
            "f22_an_init_that_failed_says_what_it_left",
            "f22_a_whole_copy_in_its_place_works",
            "every_command_that_a_message_names_exists",
        ],
        &[],
    ),
    (
        "F23: damage heals by the same bundle, and is told meanwhile",
        &[
            "f23_every_file_in_every_state_comes_back",
            "f23_the_kept_head_and_the_hashes_of_pieces_come_back",
            "f23_twenty_clients_pull_while_blobs_are_damaged_and_healed",
            "f23_everybody_tells_of_damage_until_it_is_healed",
            "f23_a_release_that_is_not_live_is_told_and_harms_nobody",
            "f23_an_expired_bundle_heals_what_is_here_and_brings_in_nothing_new",
            "f23_an_earlier_release_is_healed_and_no_mark_moves",
            "f23_bytes_of_several_vendors_are_healed_by_either",
            "f23_healing_that_is_killed_anywhere_is_finished_by_the_next",
            "f23_a_full_disk_stops_healing_and_loses_nothing",
            "a_damaged_head_or_pin_concerns_its_own_vendor",
            "every_remedy_is_followed_by_a_test",
        ],
        &[],
    ),
    (
        "F24: the auditor's shell page",
        &["f24_the_auditors_page_follows_no_link_and_believes_no_forgery"],
        &[],
    ),
];
