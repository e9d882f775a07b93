//! Copying the settings of one connection to another, such as from a sandbox to production: streams with their mappings,
//! read modes and schedules. Records, secrets and grants stay where they are.

use destinations::DestinationSettings;
use serde::Serialize;
use sync::{
    catalogue::Catalogue,
    mapping::{Difference, Mapping, differences},
};

use super::App;
use crate::{
    error::Error,
    store::{
        connections::Connection,
        journal::Actor,
        promoted::{PromotedSettings, Target},
        schedules::Plan,
        streams::{Stream, choice_name},
    },
};

/// What is copied, and how far that may go.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Objects or tables; none: every stream.
    pub objects: Vec<String>,
    /// Where the rows of all of them go; `None`: where the source's go, each connection's file in the data directory apart.
    pub destination: Option<String>,
    /// Streams that are there and differ may be changed.
    pub replace: bool,
    /// What does not fit the target is left out in place of refusing everything.
    pub skip_unfit: bool,
}

/// What a promotion changes, or would.
#[derive(Debug, Clone, Serialize)]
pub struct Promotion {
    pub from: String,
    pub to: String,
    pub is_saved: bool,
    pub streams: Vec<PromotedStream>,
}

/// One stream of the source at the target.
#[derive(Debug, Clone, Serialize)]
pub struct PromotedStream {
    pub object: String,
    pub table: String,
    /// Which of several streams that fill the table.
    pub stream: Option<String>,
    pub destination: String,
    /// As people write it: `every 15 minutes`.
    pub schedule: String,
    #[serde(flatten)]
    pub change: Promoted,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Promoted {
    Added,
    /// It is there, with other settings.
    Changed {
        differences: Vec<String>,
    },
    Same,
    /// It does not fit the target.
    Unfit {
        problems: Vec<String>,
    },
    /// The source itself does not import it.
    LeftOut {
        reason: String,
    },
}

impl Promotion {
    /// Streams that do not fit, each with its problems.
    pub fn unfit(&self) -> Vec<String> {
        let problems = |stream: &PromotedStream| match &stream.change {
            Promoted::Unfit { problems } => {
                problems.iter().map(|problem| format!("{}: {problem}", stream.object)).collect()
            }
            _ => Vec::new(),
        };
        self.streams.iter().flat_map(problems).collect()
    }

    /// Streams that are there with other settings.
    pub fn changed(&self) -> Vec<String> {
        let is_changed = |stream: &&PromotedStream| matches!(stream.change, Promoted::Changed { .. });
        self.streams.iter().filter(is_changed).map(|stream| format!("{} in {}", stream.object, stream.table)).collect()
    }
}

/// A stream of the source, and where it would be at the target.
struct Candidate {
    shown: PromotedStream,
    settings: PromotedSettings,
}

impl App {
    /// What [`App::promote`] would do.
    ///
    /// # Errors
    /// A name that nothing has, a target that cannot be asked, a source without what is named.
    pub async fn plan_promotion(&self, from: &str, to: &str, wanted: &Wanted) -> Result<Promotion, Error> {
        self.candidates(from, to, wanted).await.map(|(promotion, _, _)| promotion)
    }

    /// Copies the streams of `from` with their mappings, read modes and schedules to `to`, all at once. They are imported
    /// there by the next import, or when their schedules say so.
    ///
    /// # Errors
    /// [`Error::Unfit`] when something does not fit the target and is not to be left out; [`Error::WouldChange`] when
    /// streams that are there differ and nobody has agreed to that. Nothing is saved then.
    pub async fn promote(&self, from: &str, to: &str, wanted: &Wanted, actor: &Actor) -> Result<Promotion, Error> {
        let (mut promotion, target, candidates) = self.candidates(from, to, wanted).await?;
        let (unfit, changed) = (promotion.unfit(), promotion.changed());
        if !unfit.is_empty() && !wanted.skip_unfit {
            return Err(Error::Unfit { to: to.to_owned(), problems: unfit });
        }
        if !changed.is_empty() && !wanted.replace {
            return Err(Error::WouldChange { to: to.to_owned(), streams: changed });
        }
        let is_saved =
            |candidate: &Candidate| matches!(candidate.shown.change, Promoted::Added | Promoted::Changed { .. });
        let settings: Vec<PromotedSettings> =
            candidates.into_iter().filter(is_saved).map(|candidate| candidate.settings).collect();
        self.store.save_promoted(&target, from, &settings, actor).await?;
        promotion.is_saved = true;
        Ok(promotion)
    }

