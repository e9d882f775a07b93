//! Records that a mapping rejects, from the import to the day they are put right.

use serde_json::{Value, json};

use crate::org::{Acme, rows};

/// Rejects a record without a title, one whose description is no number, and one of an unknown source.
const STRICT: &str = r#"
object = "Contact"
filter = "Department = 'Probe'"

[[columns]]
field = "LastName"

[[columns]]
field = "Title"
column = "title"
required = true

[[columns]]
field = "Description"
column = "number"
as = "integer"
on_misfit = "reject"

[[columns]]
field = "LeadSource"
column = "source"
values = { "Web" = "w" }
other = "reject"
"#;

/// The owners of accounts as people; an account without a site is rejected.
const OWNERS: &str = r#"
object = "Account"
table = "people"
key = "OwnerId"
filter = "Name LIKE 'Probe%'"

[[columns]]
field = "Owner.Username"
column = "login"

[[columns]]
field = "Site"
column = "site"
required = true
"#;

/// An org whose mapping file is `strict.toml`.
struct Strict {
    org: Acme,
    mapping: String,
}

impl Strict {
    async fn of(mapping: &str) -> Self {
        let org = Acme::start().await;
        org.connect().await;
        let file = org.directory.path().join("strict.toml");
        std::fs::write(&file, mapping).unwrap();
        Self { org, mapping: file.display().to_string() }
    }

    fn contact(&self, name: &str, fields: Value) -> String {
        let mut record = json!({"LastName": name, "Department": "Probe", "Title": "Boss", "Description": "7"});
        record["LeadSource"] = "Web".into();
        record.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.org.emulator.control().insert("Contact", record).unwrap().to_string()
    }

    /// One that is fine, and three that are not, each for another reason.
    fn contacts(&self) -> [String; 4] {
        [
            self.contact("Fine", json!({})),
            self.contact("Untitled", json!({"Title": null})),
            self.contact("Wordy", json!({"Description": "seven"})),
            self.contact("Odd", json!({"LeadSource": "Other"})),
        ]
    }

    fn put_right(&self, id: &str) {
        let fields = json!({"Title": "Chief", "Description": "8", "LeadSource": "Web"});
        self.org.emulator.control().update(id, fields).unwrap();
    }

    async fn import(&self) -> Value {
        self.json(&format!("import acme --mapping {}", self.mapping)).await["streams"][0].clone()
    }

    async fn json(&self, line: &str) -> Value {
        let ended = self.org.run(&format!("{line} --json")).await;
        assert!(matches!(ended.code, 0 | 7), "{line}: {ended:?}");
        ended.json()
    }

