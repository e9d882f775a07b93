//! Each file of `cases/` is a test of each destination.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{
    case::{Case, Place, run},
    sqlite::SqliteFile,
};

async fn hold(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(format!("{name}.json"));
    let case: Case = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let places: [&dyn Place; 1] = [&SqliteFile::new()];
    for place in places {
        run(&case, place).await;
    }
}

macro_rules! cases {
    ($($name:ident,)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                hold(stringify!($name)).await;
            }
        )*

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
    a_column_that_is_no_longer_mapped_stays_as_it_was,
    a_delete_without_a_version_deletes,
    a_deleted_record_that_is_created_again_is_there,
    a_nul_in_a_text_is_kept,
    a_number_that_becomes_text_keeps_its_value_and_takes_any_text,
    a_row_whose_version_is_missing_is_not_lost,
    a_table_can_change_how_it_deletes,
    a_table_may_be_called_as_sql_calls_the_arriving_row,
    a_table_may_have_nothing_but_ids,
    a_table_without_versions_takes_what_comes_last,
    an_added_column_is_null_in_older_rows,
    an_empty_batch_saves_its_checkpoint,
    an_empty_text_is_not_null,
    an_equal_stamp_replaces_the_row,
    an_older_delete_leaves_a_newer_row,
    an_older_epoch_cannot_take_over,
    an_older_epoch_writes_nothing,
    an_older_version_after_a_newer_one_changes_nothing,
    any_text_is_kept_as_it_is,
    decimals_of_eighteen_digits_are_exact,
    deleting_an_unknown_record_changes_nothing,
    extreme_dates_times_and_integers_are_kept,
    in_removal_mode_a_deleted_record_is_gone_and_can_come_back,
    of_duplicates_in_one_batch_the_last_stays,
    reserved_names_and_any_alphabet_are_names_like_any_other,
    rows_may_arrive_in_any_order,
    the_checkpoint_is_given_back_after_a_restart,
    the_longest_text_is_kept_whole,
    the_same_batch_twice_is_the_same_as_once,
    two_connections_with_the_same_ids_never_mix,
    two_streams_of_one_connection_keep_their_own_checkpoints,
}