    async fn candidates(
        &self,
        from: &str,
        to: &str,
        wanted: &Wanted,
    ) -> Result<(Promotion, Connection, Vec<Candidate>), Error> {
        if from == to {
            return Err(Error::Missing {
                what: "another connection",
                remedy: "name two: orgtide promote uat --to acme",
            });
        }
        let (source, target) = (self.store.connection(from).await?, self.store.connection(to).await?);
        self.refuse_refreshed(&target)?;
        let streams = super::import::chosen(&source, self.store.streams(&source.id).await?, &wanted.objects)?;
        let catalogue = self.catalogue_of_target(&target, &streams).await?;
        let (plans, drafts) = (self.store.plans(&source.id).await?, self.store.drafts(&source.id).await?);
        let (there, plans_there) = (self.store.streams(&target.id).await?, self.store.plans(&target.id).await?);
        let plan_of = |plans: &[(String, Plan)], id: &str| {
            plans.iter().find(|(known, _)| known == id).map(|(_, plan)| plan.clone()).unwrap_or_default()
        };
        let mut candidates: Vec<Candidate> = Vec::new();
        for stream in streams {
            let destination = self.destination_at(&source, &target, &stream, wanted)?;
            let plan = plan_of(&plans, &stream.id);
            let mut candidate = Candidate::of(stream, destination, &plan);
            let existing = there.iter().find(|known| candidate.is_at(known));
            let taken = candidates.iter().any(|other| other.settings.is_at_same_place(&candidate.settings));
            candidate.settings.target = match existing {
                Some(known) => {
                    Target::Existing { stream: Box::new(known.clone()), plan: plan_of(&plans_there, &known.id) }
                }
                None => Target::New,
            };
            let is_draft = drafts.contains(&candidate.settings.source_id);
            candidate.shown.change = match is_draft {
                true => Promoted::LeftOut { reason: format!("{from} has it staged and not imported yet") },
                false => candidate.judged(&catalogue, taken),
            };
            candidates.push(candidate);
        }
        let shown = candidates.iter().map(|candidate| candidate.shown.clone()).collect();
        let promotion = Promotion { from: from.to_owned(), to: to.to_owned(), is_saved: false, streams: shown };
        Ok((promotion, target, candidates))
    }

    /// What the target says of all objects, as it is now.
    async fn catalogue_of_target(&self, target: &Connection, streams: &[Stream]) -> Result<Catalogue, Error> {
        let mappings: Vec<&Mapping> = streams.iter().map(|stream| &stream.mapping).collect();
        self.catalogue(target, &mappings, true).await
    }

    /// Where the rows of a stream go at the target. What lies in the source's own file goes into the target's own.
    fn destination_at(
        &self,
        source: &Connection,
        target: &Connection,
        stream: &Stream,
        wanted: &Wanted,
    ) -> Result<String, Error> {
        if let Some(given) = &wanted.destination {
            return Ok(self.destination(target, Some(given))?.to_string());
        }
        let settings: DestinationSettings = stream.destination.parse().map_err(Error::destination)?;
        let own = |connection: &Connection| self.config.default_database(&connection.name);
        let moved = match settings {
            DestinationSettings::Sqlite(mut settings) if settings.path == absolute(own(source)) => {
                settings.path = absolute(own(target));
                DestinationSettings::Sqlite(settings)
            }
            settings => settings,
        };
        Ok(moved.to_string())
    }
}

fn absolute(path: std::path::PathBuf) -> std::path::PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

impl Candidate {
    fn of(stream: Stream, destination: String, plan: &Plan) -> Self {
        let shown = PromotedStream {
            object: stream.object.clone(),
            table: stream.table.clone(),
            stream: stream.mapping.stream.clone(),
            destination: destination.clone(),
            schedule: plan.schedule.to_string(),
            change: Promoted::Added,
        };
        let settings = PromotedSettings {
            source_id: stream.id,
            object: stream.object,
            table: stream.table,
            destination,
            mapping: stream.mapping,
            read: stream.read,
            schedule: plan.schedule.clone(),
            is_paused: plan.paused,
            target: Target::New,
        };
        Self { shown, settings }
    }

    /// Whether a stream of the target fills what this one would.
    fn is_at(&self, known: &Stream) -> bool {
        let Self { settings, .. } = self;
        known.destination == settings.destination
            && known.table == settings.table
            && known.mapping.stream == settings.mapping.stream
    }

    fn judged(&self, catalogue: &Catalogue, is_taken: bool) -> Promoted {
        let mut problems: Vec<String> = match self.settings.mapping.compile(catalogue) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        };
        if is_taken {
            problems.push("another stream of the source goes into the same table there".to_owned());
        }
        if let Target::Existing { stream, .. } = &self.settings.target
            && stream.object != self.settings.object
        {
            problems.push(format!("its table holds {} there", stream.object));
        }
        if !problems.is_empty() {
            return Promoted::Unfit { problems };
        }
        match &self.settings.target {
            Target::New => Promoted::Added,
            Target::Existing { stream, plan } => match self.differences(stream, plan) {
                differences if differences.is_empty() => Promoted::Same,
                differences => Promoted::Changed { differences },
            },
        }
    }

    /// In what the target's stream differs from what it would become.
    fn differences(&self, there: &Stream, plan: &Plan) -> Vec<String> {
        let Self { settings, .. } = self;
        let mut found: Vec<String> = differences(&there.mapping, &settings.mapping).iter().map(in_words).collect();
        if there.read != settings.read {
            found.push(format!("read by {} instead of {}", choice_name(settings.read), choice_name(there.read)));
        }
        if plan.schedule != settings.schedule {
            found.push(format!("runs {} instead of {}", settings.schedule, plan.schedule));
        }
        if plan.paused != settings.is_paused {
            found.push(if settings.is_paused { "pauses" } else { "is paused no more" }.to_owned());
        }
        found
    }
}

fn in_words(difference: &Difference) -> String {
    match difference {
        Difference::Added { column, .. } => format!("column {column} is added"),
        Difference::Removed { column, .. } => format!("column {column} is not filled any more"),
        Difference::Changed { column, .. } => format!("column {column} is made otherwise"),
        Difference::Setting { key, was, now } => format!("{key}: {now} instead of {was}"),
    }
}
