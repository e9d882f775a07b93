//! The statements of matching, for every destination that speaks SQL.
//!
//! Which records are looked at stands in a temporary table of this session (`_orgtide_arrived`), which rows were found for
//! them in another (`_orgtide_found`). Everything is done for all of them at once.
//!
//! Where nothing is to be written, the tables are copies: of theirs, the rows that the records stand for
//! (`_orgtide_copies`).

use sync::matching::{Alternative, Pair, Unmatched, Winner};

use super::Rules;

/// How many keys of candidates are kept.
const CANDIDATES: usize = 20;

/// This session's table for copies of rows of theirs.
pub(crate) const COPIES: &str = "_orgtide_copies";

/// Stands for a parameter while a statement is put together. No name in a destination holds a NUL.
const CONNECTION: &str = "\0c";
const OBJECT: &str = "\0o";
const TABLE: &str = "\0t";
const STREAM: &str = "\0s";
const AT: &str = "\0a";

/// What a statement's parameters are, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parameter {
    Connection,
    Object,
    Table,
    Stream,
    /// The moment, as text.
    At,
}

const PARAMETERS: [(&str, Parameter); 5] = [
    (CONNECTION, Parameter::Connection),
    (OBJECT, Parameter::Object),
    (TABLE, Parameter::Table),
    (STREAM, Parameter::Stream),
    (AT, Parameter::At),
];

/// A statement and the parameters it takes.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) parameters: Vec<Parameter>,
}

/// What differs between destinations.
pub(crate) struct Dialect {
    /// Stands before a parameter's number.
    pub(crate) parameter: char,
    /// The schema of this session's own tables.
    pub(crate) temporary: &'static str,
    /// A text without blanks around it, and without case.
    pub(crate) fold: fn(&str) -> String,
    /// The texts of a column as one JSON array.
    pub(crate) array: fn(&str) -> String,
}

/// A column of theirs.
#[derive(Debug, Clone)]
pub(crate) struct TheirColumn {
    pub(crate) name: String,
    /// It holds text, and is compared as it is.
    pub(crate) is_text: bool,
    /// It cannot be null.
    pub(crate) is_required: bool,
    /// What a text has to be cast to before it is written or compared; `None`: nothing.
    pub(crate) cast: Option<String>,
}

/// The tables, quoted, and their columns.
pub(crate) struct Tables<'a> {
    pub(crate) ours: String,
    pub(crate) theirs: String,
    /// The columns of theirs that the rules name, and more.
    pub(crate) columns: &'a [TheirColumn],
    /// Where the links are.
    pub(crate) links: String,
}

/// Puts the statements of one stream together.
pub(crate) struct Composer<'a> {
    pub(crate) dialect: &'a Dialect,
    pub(crate) rules: &'a Rules,
    pub(crate) tables: Tables<'a>,
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl<'a> Composer<'a> {
    /// The columns of theirs that are written.
    pub(crate) fn filled(&self) -> Vec<&'a str> {
        let columns = self.rules.matching.columns.iter();
        columns.filter(|(_, transfer)| transfer.wins != Winner::Theirs).map(|(name, _)| name.as_str()).collect()
    }
}

