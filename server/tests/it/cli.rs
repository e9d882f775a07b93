//! The command line through the binary: what it prints, how it ends, and what it never shows.

use emulator::Effect;

use crate::org::{Acme, CLIENT_ID, CLIENT_SECRET, Ended, ORG, end, end_of, ended, program, rows};

const QUERY: &str = "GET /services/data/vXX.X/query";

fn error_of(ended: &Ended) -> (String, String) {
    let error = &ended.json()["error"];
    (error["code"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn every_command_explains_itself_with_an_example() {
    for command in [
        "",
        "demo",
        "emulator",
        "guide",
        "export-app",
        "connect",
        "certificate",
        "connection",
        "disconnect",
        "token",
        "api-key",
        "key",
        "check",
        "explain",
        "objects",
        "objects list",
        "objects describe",
        "import",
        "stage",
        "stage build",
        "stage test",
        "stage run",
        "stage list",
        "stage show",
        "stage export",
        "stage select",
        "stage retry",
        "stage import",
        "sync",
        "verify",
        "map",
        "map suggest",
        "map preview",
        "map check",
        "map set",
        "map history",
        "map show",
        "map diff",
        "map revert",
        "drift",
        "promote",
        "schedule",
        "runs",
        "runs show",
        "rejected",
        "rejected show",
        "rejected export",
        "rejected retry",
        "webhook",
        "webhook secret",
        "webhook test",
        "webhook list",
        "webhook show",
        "webhook replay",
        "webhook discard",
        "webhook set-aside",
        "webhook resend",
        "match",
        "match list",
        "match show",
        "match link",
        "match ignore",
        "match retry",
        "serve",
        "status",
        "quota",
        "forecast",
        "settings",
        "completions",
    ] {
        let help = end(program(&format!("{command} --help"))).await;
        assert_eq!(help.code, 0, "{command}");
        let name = if command.is_empty() { "help" } else { command };
        insta::assert_snapshot!(name.replace(' ', "_"), help.out);
        assert!(command.is_empty() || help.out.contains("Example"), "{command}");
    }
}

#[tokio::test]
async fn an_org_is_connected_checked_imported_and_synced() {
    let org = Acme::start().await;
    let connected = org.run(&format!("connect {ORG} --client-id {CLIENT_ID} --json")).await;
    let document = connected.json();
    assert_eq!((connected.code, &document["connection"], &document["again"]), (0, &"acme".into(), &false.into()));
    assert_eq!(document["username"], "integration@acme.example");
    assert_eq!(document["api_version"], "v68.0");

    let checked = org.run("check acme").await;
    assert_eq!(checked.code, 0, "{checked:?}");
    // The scenario's clock stands still, which is all there is to say against the org.
    let sum = "acme: 0 failed, 1 to look at";
    assert!(checked.out.contains("Account is readable: ") && checked.out.contains(sum), "{}", checked.out);

    let imported = org.run("import acme Account Contact --json").await;
    assert_eq!(imported.code, 0, "{imported:?}");
    let streams = imported.json()["streams"].clone();
    let database = org.data().join("acme.db");
    for (index, table) in ["Account", "Contact"].into_iter().enumerate() {
        let stored = rows(&database, &format!("SELECT COUNT(*) FROM {table}"));
        assert_eq!(streams[index]["rows"], stored, "{table}");
        assert!(stored > 100, "{table}: {stored}");
        assert_eq!(streams[index]["outcome"], "complete");
    }

    let synced = org.run("sync acme").await;
    assert_eq!(synced.code, 0, "{synced:?}");
    assert!(synced.out.contains("Account      0 rows"), "{}", synced.out);

    let status = org.run("status --json").await.json();
    let connection = &status["connections"][0];
    assert_eq!((&connection["name"], &connection["state"]), (&"acme".into(), &"connected".into()));
    assert_eq!(connection["streams"][1]["last_run"]["state"], "completed");
    assert_eq!(connection["streams"][1]["rows"], streams[1]["rows"]);
}

#[tokio::test]
async fn objects_and_their_fields_are_listed() {
    let org = Acme::start().await;
    org.connect().await;
    let listed = org.run("objects list acme").await;
    assert!(listed.out.starts_with("OBJECT") && listed.out.contains("\nAccount "), "{}", listed.out);
    let described = org.run("objects describe acme Contact --json").await.json();
    let fields = described["object"]["fields"].as_array().unwrap();
    assert!(fields.iter().any(|field| field["name"] == "LastName"));
}

#[tokio::test]
async fn a_wrong_address_is_refused_and_nothing_is_sent_or_saved() {
    let org = Acme::start().await;
    for address in [
        "acme.my.salesforce.co",
        "127.0.0.1",
        "http://169.254.169.254/latest/meta-data",
        "acme.my.salesforce.com.evil.example",
        "acme-my.salesforce.com",
        "https://user@acme.my.salesforce.com",
        "acme.my.salesforce.com:8443",
    ] {
        let refused = org.run(&format!("connect acme --org {address} --client-id {CLIENT_ID} --json")).await;
        assert_eq!(refused.code, 3, "{refused:?}");
        assert_eq!(error_of(&refused).0, "host_refused", "{address}");
    }
    assert!(org.emulator.control().journal().is_empty());
    assert_eq!(org.run("status --json").await.json()["connections"], serde_json::json!([]));
}

#[tokio::test]
async fn a_wrong_secret_says_what_to_do_and_saves_nothing() {
    let org = Acme::start().await;
    let line = format!("connect acme --org {ORG} --client-id {CLIENT_ID}");
    let refused = org.run_with(&line, &[("ORGTIDE_CLIENT_SECRET", "SENTINEL-wrong")]).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    insta::assert_snapshot!("wrong_secret", refused.err.replace(&org.data().display().to_string(), "<data>"));
    assert!(!refused.err.contains("SENTINEL"));
    assert_eq!(org.run("status --json").await.json()["connections"], serde_json::json!([]));
}

#[tokio::test]
async fn a_secret_comes_from_a_file_and_never_from_an_argument() {
    let org = Acme::start().await;
    let file = org.directory.path().join("secret.txt");
    std::fs::write(&file, format!("{CLIENT_SECRET}\n")).unwrap();
    let line = format!("connect acme --org {ORG} --client-id {CLIENT_ID} --client-secret-file {}", file.display());
    let connected = org.run_with(&line, &[("ORGTIDE_CLIENT_SECRET", "wrong")]).await;
    assert_eq!(connected.code, 0, "{connected:?}");
    let argument = org.run(&format!("connect acme --org {ORG} --client-secret x")).await;
    assert_eq!(argument.code, 2);
    let missing =
        org.run_with(&format!("connect acme --org {ORG} --client-id k"), &[("ORGTIDE_CLIENT_SECRET", "")]).await;
    assert_eq!(missing.code, 3);
    assert!(missing.err.contains("Consumer secret is missing") && missing.err.contains("--client-secret-file"));
}

#[tokio::test]
async fn the_password_grant_works_and_warns_that_it_is_ending() {
    let org = Acme::start().await;
    let line = format!(
        "connect acme --org {ORG} --client-id 3MVG9.acme.connected --flow password --username sam@acme.example"
    );
    let secrets = [
        ("ORGTIDE_CLIENT_SECRET", "acme-connected-secret"),
        ("ORGTIDE_PASSWORD", "sams-password"),
        ("ORGTIDE_SECURITY_TOKEN", "TokenOfSam"),
    ];
    let connected = org.run_with(&line, &secrets).await;
    assert_eq!(connected.code, 0, "{connected:?}");
    assert!(connected.err.contains("The username-password flow is ending"), "{}", connected.err);
    assert!(connected.err.contains("client credentials"));
}

#[tokio::test]
async fn a_rotated_refresh_token_is_kept_from_the_first_sign_in_on() {
    let org = Acme::start().await;
    let line = format!("connect acme --org {ORG} --client-id 3MVG9.acme.rotating --flow refresh-token");
    let secrets =
        [("ORGTIDE_CLIENT_SECRET", "acme-rotating-secret"), ("ORGTIDE_REFRESH_TOKEN", "5Aep.acme.rotating.sam")];
    let connected = org.run_with(&line, &secrets).await;
    assert_eq!(connected.code, 0, "{connected:?}");
    for _ in 0..2 {
        org.emulator.control().expire_sessions();
        assert_eq!(org.run("check acme").await.code, 0);
    }
}

#[tokio::test]
async fn an_unknown_object_or_field_is_named_and_nothing_is_remembered() {
    let org = Acme::start().await;
    org.connect().await;
    let unknown = org.run("import acme Acount --json").await;
    assert_eq!(unknown.code, 4, "{unknown:?}");
    assert!(error_of(&unknown).1.contains("Acount"), "{unknown:?}");
    let field = org.run("import acme Contact --fields Id,LastNam --json").await;
    assert_eq!((field.code, error_of(&field).0.as_str()), (4, "mapping"));
    assert!(error_of(&field).1.contains("LastNam"), "{field:?}");
    assert_eq!(org.run("status --json").await.json()["connections"][0]["streams"], serde_json::json!([]));
    assert!(!org.data().join("acme.db").exists());
}

#[tokio::test]
async fn an_unknown_connection_or_stream_is_answered_with_what_there_is() {
    let org = Acme::start().await;
    org.connect().await;
    let unknown = org.run("sync acmee").await;
    assert_eq!(unknown.code, 3);
    assert!(unknown.err.contains("there is: acme"), "{}", unknown.err);
    let nothing = org.run("sync acme").await;
    assert!(nothing.err.contains("orgtide import acme Account Contact"), "{}", nothing.err);
    org.run("import acme Account").await;
    let stream = org.run("sync acme Contact").await;
    assert!(stream.err.contains("there is: Account"), "{}", stream.err);
}

#[tokio::test]
async fn fields_filter_limit_and_destination_are_as_they_were_asked_for() {
    let org = Acme::start().await;
    org.connect().await;
    let file = org.directory.path().join("contacts.db");
    let line =
        format!("import acme Contact --fields Id,LastName,Account.Name --limit 7 --to sqlite:{}", file.display());
    let imported = org.run(&line).await;
    assert_eq!(imported.code, 0, "{imported:?}");
    assert_eq!(rows(&file, "SELECT COUNT(LastName) FROM Contact WHERE _connection = 'acme'"), 7);
    assert_eq!(rows(&file, "SELECT COUNT(*) FROM pragma_table_info('Contact') WHERE name = 'Account_Name'"), 1);
    assert_eq!(rows(&file, "SELECT COUNT(*) FROM pragma_table_info('Contact') WHERE name = 'Email'"), 0);
}

#[tokio::test]
async fn a_mapping_file_says_what_becomes_which_column_and_a_wrong_one_is_refused() {
    let org = Acme::start().await;
    org.connect().await;
    let file = org.directory.path().join("mapping.toml");
    std::fs::write(
        &file,
        "[[mapping]]\nobject = \"Contact\"\ntable = \"people\"\ncolumns = [\n  { field = \"LastName\", column = \"name\" },\n]\n",
    )
    .unwrap();
    let imported = org.run(&format!("import acme --mapping {}", file.display())).await;
    assert_eq!(imported.code, 0, "{imported:?}");
    assert!(rows(&org.data().join("acme.db"), "SELECT COUNT(name) FROM people") > 100);
    std::fs::write(&file, "object = \"Contact\"\ncolumms = []\n").unwrap();
    let refused = org.run(&format!("import acme --mapping {} --json", file.display())).await;
    assert_eq!((refused.code, error_of(&refused).0.as_str()), (3, "mapping"));
    assert!(error_of(&refused).1.contains("columms"));
}

#[tokio::test]
async fn ctrl_c_ends_an_import_cleanly_and_the_next_one_completes_it() {
    let org = Acme::start().await;
    org.connect().await;
    org.fault(QUERY, Effect::Hang);
    let mut import = org.spawn("import acme Contact --read rest --json");
    org.faults_struck(end_of(&mut import)).await;
    let pid = import.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let stopped = ended(import).await;
    assert_eq!(stopped.code, 130, "{stopped:?}");
    assert_eq!(stopped.json()["streams"][0]["outcome"], "stopped");
    let status = org.run("status --json").await.json();
    assert_eq!(status["connections"][0]["streams"][0]["last_run"]["state"], "stopped");
    assert_eq!(status["connections"][0]["streams"][0]["running"], serde_json::Value::Null);
    assert_eq!(org.run("import acme Contact").await.code, 0);
}

#[tokio::test]
async fn a_second_run_of_a_stream_is_refused_and_told_who_runs_it_and_a_killed_one_blocks_nobody() {
    let org = Acme::start().await;
    org.connect().await;
    org.fault(QUERY, Effect::Hang);
    let mut first = org.spawn("import acme Contact --read rest");
    org.faults_struck(end_of(&mut first)).await;
    let second = org.run("import acme Contact --read rest --json").await;
    assert_eq!(second.code, 6, "{second:?}");
    let error = second.json()["streams"][0]["error"]["message"].as_str().unwrap().to_owned();
    let process = format!("`orgtide import` (process {}", first.id().unwrap());
    assert!(error.contains(&process) && error.contains("since"), "{error}");
    first.kill().await.unwrap();
    let third = org.run("import acme Contact --read rest").await;
    assert_eq!(third.code, 0, "{third:?}");
}

#[tokio::test]
async fn a_missing_permission_keeps_a_sign_in_from_being_saved() {
    let org = Acme::start().await;
    let line = format!("connect acme --org {ORG} --client-id 3MVG9.acme.noapi --json");
    let connected = org.run_with(&line, &[("ORGTIDE_CLIENT_SECRET", "acme-noapi-secret")]).await;
    assert_eq!(connected.code, 4, "{connected:?}");
    let finding = connected.json()["error"]["finding"].clone();
    assert_eq!((&finding["code"], &finding["who"]), (&"api/api-currently-disabled".into(), &"org-admin".into()));
    assert!(finding["remedy"]["text"].as_str().unwrap().contains("Assign \"API Enabled\""), "{finding}");
    assert_eq!(org.run("status --json").await.json()["connections"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn a_maintenance_page_in_the_middle_of_an_import_is_waited_out() {
    let org = Acme::start().await;
    org.connect().await;
    org.fault(QUERY, Effect::Maintenance { status: 200 });
    let imported = org.run("import acme Contact --read rest --json").await;
    assert_eq!(imported.code, 0, "{imported:?}");
    assert!(org.emulator.control().unused_faults().is_empty());
    let stored = rows(&org.data().join("acme.db"), "SELECT COUNT(*) FROM Contact");
    assert_eq!(imported.json()["streams"][0]["rows"], stored);
}

#[tokio::test]
async fn the_demonstration_ends_with_a_copy_that_is_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let mut demo = program("demo --exit --json");
    demo.env("HOME", directory.path()).env("ORGTIDE_DATA_DIR", directory.path());
    let ended = end(demo).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let document = ended.json();
    assert_eq!(document["same"], true);
    for object in document["objects"].as_array().unwrap() {
        let database = object["database"].as_str().unwrap();
        let table = object["object"].as_str().unwrap();
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE _deleted = 0");
        assert_eq!(object["org"], rows(std::path::Path::new(database), &sql), "{table}");
    }
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_used_is_named() {
    let org = Acme::start().await;
    let file = org.directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    for place in [file.display().to_string(), file.join("below").display().to_string(), "/proc/orgtide".into()] {
        let refused = org.run(&format!("status --json --data-dir {place}")).await;
        assert_eq!(refused.code, 3, "{refused:?}");
        assert!(error_of(&refused).1.contains(&place), "{refused:?}");
    }
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused_by_every_command() {
    let org = Acme::start().await;
    org.connect().await;
    let store = rusqlite::Connection::open(org.data().join("control.sqlite")).unwrap();
    store.execute_batch("INSERT INTO schema_version (version) VALUES (99)").unwrap();
    drop(store);
    for line in ["status --json", "sync acme --json", "check acme --json"] {
        let refused = org.run(line).await;
        assert_eq!((refused.code, error_of(&refused).0.as_str()), (3, "store_newer"), "{refused:?}");
        assert!(error_of(&refused).1.contains("schema is version 99"));
    }
}

#[tokio::test]
async fn another_org_under_the_same_name_is_refused() {
    let org = Acme::start().await;
    org.connect().await;
    let store = rusqlite::Connection::open(org.data().join("control.sqlite")).unwrap();
    store.execute("UPDATE connections SET org_id = '00D5g00000OTHERAA4'", []).unwrap();
    drop(store);
    let refused = org.run(&format!("connect acme --org {ORG} --client-id {CLIENT_ID} --json")).await;
    assert_eq!((refused.code, error_of(&refused).0.as_str()), (3, "other_org"));
    assert!(error_of(&refused).1.contains("nothing was changed"));
}

#[tokio::test]
async fn no_secret_is_in_any_output_log_or_file() {
    let org = Acme::start().await;
    let mut printed = String::new();
    for line in [
        format!("connect acme --org {ORG} --client-id {CLIENT_ID} --log-level trace"),
        "check acme --log-level trace".into(),
        "import acme Account --log-level trace".into(),
        "sync acme --json --log-level trace".into(),
        "status --json".into(),
    ] {
        let ended = org.run(&line).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        printed.push_str(&ended.out);
        printed.push_str(&ended.err);
    }
    // A session token of the org begins with its short id and an exclamation mark.
    for secret in [CLIENT_SECRET, "00DgL000000ACME!"] {
        assert!(!printed.contains(secret), "{secret} is printed");
        for (path, bytes) in org.every_file() {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {}", path.display());
        }
    }
}

#[tokio::test]
async fn the_emulator_lists_its_scenarios_and_what_was_done_wrong_in_each() {
    let directory = tempfile::tempdir().unwrap();
    let list = async |options: &str| {
        let mut command = program(&format!("emulator --list-scenarios{options}"));
        command.env("HOME", directory.path());
        end(command).await
    };
    let text = list("").await.out;
    let line = text.lines().find(|line| line.contains("g2-genfin/run-as-missing")).unwrap();
    assert!(line.contains("Nobody is chosen as Run As"), "{line}");
    let document = list(" --json").await.json();
    let mut listed = document["scenarios"].as_array().unwrap().iter();
    assert!(listed.any(|scenario| scenario["name"] == "g1-fynancial/completed"), "{document}");
}

#[tokio::test]
async fn the_emulator_says_in_one_document_where_it_listens() {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let directory = tempfile::tempdir().unwrap();
    for options in ["--json --scenario acme", "--port 0", "--port 0 --scenario acme --scenario demo"] {
        let mut command = program(&format!("emulator {options}"));
        let mut emulator = command.env("HOME", directory.path()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(emulator.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().unwrap();
        let document: serde_json::Value = serde_json::from_str(&line).unwrap();
        let plain = document["plain"].as_str().unwrap();
        assert!(plain.starts_with("http://127.0.0.1:"));
        assert_eq!(document["page"], format!("{plain}/"));
        assert_eq!(document["url"], format!("https://{ORG}"));
        assert!(document["proxy"].as_str().unwrap().starts_with("http://127.0.0.1:"));
        assert!(std::path::Path::new(document["ca"].as_str().unwrap()).is_file());
        let has_both = document["scenarios"] == serde_json::json!(["acme", "demo"]);
        assert_eq!(has_both, options.contains("demo"), "{line}");
        emulator.kill().await.unwrap();
    }
}

#[tokio::test]
async fn completions_are_printed_and_a_wrong_command_line_ends_with_two() {
    assert!(end(program("completions bash")).await.out.contains("_orgtide"));
    assert_eq!(end(program("import")).await.code, 2);
    let settings = end(program("settings")).await;
    assert_eq!(settings.out, orgtide::config::REFERENCE);
}

#[tokio::test]
async fn what_an_error_page_of_salesforce_says_is_explained() {
    let page = "https://acme.my.salesforce.com/setup/secur/RemoteAccessErrorPage.apexp?error=invalid_client&\
                error_description=app+must+be+installed+into+org";
    let explained = end(program(&format!("explain {page}"))).await;
    assert_eq!(explained.code, 0, "{explained:?}");
    assert!(explained.out.contains("Connected Apps OAuth Usage"), "{}", explained.out);
    let nothing = end(program("explain nonsense")).await;
    assert_eq!(nothing.code, 3, "{nothing:?}");
}
