//! Objects by fields: what the user may read.

use serde::{Deserialize, Serialize};

use crate::diagnose::facts::{Existence, Fact, FieldState, OrgFacts};

/// Whether one thing can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    Readable,
    Hidden,
    MissingOrHidden,
    /// The object is in the way.
    NotAsked,
}

impl Cell {
    /// For tables.
    pub fn words(self) -> &'static str {
        match self {
            Self::Readable => "readable",
            Self::Hidden => "HIDDEN",
            Self::MissingOrHidden => "MISSING OR HIDDEN",
            Self::NotAsked => "-",
        }
    }
}

/// One object of the matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matrix {
    pub object: String,
    pub readable: Cell,
    /// How many records the user sees.
    pub records: Option<u64>,
    pub fields: Vec<(String, Cell)>,
}

/// What is wanted, and what of it is readable.
pub fn matrix(facts: &OrgFacts) -> Vec<Matrix> {
    let of = |existence: Existence| match existence {
        Existence::Proved => Cell::Hidden,
        Existence::Unknown => Cell::MissingOrHidden,
    };
    let rows = facts.objects.iter().map(|object| Matrix {
        object: object.name.clone(),
        readable: match object.describe {
            Fact::Known(_) => Cell::Readable,
            Fact::Refused(_) => of(object.existence),
            Fact::NotAsked => Cell::NotAsked,
        },
        records: object.rows.known().copied(),
        fields: object
            .fields
            .iter()
            .map(|field| {
                let cell = match &field.state {
                    FieldState::Readable => Cell::Readable,
                    FieldState::Unseen { existence, .. } => of(*existence),
                };
                (field.path.clone(), cell)
            })
            .collect(),
    });
    rows.collect()
}
