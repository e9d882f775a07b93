//! `orgtide demo`

mod changes;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ::emulator::{Emulator, Options, Scenario};
use ::sync::{mapping::Mapping, read::ReadChoice};
use clap::Args;
use salesforce::{ApiVersion, http::MappedHost};
use serde_json::{Value, json};
use tokio::sync::watch;

use self::changes::{Changes, change_org};
use super::{
    interrupted, open_browser,
    progress::{Bars, destination_place},
    serve::link,
    terminal::{Terminal, counted, grouped},
};
use crate::{
    app::{
        App,
        connect::{AppChoice, ConnectRequest, Offered},
        import::{ImportRequest, StreamOutcome, Watcher},
        status::StreamStatus,
    },
    clock::SystemClock,
    config::{Config, KeySource},
    diagnose::Quiet,
    error::{Error, Exit},
    store::{connections::Confirmed, journal::Actor},
    web::{Listen, Listener},
};

const OBJECTS: [&str; 2] = ["Account", "Contact"];
/// Who looks at the console.
const OWNER: &str = "owner@demo.example";
/// How often somebody works in the org.
const WORK_EVERY: Duration = Duration::from_secs(60);
/// The connection whose user may read both objects.
const READS_ALL: &str = "multisource";

/// Shows everything against an emulated org: connect, import, change, sync
///
/// An org with 20,000 accounts and 100,000 contacts starts on this machine. It is connected as two vendors' guides
/// describe, imported into a SQLite file, changed, and synced again. Then a console opens in which everything can be
/// looked at, and the org goes on changing once a minute. Nothing leaves the machine, and no account is needed. It stays
/// up until Ctrl-C.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  orgtide demo\n  orgtide demo --exit --data-dir ./demo")]
pub(super) struct Arguments {
    /// Ends after the last step, without a console
    #[arg(long)]
    exit: bool,
    /// Prints the link to the console, and opens no browser
    #[arg(long)]
    no_open: bool,
}

/// A vendor's guide, played on both sides.
struct Guide {
    connection: &'static str,
    customer: &'static str,
    /// What the org's administrator set up, and what the vendor asks for.
    setup: &'static str,
    consumer_key: &'static str,
    api_version: Option<ApiVersion>,
}

const GUIDES: [Guide; 2] = [
    Guide {
        connection: "genfin",
        customer: "Genfin's customer",
        setup: "External Client App, client credentials; a Run As user that reads contacts only; API v60.0",
        consumer_key: "3MVG9.demo.genfin",
        api_version: Some(ApiVersion(60)),
    },
    Guide {
        connection: READS_ALL,
        customer: "MultiSource's customer",
        setup: "Connected App, client credentials; a Run As user that is API Only; newest API version",
        consumer_key: "3MVG9.demo.csm",
        api_version: None,
    },
];

pub(super) async fn run(arguments: Arguments, config: Config, terminal: &Terminal) -> Result<Exit, Error> {
    let home = home(&config)?;
    let scenario = Scenario::builtin("demo").ok_or_else(|| failure("its scenario is missing"))?;
    let emulator = Emulator::start(scenario.clone(), Options::default()).await.map_err(failure)?;
    let app = App::open(for_demo(config, &home, &emulator), Arc::new(SystemClock), "orgtide demo").await?;
    let app = Arc::new(app);

    let demo = Demo { terminal, app, emulator, scenario };
    let outcome = tokio::select! {
        outcome = demo.show() => outcome?,
        () = interrupted() => return Ok(Exit::Stopped),
    };
    if !arguments.exit {
        demo.open_console(!arguments.no_open).await?;
    }
    demo.emulator.stop().await;
    Ok(outcome)
}

/// The demonstration's data directory: the one that was given if it is empty, else a fresh one below it; without any, a
/// temporary one that stays to be looked at. The emulated org is another one each time, so nothing is continued.
fn home(config: &Config) -> Result<PathBuf, Error> {
    if !config.data_dir_is_given {
        let temporary = tempfile::Builder::new().prefix("orgtide-demo-").tempdir().map_err(failure)?;
        return Ok(temporary.keep());
    }
    let given = &config.data_dir;
    let is_free = |path: &Path| path.read_dir().map_or(true, |mut entries| entries.next().is_none());
    let below = (1..).map(|number| given.join(format!("demo-{number}")));
    let mut candidates = std::iter::once(given.clone()).chain(below);
    Ok(candidates.find(|path| is_free(path)).unwrap_or_else(|| given.clone()))
}

/// The settings of the demonstration: its own data directory, and an org that no name server knows.
fn for_demo(config: Config, home: &Path, emulator: &Emulator) -> Config {
    let address = emulator.tls_address();
    let map = |host: String| address.map(|address| MappedHost { host, address });
    let mut http = config.http.clone();
    http.proxy = None;
    http.extra_ca_pem = vec![emulator.ca_pem().to_owned()];
    http.mapped_hosts = emulator.hosts().into_iter().filter_map(map).collect();
    Config {
        data_dir: home.to_owned(),
        database_url: None,
        production: false,
        key: KeySource::DataDirectory,
        http,
        ..config
    }
}