    /// The rejected records: Ids with the columns that are to blame.
    async fn rejected(&self) -> Vec<(String, String)> {
        let listed = self.json("rejected acme").await["streams"][0].clone();
        let records = listed["records"].as_array().unwrap();
        assert_eq!(listed["total"], records.len(), "{listed}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        records.iter().map(|record| (text(&record["record_id"]), text(&record["problems"][0]["column"]))).collect()
    }

    fn count(&self, condition: &str) -> i64 {
        self.count_in("Contact", condition)
    }

    fn count_in(&self, table: &str, condition: &str) -> i64 {
        rows(&self.org.data().join("acme.db"), &format!("SELECT COUNT(*) FROM {table} WHERE {condition}"))
    }
}

fn sorted(mut records: Vec<(String, String)>) -> Vec<(String, String)> {
    records.sort_unstable();
    records
}

#[tokio::test]
async fn what_a_mapping_rejects_is_listed_with_reasons_and_becomes_rows_once_it_is_put_right() {
    let strict = Strict::of(STRICT).await;
    let [_, untitled, wordy, odd] = strict.contacts();
    let imported = strict.import().await;
    assert_eq!((&imported["rows"], &imported["rejected"]), (&1.into(), &3.into()), "{imported}");
    assert_eq!(strict.count("title = 'Boss' AND number = 7 AND source = 'w'"), 1);
    let blamed = [(&untitled, "title"), (&wordy, "number"), (&odd, "source")];
    let blamed = sorted(blamed.map(|(id, column)| (id.clone(), column.to_owned())).to_vec());
    assert_eq!(sorted(strict.rejected().await), blamed);
    let shown = strict.json(&format!("rejected show acme Contact {wordy}")).await;
    assert!(shown["problems"][0]["message"].as_str().unwrap().contains("seven"), "{shown}");
    assert_eq!(shown["record"]["Description"], "seven");
    let file = strict.org.directory.path().join("rejected.csv");
    assert_eq!(strict.org.run(&format!("rejected export acme Contact --to {}", file.display())).await.code, 0);
    let exported = std::fs::read_to_string(file).unwrap();
    assert!([&untitled, &wordy, &odd].iter().all(|id| exported.contains(id.as_str())), "{exported}");
    assert_eq!(exported.lines().count(), 4, "a header and three records: {exported}");

    strict.put_right(&untitled);
    strict.put_right(&wordy);
    let again = strict.json("rejected retry acme").await["streams"][0].clone();
    assert_eq!((&again["fine"], &again["rejected"]), (&2.into(), &1.into()), "{again}");
    assert_eq!(strict.rejected().await, [(odd.clone(), "source".to_owned())]);
    assert_eq!(strict.count("title = 'Chief' AND number = 8"), 2);
    let run = strict.json("runs acme").await["runs"][0].clone();
    let counts = (&run["purpose"], &run["read_rows"], &run["rows"], &run["rejected_rows"]);
    assert_eq!((counts.0, counts.2, counts.3), (&"retry".into(), &2.into(), &1.into()), "{run}");

    strict.put_right(&odd);
    assert_eq!(strict.org.run("rejected retry acme Contact").await.code, 0);
    assert_eq!((strict.rejected().await, strict.count("_deleted = 0")), (Vec::new(), 4));
}

#[tokio::test]
async fn a_sync_writes_what_was_put_right_and_leaves_the_row_of_what_went_wrong() {
    let strict = Strict::of(STRICT).await;
    let [fine, untitled, wordy, odd] = strict.contacts();
    strict.import().await;
    let control = strict.org.emulator.control();
    strict.put_right(&untitled);
    control.update(&fine, json!({"Title": null, "Description": "9"})).unwrap();
    control.delete(&wordy).unwrap();
    let synced = strict.json("sync acme").await["streams"][0].clone();
    assert_eq!(synced["outcome"], "complete", "{synced}");
    let left = [(fine.clone(), "title".to_owned()), (odd.clone(), "source".to_owned())];
    assert_eq!(sorted(strict.rejected().await), sorted(left.to_vec()), "what is deleted is not rejected any more");
    assert_eq!(strict.count(&format!("Id = '{untitled}' AND title = 'Chief'")), 1);
    assert_eq!(strict.count(&format!("Id = '{fine}' AND title = 'Boss' AND number = 7 AND _deleted = 0")), 1);
    assert_eq!(strict.count("1"), 2);
}

#[tokio::test]
async fn a_whole_reading_leaves_the_row_of_a_record_that_it_rejects_and_sweeps_those_that_are_gone() {
    for (deletes, gone) in [("flag", "_deleted = 1"), ("remove", "1 = 0")] {
        let strict = Strict::of(&STRICT.replacen('\n', &format!("\ndeletes = \"{deletes}\"\n"), 1)).await;
        let [fine, ..] = strict.contacts();
        let other = strict.contact("Gone", json!({}));
        strict.import().await;
        assert_eq!(strict.count("1"), 2);
        let control = strict.org.emulator.control();
        control.update(&fine, json!({"Title": null})).unwrap();
        control.delete(&other).unwrap();
        control.purge(&other).unwrap();
        let again = strict.import().await;
        assert_eq!((&again["rows"], &again["rejected"]), (&0.into(), &4.into()), "{again}");
        let is_there = if deletes == "flag" { " AND _deleted = 0" } else { "" };
        assert_eq!(strict.count(&format!("Id = '{fine}' AND title = 'Boss'{is_there}")), 1, "{deletes}");
        assert_eq!(strict.count(&format!("Id = '{other}'")), strict.count(gone), "{deletes}");
    }
}

#[tokio::test]
async fn a_stage_says_what_cannot_be_imported_and_judges_it_anew_once_it_is_put_right() {
    let strict = Strict::of(STRICT).await;
    let [fine, untitled, wordy, odd] = strict.contacts();
    let line = format!("stage build acme --mapping {}", strict.mapping);
    let built = strict.json(&line).await["tables"][0].clone();
    let column = |name: &str| {
        let columns = built["columns"].as_array().unwrap();
        columns.iter().find(|column| column["name"] == name).unwrap_or_else(|| panic!("{name}: {built}")).clone()
    };
    assert_eq!((&column("number")["fields"], &column("number")["type"]), (&json!(["Description"]), &"integer".into()));
    let staged = strict.json("stage run acme Contact").await["streams"][0]["staged"].clone();
    assert_eq!((&staged["ready"], &staged["rejected"]), (&1.into(), &3.into()), "{staged}");
    let listed = strict.json("stage list acme Contact --rejected --reason title").await["records"].clone();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["record_id"]), (1, &untitled.clone().into()), "{listed}");

    let selected =
        async |line: &str| strict.json(&format!("stage select acme Contact {line}")).await["changed"].clone();
    assert_eq!((selected("--all").await, selected("--all --clear").await), (1.into(), 1.into()));
    assert_eq!(selected("--reason SOURCE").await, 1);
    assert_eq!(selected(&fine).await, 1);
    let of_selected = strict.json("stage list acme Contact --selected").await;
    assert_eq!(of_selected["records"].as_array().unwrap().len(), 2, "{of_selected}");
    assert_eq!(strict.org.run("stage select acme Contact").await.code, 2, "nothing is said");

    strict.put_right(&odd);
    let written = strict.json("stage import acme Contact --selected").await["streams"][0].clone();
    assert_eq!((&written["fine"], strict.count("1")), (&2.into(), 2), "they are read anew: {written}");
    strict.put_right(&untitled);
    let again = strict.json("stage retry acme Contact").await["streams"][0].clone();
    assert_eq!((&again["fine"], &again["rejected"]), (&1.into(), &1.into()), "{again}");
    let whole = strict.json("stage import acme Contact").await["streams"][0].clone();
    assert_eq!((&whole["rows"], &whole["rejected"]), (&3.into(), &1.into()), "{whole}");
    assert_eq!(strict.rejected().await, [(wordy, "number".to_owned())]);
}

