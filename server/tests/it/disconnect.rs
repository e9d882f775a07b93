//! Whose data goes when a connection ends.

use url::Url;

use crate::{
    database::{Fixture, on_both_databases, postgres},
    org::{Acme, CLIENT_ID, ORG, rows},
};

const REVOKE: &str = "POST /services/oauth2/revoke";

/// Where rows go that two installations share, beside the control store of the fixture.
struct Shared<'a>(&'a Fixture);

impl Shared<'_> {
    fn destination(&self) -> String {
        match self.0.kind() {
            "sqlite" => format!("sqlite:{}", self.file().display()),
            _ => {
                let mut url = self.url();
                url.set_password(None).unwrap();
                url.to_string()
            }
        }
    }

    fn url(&self) -> Url {
        Url::parse(&self.0.place()).unwrap()
    }

    /// The password that the destination's address leaves out.
    fn password(&self) -> String {
        match self.0.kind() {
            "sqlite" => String::new(),
            _ => self.url().password().unwrap_or_default().to_owned(),
        }
    }

    fn file(&self) -> std::path::PathBuf {
        std::path::Path::new(&self.0.place()).with_file_name("shared.db")
    }

    /// The accounts, with the schema that they are in where there are schemas.
    async fn accounts(&self) -> i64 {
        if self.0.kind() == "sqlite" {
            return rows(&self.file(), "SELECT COUNT(*) FROM Account");
        }
        let client = postgres::client(&self.0.place()).await;
        let schema = "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables \
                      WHERE lower(table_name) = 'account'";
        let table: String = client.query_one(schema, &[]).await.unwrap().get(0);
        client.query_one(&format!("SELECT COUNT(*) FROM {table}"), &[]).await.unwrap().get(0)
    }
}

on_both_databases! {
    async fn rows_that_another_installation_writes_under_the_same_name_stay_and_nothing_is_ended(fixture: Fixture) {
        let (acme, shared) = (Acme::start().await, Shared(&fixture));
        let theirs = acme.directory.path().join("theirs").display().to_string();
        let password = shared.password();
        let ours = [("PGPASSWORD", password.as_str())];
        let theirs = [ours[0], ("ORGTIDE_DATA_DIR", theirs.as_str())];
        acme.connect().await;
        let import = format!("import acme Account --to {}", shared.destination());
        assert_eq!(acme.run_with(&import, &ours).await.code, 0);
        let connect = format!("connect acme --org {ORG} --client-id {CLIENT_ID}");
        assert_eq!(acme.run_with(&connect, &theirs).await.code, 0);
        assert_ne!(acme.run_with(&import, &theirs).await.code, 0, "a table has one writer of a name");

        let refused = acme.run_with("disconnect acme --delete-data --yes --json", &theirs).await;
        let error = refused.json()["error"].clone();
        assert_eq!((refused.code, error["code"].as_str()), (5, Some("destination")), "{refused:?}");
        for said in ["another installation of Orgtide", "Remove them there", "keep the data"] {
            assert!(error["message"].as_str().unwrap().contains(said), "{said}: {error}");
        }
        assert_eq!((shared.accounts().await, acme.asked(REVOKE)), (120, 0), "{}", fixture.kind());
        assert_eq!(acme.run_with("objects list acme", &theirs).await.code, 0, "the connection goes on");

        assert_eq!(acme.run_with("disconnect acme --keep-data --yes", &theirs).await.code, 0);
        let ended = acme.run_with("disconnect acme --delete-data --yes --json", &ours).await;
        assert_eq!(ended.json()["disconnected"]["removed"][0]["rows"], 120, "{ended:?}");
    }
}
