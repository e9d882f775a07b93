//! Copies that somebody has touched behind the product's back, in every place that rows go to.

use serde_json::{Value, json};

use crate::{
    org::{Acme, Ended},
    place::Place,
};

const COLUMNS: &str = "LastName,Email,Birthdate,CreatedDate,DoNotCall,MailingLatitude";

async fn verify(acme: &Acme, more: &str) -> Ended {
    acme.run(&format!("verify acme {more} --json")).await
}

fn certificate(ended: &Ended) -> Value {
    ended.json()["streams"][0]["certificate"].clone()
}

/// An org whose contacts have settled and are copied to `place`.
async fn copied(place: &Place) -> Acme {
    let acme = Acme::start().await;
    acme.connect().await;
    let control = acme.emulator.control();
    for number in 0..40 {
        let record = json!({
            "LastName": format!("Né \u{1F600} {number}"),
            "Email": format!("{number}@example.com"),
            "Birthdate": "1970-01-31",
            "DoNotCall": number % 2 == 0,
        });
        control.insert("Contact", record).unwrap();
    }
    control.advance(std::time::Duration::from_secs(3600));
    let imported = acme.run(&format!("import acme Contact --fields {COLUMNS} --to {}", place.to())).await;
    assert_eq!(imported.code, 0, "{imported:?}");
    acme
}

#[tokio::test]
async fn a_copy_is_certified_tampering_is_found_and_repair_puts_exactly_that_right() {
    let folder = tempfile::tempdir().unwrap();
    for place in Place::each(folder.path()).await {
        let acme = copied(&place).await;
        let columns = place.columns("Contact").await;
        let before = place.rows("Contact", &columns).await;
        let equal = verify(&acme, "Contact").await;
        assert_eq!(equal.code, 0, "{equal:?}");
        assert_eq!(certificate(&equal)["differences"]["missing"], 0);

        let ids = place.texts("SELECT \"Id\" FROM \"Contact\" ORDER BY \"Id\"").await;
        let id = |index: usize| ids[index].clone().unwrap();
        let change = |set: &str, id: String| format!("UPDATE \"Contact\" SET {set} WHERE \"Id\" = '{id}';");
        let tampering = [
            format!("DELETE FROM \"Contact\" WHERE \"Id\" = '{}';", id(0)),
            change("\"LastName\" = 'Nobody'", id(1)),
            change("\"Birthdate\" = '1970-02-01'", id(2)),
            change("\"SystemModstamp\" = '2099-01-01T00:00:00.000Z', \"Email\" = NULL", id(3)),
            format!(
                "INSERT INTO \"Contact\" (_connection, \"Id\", \"LastName\", \"SystemModstamp\", _deleted) \
                 SELECT _connection, 'made up', \"LastName\", \"SystemModstamp\", _deleted FROM \"Contact\" \
                 WHERE \"Id\" = '{}';",
                id(4)
            ),
        ];
        place.execute(&tampering.concat()).await;
        let differs = verify(&acme, "Contact").await;
        assert_eq!(differs.code, 7, "{differs:?}");
        let differences = certificate(&differs)["differences"].clone();
        let counts = ["missing", "extra", "altered"].map(|kind| differences[kind].as_u64().unwrap());
        assert_eq!(counts, [1, 1, 3], "{differences}");
        assert_eq!(differences["columns"], json!({"Birthdate": 1, "Email": 1, "LastName": 1, "SystemModstamp": 1}));
        let shallow = verify(&acme, "Contact --depth versions").await;
        assert_eq!(certificate(&shallow)["differences"]["altered"], 1, "only a stamp is seen: {shallow:?}");
        let words = acme.run("verify acme Contact").await;
        assert!(words.out.contains("1 missing, 1 left over, 3 altered"), "{words:?}");
        assert!(words.out.contains("orgtide verify acme Contact --repair"), "{words:?}");
        let status = acme.run("status").await;
        assert!(status.out.contains("differed from its source"), "{status:?}");

        let repaired = verify(&acme, "Contact --repair").await;
        assert_eq!(repaired.code, 0, "{repaired:?}");
        assert_eq!(certificate(&repaired)["repaired"], json!({"missing": 1, "extra": 1, "altered": 3}));
        place.execute("DELETE FROM \"Contact\" WHERE \"Id\" = 'made up' AND _deleted").await;
        assert_eq!(place.rows("Contact", &columns).await, before);
        assert_eq!(verify(&acme, "").await.code, 0);
    }
}

#[tokio::test]
async fn a_certificate_stands_in_the_record_of_its_run_and_in_the_status() {
    let folder = tempfile::tempdir().unwrap();
    let acme = copied(&Place::File(folder.path().join("rows.db"))).await;
    let equal = verify(&acme, "Contact").await;
    let runs = acme.run("runs acme --json").await.json();
    let run = runs["runs"][0].clone();
    assert_eq!((&run["purpose"], &run["state"]), (&json!("verify"), &json!("completed")));
    let shown = acme.run(&format!("runs show {} --json", run["id"].as_str().unwrap())).await.json();
    assert_eq!(shown["certificate"], certificate(&equal));
    let status = acme.run("status --json").await.json();
    let kept = &status["connections"][0]["streams"][0]["certificate"];
    assert_eq!((&kept["is_equal"], &kept["run"]), (&json!(true), &run["id"]));
    assert_eq!(kept["as_of"], certificate(&equal)["as_of"]);
}

#[tokio::test]
async fn what_cannot_be_verified_says_why_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::File(folder.path().join("rows.db"));
    let acme = copied(&place).await;
    let staged = acme.run(&format!("stage build acme Account --fields Name --to {}", place.to())).await;
    assert_eq!(staged.code, 0, "{staged:?}");
    let draft = acme.run("verify acme Account --json").await;
    assert_eq!((draft.code, &draft.json()["error"]["code"]), (3, &json!("not_imported")), "{draft:?}");
    let sample = acme.run(&format!("import acme Account --limit 3 --to {}", place.to())).await;
    assert_eq!(sample.code, 0, "{sample:?}");
    let refused = verify(&acme, "Account").await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert_eq!(refused.json()["streams"][0]["error"]["code"], "not_verified", "{refused:?}");
    let both = verify(&acme, "").await;
    assert_eq!(both.code, 7, "one of them has a certificate: {both:?}");
    place.execute("DELETE FROM _orgtide_checkpoints").await;
    let unfinished = acme.run("verify acme Contact").await;
    assert!(unfinished.err.contains("nothing was imported"), "{unfinished:?}");
    assert!(unfinished.err.contains("orgtide sync acme Contact"), "{unfinished:?}");
}
