//! Each file of `cases/` is a test of each destination.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{
    case::{Case, Place as _, run},
    files::FilesPlace,
    postgres::PostgresSchema,
    sqlite::SqliteFile,
    webhook::Hook,
};

fn read(name: &str) -> Case {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(format!("{name}.json"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

async fn hold(name: &str) {
    let case = read(name);
    run(&case, &SqliteFile::new()).await;
    if !case.needs_tables() {
        run(&case, &Hook::new().await).await;
    }
    for place in PostgresSchema::on_each_server() {
        run(&case, &place).await;
    }
    for place in FilesPlace::all().iter().filter(|place| place.has_sql() || !case.needs_sql()) {
        run(&case, place).await;
    }
}

/// Cases in which somebody alters the table by hand, or rows of another table are filled: a receiver's tables are its own.
const NOT_FOR_A_WEBHOOK: [&str; 26] = [
    "a_column_that_is_filled_later_is_matched_by_then",
    "a_column_that_is_held_as_text_is_foreseen_as_text",
    "a_column_that_was_dropped_by_hand_is_added_again_and_asked_for_again",
    "a_constraint_that_was_added_by_hand_refuses_the_batch_whole_and_says_so",
    "a_link_stays_when_the_rules_find_nothing_any_more_and_moves_when_they_find_another_row",
    "a_link_whose_row_is_gone_is_made_anew_even_if_a_person_made_it",
    "a_number_of_theirs_is_compared_as_the_text_that_it_is",
    "a_person_decides_and_the_rules_do_not_touch_it",
    "a_record_is_linked_to_the_one_row_that_the_first_alternative_finds",
    "a_sweep_whose_marks_were_dropped_by_hand_begins_anew",
    "a_table_that_cannot_be_matched_with_is_refused_before_anything_is_written",
    "a_table_that_was_dropped_by_hand_is_made_again_and_read_from_the_start",
    "a_table_whose_versions_were_dropped_by_hand_is_read_anew",
    "a_write_that_is_refused_links_and_fills_nothing",
    "an_older_version_does_not_fill_a_row_with_older_values",
    "an_unmatched_record_is_tried_again_when_it_changes_and_when_it_is_asked_for",
    "connections_and_streams_have_their_own_links",
    "in_removal_mode_and_after_a_sweep_links_are_marked_too",
    "of_several_records_for_one_row_the_one_that_changed_last_fills_it",
    "rows_that_overrule_replace_newer_ones",
    "rules_that_have_changed_are_applied_to_every_record_by_the_next_write",
    "several_rows_make_a_record_ambiguous_and_are_left_as_they_are",
    "the_link_of_a_deleted_record_is_marked_and_its_row_stays",
    "unmatched_records_are_counted_and_not_kept_when_nobody_wants_them",
    "values_may_be_compared_without_case_and_blanks",
    "what_a_run_would_link_and_fill_is_foreseen_and_nothing_is_written",
];

macro_rules! cases {
    ($($name:ident,)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                hold(stringify!($name)).await;
            }
        )*

        #[test]
        fn every_case_but_those_about_tables_of_others_is_held_against_a_webhook() {
            let without: BTreeSet<&str> = [$(stringify!($name)),*].into_iter().filter(|name| read(name).needs_tables()).collect();
            assert_eq!(without, BTreeSet::from(NOT_FOR_A_WEBHOOK));
        }

        #[test]
        fn no_case_is_forgotten() {
            let files: BTreeSet<String> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("cases"))
                .unwrap()
                .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
                .collect();
            assert_eq!(files, BTreeSet::from([$(stringify!($name).to_owned()),*]));
        }
    };
}

