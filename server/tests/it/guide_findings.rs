//! Each vendor's guide and each way to get it wrong, played by the program: what is found, and whether anything is saved.

use std::{fmt::Write, time::Duration};

use emulator::{
    Scenario, Secret,
    scenario::guide::{Answer as Promised, Client, Flow, Guide, HostKind, Request, Variant},
};
use orgtide::{
    app::{
        App,
        connect::{AppChoice, ConnectRequest, Connected, Offered, UserPassword, device::DevicePoll},
    },
    diagnose::{Examined, Finding, Need, Quiet, Severity},
    error::Error,
    store::{connections::Confirmed, journal::Actor},
};
use salesforce::ApiVersion;

use crate::{
    connect::receiving_nothing,
    org::Acme,
    person::{Answer, Person},
};

const BROWSER: &str = "a browser's session";
const NAME: &str = "customer";

/// What came of playing a guide: why nothing was saved, or what a check found afterwards.
enum Outcome {
    NotSaved(Box<Finding>),
    Saved(Examined),
}

impl Outcome {
    fn works(&self) -> bool {
        matches!(self, Self::Saved(examined) if examined.worst() < Severity::Failed)
    }
}

/// Ways to get a guide wrong that do not matter here, and why.
const HARMLESS: &[(&str, &str)] = &[
    ("lightning-host", "the address of the pages is read as the org's own"),
    ("setup-host", "the address of Setup is read as the org's own"),
    ("pkce-not-sent", "a challenge is always sent"),
    ("pkce-required-by-the-org", "a challenge is always sent"),
    ("scope-asked-for", "no scope is sent where none is allowed"),
    ("session-short", "an ended session is renewed"),
];

fn exposed(secret: Option<&Secret>) -> String {
    secret.map(|secret| secret.expose().to_owned()).unwrap_or_default()
}

fn host(org: &Acme, kind: HostKind) -> String {
    let my_domain = org.emulator.hosts().remove(0);
    match kind {
        HostKind::MyDomain => my_domain,
        HostKind::Login => "login.salesforce.com".to_owned(),
        HostKind::Test => "test.salesforce.com".to_owned(),
        HostKind::Lightning => my_domain.replace(".my.salesforce.com", ".lightning.force.com"),
        HostKind::Setup => my_domain.replace(".my.salesforce.com", ".my.salesforce-setup.com"),
    }
}

fn request(org: &Acme, client: &Client) -> ConnectRequest {
    let secret = Some(exposed(client.consumer_secret.as_ref())).filter(|secret| !secret.is_empty());
    let version = client.api_version.trim_end_matches(".0").parse().unwrap();
    ConnectRequest {
        name: Some(NAME.to_owned()),
        org: host(org, client.host),
        customer: None,
        app: match client.flow {
            Flow::SoapLogin => AppChoice::Absent,
            _ => AppChoice::Own { client_id: client.consumer_key.clone(), client_secret: secret.map(Into::into) },
        },
        api_version: Some(ApiVersion(version)),
        confirmed: Confirmed::default(),
        owner: None,
        actor: Actor::CommandLine,
        first_import: Default::default(),
    }
}

/// What a query reads, as something that is needed.
fn need(soql: &str) -> Need {
    let (fields, rest) = soql.strip_prefix("SELECT ").unwrap().split_once(" FROM ").unwrap();
    Need {
        object: rest.split(' ').next().unwrap().to_owned(),
        fields: fields.split(", ").map(str::to_owned).collect(),
        ..Need::default()
    }
}

/// Somebody at a browser, unless they cannot come past the login page.
async fn visit(org: &Acme, client: &Client, promised: &Promised, url: &str) -> Option<String> {
    let turned_away = matches!(promised, Promised::Refused(refusal) if refusal.at == Request::Login);
    if turned_away {
        return None;
    }
    let username = client.username.clone().unwrap_or_default();
    let mut person = Person::new(&org.emulator, &username, &exposed(client.password.as_ref()));
    let seen = person.visit(url, if client.denies { Answer::Deny } else { Answer::Allow }).await;
    seen.url.query().map(str::to_owned)
}

