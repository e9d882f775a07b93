//! No secret leaves by any door: every way to connect is played with the most talkative log, and whatever was printed,
//! written or exported is searched for the secrets that went in and for those that Salesforce issued.

use std::path::PathBuf;

use emulator::Scenario;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::{
    org::{Acme, Ended},
    person::{Answer, Person},
};

const TRACE: (&str, &str) = ("ORGTIDE_LOG_LEVEL", "trace");

/// What a text shows that nobody may see, if anything.
fn leak<'a>(text: &str, canaries: &[&'a str]) -> Option<&'a str> {
    // Session ids begin with the org's id and an exclamation mark, refresh tokens with 5Aep, codes with aPrx.
    let issued = ["!AQ", "5Aep", "aPrx", "BEGIN PRIVATE KEY"];
    let found = issued.into_iter().find(|mark| text.contains(mark));
    found.or_else(|| canaries.iter().copied().find(|canary| text.contains(canary)))
}

/// Everything that a play has printed.
#[derive(Default)]
struct Printed(Vec<(String, String)>);

impl Printed {
    fn note(&mut self, line: &str, ended: &Ended) {
        self.0.push((format!("output of {line}"), ended.out.clone()));
        self.0.push((format!("log of {line}"), ended.err.clone()));
    }

    async fn run(&mut self, org: &Acme, line: &str, settings: &[(&str, &str)]) -> Ended {
        let settings: Vec<(&str, &str)> = settings.iter().copied().chain([TRACE]).collect();
        let ended = org.run_with(line, &settings).await;
        self.note(line, &ended);
        ended
    }

    /// What follows a sign-in, and a refused one.
    async fn afterwards(&mut self, org: &Acme, name: &str, settings: &[(&str, &str)]) {
        org.emulator.control().expire_sessions();
        for line in ["check NAME", "import NAME Contact", "sync NAME", "status", "status --json"] {
            self.run(org, &line.replace("NAME", name), settings).await;
        }
        let folder = org.directory.path().join("exported");
        let export = format!("export-app {} --flow client-credentials --connection {name}", folder.display());
        self.run(org, &export, settings).await;
        let lines = [
            "connection show NAME --ask",
            "connection policy NAME idle:90d",
            "connection pause NAME",
            "connection resume NAME",
            "connection allow NAME proxy",
            "key rotate",
            "key check --json",
            "disconnect NAME --delete-data --yes --json",
            "connection show NAME --json",
        ];
        for line in lines {
            self.run(org, &line.replace("NAME", name), settings).await;
        }
    }

    /// Fails on the first secret in what was printed or written. The settings that the test wrote itself are exempt, and
    /// so is the keyring.
    fn holds_none_of(&self, canaries: &[&str], org: &Acme) {
        for (place, text) in &self.0 {
            assert_eq!(leak(text, canaries), None, "{place}: {text}");
        }
        let is_given = |path: &PathBuf| ["config.toml", "keyring", "ca.pem"].iter().any(|name| path.ends_with(name));
        for (path, bytes) in org.every_file().into_iter().filter(|(path, _)| !is_given(path)) {
            assert_eq!(leak(&String::from_utf8_lossy(&bytes), canaries), None, "{}", path.display());
        }
    }
}

/// Connects with a person who goes to Salesforce in between.
async fn with_a_person(
    printed: &mut Printed,
    org: &Acme,
    line: &str,
    settings: &[(&str, &str)],
    (username, password): (&str, &str),
) {
    let settings: Vec<(&str, &str)> = settings.iter().copied().chain([TRACE]).collect();
    let mut child = org.spawn_with(&format!("{line} --json"), &settings);
    let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", child.id().unwrap())).unwrap_or_default();
    printed.0.push((format!("arguments of {line}"), arguments));
    let mut err = child.stderr.take().unwrap();
    let log = tokio::spawn(async move {
        let mut text = String::new();
        err.read_to_string(&mut text).await.unwrap();
        text
    });
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = out.next_line().await.unwrap().unwrap();
    let shown: serde_json::Value = serde_json::from_str(&first).unwrap();
    let link = shown["url"].as_str().or(shown["prefilled_uri"].as_str()).unwrap();
    let seen = Person::new(&org.emulator, username, password).visit(link, Answer::Allow).await;
    printed.0.push((format!("the page after {line}"), seen.text));
    let last = out.next_line().await.unwrap().unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(0), "{last}");
    printed.0.push((format!("output of {line}"), format!("{first}\n{last}")));
    printed.0.push((format!("log of {line}"), log.await.unwrap()));
}