fn failure(error: impl std::fmt::Display) -> Error {
    Error::Emulator { reason: error.to_string() }
}

struct Demo<'a> {
    terminal: &'a Terminal,
    app: Arc<App>,
    emulator: Emulator,
    scenario: Scenario,
}

impl Demo<'_> {
    async fn show(&self) -> Result<Exit, Error> {
        self.start();
        for guide in &GUIDES {
            self.connect(guide).await?;
        }
        let imported = self.import().await?;
        let changes = self.change()?;
        let synced = self.sync().await?;
        let sides = self.compare(&changes).await?;
        let is_same = sides.iter().all(Side::is_same);
        self.finish(&imported, &synced, &sides, is_same);
        Ok(if is_same { Exit::Done } else { Exit::Fault })
    }

    /// Shows the console to the owner of the demonstration until Ctrl-C, while people go on working in the org.
    async fn open_console(&self, opens_browser: bool) -> Result<(), Error> {
        let free = Listen { address: ([127, 0, 0, 1], 0).into(), public_url: None, production: false };
        let usual = Listen { address: self.app.config().serve.listen, ..free.clone() };
        let listener = match Listener::start(Arc::clone(&self.app), &usual).await {
            Ok(listener) => listener,
            Err(_) => Listener::start(Arc::clone(&self.app), &free).await?,
        };
        let link = link(&listener, &self.app.demonstrate_to(OWNER).await?);
        self.terminal.say("\nLook around in the console, as its owner; the link works once:");
        self.terminal.say(format!("   {link}"));
        self.terminal.say(format!("The org's own page shows its apps, users and mail: {}", self.emulator.http_url()));
        self.terminal.say("Somebody goes on working in the org. Everything stays up until Ctrl-C.");
        if opens_browser {
            open_browser(&link);
        }
        let work = async {
            loop {
                self.app.http().timer().sleep(WORK_EVERY).await;
                if let Err(error) = change_org(self.emulator.control()) {
                    tracing::warn!(%error, "nobody works in the org");
                }
            }
        };
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(Arc::clone(&self.app).keep_running(stopped));
        tokio::select! {
            () = work => {}
            () = interrupted() => {}
        }
        stop.send_replace(true);
        listener.stop().await;
        // Runs under way end at their next checkpoint.
        let _ = running.await;
        Ok(())
    }

    fn heading(&self, number: u8, title: &str) {
        self.terminal.say(format!("\n{number}  {title}"));
    }

    fn start(&self) {
        let rows = OBJECTS.map(|object| {
            let rows = self.scenario.rows.get(object).copied().unwrap_or_default();
            counted(rows, &object.to_lowercase())
        });
        self.terminal.say("Orgtide demonstration. Everything happens on this machine.");
        self.heading(1, "A Salesforce org");
        self.terminal.say(format!("   {}, emulated: {}", self.scenario.org.name, rows.join(" and ")));
        self.terminal.say(format!("   https://{}", self.host()));
    }

    fn host(&self) -> String {
        self.emulator.hosts().into_iter().next().unwrap_or_default()
    }

    async fn connect(&self, guide: &Guide) -> Result<(), Error> {
        if guide.connection == GUIDES[0].connection {
            self.heading(2, "Connect it, as two vendors' guides describe");
        }
        let secret = self.scenario.setup().app(guide.consumer_key).map(|app| app.consumer_secret.expose().to_owned());
        let secret = secret.ok_or_else(|| failure(format!("its scenario has no app {}", guide.consumer_key)))?;
        let request = ConnectRequest {
            name: Some(guide.connection.to_owned()),
            org: self.host(),
            customer: Some(guide.customer.to_owned()),
            app: AppChoice::Own { client_id: guide.consumer_key.to_owned(), client_secret: Some(secret.into()) },
            api_version: guide.api_version,
            confirmed: Confirmed::default(),
            owner: None,
            actor: Actor::CommandLine,
            first_import: Default::default(),
        };
        let connected = self.app.connect(request, Offered::ClientCredentials, &Quiet).await?;
        let user = &connected.user.preferred_username;
        self.terminal.say(format!("   {:<12} {}", guide.connection, guide.setup));
        self.terminal.say(format!("   {:<12} signed in as {user}", ""));
        for object in OBJECTS {
            if let Ok(described) = self.app.describe(guide.connection, object).await {
                let custom = described.fields.iter().filter(|field| field.custom).count() as u64;
                self.terminal.say(format!(
                    "   {:<12} reads {object}: {}, {} of them custom",
                    "",
                    counted(described.fields.len() as u64, "field"),
                    grouped(custom)
                ));
            }
        }
        Ok(())
    }

    async fn import(&self) -> Result<Vec<StreamOutcome>, Error> {
        self.heading(3, "Import both objects into SQLite");
        let mapping = |object: &str| Mapping { object: object.to_owned(), ..Mapping::default() };
        let request = ImportRequest {
            connection: READS_ALL.to_owned(),
            mappings: OBJECTS.map(mapping).into(),
            destination: None,
            read: ReadChoice::Auto,
        };
        let (_keep, stop) = watch::channel(false);
        failed_first(self.app.import(&request, &self.watcher(), &stop).await?)
    }

    fn change(&self) -> Result<Changes, Error> {
        self.heading(4, "Somebody works in the org");
        let changes = change_org(self.emulator.control()).map_err(failure)?;
        for (object, change) in &changes {
            self.terminal.say(format!(
                "   {object:<12} {} inserted, {} updated, {} deleted",
                change.inserted, change.updated, change.deleted
            ));
        }
        Ok(changes)
    }

    async fn sync(&self) -> Result<Vec<StreamOutcome>, Error> {
        self.heading(5, "Sync: only what has changed is read");
        let (_keep, stop) = watch::channel(false);
        failed_first(self.app.sync(READS_ALL, &[], &self.watcher(), &stop).await?)
    }

    fn watcher(&self) -> Arc<dyn Watcher> {
        Arc::new(Bars::indented(*self.terminal, "   "))
    }

    /// Counts both sides.
    async fn compare(&self, changes: &Changes) -> Result<Vec<Side>, Error> {
        let status = self.app.status().await?;
        let streams = status.into_iter().find(|connection| connection.name == READS_ALL);
        let streams = streams.map(|connection| connection.streams).unwrap_or_default();
        let data = self.emulator.control().snapshot();
        let side = |stream: StreamStatus| {
            let (index, _) = data.schema().find(&stream.object)?;
            let table = data.table(index);
            let change = changes.iter().find(|(object, _)| **object == stream.object)?.1;
            Some(Side {
                org: table.live_rows(),
                org_deleted: u64::from(change.deleted),
                copy: stream.rows,
                copy_deleted: stream.deleted_rows,
                object: stream.object,
                destination: stream.destination,
            })
        };
        Ok(streams.into_iter().filter_map(side).collect())
    }

    fn finish(&self, imported: &[StreamOutcome], synced: &[StreamOutcome], sides: &[Side], is_same: bool) {
        self.heading(6, "Both sides");
        let number = |number: Option<u64>| number.map_or_else(|| "unknown".to_owned(), grouped);
        let rows = sides.iter().map(|side| {
            let (object, copy, deleted) = (&side.object, number(side.copy), number(side.copy_deleted));
            vec![format!("   {object}"), grouped(side.org), copy, grouped(side.org_deleted), deleted]
        });
        let header = ["   object", "in the org", "in the copy", "deleted there", "marked here"];
        self.terminal.table(&header, &[1, 2, 3, 4], rows.collect());
        let verdict = if is_same { "The copy is complete." } else { "The copy differs from the org: this is a fault." };
        self.terminal.say(format!("   {verdict}"));
        if let Some(side) = sides.first() {
            let file = destination_place(&side.destination);
            self.terminal.say(format!("\nThe database is {file}"));
            self.terminal.say(format!("   sqlite3 {file} 'SELECT Id, Name, BillingCity FROM Account LIMIT 5'"));
            let home = Path::new(&file).parent().map(|home| home.display().to_string()).unwrap_or_default();
            self.terminal.say(format!("   orgtide status --data-dir {home}"));
        }
        self.terminal.document(&json!({
            "org": self.host(),
            "imported": rows_of(imported),
            "synced": rows_of(synced),
            "same": is_same,
            "objects": sides.iter().map(Side::document).collect::<Vec<_>>(),
        }));
    }
}

