//! Imports that are begun in the console, and their page: what is read while the person watches.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use askama::Template;
use axum::response::IntoResponse;
use sync::verify::Depth;
use tokio::{sync::watch, task::JoinSet};

use super::{
    Console,
    call::{Answer, Call, go_to},
    connection::{StreamView, streams},
    findings::FindingView,
    frame::Frame,
    words::grouped,
};
use crate::{
    app::{
        import::{ImportRequest, RunEvent, Watcher},
        verify::{Comparing, Verified},
    },
    auth::Role,
    error::Error,
};

/// What is begun.
pub(super) enum Work {
    Import(ImportRequest),
    Sync,
    /// Hold the copies of these objects against the org; of all where none is named.
    Verify(Vec<String>),
}

/// A comparison that a person asks for sees everything, and changes nothing.
const HOW: Comparing = Comparing { depth: Depth::Content, repair: false };

/// Begins, unless something of the connection is under way, and leads to its page.
pub(super) async fn start(call: &Call, name: &str, work: Work) -> Answer {
    call.console.app.one_status(name).await?;
    let Some(import) = call.console.imports.begin(name, matches!(work, Work::Verify(_))) else {
        return go_to(&format!("/connections/{name}/import"));
    };
    let (console, name): (Console, String) = (call.console.clone(), name.to_owned());
    let address = format!("/connections/{name}/import");
    let stop = call.console.imports.stop.subscribe();
    call.console.imports.spawn(async move {
        let watcher: Arc<dyn Watcher> = import.clone();
        let error = match &work {
            Work::Import(request) => console.app.import(request, &watcher, &stop).await.err(),
            Work::Sync => console.app.sync(&name, &[], &watcher, &stop).await.err(),
            Work::Verify(objects) => match console.app.verify(&name, objects, HOW, &watcher, &stop).await {
                Ok(verified) => {
                    verified.iter().for_each(|one| import.note(one));
                    None
                }
                Err(error) => Some(error),
            },
        };
        import.end(error);
    });
    go_to(&address)
}

/// Imports that this process runs, by connection.
pub(super) struct Imports {
    running: Mutex<HashMap<String, Arc<Import>>>,
    /// Becomes true when the program ends.
    stop: watch::Sender<bool>,
    tasks: Mutex<JoinSet<()>>,
}

impl Default for Imports {
    fn default() -> Self {
        Self { running: Mutex::default(), stop: watch::Sender::new(false), tasks: Mutex::default() }
    }
}

impl Imports {
    /// A new import, unless one of the connection is under way.
    fn begin(&self, connection: &str, is_comparison: bool) -> Option<Arc<Import>> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.get(connection).is_some_and(|import| !import.is_over()) {
            return None;
        }
        let import = Arc::new(Import(Mutex::new(Told { is_comparison, ..Told::default() })));
        running.insert(connection.to_owned(), Arc::clone(&import));
        Some(import)
    }

    fn find(&self, connection: &str) -> Option<Arc<Import>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).get(connection).cloned()
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that are over are forgotten.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(work);
    }

    /// Stops all imports at their next checkpoint, and waits for them.
    pub(super) async fn end(&self) {
        self.stop.send_replace(true);
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        while tasks.join_next().await.is_some() {}
    }
}

/// What one import tells of itself.
#[derive(Default)]
pub(super) struct Import(Mutex<Told>);

#[derive(Default)]
struct Told {
    /// Copies are held against the org, and nothing is imported.
    is_comparison: bool,
    /// By object: rows so far, and how many there are.
    objects: Vec<(String, u64, Option<u64>)>,
    quota: Option<(u64, u64)>,
    is_over: bool,
    failed: Vec<FindingView>,
}

impl Import {
    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.told().is_over
    }

    /// Says why a comparison made no certificate.
    fn note(&self, verified: &Verified) {
        if let Err(error) = &verified.result {
            let mut findings = FindingView::of_error(error);
            findings.iter_mut().for_each(|finding| finding.subject.clone_from(&verified.stream.object));
            self.told().failed.extend(findings);
        }
    }

    fn end(&self, error: Option<Error>) {
        let mut told = self.told();
        told.is_over = true;
        told.failed.extend(error.iter().flat_map(FindingView::of_error));
    }
}

