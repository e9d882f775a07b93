//! What an import is said to cost, and what it then does cost.

use emulator::Scenario;
use orgtide::app::{App, cost::Cost, import::ImportRequest, runs::StreamRun};
use sync::{
    mapping::{ColumnMapping, Mapping},
    read::ReadChoice,
};

use crate::{describes::of_object, org::Acme};

/// What is read of a generated org, and what kind of org it is.
struct Case {
    seed: u64,
    rows: u64,
    objects: usize,
    fields: usize,
    mappings: fn() -> Vec<Mapping>,
}

fn volume(number: usize) -> Mapping {
    of_object(&format!("Volume_{number}__c"))
}

fn only(object: &str, fields: &[&str]) -> Mapping {
    Mapping { columns: fields.iter().map(|field| ColumnMapping::field(*field)).collect(), ..of_object(object) }
}

/// Narrow and wide, with filters, limits and parents, tens and tens of thousands of records.
const CASES: [Case; 10] = [
    Case { seed: 1, rows: 40, objects: 1, fields: 5, mappings: || vec![volume(1)] },
    Case { seed: 2, rows: 900, objects: 3, fields: 12, mappings: || vec![volume(1), volume(2), volume(3)] },
    Case { seed: 3, rows: 5_300, objects: 1, fields: 3, mappings: || vec![volume(1), of_object("Account")] },
    Case { seed: 4, rows: 2_600, objects: 1, fields: 150, mappings: || vec![volume(1)] },
    Case {
        seed: 5,
        rows: 12_500,
        objects: 2,
        fields: 8,
        mappings: || vec![volume(1), volume(2), of_object("Contact")],
    },
    Case {
        seed: 6,
        rows: 3_000,
        objects: 2,
        fields: 9,
        mappings: || {
            let filtered = Mapping { filter: Some("Field_3__c = true".into()), ..volume(1) };
            vec![filtered, Mapping { limit: Some(700), ..volume(2) }]
        },
    },
    Case {
        seed: 7,
        rows: 10,
        objects: 1,
        fields: 4,
        mappings: || vec![only("Contact", &["Id", "LastName", "Account.Name"]), of_object("Opportunity")],
    },
    Case { seed: 8, rows: 20_000, objects: 1, fields: 4, mappings: || vec![volume(1), of_object("Contact")] },
    Case { seed: 9, rows: 9_900, objects: 1, fields: 6, mappings: || vec![volume(1), of_object("Contact")] },
    Case {
        seed: 10,
        rows: 30_000,
        objects: 1,
        fields: 3,
        mappings: || vec![only("Volume_1__c", &["Id", "Name"]), of_object("Contact")],
    },
];

async fn org(case: &Case) -> Acme {
    let mut scenario = Scenario::builtin("acme").unwrap();
    scenario.seed = case.seed;
    for user in &mut scenario.users {
        "System Administrator".clone_into(&mut user.profile);
    }
    // A page holds 250 of them: how often a job is asked how it stands depends on the machine, and is little beside that.
    scenario.rows.insert("Contact".into(), 4_000 + 500 * case.seed);
    scenario.volume.objects = case.objects;
    scenario.volume.rows = case.rows;
    (scenario.volume.fields, scenario.volume.widest) = (case.fields, case.fields);
    let acme = Acme::of(scenario).await;
    acme.connect().await;
    acme
}

fn request(case: &Case) -> ImportRequest {
    ImportRequest { connection: "acme".into(), mappings: (case.mappings)(), destination: None, read: ReadChoice::Auto }
}

/// A process of its own, which knows of no describes.
async fn process(acme: &Acme) -> App {
    acme.app(&[]).await
}

async fn import(acme: &Acme, case: &Case) -> Vec<StreamRun> {
    let app = process(acme).await;
    let outcomes = crate::describes::import_by(&app, &request(case)).await;
    assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()), "{outcomes:?}");
    app.latest_runs("acme", &[], 10).await.unwrap()
}

fn is_near(expected: u64, actual: u64) -> bool {
    expected.abs_diff(actual) * 5 <= actual
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_generated_orgs_cost_what_was_said_within_a_fifth() {
    let mut bulk = 0;
    for case in &CASES {
        let acme = org(case).await;
        let cost: Cost = process(&acme).await.cost(&request(case), None).await.unwrap();
        let runs = import(&acme, case).await;
        let sum = |of: fn(&StreamRun) -> u64| runs.iter().map(of).sum::<u64>();
        for (what, expected, actual) in [
            ("rows", cost.rows, sum(|run| run.run.counts.read)),
            ("bytes", cost.bytes, sum(|run| run.run.counts.read_bytes)),
            ("calls", cost.calls, sum(|run| run.run.counts.api_calls)),
            ("jobs", cost.jobs, sum(|run| run.run.counts.bulk_jobs)),
        ] {
            eprintln!("org {}: {what}: {expected} expected, {actual} in fact", case.seed);
            assert!(is_near(expected, actual), "org {}: {what}: {expected} expected, {actual} in fact", case.seed);
        }
        bulk += cost.jobs;
    }
    assert_eq!(bulk, 4, "both ways of reading are among them");
}

#[tokio::test]
async fn the_command_says_what_an_import_costs_and_the_run_shows_it_beside_what_it_did_cost() {
    let acme = Acme::start().await;
    acme.connect().await;
    let told = acme.run("forecast acme Contact Account --every 15m").await;
    assert_eq!(told.code, 0, "{told:?}");
    for words in [
        "In all: 520 rows",
        "of what is left of the budget",
        "what the org has left",
        "costs about 288 API calls in 24 hours",
        "The time is an assumption",
    ] {
        assert!(told.out.contains(words), "{words}: {told:?}");
    }
    assert_eq!(acme.run("import acme Contact").await.code, 0);
    let runs = acme.run("runs acme Contact --json").await.json();
    let id = runs["runs"][0]["id"].as_str().unwrap().to_owned();
    let shown = acme.run(&format!("runs show {id} --json")).await.json();
    assert_eq!((&shown["forecast"]["rows"], &shown["read"]), (&400.into(), &400.into()), "{shown}");
    let page = acme.run(&format!("runs show {id}")).await;
    assert!(page.out.contains("forecast         400 records by rest, 2 API calls, 0 Bulk jobs"), "{page:?}");
    acme.run("quota acme --calls 20").await;
    let over = acme.run("forecast acme Contact").await;
    assert!(!over.out.contains("It is more than is left"), "{over:?}");
    acme.run("quota acme --calls 1").await;
    assert!(acme.run("forecast acme Contact").await.out.contains("It is more than is left"));
}
