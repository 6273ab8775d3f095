//! Each bound of `docs/limits.md` is held by tests, which send so much and one more, or wait so long.

use std::{fs, path::Path};

use crate::documented_limits::{project, rows};

/// The rows of the tables, and the tests that fail if the bound of the row is not kept.
const HELD_BY: &[(&str, &[&str])] = &[
    (
        "exports that are not finished",
        &["a_workspace_with_too_many_unfinished_exports_is_refused_by_every_api"],
    ),
    (
        "exports made on a day (UTC)",
        &["a_workspace_that_made_its_exports_of_a_day_is_refused_by_every_api"],
    ),
    (
        "requests a second, on average",
        &["a_burst_of_requests_passes_and_then_as_many_as_are_allowed_a_second"],
    ),
    (
        "requests at one moment",
        &["a_workspace_that_sends_too_many_requests_is_refused_by_every_api"],
    ),
    ("window, in every API", &["a_window_of_more_than_the_allowed_days_is_refused_by_every_api"]),
    ("end of a window in the future", &["a_window_without_an_end_is_planned_until_tomorrow"]),
    ("partitions of a window", &["a_window_that_nobody_checked_is_not_listed"]),
    (
        "request line and headers",
        &["a_url_of_48_kib_is_answered_by_every_function_and_a_longer_one_told_to_be_too_long"],
    ),
    (
        "body",
        &[
            "the_native_api_takes_each_bound_and_refuses_one_more",
            "the_dialects_take_each_bound_and_refuse_one_more",
        ],
    ),
    ("request as it is stored", &["a_request_has_192_kib_as_it_is_stored"]),
    ("tables; labels", &["the_native_api_takes_each_bound_and_refuses_one_more"]),
    ("columns of a table", &["the_native_api_takes_each_bound_and_refuses_one_more"]),
    (
        "name, label; description",
        &[
            "the_native_api_takes_each_bound_and_refuses_one_more",
            "the_dialects_take_each_bound_and_refuse_one_more",
        ],
    ),
    (
        "shares of an export; note of a share",
        &["an_export_has_100_shares_and_no_more", "every_fault_of_a_share_is_named"],
    ),
    (
        "filter",
        &[
            "the_native_api_takes_each_bound_and_refuses_one_more",
            "the_dialects_take_each_bound_and_refuse_one_more",
            "a_filter_has_128_kib_with_named_filters_written_out",
        ],
    ),
    (
        "comparisons; values of lists; brackets; named in named",
        &[
            "the_native_api_takes_each_bound_and_refuses_one_more",
            "the_dialects_take_each_bound_and_refuse_one_more",
            "named_filters_name_others_ten_deep",
        ],
    ),
    (
        "named filters of a workspace",
        &["named_filters_have_a_number_and_a_length", "named_filters_have_1_mib_together"],
    ),
    (
        "URL of a callback",
        &[
            "the_native_api_takes_each_bound_and_refuses_one_more",
            "the_dialects_take_each_bound_and_refuse_one_more",
        ],
    ),
    (
        "prefix of a copy",
        &[
            "the_native_api_takes_each_bound_and_refuses_one_more",
            "the_dialects_take_each_bound_and_refuse_one_more",
        ],
    ),
    (
        "`Idempotency-Key`",
        &[
            "the_native_api_takes_each_bound_and_refuses_one_more",
            "a_key_stands_for_one_request_for_a_day",
        ],
    ),
    (
        "file of the layout `files`",
        &[
            "the_native_api_takes_each_bound_and_refuses_one_more",
            "the_least_of_a_file_is_taken_and_one_less_refused",
        ],
    ),
    ("calls in a `multi` of Leanplum", &["the_dialects_take_each_bound_and_refuse_one_more"]),
    (
        "exports of Leanplum",
        &[
            "so_many_exports_a_day_and_those_that_fail_do_not_count",
            "what_is_wrong_is_refused_by_its_name",
        ],
    ),
    ("rows of an export of Coveo", &["an_export_has_so_many_rows_and_with_one_more_it_is_refused"]),
    (
        "how long a request waits",
        &[
            "a_wait_ends_with_the_export_and_not_after_its_time",
            "calls_share_the_time_that_is_left_and_none_begins_without_any",
        ],
    ),
    (
        "faults of one answer",
        &[
            "faults_beyond_the_limit_are_counted_and_not_made",
            "what_is_repeated_of_a_request_is_short",
        ],
    ),
    (
        "page of `GET /v1/audit`; entries looked through for it",
        &[
            "every_fault_of_a_query_is_told",
            "a_page_of_the_trail_looks_through_5000_entries_and_no_more",
            "a_page_of_long_entries_fits_an_answer",
        ],
    ),
    (
        "page of `GET /v1/exports`",
        &[
            "the_native_api_takes_each_bound_and_refuses_one_more",
            "a_page_of_large_exports_fits_an_answer",
        ],
    ),
    ("records looked through for a page", &["what_is_looked_through_for_a_whole_list_has_a_bound"]),
    (
        "list of Coveo's exports",
        &[
            "a_list_has_a_thousand_exports_or_4_mib_and_no_more",
            "what_is_looked_through_for_a_whole_list_has_a_bound",
        ],
    ),
    (
        "a request for a token; the token in it",
        &["a_request_that_is_none_is_refused_with_what_to_send"],
    ),
    (
        "life of a token that is exchanged",
        &["a_token_that_is_not_for_us_or_not_good_is_refused_by_what_is_wrong_with_it"],
    ),
    ("workspaces of a token", &["a_token_is_for_90_workspaces_at_most"]),
    ("rules of sign-in", &["rules_that_are_none_are_refused_when_the_function_starts"]),
    (
        "answers of the OpenID provider",
        &["a_provider_that_answers_too_much_or_too_many_keys_is_not_read"],
    ),
    (
        "keys of the OpenID provider",
        &[
            "the_provider_is_asked_every_half_a_minute_at_most_and_every_quarter_of_an_hour_at_least",
            "keys_are_used_for_a_day_while_the_provider_does_not_answer",
        ],
    ),
    ("page of `list_tokens`", &["a_list_of_tokens_is_read_by_pages"]),
    (
        "wait for an export that `Prefer` asks for",
        &["a_client_waits_as_long_as_it_says_and_20_seconds_at_most"],
    ),
    (
        "objects that are explained",
        &[
            "a_hundred_thousand_objects_are_explained_and_no_more",
            "a_dataset_is_listed_once_however_many_tables_are_made_of_it",
        ],
    ),
    (
        "rows of a table in a preview",
        &["a_preview_has_20_rows_or_as_many_as_are_asked_for_up_to_100"],
    ),
    ("rows of all tables in a preview", &["a_preview_says_why_it_shows_no_more"]),
    ("reading for a preview", &["what_is_not_read_in_time_is_left"]),
    (
        "folders listed for a table in a preview",
        &[
            "a_hundred_prefixes_are_listed_and_no_more",
            "twenty_thousand_objects_of_a_part_are_listed_and_no_more",
        ],
    ),
    (
        "objects that are counted beside the console's form",
        &[
            "fifty_thousand_objects_of_a_table_are_counted_and_no_more",
            "what_is_not_listed_in_time_is_not_counted",
        ],
    ),
    (
        "source objects of a range of Amplitude",
        &["no_page_is_asked_for_once_there_are_too_many_objects"],
    ),
    (
        "link behind a download",
        &[
            "a_link_lives_five_minutes_and_never_longer_than_its_archive",
            "an_archive_lives_24_hours_to_the_second",
        ],
    ),
    ("objects of an archive", &["objects_stay_until_the_last_link_to_them_has_ended"]),
    ("name of a download", &["names_are_kept_as_far_as_every_system_takes_them"]),
    (
        "ZIP that Amplitude's API answers itself",
        &["a_zip_of_4_mib_is_answered_itself_and_a_larger_one_led_to"],
    ),
    (
        "failure that only the lake can mend, told again by Amplitude's API",
        &["what_only_the_lake_can_mend_is_not_tried_again_at_each_request"],
    ),
    (
        "export of Amplitude that a request could not wait for, answered though the lake has changed",
        &["whoever_had_to_ask_again_is_told_the_end_of_an_export_though_the_lake_has_changed"],
    ),
    ("job of Leanplum", &["a_job_can_be_asked_for_during_seven_days"]),
    ("time until an export is given up", &["an_export_past_its_deadline_fails_with_a_reason"]),
    (
        "attempts that break, at an export or at the same steps",
        &["builders_that_die_and_attempts_that_break_are_bounded_apart"],
    ),
    ("source objects", &["an_export_of_too_many_objects_fails_with_what_to_do"]),
    (
        "a builder that does not renew its lease",
        &["a_builder_that_does_not_renew_its_lease_has_abandoned_the_export"],
    ),
    (
        "builders that die at an export, or at the same steps",
        &["builders_that_die_and_attempts_that_break_are_bounded_apart"],
    ),
    (
        "times that a message about an export comes",
        &["a_functions_timeout_is_shorter_than_its_lease_and_that_than_the_queues_patience"],
    ),
    (
        "a file without a ZIP",
        &["a_file_without_a_zip_may_be_as_large_as_can_be_written_and_no_larger"],
    ),
    ("files of the layout `files`", &["an_export_has_a_thousand_files_and_no_more"]),
    ("columns of a table as Parquet", &["parquet_has_so_many_columns_and_no_more"]),
    (
        "columns of all row groups of a file of Parquet; what is told of those of an export",
        &[
            "a_file_has_room_for_so_many_row_groups_and_no_more",
            "so_much_can_be_told_of_row_groups_and_no_more",
        ],
    ),
    ("a row group of Parquet", &["a_row_group_has_so_many_rows_and_bytes_and_no_more"]),
    ("footer of an object", &["a_footer_that_claims_much_or_nests_deep_is_refused_by_name"]),
    (
        "columns and groups of an object; how deep they nest",
        &["a_footer_that_claims_much_or_nests_deep_is_refused_by_name"],
    ),
    (
        "a page, decompressed; all pages that are held",
        &["a_page_that_claims_much_is_refused_by_name", "a_bomb_is_not_inflated"],
    ),
    (
        "a row; a record with its lists",
        &[
            "a_value_may_be_as_long_as_a_row",
            "the_rows_of_a_record_have_64_mib_together_and_no_byte_more",
        ],
    ),
    (
        "rows of a source object that cannot be read",
        &["an_object_of_which_hardly_a_row_can_be_read_fails_by_its_first_bad_row"],
    ),
    (
        "bad rows that are listed; a reason",
        &["all_bad_rows_are_counted_and_only_the_first_are_listed", "a_reason_has_a_bound"],
    ),
    (
        "a chunk of Hadoop's Snappy",
        &["a_chunk_of_too_much_plain_text_is_refused_before_it_is_decoded"],
    ),
    ("what is looked at of an object to see what it is", &["nothing_is_lost_by_a_look"]),
    ("times that the body of a source object breaks off", &["a_body_that_never_comes_is_given_up"]),
    ("builders at work", &["no_default_asks_for_what_a_new_account_is_refused"]),
    ("attempts to post a callback", &["posts_are_rarer_and_rarer_and_end_with_the_archive"]),
    (
        "`Retry-After` of a receiver",
        &["a_receiver_that_asks_for_time_is_given_it_up_to_eight_hours"],
    ),
    (
        "a callback, from when it is due",
        &["a_callback_is_given_up_a_day_after_it_was_due_and_no_sooner"],
    ),
    (
        "pause after a failure of ours with a message",
        &["a_message_whose_handling_fails_comes_back_later_and_later_up_to_a_quarter_of_an_hour"],
    ),
    (
        "pause after a failure of ours with what follows an export's end",
        &["what_keeps_failing_after_the_end_is_tried_later_and_later_up_to_an_hour"],
    ),
    (
        "time that whoever ends an export has to send what follows",
        &["an_export_that_has_just_ended_is_not_due_for_its_callback"],
    ),
    (
        "exports that the janitor looks after at once",
        &["an_export_that_hangs_does_not_hold_up_the_others"],
    ),
    (
        "answer of a receiver",
        &[
            "a_server_that_says_nothing_is_left_after_thirty_seconds",
            "what_a_server_should_not_answer_harms_nobody",
        ],
    ),
    ("deliveries that are listed of a callback", &["the_latest_hundred_attempts_are_listed"]),
    ("time to copy a file", &["an_upload_that_takes_too_long_is_aborted"]),
    (
        "failed files of a copy that are told",
        &["a_hundred_files_may_fail_and_one_more_ends_the_copy"],
    ),
    (
        "record of an export; of a count",
        &["a_record_is_kept_30_days_from_its_end_and_that_of_a_count_an_hour"],
    ),
    (
        "columns of all row groups together",
        &["a_footer_that_claims_much_or_nests_deep_is_refused_by_name"],
    ),
    ("columns that are read", &["a_file_has_2000_columns_that_are_read_and_no_more"]),
    ("rows of an object", &["a_page_that_claims_much_is_refused_by_name"]),
    (
        "elements of all lists of a few rows",
        &["lists_of_a_few_rows_have_4194304_elements_and_no_more"],
    ),
    (
        "values of a dictionary, or of a page of lists",
        &["a_page_that_claims_much_is_refused_by_name"],
    ),
    ("a catalog", &["a_catalog_has_4_mib_and_no_more"]),
    ("other buckets of a catalog", &["datasets_may_be_in_buckets_of_other_regions_and_accounts"]),
    ("path of a dataset", &["a_template_has_800_bytes_and_24_placeholders_and_no_more"]),
    (
        "how far from its own time a row may be filed",
        &["rows_are_filed_an_hour_early_or_late_unless_a_dataset_says_otherwise"],
    ),
    (
        "how long after its time an object may arrive in a folder (`delivery_minutes`)",
        &[
            "objects_arrive_a_quarter_of_an_hour_after_their_partition_unless_a_dataset_says_otherwise",
        ],
    ),
    (
        "names of workspaces of a dataset",
        &["a_dataset_names_10000_workspaces_by_200_bytes_and_no_more"],
    ),
    ("fields of a row of CSV or TSV", &["a_row_has_2000_fields_and_no_more"]),
    ("index of a list in a path", &["a_name_with_a_dot_stands_in_quotes"]),
    (
        "what `check_catalog` looks at of a dataset",
        &[
            "an_operator_is_told_what_there_is",
            "rows_tell_how_far_off_they_were_filed_and_what_they_lack",
        ],
    ),
    (
        "what `suggest_catalog` looks at",
        &[
            "a_lake_without_end_is_looked_at_in_a_bounded_number_of_lists",
            "twenty_datasets_of_500_columns_are_suggested_from_64_objects_and_no_more",
        ],
    ),
    (
        "what `suggest_catalog` writes",
        &["twenty_datasets_of_500_columns_are_suggested_from_64_objects_and_no_more"],
    ),
];