impl Composer<'_> {
    fn statement(&self, template: &str) -> Statement {
        let mut sql = template.to_owned();
        let mut parameters = Vec::new();
        for (marker, parameter) in PARAMETERS {
            if sql.contains(marker) {
                parameters.push(parameter);
                sql = sql.replace(marker, &format!("{}{}", self.dialect.parameter, parameters.len()));
            }
        }
        Statement { sql, parameters }
    }

    fn arrived(&self) -> String {
        format!("{}._orgtide_arrived", self.dialect.temporary)
    }

    fn found(&self) -> String {
        format!("{}._orgtide_found", self.dialect.temporary)
    }

    /// Rows of ours, as `t`, of the records that arrived, as `a`; those that are deleted are not there.
    fn present(&self) -> String {
        let (ours, id, flag) = (&self.tables.ours, quoted(&self.rules.id), self.is_there());
        format!("{ours} AS t ON t._connection = {CONNECTION} AND t.{id} = a.record{flag}")
    }

    fn is_there(&self) -> &'static str {
        if self.rules.flag { " AND NOT t._deleted" } else { "" }
    }

    fn their_column(&self, name: &str) -> &TheirColumn {
        let found = self.tables.columns.iter().find(|column| column.name == name);
        found.expect("the columns of theirs were looked up for these rules")
    }

    fn their_key(&self) -> String {
        quoted(&self.rules.matching.key)
    }

    /// Whether a row of theirs is there whose key, as text, is `key`.
    fn has_row(&self, key: &str) -> String {
        let theirs = &self.tables.theirs;
        let key = cast(key, self.their_column(&self.rules.matching.key));
        format!("EXISTS (SELECT 1 FROM {theirs} AS c WHERE c.{} = {key})", self.their_key())
    }

    /// The row in `links` of a record that arrived.
    fn of_arrived(&self) -> String {
        let arrived = self.arrived();
        format!("connection = {CONNECTION} AND \"table\" = {TABLE} AND record IN (SELECT record FROM {arrived})")
    }

    /// This session's tables, empty.
    pub(crate) fn begin(&self) -> Vec<String> {
        let temporary = self.dialect.temporary;
        vec![
            "CREATE TEMPORARY TABLE IF NOT EXISTS _orgtide_arrived (record TEXT PRIMARY KEY)".to_owned(),
            "CREATE TEMPORARY TABLE IF NOT EXISTS _orgtide_found \
             (record TEXT, step INTEGER, theirs TEXT, PRIMARY KEY (record, theirs))"
                .to_owned(),
            format!("DELETE FROM {temporary}._orgtide_arrived"),
            format!("DELETE FROM {temporary}._orgtide_found"),
        ]
    }

    /// Looks at every record of the stream.
    pub(crate) fn arrive_all(&self, has_stream: bool) -> Statement {
        let (arrived, ours, id) = (self.arrived(), &self.tables.ours, quoted(&self.rules.id));
        let of_stream = if has_stream { format!(" AND coalesce(t._stream, '') = {STREAM}") } else { String::new() };
        self.statement(&format!(
            "INSERT INTO {arrived} SELECT t.{id} FROM {ours} AS t \
             WHERE t._connection = {CONNECTION}{of_stream}{flag} ON CONFLICT DO NOTHING",
            flag = self.is_there()
        ))
    }

    /// Looks at the records of the stream that nobody has decided about and that stand for no row.
    pub(crate) fn arrive_open(&self) -> Statement {
        let (arrived, links) = (self.arrived(), &self.tables.links);
        self.statement(&format!(
            "INSERT INTO {arrived} SELECT record FROM {links} WHERE connection = {CONNECTION} AND \"table\" = {TABLE} \
             AND stream = {STREAM} AND decided_by IS NULL AND status IN ('unmatched', 'ambiguous') \
             ON CONFLICT DO NOTHING"
        ))
    }

    /// Decisions of people about rows that are there no more are none.
    pub(crate) fn release(&self) -> Statement {
        let links = &self.tables.links;
        self.statement(&format!(
            "UPDATE {links} AS m SET decided_by = NULL WHERE {} AND decided_by IS NOT NULL AND status = 'matched' \
             AND NOT {}",
            self.of_arrived(),
            self.has_row("m.their_key")
        ))
    }

    /// What was decided about the records that arrived is forgotten.
    pub(crate) fn forget_decisions(&self) -> Statement {
        let links = &self.tables.links;
        self.statement(&format!("DELETE FROM {links} WHERE {}", self.of_arrived()))
    }

    /// Finds rows of theirs, one statement an alternative.
    pub(crate) fn find(&self) -> Vec<Statement> {
        let alternatives = self.rules.matching.by.iter().enumerate();
        alternatives.map(|(step, alternative)| self.find_by(step, alternative)).collect()
    }

    /// Text columns are compared as they are, so that an index of theirs serves. Other values of theirs are computed once
    /// for all records, so that they can be looked up instead of going through all rows for each record.
    fn find_by(&self, step: usize, alternative: &Alternative) -> Statement {
        let is_plain = |pair: &Pair| self.their_column(&pair.theirs).is_text && self.rules.texts.contains(&pair.ours);
        let is_direct = !alternative.fold && alternative.pairs.iter().all(is_plain);
        let comparable = |value: &str| match (is_direct, alternative.fold) {
            (true, _) => value.to_owned(),
            (false, false) => as_text(value),
            (false, true) => (self.dialect.fold)(&as_text(value)),
        };
        let mut values = vec![format!("CAST(c.{} AS TEXT) AS theirs", self.their_key())];
        let mut conditions = Vec::new();
        for (index, Pair { theirs, ours }) in alternative.pairs.iter().enumerate() {
            let (theirs, ours) = (format!("c.{}", quoted(theirs)), format!("t.{}", quoted(ours)));
            let compared = if is_direct { theirs.clone() } else { format!("c.v{index}") };
            values.push(format!("{} AS v{index}", comparable(&theirs)));
            conditions.push(format!("{compared} = {} AND trim({}) <> ''", comparable(&ours), as_text(&ours)));
        }
        let theirs = &self.tables.theirs;
        let (with, rows, key) = if is_direct {
            (String::new(), theirs.as_str(), as_text(&format!("c.{}", self.their_key())))
        } else {
            let values = values.join(", ");
            (format!("WITH r AS MATERIALIZED (SELECT {values} FROM {theirs} AS c) "), "r", "c.theirs".to_owned())
        };
        let (arrived, found, present) = (self.arrived(), self.found(), self.present());
        let before = if step == 0 {
            String::new()
        } else {
            format!(" WHERE NOT EXISTS (SELECT 1 FROM {found} AS f WHERE f.record = a.record AND f.step < {step})")
        };
        self.statement(&format!(
            "INSERT INTO {found} (record, step, theirs) {with}SELECT a.record, {step}, {key} FROM {arrived} AS a \
             JOIN {present} JOIN {rows} AS c ON {conditions}{before}",
            conditions = conditions.join(" AND "),
        ))
    }

    /// Links what was found. A link that the rules have made before stays when they find nothing now, or its row among
    /// others; a person's decision stays whatever they find.
    pub(crate) fn judge(&self) -> Statement {
        let (links, arrived, found, present) = (&self.tables.links, self.arrived(), self.found(), self.present());
        let keys = (self.dialect.array)("few.theirs");
        self.statement(&format!(
            "INSERT INTO {links} AS held \
             (connection, object, \"table\", stream, record, status, their_key, candidates, changed_at) \
             SELECT {CONNECTION}, {OBJECT}, {TABLE}, {STREAM}, v.record, \
             CASE v.rows WHEN 0 THEN 'unmatched' WHEN 1 THEN 'matched' ELSE 'ambiguous' END, \
             CASE WHEN v.rows = 1 THEN v.first END, \
             CASE WHEN v.rows > 1 THEN (SELECT {keys} FROM (SELECT f.theirs FROM {found} AS f \
             WHERE f.record = v.record ORDER BY f.theirs LIMIT {CANDIDATES}) AS few) END, {AT} \
             FROM (SELECT a.record, count(f.theirs) AS rows, min(f.theirs) AS first FROM {arrived} AS a \
             JOIN {present} LEFT JOIN {found} AS f ON f.record = a.record GROUP BY a.record) AS v WHERE true \
             ON CONFLICT (connection, \"table\", record) DO UPDATE SET object = excluded.object, \
             stream = excluded.stream, status = excluded.status, their_key = excluded.their_key, \
             candidates = excluded.candidates, changed_at = excluded.changed_at \
             WHERE held.decided_by IS NULL \
             AND (held.status <> excluded.status OR held.their_key IS DISTINCT FROM excluded.their_key \
             OR held.candidates IS DISTINCT FROM excluded.candidates) \
             AND NOT (held.status = 'matched' AND {is_there} AND (excluded.status = 'unmatched' \
             OR held.their_key IN (SELECT f.theirs FROM {found} AS f WHERE f.record = held.record)))",
            is_there = self.has_row("held.their_key"),
        ))
    }

    /// Links of records that are deleted are marked, and unmarked when they come back; `all`: whatever arrived.
    pub(crate) fn mark_gone(&self, all: bool) -> Statement {
        let Tables { links, ours, .. } = &self.tables;
        let which = if all { format!("connection = {CONNECTION} AND \"table\" = {TABLE}") } else { self.of_arrived() };
        self.statement(&format!(
            "UPDATE {links} AS m SET gone = NOT gone WHERE {which} AND gone = EXISTS (SELECT 1 FROM {ours} AS t \
             WHERE t._connection = {CONNECTION} AND t.{} = m.record{})",
            quoted(&self.rules.id),
            self.is_there()
        ))
    }

    /// How many of the records that arrived have which status.
    pub(crate) fn count(&self) -> Statement {
        let links = &self.tables.links;
        self.statement(&format!(
            "SELECT status, count(*) FROM {links} WHERE {} AND NOT gone GROUP BY status",
            self.of_arrived()
        ))
    }

    /// Unmatched records leave the queue, where nobody wants them.
    pub(crate) fn drop_unmatched(&self) -> Option<Statement> {
        let links = &self.tables.links;
        match self.rules.matching.unmatched {
            Unmatched::Queue => None,
            Unmatched::Ignore => Some(self.statement(&format!(
                "DELETE FROM {links} WHERE {} AND status = 'unmatched' AND decided_by IS NULL",
                self.of_arrived()
            ))),
        }
    }

    /// What became of the records that arrived: record, status, key, candidates, who decided, how many rows were found, and
    /// by which alternative.
    pub(crate) fn judged(&self) -> Statement {
        let (links, found) = (&self.tables.links, self.found());
        self.statement(&format!(
            "SELECT m.record, m.status, m.their_key, m.candidates, m.decided_by, \
             (SELECT count(*) FROM {found} AS f WHERE f.record = m.record), \
             (SELECT CAST(min(f.step) AS BIGINT) FROM {found} AS f WHERE f.record = m.record) \
             FROM {links} AS m WHERE {} ORDER BY m.record",
            self.of_arrived()
        ))
    }

    /// Which record fills each row that the records that arrived stand for: the key of the row, and the record.
    pub(crate) fn fillers(&self) -> Statement {
        self.statement(&format!("SELECT n.their_key, n.record FROM {} WHERE n.place = 1", self.linked("")))
    }

    /// This session's table for copies of rows of theirs.
    pub(crate) fn copies(&self) -> String {
        format!("{}.{COPIES}", self.dialect.temporary)
    }

    /// Copies these columns of the rows that the records that arrived stand for.
    pub(crate) fn copy_rows(&self, columns: &str) -> Statement {
        let (copies, theirs, links) = (self.copies(), &self.tables.theirs, &self.tables.links);
        let key = cast("m.their_key", self.their_column(&self.rules.matching.key));
        self.statement(&format!(
            "INSERT INTO {copies} SELECT {columns} FROM {theirs} AS c WHERE c.{} IN \
             (SELECT {key} FROM {links} AS m WHERE {} AND m.status = 'matched')",
            self.their_key(),
            self.of_arrived()
        ))
    }

    /// The key of each copy, and the columns that are filled, as text.
    pub(crate) fn copied(&self) -> Statement {
        let columns = [self.rules.matching.key.as_str()].into_iter().chain(self.filled());
        let columns: Vec<String> = columns.map(|name| as_text(&quoted(name))).collect();
        self.statement(&format!("SELECT {} FROM {}", columns.join(", "), self.copies()))
    }

    /// The records that arrived and stand for a row, as `n`, with these `values` of ours; `place` 1 is the one of a row that
    /// changed last.
    fn linked(&self, values: &str) -> String {
        let newest =
            self.rules.version.as_ref().map_or(String::new(), |version| format!("t.{} DESC, ", quoted(version)));
        format!(
            "(SELECT m.their_key, a.record, {values}row_number() OVER \
             (PARTITION BY m.their_key ORDER BY {newest}t.{id} DESC) AS place FROM {arrived} AS a \
             JOIN {present} JOIN {links} AS m ON m.connection = {CONNECTION} AND m.\"table\" = {TABLE} \
             AND m.record = a.record AND m.status = 'matched') AS n",
            id = quoted(&self.rules.id),
            arrived = self.arrived(),
            present = self.present(),
            links = self.tables.links,
        )
    }

    /// Fills columns of the rows that the records that arrived stand for. Of several records that stand for one row, the
    /// one that changed last fills it. `None`: their values win everywhere.
    pub(crate) fn transfer(&self) -> Option<Statement> {
        let (mut values, mut assignments, mut differences) = (Vec::new(), Vec::new(), Vec::new());
        for (name, transfer) in &self.rules.matching.columns {
            let column = self.their_column(name);
            let theirs = format!("c.{}", quoted(name));
            let ours = cast(&format!("n.v{}", values.len()), column);
            let wanted = match (transfer.wins, column.is_required) {
                (Winner::Theirs, _) => continue,
                (Winner::Salesforce, false) => ours,
                (Winner::Salesforce, true) => format!("coalesce({ours}, {theirs})"),
                (Winner::Empty, _) => {
                    let is_empty = format!("{theirs} IS NULL OR trim({}) = ''", as_text(&theirs));
                    format!("CASE WHEN {is_empty} THEN coalesce({ours}, {theirs}) ELSE {theirs} END")
                }
            };
            values.push(format!("t.{} AS v{}, ", quoted(&transfer.from), values.len()));
            differences.push(format!("{theirs} IS DISTINCT FROM {wanted}"));
            assignments.push(format!("{} = {wanted}", quoted(name)));
        }
        if assignments.is_empty() {
            return None;
        }
        let key = cast("n.their_key", self.their_column(&self.rules.matching.key));
        Some(self.statement(&format!(
            "UPDATE {theirs} AS c SET {assignments} FROM {linked} \
             WHERE n.place = 1 AND c.{their_key} = {key} AND ({differences})",
            theirs = self.tables.theirs,
            assignments = assignments.join(", "),
            linked = self.linked(&values.concat()),
            their_key = self.their_key(),
            differences = differences.join(" OR "),
        )))
    }
}

fn as_text(value: &str) -> String {
    format!("CAST({value} AS TEXT)")
}

/// A value as their column takes it.
fn cast(value: &str, column: &TheirColumn) -> String {
    column.cast.as_ref().map_or_else(|| value.to_owned(), |kind| format!("CAST(CAST({value} AS TEXT) AS {kind})"))
}
