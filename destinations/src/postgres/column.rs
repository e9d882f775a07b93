//! Types of columns: how they are declared, which holds which, and how a value moves from one to another.

use sync::table::ColumnType;

/// The type of a column that Orgtide makes.
pub(super) fn declared(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Text => "text",
        ColumnType::Boolean => "boolean",
        ColumnType::Integer => "bigint",
        ColumnType::Decimal => "numeric",
        ColumnType::Date => "date",
        ColumnType::Timestamp => "timestamptz",
        ColumnType::Time => "time",
        ColumnType::Json => "jsonb",
    }
}

/// What a column that is there can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Every value of this type.
    Exact(ColumnType),
    /// Some values of this type: somebody has changed the column.
    Narrower(ColumnType),
    /// A type that Orgtide never makes and cannot widen.
    Foreign,
}

impl Found {
    /// Reads a type as `format_type` spells it.
    pub(super) fn parse(declared: &str) -> Self {
        let base = declared.split_once('(').map(|(base, _)| base.trim_end());
        let zone = declared.rsplit_once(") ").map(|(_, zone)| zone);
        match (base, zone) {
            (None, _) => Self::named(declared),
            (Some(base), None) => Self::limited(Self::named(base)),
            (Some(base), Some(zone)) => Self::limited(Self::named(&format!("{base} {zone}"))),
        }
    }

    fn named(name: &str) -> Self {
        match name {
            "text" | "character varying" => Self::Exact(ColumnType::Text),
            "boolean" => Self::Exact(ColumnType::Boolean),
            "bigint" => Self::Exact(ColumnType::Integer),
            "numeric" => Self::Exact(ColumnType::Decimal),
            "date" => Self::Exact(ColumnType::Date),
            "timestamp with time zone" => Self::Exact(ColumnType::Timestamp),
            "time without time zone" => Self::Exact(ColumnType::Time),
            "jsonb" => Self::Exact(ColumnType::Json),
            "character" => Self::Narrower(ColumnType::Text),
            "smallint" | "integer" => Self::Narrower(ColumnType::Integer),
            "real" | "double precision" => Self::Narrower(ColumnType::Decimal),
            "timestamp without time zone" => Self::Narrower(ColumnType::Timestamp),
            "json" => Self::Narrower(ColumnType::Json),
            _ => Self::Foreign,
        }
    }

    /// The same type with a length or a precision.
    fn limited(self) -> Self {
        match self {
            Self::Exact(kind) | Self::Narrower(kind) => Self::Narrower(kind),
            Self::Foreign => Self::Foreign,
        }
    }
}

/// An expression of type `from` as one of type `to`, which holds it. As text a value is spelled as in a SQLite
/// destination.
pub(super) fn converted(value: &str, from: ColumnType, to: ColumnType) -> String {
    match (from, to) {
        (from, to) if from == to => value.to_owned(),
        (ColumnType::Date, ColumnType::Timestamp) => format!("({value})::timestamp AT TIME ZONE 'UTC'"),
        (ColumnType::Date, ColumnType::Text) => format!("to_char({value}, 'YYYY-MM-DD')"),
        (ColumnType::Timestamp, ColumnType::Text) => {
            format!("to_char(({value}) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")
        }
        (ColumnType::Time, ColumnType::Text) => format!("to_char(({value})::interval, 'HH24:MI:SS.MS')"),
        (_, to) => format!("({value})::{}", declared(to)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_known_by_its_name_and_a_length_makes_it_narrower() {
        for (declared, found) in [
            ("text", Found::Exact(ColumnType::Text)),
            ("character varying", Found::Exact(ColumnType::Text)),
            ("character varying(80)", Found::Narrower(ColumnType::Text)),
            ("character(18)", Found::Narrower(ColumnType::Text)),
            ("numeric(18,2)", Found::Narrower(ColumnType::Decimal)),
            ("timestamp(0) with time zone", Found::Narrower(ColumnType::Timestamp)),
            ("timestamp without time zone", Found::Narrower(ColumnType::Timestamp)),
            ("time without time zone", Found::Exact(ColumnType::Time)),
            ("time with time zone", Found::Foreign),
            ("text[]", Found::Foreign),
            ("bytea", Found::Foreign),
        ] {
            assert_eq!(Found::parse(declared), found, "{declared}");
        }
    }
}
