//! Rows whose records are gone though nobody has said so, in every place that rows go to.

use serde_json::{Value, json};

use crate::{
    org::{Acme, Ended},
    place::Place,
};

const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);
/// As if every deletion were older than what the org remembers.
const UNSAID: (&str, &str) = ("ORGTIDE_DELETIONS_MINUTES", "10000000");

async fn sync(acme: &Acme, more: &str) -> Ended {
    let ranges = ("ORGTIDE_SWEEP_RANGE_ROWS", "30");
    let ended = acme.run_with(&format!("sync acme Contact {more} --json"), &[UNSAID, ranges]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    ended
}

fn stream(ended: &Ended) -> Value {
    ended.json()["streams"][0].clone()
}

#[tokio::test]
async fn a_sweep_deletes_rows_without_a_record_and_writes_records_without_a_row_and_status_tells() {
    let folder = tempfile::tempdir().unwrap();
    for place in Place::each(folder.path()).await {
        let acme = Acme::start().await;
        acme.connect().await;
        let control = acme.emulator.control();
        control.advance(HOUR);
        let imported = acme.run(&format!("import acme Contact --fields LastName,Email --to {}", place.to())).await;
        assert_eq!(imported.code, 0, "{imported:?}");
        control.advance(HOUR);
        sync(&acme, "").await;
        let ids = place.texts("SELECT \"Id\" FROM \"Contact\" ORDER BY \"Id\"").await;
        let ids: Vec<String> = ids.into_iter().flatten().collect();
        let (gone, missing) = ([&ids[2], &ids[40]], &ids[3]);
        gone.iter().for_each(|id| control.purge(id).unwrap());
        place.execute(&format!("DELETE FROM \"Contact\" WHERE \"Id\" = '{missing}'")).await;
        control.advance(HOUR);
        let unsaid = stream(&sync(&acme, "").await);
        assert_eq!(
            (&unsaid["id_sweep"], &unsaid["deleted"]),
            (&Value::Null, &json!(0)),
            "it is not time yet: {unsaid}"
        );

        let swept = stream(&sync(&acme, "--sweep").await);
        let found = &swept["id_sweep"]["found"];
        assert_eq!([&found["gone"], &found["missing"], &found["left"]], [&json!(2), &json!(1), &json!(0)], "{swept}");
        assert_eq!((&swept["id_sweep"]["is_whole"], &swept["deleted"]), (&json!(true), &json!(2)), "{swept}");
        let living = |id: &str| format!("\"Contact\" WHERE \"Id\" = '{id}' AND NOT _deleted");
        assert_eq!(place.count(&living(missing)).await, 1);
        assert_eq!(place.count(&living(gone[0])).await + place.count(&living(gone[1])).await, 0);
        assert_eq!(acme.run("verify acme Contact").await.code, 0);

        let status = acme.run("status").await;
        assert!(status.out.contains("2 of them without a record, and 1 record without a row"), "{status:?}");
        let status = acme.run("status --json").await.json();
        assert_eq!(status["connections"][0]["streams"][0]["swept"]["gone"], 2);
        let runs = acme.run("runs acme --json").await.json();
        assert!(runs["runs"].as_array().unwrap().iter().any(|run| run["purpose"] == "sweep"), "{runs}");
    }
}
