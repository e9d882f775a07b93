//! Asks an org what can be known of a connection, and judges nothing. A refusal is knowledge.

use std::collections::BTreeMap;

use salesforce::{
    ApiError, ApiVersion, Client, OrgUrl, Recovery,
    describe::ObjectDescribe,
    org::{Limit, UserInfo, versions},
    query::Deleted,
};
use sync::{catalogue::Catalogue, mapping::MappingProblem};

use crate::{app::App, error::Error, store::streams::Stream};

/// What was asked, and what came of it.
#[derive(Debug, Clone)]
pub enum Fact<T> {
    Known(T),
    Refused(Refused),
    /// Something before it was refused.
    NotAsked,
}

/// Why something is not known.
#[derive(Debug, Clone)]
pub struct Refused {
    pub message: String,
    pub remedy: Option<String>,
    pub recovery: Recovery,
}

/// One object, as the connection's user meets it.
#[derive(Debug, Clone)]
pub struct ObjectFacts {
    pub name: String,
    pub describe: Fact<ObjectDescribe>,
    pub rows: Fact<u64>,
    /// What is wrong with the mappings of its streams.
    pub problems: Vec<MappingProblem>,
}

/// Everything that is asked.
#[derive(Debug, Clone)]
pub struct OrgFacts {
    pub connection: String,
    pub org: OrgUrl,
    /// The org and the user that were connected.
    pub expected_org_id: String,
    pub expected_username: String,
    pub api_version: ApiVersion,
    pub identity: Fact<UserInfo>,
    pub versions: Fact<Vec<ApiVersion>>,
    pub objects: Vec<ObjectFacts>,
    pub limits: Fact<BTreeMap<String, Limit>>,
    /// Used and allowed requests of 24 hours, from the headers of the answers.
    pub requests: Option<(u64, u64)>,
}

/// The objects that are looked at when no stream is remembered.
const USUAL_OBJECTS: [&str; 2] = ["Account", "Contact"];

impl App {
    pub(super) async fn ask(&self, name: &str) -> Result<OrgFacts, Error> {
        let (connection, streams, client) = self.speak_for(name).await?;
        let identity = self.fact(name, client.userinfo().await);
        let is_in = matches!(identity, Fact::Known(_));
        let versions = self.fact(name, versions(self.http(), &connection.instance).await);
        let mut objects = Vec::new();
        for object in named_objects(&streams) {
            let facts = if is_in { self.ask_object(name, &client, &object, &streams).await } else { unasked(&object) };
            objects.push(facts);
        }
        let limits = if is_in { self.fact(name, client.limits().await) } else { Fact::NotAsked };
        let usage = client.usage();
        Ok(OrgFacts {
            connection: connection.name,
            org: connection.org,
            expected_org_id: connection.org_id,
            expected_username: connection.username,
            api_version: connection.api_version,
            identity,
            versions: match versions {
                Fact::Known(offered) => Fact::Known(offered.into_iter().map(|offered| offered.version).collect()),
                Fact::Refused(refused) => Fact::Refused(refused),
                Fact::NotAsked => Fact::NotAsked,
            },
            objects,
            limits,
            requests: usage.org_used.zip(usage.org_max),
        })
    }

    async fn ask_object(&self, connection: &str, client: &Client, object: &str, streams: &[Stream]) -> ObjectFacts {
        let describe = self.fact(connection, client.describe(object).await);
        let rows = match &describe {
            Fact::Known(_) => self.fact(connection, client.count(object, None, Deleted::Excluded).await),
            Fact::Refused(_) | Fact::NotAsked => Fact::NotAsked,
        };
        let mut problems = Vec::new();
        if matches!(describe, Fact::Known(_)) {
            for stream in streams.iter().filter(|stream| stream.object == object) {
                if let Ok(catalogue) = Catalogue::load(client, &stream.mapping).await {
                    problems.extend(stream.mapping.compile(&catalogue).err().unwrap_or_default());
                }
            }
        }
        ObjectFacts { name: object.to_owned(), describe, rows, problems }
    }

    fn fact<T>(&self, connection: &str, answer: Result<T, ApiError>) -> Fact<T> {
        match answer {
            Ok(known) => Fact::Known(known),
            Err(source) => {
                let error = Error::api(connection, source);
                let message = error.to_string();
                let message = message.strip_prefix(&format!("{connection}: ")).unwrap_or(&message).to_owned();
                Fact::Refused(Refused { message, remedy: error.remedy(), recovery: error.recovery() })
            }
        }
    }
}

fn unasked(object: &str) -> ObjectFacts {
    ObjectFacts { name: object.to_owned(), describe: Fact::NotAsked, rows: Fact::NotAsked, problems: Vec::new() }
}

fn named_objects(streams: &[Stream]) -> Vec<String> {
    let mut names: Vec<String> = streams.iter().map(|stream| stream.object.clone()).collect();
    names.dedup();
    if names.is_empty() { USUAL_OBJECTS.map(str::to_owned).to_vec() } else { names }
}