/// One object in the org and in the copy.
struct Side {
    object: String,
    destination: String,
    org: u64,
    org_deleted: u64,
    copy: Option<u64>,
    copy_deleted: Option<u64>,
}

impl Side {
    fn is_same(&self) -> bool {
        self.copy == Some(self.org) && self.copy_deleted == Some(self.org_deleted)
    }

    fn document(&self) -> Value {
        json!({
            "object": self.object,
            "database": destination_place(&self.destination),
            "org": self.org,
            "copy": self.copy,
            "org_deleted": self.org_deleted,
            "copy_deleted": self.copy_deleted,
        })
    }
}

fn rows_of(outcomes: &[StreamOutcome]) -> Value {
    let rows = |outcome: &StreamOutcome| {
        let counts = outcome.result.as_ref().map(|report| report.counts).unwrap_or_default();
        json!({ "object": outcome.stream.object, "rows": counts.rows, "api_calls": counts.api_calls })
    };
    outcomes.iter().map(rows).collect()
}

/// The outcomes, unless one failed.
fn failed_first(outcomes: Vec<StreamOutcome>) -> Result<Vec<StreamOutcome>, Error> {
    match outcomes.iter().position(|outcome| outcome.result.is_err()) {
        None => Ok(outcomes),
        Some(failed) => {
            let outcome = outcomes.into_iter().nth(failed).map(|outcome| outcome.result);
            Err(outcome.and_then(Result::err).unwrap_or_else(|| failure("a stream failed")))
        }
    }
}