cases! {
    a_batch_deletes_after_it_writes,
    a_column_may_not_be_called_as_one_of_orgtides_own,
    a_column_that_is_filled_later_is_matched_by_then,
    a_column_that_is_held_as_text_is_foreseen_as_text,
    a_column_that_is_no_longer_mapped_stays_as_it_was,
    a_column_that_the_mapping_adds_leaves_the_checkpoint_as_it_is,
    a_column_that_was_dropped_by_hand_is_added_again_and_asked_for_again,
    a_constraint_that_was_added_by_hand_refuses_the_batch_whole_and_says_so,
    a_delete_without_a_version_deletes,
    a_deleted_record_that_is_created_again_is_there,
    a_link_stays_when_the_rules_find_nothing_any_more_and_moves_when_they_find_another_row,
    a_link_whose_row_is_gone_is_made_anew_even_if_a_person_made_it,
    a_nul_in_a_text_is_kept,
    a_number_of_theirs_is_compared_as_the_text_that_it_is,
    a_number_that_becomes_text_keeps_its_value_and_takes_any_text,
    a_patch_fills_only_its_column_and_only_in_rows_that_are_there,
    a_patch_is_written_with_its_checkpoint_and_only_under_its_epoch,
    a_patch_of_a_table_without_versions_fills_what_is_there,
    a_patch_of_one_stream_leaves_rows_of_another,
    a_patch_of_several_columns_keeps_types_and_other_connections,
    a_patch_or_row_without_a_version_is_filled,
    a_person_decides_and_the_rules_do_not_touch_it,
    a_reading_that_does_not_sweep_leaves_the_marks,
    a_record_is_linked_to_the_one_row_that_the_first_alternative_finds,
    a_row_is_of_the_stream_that_wrote_it_last_and_only_that_one_deletes_it,
    a_row_that_a_sweep_has_flagged_comes_back,
    a_row_that_a_sweep_has_named_and_left_as_it_is_stays,
    a_row_that_is_newer_than_what_a_sweep_read_is_not_swept,
    a_row_that_was_written_before_streams_had_names_can_be_deleted_and_patched,
    a_row_whose_version_is_missing_is_not_lost,
    a_sweep_completed_twice_deletes_nothing_more,
    a_sweep_flags_what_was_not_named_and_nothing_of_other_connections,
    a_sweep_goes_on_with_its_generation_after_a_restart,
    a_sweep_leaves_other_streams_of_the_table_alone,
    a_sweep_removes_what_was_not_named_when_the_table_removes,
    a_sweep_whose_marks_were_dropped_by_hand_begins_anew,
    a_table_can_change_how_it_deletes,
    a_table_may_be_called_as_sql_calls_the_arriving_row,
    a_table_may_have_nothing_but_ids,
    a_table_that_cannot_be_matched_with_is_refused_before_anything_is_written,
    a_table_that_was_dropped_by_hand_is_made_again_and_read_from_the_start,
    a_table_that_was_made_without_streams_and_sweeps_gets_their_columns,
    a_table_whose_versions_were_dropped_by_hand_is_read_anew,
    a_table_without_versions_takes_what_comes_last,
    a_text_that_looks_like_a_number_or_a_date_stays_a_text,
    a_write_that_is_refused_links_and_fills_nothing,
    an_added_column_is_null_in_older_rows,
    an_empty_batch_saves_its_checkpoint,
    an_empty_text_is_not_null,
    an_equal_stamp_replaces_the_row,
    an_integer_that_becomes_a_decimal_keeps_its_value,
    an_older_delete_leaves_a_newer_row,
    an_older_epoch_cannot_take_over,
    an_older_epoch_writes_nothing,
    an_older_patch_leaves_a_newer_row,
    an_older_sweeping_run_sweeps_nothing,
    an_older_version_after_a_newer_one_changes_nothing,
    an_older_version_does_not_fill_a_row_with_older_values,
    an_unmatched_record_is_tried_again_when_it_changes_and_when_it_is_asked_for,
    another_installation_under_the_same_connection_name_is_refused,
    another_org_under_the_same_connection_name_is_refused,
    any_text_is_kept_as_it_is,
    connections_and_streams_have_their_own_links,
    decimals_of_eighteen_digits_are_exact,
    deleting_an_unknown_record_changes_nothing,
    every_column_but_the_id_may_be_null,
    extreme_dates_times_and_integers_are_kept,
    identifiers_may_be_longer_than_a_destination_allows,
    in_removal_mode_a_deleted_record_is_gone_and_can_come_back,
    in_removal_mode_and_after_a_sweep_links_are_marked_too,
    of_duplicates_in_one_batch_the_last_stays,
    of_several_records_for_one_row_the_one_that_changed_last_fills_it,
    reserved_names_and_any_alphabet_are_names_like_any_other,
    rows_may_arrive_in_any_order,
    rows_of_another_installation_or_org_are_not_removed,
    rows_that_give_their_place_to_another_org_are_gone_and_no_late_writer_brings_them_back,
    rows_that_overrule_replace_newer_ones,
    rules_that_have_changed_are_applied_to_every_record_by_the_next_write,
    several_rows_make_a_record_ambiguous_and_are_left_as_they_are,
    the_checkpoint_is_given_back_after_a_restart,
    the_link_of_a_deleted_record_is_marked_and_its_row_stays,
    the_longest_text_is_kept_whole,
    the_same_batch_twice_is_the_same_as_once,
    two_connections_with_the_same_ids_never_mix,
    two_streams_of_one_connection_keep_their_own_checkpoints,
    two_streams_of_one_object_into_one_table_keep_their_own_checkpoints_and_epochs,
    unmatched_records_are_counted_and_not_kept_when_nobody_wants_them,
    values_may_be_compared_without_case_and_blanks,
    what_a_run_would_link_and_fill_is_foreseen_and_nothing_is_written,
}