#[tokio::test]
async fn rows_that_are_not_records_are_not_staged_and_what_is_rejected_of_them_can_be_read_again() {
    let owners = Strict::of(OWNERS).await;
    let control = owners.org.emulator.control();
    let account = control.insert("Account", json!({"Name": "Probe", "Site": null})).unwrap().to_string();
    let refused = owners.org.run(&format!("stage run acme --mapping {} --json", owners.mapping)).await;
    let error = refused.json()["streams"][0]["error"].clone();
    assert_eq!((refused.code, &error["code"]), (3, &"not_stageable".into()), "{refused:?}");
    assert!(error["remedy"].as_str().unwrap().contains("orgtide rejected acme"), "{error}");
    let imported = owners.import().await;
    assert_eq!((&imported["rows"], &imported["rejected"]), (&0.into(), &1.into()), "{imported}");
    assert_eq!(owners.rejected().await, [(account.clone(), "site".to_owned())]);
    control.update(&account, json!({"Site": "Home"})).unwrap();
    let again = owners.json("rejected retry acme people").await["streams"][0].clone();
    assert_eq!((&again["fine"], &again["rejected"]), (&1.into(), &0.into()), "{again}");
    assert_eq!((owners.rejected().await, owners.count_in("people", "Id LIKE '005%'")), (Vec::new(), 1));
    control.update(&account, json!({"Site": null})).unwrap();
    owners.import().await;
    assert_eq!(owners.count_in("people", "site = 'Home' AND _deleted = 0"), 1, "a rejected record leaves its row");
}