#[tokio::test]
async fn client_credentials_show_no_secret() {
    let org = Acme::of(Scenario::builtin("g2-genfin").unwrap()).await;
    let (mut printed, secret) = (Printed::default(), [("ORGTIDE_CLIENT_SECRET", "harbor-genfin-secret")]);
    let line = "connect genfin --org harbor-credit.my.salesforce.com --client-id 3MVG9.harbor.genfin";
    let wrong = [("ORGTIDE_CLIENT_SECRET", "SENTINEL-wrong-secret")];
    assert_eq!(printed.run(&org, line, &wrong).await.code, 3);
    assert_eq!(printed.run(&org, line, &secret).await.code, 0);
    printed.afterwards(&org, "genfin", &secret).await;
    printed.holds_none_of(&["harbor-genfin-secret", "SENTINEL"], &org);
}

#[tokio::test]
async fn the_web_server_flow_shows_no_secret() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let callback = format!("http://localhost:{port}/callback");
    let mut scenario = Scenario::builtin("g3-mailfino").unwrap();
    scenario.apps.iter_mut().for_each(|app| app.callback_urls = vec![callback.clone()]);
    let org = Acme::of(scenario).await;
    let mut printed = Printed::default();
    let config = org.directory.path().join("config.toml");
    let app = "[client_apps.nordlicht]\nclient_id = '3MVG9.nordlicht.mailfino'\n\
               client_secret = 'nordlicht-mailfino-secret'\norgs = ['nordlicht.my.salesforce.com']\n";
    std::fs::write(&config, app).unwrap();
    let settings = [("ORGTIDE_CONFIG", config.to_str().unwrap())];
    let line =
        format!("connect nordlicht.my.salesforce.com --flow web-server --app --no-browser --callback {callback}");
    let mia = ("mia@nordlicht.example", "nordlicht-mia-password");
    with_a_person(&mut printed, &org, &line, &settings, mia).await;
    printed.afterwards(&org, "nordlicht", &settings).await;
    printed.holds_none_of(&["nordlicht-mailfino-secret", "nordlicht-mia-password"], &org);
}

#[tokio::test]
async fn the_device_flow_shows_no_secret() {
    let org = Acme::of(Scenario::builtin("g1-fynancial/completed").unwrap()).await;
    let (mut printed, secret) = (Printed::default(), [("ORGTIDE_CLIENT_SECRET", "meridian-fynancial-secret")]);
    let line =
        "connect fynancial --org meridian-wealth.my.salesforce.com --flow device --client-id 3MVG9.meridian.fynancial";
    let rhea = ("rhea@meridian-wealth.example", "meridian-admin-password");
    with_a_person(&mut printed, &org, line, &secret, rhea).await;
    printed.afterwards(&org, "fynancial", &secret).await;
    printed.holds_none_of(&["meridian-fynancial-secret", "meridian-admin-password"], &org);
}

#[tokio::test]
async fn passwords_show_no_secret() {
    let mut scenario = Scenario::builtin("g5-tesorio").unwrap();
    scenario.org.soap_login = true;
    let org = Acme::of(scenario).await;
    let mut printed = Printed::default();
    let secrets = [
        ("ORGTIDE_CLIENT_SECRET", "cascade-tesorio-secret"),
        ("ORGTIDE_PASSWORD", "cascade-tesorio-password"),
        ("ORGTIDE_SECURITY_TOKEN", "TesorioSecurityToken000000"),
    ];
    let user = "--org login.salesforce.com --username tesorio@cascade-freight.example";
    for flow in ["password --client-id 3MVG9.cascade.tesorio", "soap-login"] {
        let line = format!("connect tesorio {user} --flow {flow}");
        let wrong = [secrets[0], ("ORGTIDE_PASSWORD", "SENTINEL-wrong"), secrets[2]];
        assert_eq!(printed.run(&org, &line, &wrong).await.code, 3);
        assert_eq!(printed.run(&org, &line, &secrets).await.code, 0);
        printed.afterwards(&org, "tesorio", &secrets).await;
    }
    printed.holds_none_of(
        &["cascade-tesorio-secret", "cascade-tesorio-password", "TesorioSecurityToken", "SENTINEL"],
        &org,
    );
}

#[tokio::test]
async fn imported_tokens_and_keys_show_no_secret() {
    let org = Acme::start().await;
    let mut printed = Printed::default();
    let secrets =
        [("ORGTIDE_CLIENT_SECRET", "acme-rotating-secret"), ("ORGTIDE_REFRESH_TOKEN", "5Aep.acme.rotating.sam")];
    let line = "connect acme --org acme.my.salesforce.com --client-id 3MVG9.acme.rotating --flow refresh-token";
    assert_eq!(printed.run(&org, line, &secrets).await.code, 0);
    printed.afterwards(&org, "acme", &secrets).await;
    assert_eq!(printed.run(&org, "certificate other", &secrets).await.code, 0);
    let line = "connect other --org acme.my.salesforce.com --client-id 3MVG9.acme.connected --flow jwt-bearer \
                --username sam@acme.example";
    assert_eq!(printed.run(&org, line, &[]).await.code, 3);
    printed.holds_none_of(&["acme-rotating-secret", "5Aep"], &org);
}