impl Told {
    fn of(&mut self, object: &str) -> &mut (String, u64, Option<u64>) {
        if let Some(at) = self.objects.iter().position(|(known, ..)| known == object) {
            return &mut self.objects[at];
        }
        self.objects.push((object.to_owned(), 0, None));
        self.objects.last_mut().expect("it was just added")
    }
}

impl Watcher for Import {
    fn event(&self, event: RunEvent<'_>) {
        let mut told = self.told();
        match event {
            RunEvent::Started { stream } => {
                told.of(&stream.object);
            }
            RunEvent::Phase { stream, phase } => {
                if let sync::read::Phase::Reading { total, .. } = phase {
                    told.of(&stream.object).2 = total;
                }
            }
            RunEvent::Progress { stream, counts, org_used, org_max } => {
                let so_far = if told.is_comparison { counts.read } else { counts.rows };
                told.of(&stream.object).1 = so_far;
                told.quota = org_used.zip(org_max);
            }
            RunEvent::Ended { outcome } => {
                if let Err(error) = &outcome.result {
                    let mut findings = FindingView::of_error(error);
                    findings.iter_mut().for_each(|finding| finding.subject.clone_from(&outcome.stream.object));
                    told.failed.extend(findings);
                }
            }
        }
    }
}

#[derive(Template)]
#[template(path = "ui/import.html")]
struct ImportPage {
    frame: Frame,
    connection: String,
    live: ImportLive,
}

#[derive(Template)]
#[template(path = "ui/import_live.html")]
struct ImportLive {
    connection: String,
    is_over: bool,
    is_comparison: bool,
    status: &'static str,
    streams: Vec<Progress>,
    quota: Option<String>,
    findings: Vec<FindingView>,
}

struct Progress {
    stream: StreamView,
    /// Rows so far and in all, where that is known.
    of: Option<(u64, u64)>,
}

pub(super) async fn progress(call: Call) -> Answer {
    let name = call.part("name").to_owned();
    let app = &call.console.app;
    let is_admin = call.has_role(Role::Admin);
    let (_, status) = app.one_status(&name).await?;
    let import = call.console.imports.find(&name);
    let is_elsewhere = import.is_none() && status.streams.iter().any(|stream| stream.running.is_some());
    let is_over = import.as_ref().is_none_or(|import| import.is_over()) && !is_elsewhere;
    let is_comparison = import.as_ref().is_some_and(|import| import.told().is_comparison);
    let mut views = streams(&status, is_admin, app.now());
    let (mut findings, mut quota, mut known) = (Vec::new(), None, Vec::new());
    if let Some(import) = import {
        let told = import.told();
        findings.clone_from(&told.failed);
        quota = told.quota.map(|(used, max)| format!("{} of {} API requests of 24 hours", grouped(used), grouped(max)));
        known.clone_from(&told.objects);
    }
    if !is_admin {
        findings.clear();
    }
    let of = |object: &str| {
        known.iter().find(|(name, ..)| name == object).and_then(|(_, rows, total)| Some((*rows, (*total)?)))
    };
    for view in &mut views {
        if let Some((_, rows, _)) = known.iter().find(|(name, ..)| *name == view.object).filter(|_| !is_over) {
            view.rows = grouped(*rows);
        }
    }
    let status = match (is_comparison, is_over, findings.is_empty()) {
        (false, true, true) => "The import is complete.",
        (false, true, false) => "The import has ended, and not everything went well.",
        (false, false, _) => "Importing. You can leave this page; it goes on.",
        (true, true, true) => "The comparison is complete.",
        (true, true, false) => "The comparison has ended, and not every copy has a certificate.",
        (true, false, _) => "Comparing with the org. You can leave this page; it goes on.",
    };
    let streams = views.into_iter().map(|stream| Progress { of: of(&stream.object), stream }).collect();
    let live = ImportLive { connection: name.clone(), is_over, is_comparison, status, streams, quota, findings };
    if call.is_live {
        return if is_over { Ok([("hx-refresh", "true")].into_response()) } else { call.page(&live) };
    }
    let frame = call
        .frame(if is_comparison { "Comparison" } else { "Import" })
        .below("Integrations", "/integrations")
        .below(name.clone(), format!("/connections/{name}"));
    call.changing_page(&ImportPage { frame, connection: name, live }, !is_over)
}
