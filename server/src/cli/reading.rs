//! The options that say what is going to be read.

use std::path::PathBuf;

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use salesforce::{OrgUrl, oauth::Flow};
use sync::{
    catalogue::Catalogue,
    mapping::{ColumnMapping, Mapping},
};

use super::{connect::USUAL_CALLBACK, import::read_mappings, terminal::Terminal};
use crate::{
    app::mapped::Mapped,
    config::Config,
    error::Error,
    guide::{access::Access, names::check_api_name},
};

#[derive(Debug, Args)]
pub(super) struct Reading {
    /// A connection: what its streams read, and the org's address
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// An object that is going to be read; may be repeated
    #[arg(long = "object", value_name = "OBJECT")]
    objects: Vec<String>,
    /// A field of it, such as Email or Contact.Email; may be repeated
    #[arg(long = "field", value_name = "FIELD")]
    fields: Vec<String>,
    /// A file with mappings, as for `orgtide import`; may be repeated
    #[arg(long = "mapping", value_name = "FILE")]
    mappings: Vec<PathBuf>,
}

/// What is going to be read, and of which org.
pub(super) struct Read {
    pub(super) org: Option<OrgUrl>,
    pub(super) connection: Option<String>,
    pub(super) access: Access,
    pub(super) warnings: Vec<String>,
}

impl Reading {
    /// Asks the connection's org if there is one; otherwise nothing leaves this machine.
    pub(super) async fn resolve(
        &self,
        org: Option<&str>,
        config: &Config,
        command: &str,
        terminal: &Terminal,
    ) -> Result<Read, Error> {
        let mappings = self.mappings()?;
        let org = org.map(|org| OrgUrl::parse(org, config.http.host_rules)).transpose()?;
        let Some(connection) = &self.connection else {
            let access = Access::of(&mappings, &Catalogue::default());
            return Ok(Read { org, connection: None, access, warnings: Vec::new() });
        };
        let app = super::open(config.clone(), command, terminal).await?;
        let Mapped { org: connected, access, warnings } = app.mapped_access(connection, &mappings).await?;
        Ok(Read { org: org.or(Some(connected)), connection: Some(connection.clone()), access, warnings })
    }

    fn mappings(&self) -> Result<Vec<Mapping>, Error> {
        let mut mappings: Vec<Mapping> =
            self.objects.iter().map(|object| Mapping { object: object.clone(), ..Mapping::default() }).collect();
        for name in self.objects.iter().chain(&self.fields) {
            let wrong = |reason| Error::Unreadable { what: format!("the name {name:?}"), reason };
            name.split('.').try_for_each(check_api_name).map_err(wrong)?;
        }
        for field in &self.fields {
            let (place, path) = place(field, &mappings)?;
            if let Some(mapping) = mappings.get_mut(place) {
                mapping.columns.push(ColumnMapping::field(path));
            }
        }
        for file in &self.mappings {
            mappings.extend(read_mappings(file)?);
        }
        Ok(mappings)
    }
}

/// Which object a field is of: the one it names, or the only one there is.
fn place<'a>(field: &'a str, mappings: &[Mapping]) -> Result<(usize, &'a str), Error> {
    let named = field.split_once('.').and_then(|(object, path)| {
        let place = mappings.iter().position(|mapping| mapping.object.eq_ignore_ascii_case(object))?;
        Some((place, path))
    });
    let remedy = "name the object before the field, as in --object Contact --field Contact.Email";
    match (named, mappings) {
        (Some(found), _) => Ok(found),
        (None, [_]) => Ok((0, field)),
        (None, _) => Err(Error::Missing { what: "the object of a --field", remedy }),
    }
}

/// The callback URLs to register: those that were given, or the console's and, where a person signs in in a browser, the
/// one of `orgtide connect`.
pub(super) fn callback_urls(given: Vec<String>, flow: Flow, config: &Config) -> Vec<String> {
    match flow {
        _ if !given.is_empty() => given,
        Flow::WebServer => vec![config.callback_url(), USUAL_CALLBACK.to_owned()],
        _ => vec![config.callback_url()],
    }
}

/// Reads a flow by its name, and lists the names of `flows` in the help.
pub(super) fn flow_parser<const N: usize>(flows: [Flow; N]) -> impl TypedValueParser<Value = Flow> {
    let names = PossibleValuesParser::new(flows.map(Flow::name));
    names
        .map(move |name| flows.into_iter().find(|flow| flow.name() == name).expect("one of the names that are offered"))
}
