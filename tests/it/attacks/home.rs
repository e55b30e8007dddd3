//! Which tests show cases S01 to S12: packages on their way home, what answers them, and who must learn nothing of whom.

use super::Case;

/// The table; tests stand where they belong.
pub(super) const CASES: &[Case] = &[
    (
        "S01: a package that was changed, or that another signed",
        &[
            "s01_what_was_flipped_leaves_one_row_at_the_vendor",
            "s01_what_was_cut_or_made_longer_leaves_one_row_at_the_vendor",
            "s01_no_site_signs_for_another",
            "every_flipped_bit_of_a_package_is_refused_with_the_class_of_its_region",
            "every_cut_of_a_package_is_told_and_what_was_not_there_was_not_read",
            "every_package_and_acknowledgement_is_judged_as_by_the_other_reader",
            "v2_takes_packages_for_this_vendor_from_sites_that_count",
            "v3_takes_the_key_in_force_alone",
            "v9_receipts_are_signed_by_the_site",
            "every_bit_and_every_cut_is_refused",
        ],
        &["v1-", "v2-", "v3-", "v6-", "v7-"],
    ),
    (
        "S02: packages that come again, late, not at all, or overlap",
        &[
            "a_good_package_is_taken_in_once",
            "packages_may_be_lost_doubled_and_out_of_order",
            "the_packages_of_a_run_join_in_any_order",
            "a_missing_package_is_found_once_and_settled_when_it_comes",
            "numbers_that_no_package_told_are_found_until_they_are_covered",
            "v11_what_is_known_comes_again_the_same",
            "an_older_package_tells_facts_and_no_state",
            "both_sides_come_to_what_the_model_says",
        ],
        &["v5-", "v11-"],
    ),
    (
        "S03: a copied or restored site",
        &[
            "s03_a_copied_folder_begins_another_life_by_itself_and_the_original_goes_on",
            "s03_two_who_open_a_copy_at_once_begin_one_life",
            "v5_one_number_has_one_head",
            "v5_the_one_before_is_looked_at_from_behind_too",
            "evidence_is_kept_of_the_newest_sixteen",
            "what_was_found_is_told_and_what_was_ended_no_more",
            "what_was_never_signed_here_says_whether_the_state_was_turned_back_or_lives_twice",
            "a_recovered_site_goes_on_after_what_both_share",
            "a_folder_that_was_restored_from_an_old_copy_is_shown",
            "another_life_is_begun_by_who_means_it",
        ],
        &["v5-", "v4-lineage"],
    ),
    (
        "S04: what belongs to another door, and what looks like it",
        &[
            "s04_a_package_is_no_bundle_whatever_its_texts_say_and_a_bundle_is_no_package",
            "s04_no_site_imports_what_goes_home_though_its_own_key_signed_it",
            "a_bundle_is_no_package_and_a_package_no_bundle_and_both_say_where_to_take_it",
            "what_the_role_did_not_sign_frees_nothing_and_nobody_is_told",
        ],
        &["v3-type"],
    ),
    (
        "S05: a hostile appliance",
        &[
            "s05_the_ends_of_time_and_names_that_look_like_paths_are_words",
            "v0_copies_files_within_a_limit_and_one_process_at_a_time",
            "what_is_behind_the_head_is_read_under_its_caps",
            "nothing_reaches_a_terminal_a_parser_a_page_or_a_spreadsheet_as_more_than_text",
            "hostile_words_of_a_site_move_no_cursor",
            "two_sites_never_touch_each_others_rows",
            "what_packages_bring_is_answered_and_what_a_stranger_says_is_not_named",
            "status_package_neither_panics_nor_hangs",
        ],
        &["v7-bomb", "v8-", "v4-257"],
    ),
    (
        "S06: secrets",
        &[
            "s06_nothing_leaves_that_must_not_and_texts_only_where_they_are_shown",
            "no_more_is_promised_than_is_done_where_texts_leave",
        ],
        &["v8-shows"],
    ),
    (
        "S07: what leaves is what was reviewed",
        &[
            "another_digest_lets_nothing_out",
            "a_file_that_was_changed_behind_our_back_is_never_signed",
            "a_draft_that_shows_more_than_is_asked_for_stays_here",
            "a_draft_needs_as_many_approvals_as_the_site_says",
            "what_was_signed_under_a_wider_profile_does_not_leave_by_its_name",
            "what_was_signed_before_people_had_to_agree_waits_for_them",
            "fewer_approvals_are_said_and_stand_in_the_log",
        ],
        &[],
    ),
    (
        "S08: what else a package could carry",
        &[
            "s08_a_package_has_no_room_for_anything_but_what_was_reviewed",
            "what_was_previewed_is_what_leaves_and_again_the_same_bytes",
            "good_packages_are_made_again_byte_for_byte",
            "sizes_are_rounded_as_the_table_says",
        ],
        &["v1-", "v6-fill", "v8-order", "v8-quoted"],
    ),
    (
        "S09: an export that is stopped, and media that fail or lie",
        &[
            "s09_a_medium_that_does_not_give_back_what_it_took_has_no_package",
            "every_changing_call_of_an_export_may_be_the_last",
            "every_changing_call_of_an_approval_may_be_the_last",
            "every_changing_call_of_a_preview_may_be_the_last",
            "every_other_byte_and_every_other_end_is_seen",
            "a_pipe_takes_it_whole_or_nothing_is_said_to_have_left",
            "what_did_not_get_out_goes_first_unless_it_is_covered_or_gone",
        ],
        &[],
    ),
    (
        "S10: acknowledgements that free nothing",
        &[
            "every_condition_has_its_code_and_frees_nothing",
            "what_the_role_did_not_sign_frees_nothing_and_nobody_is_told",
            "a_vendors_key_works_in_its_own_stream_alone",
            "nothing_is_taken_back_by_lower_numbers",
            "a_run_is_proven_by_all_of_its_packages",
            "a_draft_is_nothing_that_a_vendor_can_have",
            "a_refused_one_never_refuses_the_release_that_brings_it",
            "what_was_acknowledged_goes_after_its_days_but_never_what_is_known_of_a_revision",
            "every_number_is_accounted_for_after_shedding_folding_and_damage",
        ],
        &["ack-"],
    ),
    (
        "S11: logs and receipts that do not go on",
        &[
            "v10_the_log_goes_on_as_it_was",
            "v11_what_is_known_comes_again_the_same",
            "a_receipt_names_a_row_of_the_log_or_it_is_found_until_that_comes",
            "alarms_are_shown_whatever_becomes_of_the_rest_and_stand_until_the_next_says_otherwise",
            "an_acknowledgement_names_a_seal_of_the_stream",
        ],
        &["v9-", "v10-"],
    ),
    (
        "S12: two vendors on one appliance",
        &[
            "s12_a_package_is_the_same_with_and_without_another_vendor",
            "s12_what_was_let_go_stays_what_it_was_whoever_has_it_next",
            "s12_a_stream_is_the_same_with_and_without_another_vendor",
            "s12_a_claim_of_anothers_target_is_told_as_a_local_matter",
            "nothing_in_a_stream_tells_of_another_one",
        ],
        &[],
    ),
];