/// The text of all sources under a folder.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            *text += &fs::read_to_string(&path).unwrap();
        }
    }
}

/// Tells whether the sources have a test of this name.
fn is_test(sources: &str, name: &str) -> bool {
    sources.split(&format!("fn {name}(")).next().is_some_and(|before| {
        let attributes = before.trim_end_matches("async ").trim_end().rsplit('\n').next();
        before.len() < sources.len()
            && attributes.is_some_and(|line| line.contains("test") && line.contains("#["))
    })
}

#[test]
fn every_bound_of_the_table_is_held_by_a_test() {
    let page = fs::read_to_string(project().join("docs/limits.md")).unwrap();
    let (_, tables) = page.split_once("## What a workspace may use").unwrap();
    let listed: Vec<String> = rows(tables).into_iter().map(|(name, _)| name).collect();
    let is_heading = |name: &str| name == "limit" || name.starts_with("---");
    for name in listed.iter().filter(|name| !is_heading(name)) {
        let held = HELD_BY.iter().find(|(row, _)| row == name);
        let is_held = held.is_some_and(|(_, tests)| !tests.is_empty());
        assert!(is_held, "no test is named for {name:?}");
    }
    let mut text = String::new();
    for folder in ["shared", "functions", "tests/e2e"] {
        sources(&project().join(folder), &mut text);
    }
    for (row, tests) in HELD_BY {
        assert!(listed.iter().any(|name| name == row), "docs/limits.md has no {row:?}");
        for test in *tests {
            assert!(is_test(&text, test), "there is no test {test}, which is to hold {row:?}");
        }
    }
}