async fn connect(
    org: &Acme,
    app: &App,
    client: &Client,
    promised: &Promised,
    callback: &str,
) -> Result<Connected, Error> {
    let request = request(org, client);
    let who = || UserPassword {
        username: client.username.clone().unwrap_or_default(),
        password: exposed(client.password.as_ref()).into(),
        security_token: Some(exposed(client.security_token.as_ref())).filter(|it| !it.is_empty()).map(Into::into),
    };
    match client.flow {
        Flow::ClientCredentials => app.connect(request, Offered::ClientCredentials, &Quiet).await,
        Flow::Password => app.connect(request, Offered::Password(who()), &Quiet).await,
        Flow::SoapLogin => app.connect(request, Offered::SoapLogin(who()), &Quiet).await,
        Flow::WebServer => {
            let begun = app.begin_web_server(request, callback, BROWSER).await?;
            // Whoever does not come back has begun something that ends by itself.
            let query = visit(org, client, promised, begun.url.as_str()).await.ok_or(Error::SignInOver)?;
            app.finish_web_server(&query, BROWSER, &Quiet).await
        }
        Flow::Device => {
            let begun = app.begin_device(request, BROWSER).await?;
            visit(org, client, promised, begun.prefilled_uri.as_str()).await;
            match app.poll_device(&begun.id, BROWSER, &Quiet).await? {
                DevicePoll::Connected(connected) => Ok(*connected),
                DevicePoll::Pending { .. } => {
                    org.emulator.control().advance(Duration::from_secs(601));
                    match app.poll_device(&begun.id, BROWSER, &Quiet).await? {
                        DevicePoll::Connected(_) => panic!("nobody has confirmed the code"),
                        DevicePoll::Pending { .. } => Err(Error::SignInOver),
                    }
                }
            }
        }
    }
}

async fn play(scenario: &str, client: &Client, promised: &Promised) -> Outcome {
    let mut scenario = Scenario::builtin(scenario).unwrap();
    let callback = receiving_nothing().await;
    // The guide's callback, as far as it is registered, is one that this machine answers.
    let registered = scenario.apps.iter_mut().flat_map(|app| &mut app.callback_urls);
    registered
        .filter(|url| Some(url.as_str()) == client.callback_url.as_deref())
        .for_each(|url| url.clone_from(&callback));
    let org = Acme::of(scenario).await;
    let app = org.app(&[]).await;
    if let Err(error) = connect(&org, &app, client, promised, &callback).await {
        assert!(app.status().await.unwrap().is_empty(), "{error}: saved all the same");
        let finding = error.finding().unwrap_or_else(|| panic!("no finding is made of {error}"));
        return Outcome::NotSaved(Box::new(finding));
    }
    org.emulator.control().advance(Duration::from_secs(60 * client.idle_minutes));
    if client.refreshes {
        org.emulator.control().expire_sessions();
    }
    Outcome::Saved(app.check(NAME, vec![need(&client.reads)], &Quiet).await.unwrap())
}

fn line(finding: &Finding) -> String {
    let remedy = finding.remedy.as_ref().map_or("", |remedy| remedy.text.as_ref());
    let may_pass = finding.may_pass.map(|may_pass| format!(" [{may_pass}]")).unwrap_or_default();
    format!("    {} ({}){may_pass}\n      {}\n      > {remedy}\n", finding.code, finding.who, finding.seen)
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::NotSaved(finding) => format!("  not saved:\n{}", line(finding)),
        Outcome::Saved(examined) => {
            let worth_saying = examined.findings.iter().filter(|finding| finding.severity >= Severity::Warning);
            // Tests play for hours of the org's clock, and for no time of this machine's.
            let lines: String = worth_saying.filter(|finding| finding.code != "org/clock-skew").map(line).collect();
            format!("  saved{}\n{lines}", if lines.is_empty() { ", and well" } else { ":" })
        }
    }
}

fn promises_failure(variant: &Variant) -> bool {
    !matches!(variant.answer, Promised::Works) && !HARMLESS.iter().any(|(name, _)| *name == variant.name)
}

/// Plays a guide and all that can go wrong with it.
async fn prove(name: &str) -> String {
    let guide = Guide::named(name).unwrap();
    let right = play(&guide.working_scenario(), &guide.client(), &Promised::Works).await;
    assert!(right.works(), "{name}: {}", describe(&right));
    let mut report = format!("{}\n{}", guide.working_scenario(), describe(&right));
    for variant in guide.variants() {
        let scenario = format!("{name}/{}", variant.name);
        let outcome = play(&scenario, &guide.client_of(variant), &variant.answer).await;
        let _ = write!(report, "\n{scenario}: {}\n{}", variant.mistake, describe(&outcome));
        assert_eq!(!outcome.works(), promises_failure(variant), "{scenario}: {}", describe(&outcome));
    }
    report
}

macro_rules! guides {
    ($($test:ident: $guide:literal;)*) => {$(
        #[tokio::test]
        async fn $test() {
            insta::assert_snapshot!($guide, prove($guide).await);
        }
    )*};
}

guides! {
    every_way_to_get_the_guide_of_fynancial_wrong_has_its_finding: "g1-fynancial";
    every_way_to_get_the_guide_of_genfin_wrong_has_its_finding: "g2-genfin";
    every_way_to_get_the_guide_of_mailfino_wrong_has_its_finding: "g3-mailfino";
    every_way_to_get_the_guide_of_the_csm_connector_wrong_has_its_finding: "g4-multisource-csm";
    every_way_to_get_the_guide_of_tesorio_wrong_has_its_finding: "g5-tesorio";
}
