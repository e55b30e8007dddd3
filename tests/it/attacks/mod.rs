//! Cases A, F, J, K, R and S of the attack catalogue: what is tried against agents' routes, documents, the registry and the way home from
//! outside.
//!
//! Each test is named by its case, says the exact status or class, compares the world with the one before (`snapshot`), and has its
//! positive twin beside it. [`CASES`] says which tests belong to which case, wherever they stand; a test makes sure that they are there.

mod auditor;
mod bodies;
mod documents;
mod floods;
mod home;
mod logins;
mod proportion;
mod registry;
mod secrets;
mod site;
mod snapshot;
mod status_database;
mod strangers;
mod tokens;
mod unknown_ids;

use std::path::Path;

use crate::format::vectors::{described, vectors};

/// Case, tests of `tests/` and `src/` that show it, and vectors of `bad` in `bundle-spec/vectors` and
/// `bundle-spec/status-vectors` by the beginning of their names.
type Case = (&'static str, &'static [&'static str], &'static [&'static str]);

/// Which tests show which case.
const CASES: &[Case] = &[
    (
        "A01: nobody speaks for another target",
        &[
            "a01_nobody_reads_or_writes_for_another",
            "a01_what_is_said_of_another_target_is_stored_nowhere",
            "a01_every_pair_of_targets",
        ],
        &[],
    ),
    (
        "A02: a target that is gone is nobody",
        &[
            "a02_a_removed_target_is_nobody_from_the_next_request_on",
            "a02_a_token_ends_with_its_target_or_when_it_is_revoked",
        ],
        &[],
    ),
    (
        "A03: storms of logins",
        &[
            "a03_a_spray_of_logins_starves_nobody",
            "a03_one_answer_for_every_failure",
            "a03_five_hundred_logins_at_once_end_in_answers_and_the_right_one_gets_in",
            "two_at_a_time_and_unknown_ids_never_take_both_places",
        ],
        &[],
    ),
    (
        "A04: secrets on the way",
        &[
            "a04_nothing_with_a_secret_is_kept_on_the_way",
            "a04_no_secret_in_logs_answers_or_files",
            "no_secret_is_kept_logged_or_shown",
        ],
        &[],
    ),
    (
        "A05: hostile bodies",
        &[
            "a05_broken_bodies_leave_no_trace",
            "a05_thousands_of_nearly_good_bodies",
            "what_will_never_be_right_is_400_and_says_why",
            "bodies_that_never_say_how_long_they_are_are_taken_up_to_50_mib",
        ],
        &[],
    ),
    (
        "A06: an agent that never stops",
        &[
            "a06_logs_for_ever_leave_a_gap_record_and_every_status",
            "requests_over_the_budget_wait_and_other_targets_do_not",
            "a_burst_of_log_requests_is_accounted_for_to_the_line",
            "the_oldest_text_of_a_flooding_target_goes_and_nobody_elses",
            "what_waits_is_bounded_and_statuses_do_not_wait_for_logs",
            "a_full_disk_refuses_statuses_until_there_is_room",
        ],
        &[],
    ),
    (
        "A08: hostile text",
        &[
            "a08_hostile_text_is_data",
            "a08_hostile_text_moves_no_cursor",
            "what_agents_report_is_shown_and_cannot_touch_the_terminal",
        ],
        &[],
    ),
    (
        "A09: clocks of agents",
        &[
            "a09_logins_that_succeed_are_not_counted",
            "a09_a_dead_clock_issues_tokens_for_agents_with_right_ones",
            "a09_a_jump_of_the_clock_ends_in_new_tokens_for_all",
            "a09_clocks_that_are_wrong_keep_their_agents",
        ],
        &[],
    ),
    (
        "A10: a changed document",
        &["a10_a_changed_document_is_503_and_never_an_empty_list"],
        &[],
    ),
    (
        "J10: documents that need what is not carried",
        &[
            "what_no_site_can_do_is_refused_by_name",
            "the_list_is_complete_and_names_every_place",
            "an_image_that_is_not_in_the_bundle_is_refused_by_name",
            "what_looks_hostile_and_is_not_is_read",
            "values_that_repeat_earlier_ones_are_bounded",
            "everything_missing_is_one_list",
            "hostile_archives_are_refused_by_name",
            "a_plan_refuses_what_its_desired_state_lacks",
            "j10_what_a_release_names_stays_in_its_folder_unless_allowed_by_name",
            "j10_one_list_of_everything_outside_with_a_remedy_for_each",
            "j10_paths_of_home_folders_and_windows_are_no_paths_here",
            "j10_pipes_and_devices_in_a_release_are_refused_unopened",
            "gzipped_layouts_expand_under_a_bound",
        ],
        &["j10-"],
    ),
    (
        "J11: secrets in clear",
        &[
            "every_secret_is_refused_by_name_and_its_twin_is_built",
            "a_secret_is_refused_by_policy_and_never_shown",
            "j11_credentials_go_to_the_registrys_own_token_service_or_to_one_by_name",
            "j11_what_a_token_service_is_sent_follows_no_redirect_to_another_host",
        ],
        &["j11-"],
    ),
    (
        "J14: the cost of a verifier",
        &["the_cost_of_a_verifier_is_nobodys_choice"],
        &["j14-"],
    ),
    (
        "R02: what a repository does not reach",
        &[
            "r02_what_a_repository_does_not_reach_is_not_there",
            "r02_d18_a_token_sees_its_own_product_and_nothing_else",
        ],
        &[],
    ),
    (
        "R07: writes",
        &["r07_no_method_on_any_route_changes_anything", "nothing_can_be_written"],
        &[],
    ),
    ("R08: lists", &["r08_lists_show_what_a_token_may_pull_and_no_more"], &[]),
    (
        "R09: forged tokens",
        &[
            "r09_no_other_algorithm_key_or_header_opens_any_door",
            "r09_no_other_algorithm_key_or_header",
        ],
        &[],
    ),
    (
        "R10: tokens that say something else",
        &[
            "r10_no_other_claims_open_any_door",
            "r10_every_claim_is_there_and_of_its_type",
        ],
        &[],
    ),
    (
        "R11: hosts of requests",
        &[
            "r11_only_known_hosts_are_answered_and_none_comes_back",
            "r11_r13_no_answer_repeats_a_host",
        ],
        &[],
    ),
    (
        "R12: slow, many and twofold requests",
        &[
            "r12_no_request_in_a_request",
            "r12_a_body_that_does_not_come_is_cut_off",
            "slow_connections_are_closed_and_others_served_meanwhile",
            "one_address_cannot_take_every_connection",
            "heads_that_no_client_sends_are_refused",
            "clients_that_do_not_finish_a_handshake_or_do_not_read_are_closed",
        ],
        &[],
    ),
    (
        "R13: plain HTTP, certificates, challenges",
        &[
            "r13_without_credentials_there_is_one_answer",
            "what_must_be_said_first_is_refused_with_its_exit_code",
            "a_certificate_that_cannot_be_shown_stops_a_start_that_needs_it",
            "without_a_certificate_plain_http_goes_on_until_there_is_one",
            "a_certificate_that_expires_later_is_shown_on_and_said_to_be_expired",
            "agent_images_are_for_everybody_in_every_mode",
        ],
        &[],
    ),
    (
        "P20: isolation by product",
        &["d18_a_product_cannot_take_over_the_target_of_another"],
        &[],
    ),
    (
        "D9: what is rewritten and substituted, and what is not",
        &[
            "every_place_gets_the_address_and_nothing_else_changes",
            "a_rewritten_file_is_equivalent",
        ],
        &[],
    ),
    (
        "J16: answers out of proportion to a bundle",
        &[
            "every_bad_vector_changes_nothing_and_a_newer_bundle_imports_afterwards",
            "a_dry_run_says_the_same_and_writes_one_row",
            "the_program_refuses_every_bad_vector_with_its_exit_code",
            "j16_the_vendor_is_told_which_deployments_before_anything_is_packed",
        ],
        &["j16-"],
    ),
    (
        "J18: members of another type than the specification's",
        &[
            "every_bad_vector_changes_nothing_and_a_newer_bundle_imports_afterwards",
            "the_product_and_the_independent_verifier_agree_on_forged_bundles",
        ],
        &["j18-"],
    ),
    (
        "K13: an expired root is its own vendor's matter",
        &["k13_an_expired_root_is_its_own_vendors_matter"],
        &["k13-"],
    ),
    (
        "K16: what was there before",
        &["every_bad_vector_changes_nothing_and_a_newer_bundle_imports_afterwards"],
        &["k16-"],
    ),
    (
        "K18: a floor that is gone",
        &["k18_a_floor_that_is_gone_is_damage"],
        &[],
    ),
    (
        "K20: dates ahead of the clock",
        &[
            "k20_a_release_from_the_future_waits_for_a_person",
            "k20_a_date_after_the_root_is_confirmed_by_nobody",
            "k20_k22_k23_k24_nothing_that_others_bring_in_changes_anything_for_a",
        ],
        &["k20-"],
    ),
    (
        "K22: dates of another vendor, and everything else of it",
        &[
            "k22_no_date_of_another_vendor_moves_anything",
            "k22_a_time_reset_is_for_its_own_domain",
            "k20_k22_k23_k24_nothing_that_others_bring_in_changes_anything_for_a",
        ],
        &[],
    ),
    (
        "K23: UUIDs of others",
        &[
            "k23_a_uuid_is_its_first_vendors_before_it_is_live_while_it_is_and_after",
            "k23_anothers_uuid_in_removed_imports_and_nothing_of_its_owner_changes",
            "a_squatter_is_sent_away_and_takes_nothing_along",
            "between_products_a_uuid_goes_over_once_the_live_release_lets_it_go",
            "of_two_channels_the_one_that_had_it_live_first_has_it",
            "removal_ends_tokens_and_keeps_the_secret_for_the_same_owner",
        ],
        &["k23-"],
    ),
    (
        "K24: names of others",
        &[
            "a_tag_is_answered_by_the_scope_that_had_it_live_first_and_by_nobody_else",
            "below_a_home_host_there_are_no_tags_and_no_referrers_of_other_domains",
            "a_host_belongs_to_nobody_where_many_publish_or_another_was_there_before",
            "names_without_host_are_asked_in_the_order_in_which_homes_were_first_live",
            "a_tag_about_an_image_belongs_to_whom_the_image_belongs_to",
            "a_media_type_is_stated_by_who_answers",
            "referrers_are_those_of_the_scope_that_had_their_subject_first",
            "a_repository_is_not_public_because_another_scope_names_it_as_its_agents",
            "a_chart_is_served_as_it_was_signed",
            "k20_k22_k23_k24_nothing_that_others_bring_in_changes_anything_for_a",
        ],
        &[],
    ),
    (
        "J17: work out of proportion to a bundle",
        &[
            "every_bad_vector_changes_nothing_and_a_newer_bundle_imports_afterwards",
            "a_dry_run_says_the_same_and_writes_one_row",
            "every_twin_imports",
            "j17_what_refers_to_an_image_is_kept_once_whatever_names_it",
            "j17_rows_follow_the_lines_of_the_index",
            "j17_the_vendor_is_refused_what_sites_would_refuse",
            "index_lines_are_bounded",
            "questions_asked_for_every_blob_are_looked_up",
        ],
        &["j17-"],
    ),
    (
        "R14: what is in flight",
        &[
            "r14_slow_readers_of_long_manifests_hold_nothing_and_others_are_served",
            "r14_lists_that_nobody_takes_are_bounded_for_each_address",
            "r14_j16_what_a_target_shall_run_is_made_as_its_agent_takes_it",
            "r14_a_long_answer_of_changed_documents_is_503_and_never_half_a_list",
            "r14_two_hundred_first_readers_of_a_layer_take_no_thread_each_and_agents_poll",
            "r14_a_question_about_the_head_reads_no_blob",
        ],
        &[],
    ),
    (
        "R14: all seats taken",
        &[
            "r14_idle_connections_give_way_to_whoever_has_a_request",
            "r14_peers_with_tokens_keep_seats_that_nobody_at_work_can_take",
            "r14_who_is_told_an_answer_is_never_cut_off_for_another",
            "r14_connections_leave_files_for_everything_else",
            "r14_too_few_files_stop_the_start_and_say_what_to_do",
            "one_ipv6_network_and_one_mapped_address_are_one_peer",
            "the_peer_with_most_gives_way_and_its_longest_idle_connection_first",
        ],
        &[],
    ),
    (
        "R15: names that were made to lead here, and proxies",
        &[
            "r15_a_name_that_was_made_to_lead_here_gets_nothing_on_any_path",
            "r15_every_way_that_clients_name_this_appliance_is_known",
            "r15_what_a_proxy_passed_on_is_nobody_of_this_machine",
        ],
        &[],
    ),
];

#[test]
fn every_case_has_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = String::new();
    for folder in ["src", "tests"] {
        gather(&root.join(folder), &mut sources);
    }
    let mut bad: Vec<String> = vectors("bad").into_iter().map(|vector| vector.name).collect();
    bad.extend(described("status-vectors/bad").into_iter().map(|(name, ..)| name));
    for id in site::MUST_HOLD {
        let has_entry = site::CASES.iter().any(|(case, ..)| case.split(':').next() == Some(id));
        assert!(has_entry, "{id} has no entry");
    }
    for (case, tests, prefixes) in CASES.iter().chain(home::CASES).chain(site::CASES) {
        for test in *tests {
            assert!(is_test(&sources, test), "{case}: there is no test {test}");
        }
        for prefix in *prefixes {
            let count = bad.iter().filter(|name| name.starts_with(prefix)).count();
            assert!(count > 1, "{case}: {count} vectors {prefix}*");
        }
        assert!(!tests.is_empty());
    }
}

/// Whether there is a test of that name, in a module of tests or not; a line of its own may say for which features.
fn is_test(sources: &str, name: &str) -> bool {
    let function = format!("fn {name}(");
    sources.match_indices(&function).any(|(at, _)| {
        let mut above = sources[..at].trim_end_matches(' ').lines().rev();
        let line = above.next().map(str::trim_start);
        let line = line
            .filter(|line| !line.starts_with("#[cfg("))
            .or_else(|| above.next().map(str::trim_start));
        line == Some("#[test]")
    })
}

#[expect(clippy::disallowed_methods, reason = "committed files of the project")]
fn gather(folder: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}
