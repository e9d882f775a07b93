//! Matching the records of a batch, in the transaction that writes them.

use arrow_array::{Array, StringArray, cast::AsArray};
use sync::{
    Timestamp,
    destination::{DestinationError, Written},
    table::{StreamKey, TableBatch, TableSchema},
};
use tokio_postgres::{
    Transaction,
    types::{ToSql, Type},
};

use super::{
    fault::Fault,
    name::identifier,
    schema::{CONNECTION, OwnColumns, Target, find},
};
use crate::matching::{
    Rules,
    sql::{Composer, Dialect, Parameter, Statement, Tables, TheirColumn},
};

pub(super) const LINKS: &str = "_orgtide_matches";
const RULES: &str = "_orgtide_matchings";

/// The schema in which a table of somebody else's is looked for after the stream's own.
const PUBLIC: &str = "public";

static DIALECT: Dialect = Dialect {
    parameter: '$',
    temporary: "pg_temp",
    fold: |text| format!("lower(trim({text}))"),
    array: |texts| format!("CAST(json_agg({texts}) AS TEXT)"),
};

/// Tables of others are joined by whatever serves best; a batch is merged into its own by the key alone.
const ANY_PLAN: &str = "SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on; SET LOCAL enable_seqscan = on";

/// The rules of one stream, ready for this database.
#[derive(Debug)]
pub(super) struct Matcher {
    pub(super) rules: Rules,
    pub(super) theirs: Target,
    columns: Vec<TheirColumn>,
    pub(super) has_stream: bool,
    /// The rules are not those that the links were made by: the next write matches every record again.
    is_changed: bool,
}

impl Matcher {
    /// Looks up the table that is matched with; `None`: the stream is not matched.
    pub(super) async fn prepare(
        transaction: &Transaction<'_>,
        target: &Target,
        key: &StreamKey,
        table: &TableSchema,
        own: OwnColumns,
    ) -> Result<Option<Self>, Fault> {
        let Some(rules) = Rules::of(table, own.flag) else { return Ok(None) };
        let rules = rules.renamed(|name| identifier(name).into_owned());
        if find(transaction, &own_table(target, RULES)).await?.is_none() {
            transaction.batch_execute(&create_links(&own_table(target, LINKS))).await?;
            transaction.batch_execute(&create_rules(&own_table(target, RULES))).await?;
        }
        let is_changed = stored(transaction, target, key).await?.as_ref() != Some(&rules);
        Self::new(transaction, target, rules, own.stream, is_changed).await.map(Some)
    }

    /// The matcher by the rules that the last run left; `None`: the stream is not matched.
    pub(super) async fn of(
        transaction: &Transaction<'_>,
        target: &Target,
        key: &StreamKey,
        has_stream: bool,
    ) -> Result<Option<Self>, Fault> {
        if find(transaction, &own_table(target, RULES)).await?.is_none() {
            return Ok(None);
        }
        let Some(rules) = stored(transaction, target, key).await? else { return Ok(None) };
        Self::new(transaction, target, rules, has_stream, false).await.map(Some)
    }

    /// The matcher by rules that nobody may have used yet.
    pub(super) async fn foreseeing(
        transaction: &Transaction<'_>,
        target: &Target,
        rules: Rules,
    ) -> Result<Self, Fault> {
        let rules = rules.renamed(|name| identifier(name).into_owned());
        Self::new(transaction, target, rules, false, false).await
    }

    async fn new(
        transaction: &Transaction<'_>,
        target: &Target,
        rules: Rules,
        has_stream: bool,
        is_changed: bool,
    ) -> Result<Self, Fault> {
        let theirs = locate(transaction, target, &rules.matching.table).await?;
        let columns = check(transaction, &theirs, &rules).await?;
        Ok(Self { rules, theirs, columns, has_stream, is_changed })
    }

    pub(super) fn composer(&self, target: &Target) -> Composer<'_> {
        let tables = Tables {
            ours: target.quoted(),
            theirs: self.theirs.quoted(),
            columns: &self.columns,
            links: own_table(target, LINKS).quoted(),
        };
        Composer { dialect: &DIALECT, rules: &self.rules, tables }
    }

    /// Matches the records that a batch has touched, or every one when the rules have changed.
    pub(super) async fn after(
        &self,
        transaction: &Transaction<'_>,
        (target, key, table): (&Target, &StreamKey, &TableSchema),
        batch: &TableBatch,
        has_swept: bool,
        at: Timestamp,
    ) -> Result<Written, Fault> {
        let mut arrived: Vec<&str> = self.touched(table, batch).into_iter().flatten().flatten().collect();
        arrived.extend(batch.deletes.iter().map(|deletion| deletion.id.as_str()));
        if arrived.is_empty() && !has_swept && !self.is_changed {
            return Ok(Written::default());
        }
        let pass = self.begin(transaction, target, key, at).await?;
        pass.arrive(&arrived).await?;
        if self.is_changed {
            pass.execute(&pass.composer.arrive_all(self.has_stream)).await?;
            self.save(transaction, target, key).await?;
        }
        pass.judge(has_swept).await
    }

    /// The rules that were applied to every record are the ones that are stored.
    pub(super) fn committed(&mut self) {
        self.is_changed = false;
    }

    /// The ids of rows in which something may have changed that concerns matching.
    fn touched<'a>(&self, table: &TableSchema, batch: &'a TableBatch) -> Vec<&'a StringArray> {
        let is_concerned = |index: &usize| {
            let name = table.columns.get(*index).map(|column| identifier(&column.name));
            name.is_some_and(|name| self.rules.matching.ours().any(|ours| ours == name))
        };
        let patch = batch.patch.as_ref().filter(|patch| patch.columns.iter().any(is_concerned));
        let patched = patch.and_then(|patch| {
            let place = patch.columns.iter().position(|index| *index == table.id)?;
            patch.rows.column(place).as_string_opt()
        });
        let upserted = batch.upserts.columns().get(table.id).and_then(|ids| ids.as_string_opt());
        upserted.into_iter().chain(patched).filter(|ids: &&StringArray| !ids.is_empty()).collect()
    }

    /// Begins to look at records; none are there yet.
    pub(super) async fn begin<'a>(
        &'a self,
        transaction: &'a Transaction<'a>,
        target: &'a Target,
        key: &'a StreamKey,
        at: Timestamp,
    ) -> Result<Pass<'a>, Fault> {
        let composer = self.composer(target);
        transaction.batch_execute(&format!("{ANY_PLAN}; {}", composer.begin().join("; "))).await?;
        Ok(Pass { transaction, target, key, at: at.to_string(), composer })
    }

    async fn save(&self, transaction: &Transaction<'_>, target: &Target, key: &StreamKey) -> Result<(), Fault> {
        let rules = serde_json::to_string(&self.rules).expect("rules are plain data");
        let save = format!(
            "INSERT INTO {} (connection, object, \"table\", stream, rules) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (connection, object, \"table\", stream) DO UPDATE SET rules = excluded.rules",
            own_table(target, RULES).quoted()
        );
        let stream = key.stream.as_deref().unwrap_or_default();
        transaction.execute(&save, &[&key.connection, &key.object, &target.table, &stream, &rules]).await?;
        Ok(())
    }
}

/// A table of Orgtide's own beside the stream's.
pub(super) fn own_table(target: &Target, name: &str) -> Target {
    Target { table: name.to_owned(), ..target.clone() }
}

/// The columns of [`LINKS`].
pub(super) const LINK_COLUMNS: &str = "connection, object, \"table\", stream, record, status, their_key, candidates, \
                                       changed_at, decided_by, gone";

/// Makes the table of links.
pub(super) fn create_links(links: &Target) -> String {
    format!(
        "CREATE TABLE {} (
            connection text NOT NULL,
            object text NOT NULL,
            \"table\" text NOT NULL,
            stream text NOT NULL DEFAULT '',
            record text NOT NULL,
            status text NOT NULL,
            their_key text,
            candidates text,
            changed_at text NOT NULL,
            decided_by text,
            gone boolean NOT NULL DEFAULT false,
            PRIMARY KEY (connection, \"table\", record)
        )",
        links.quoted()
    )
}

fn create_rules(rules: &Target) -> String {
    format!(
        "CREATE TABLE {} (
            connection text NOT NULL,
            object text NOT NULL,
            \"table\" text NOT NULL,
            stream text NOT NULL DEFAULT '',
            rules text NOT NULL,
            PRIMARY KEY (connection, object, \"table\", stream)
        )",
        rules.quoted()
    )
}

/// The rules that the links were made by. What another version has written is none, and everything is matched again.
async fn stored(transaction: &Transaction<'_>, target: &Target, key: &StreamKey) -> Result<Option<Rules>, Fault> {
    let query = format!("SELECT rules FROM {} WHERE {OF_STREAM}", own_table(target, RULES).quoted());
    let stream = key.stream.as_deref().unwrap_or_default();
    let row = transaction.query_opt(&query, &[&key.connection, &key.object, &target.table, &stream]).await?;
    let text: Option<String> = row.map(|row| row.try_get(0)).transpose()?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

const OF_STREAM: &str = "(connection, object, \"table\", stream) = ($1, $2, $3, $4)";

/// Removes the links and the rules of a stream.
pub(super) async fn remove(transaction: &Transaction<'_>, target: &Target, key: &StreamKey) -> Result<(), Fault> {
    if find(transaction, &own_table(target, RULES)).await?.is_none() {
        return Ok(());
    }
    for own in [LINKS, RULES] {
        let remove = format!("DELETE FROM {} WHERE {OF_STREAM}", own_table(target, own).quoted());
        let stream = key.stream.as_deref().unwrap_or_default();
        transaction.execute(&remove, &[&key.connection, &key.object, &target.table, &stream]).await?;
    }
    Ok(())
}

/// The table that the rules name: `schema.table`, or one in the stream's schema or in `public`.
async fn locate(transaction: &Transaction<'_>, target: &Target, name: &str) -> Result<Target, Fault> {
    let at = |schema: &str, table: &str| Target {
        schema: schema.to_owned(),
        table: table.to_owned(),
        place: target.place.clone(),
    };
    let apart = name.split_once('.').map(|(schema, table)| at(schema, table));
    for candidate in [at(&target.schema, name), at(PUBLIC, name)].into_iter().chain(apart) {
        if find(transaction, &candidate).await?.is_some() {
            return Ok(candidate);
        }
    }
    let reason = format!(
        "[match] names it, and there is no such table in the schemas {:?} and {PUBLIC:?}; create it, or write its \
         schema before its name",
        target.schema
    );
    Err(DestinationError::Incompatible { place: target.place.clone(), table: name.to_owned(), reason }.into())
}

/// The columns that the rules name.
async fn check(transaction: &Transaction<'_>, theirs: &Target, rules: &Rules) -> Result<Vec<TheirColumn>, Fault> {
    let matching = &rules.matching;
    let refuse = |reason: String| Fault::from(theirs.incompatible(reason));
    let found = find(transaction, theirs).await?.ok_or_else(|| refuse("it is gone".to_owned()))?;
    if !matches!(found.kind.as_str(), "r" | "p") {
        return Err(refuse("it is no table; [match] needs the table behind it".to_owned()));
    }
    let query = "SELECT attname::text, format_type(atttypid, -1), attnotnull FROM pg_attribute
                 WHERE attrelid = (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                                   WHERE n.nspname = $1 AND c.relname = $2)
                   AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
    let mut held = Vec::new();
    for row in transaction.query(query, &[&theirs.schema, &theirs.table]).await? {
        held.push(their_column(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
    }
    if held.iter().any(|column| column.name == CONNECTION) {
        return Err(refuse("Orgtide made it; [match] is for tables of others".to_owned()));
    }
    let compared = matching.by.iter().flat_map(|by| &by.pairs).map(|pair| &pair.theirs);
    for name in compared.chain(matching.columns.keys()).chain([&matching.key]) {
        if !held.iter().any(|column| column.name == *name) {
            let names: Vec<&str> = held.iter().map(|column| column.name.as_str()).collect();
            return Err(refuse(format!("[match] names its column {name:?}; it has {}", names.join(", "))));
        }
    }
    if !found.keys.iter().any(|key| *key == [matching.key.as_str()]) {
        return Err(refuse(format!(
            "its column {:?} may have the same value in several rows; [match] needs the primary key, or a column with a \
             unique index",
            matching.key
        )));
    }
    Ok(held)
}

fn their_column(name: String, kind: String, is_required: bool) -> TheirColumn {
    TheirColumn {
        name,
        is_text: matches!(kind.as_str(), "text" | "character varying"),
        is_required,
        // Without the length, which is checked when the value is written.
        cast: Some(kind),
    }
}

/// One look at some records.
pub(super) struct Pass<'a> {
    transaction: &'a Transaction<'a>,
    target: &'a Target,
    key: &'a StreamKey,
    at: String,
    pub(super) composer: Composer<'a>,
}

impl Pass<'_> {
    /// Has a look at records.
    pub(super) async fn arrive(&self, records: &[&str]) -> Result<(), Fault> {
        let arrive = "INSERT INTO pg_temp._orgtide_arrived SELECT DISTINCT unnest($1::text[]) ON CONFLICT DO NOTHING";
        self.transaction.execute(arrive, &[&records]).await?;
        Ok(())
    }

    fn values(&self, statement: &Statement) -> Vec<String> {
        let value = |parameter: &Parameter| match parameter {
            Parameter::Connection => self.key.connection.clone(),
            Parameter::Object => self.key.object.clone(),
            Parameter::Table => self.target.table.clone(),
            Parameter::Stream => self.key.stream.clone().unwrap_or_default(),
            Parameter::At => self.at.clone(),
        };
        statement.parameters.iter().map(value).collect()
    }

    pub(super) async fn query(&self, statement: &Statement) -> Result<Vec<tokio_postgres::Row>, Fault> {
        let values = self.values(statement);
        let prepared = self.transaction.prepare_typed(&statement.sql, &vec![Type::TEXT; values.len()]).await?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        Ok(self.transaction.query(&prepared, &values).await?)
    }

    pub(super) async fn execute(&self, statement: &Statement) -> Result<(), Fault> {
        self.query(statement).await.map(drop)
    }

    /// Applies the rules to the records that arrived.
    pub(super) async fn link(&self) -> Result<(), Fault> {
        self.transaction.batch_execute("ANALYZE pg_temp._orgtide_arrived").await?;
        self.execute(&self.composer.release()).await?;
        for find in self.composer.find() {
            self.execute(&find).await?;
        }
        self.transaction.batch_execute("ANALYZE pg_temp._orgtide_found").await?;
        self.execute(&self.composer.judge()).await
    }

    /// Applies the rules to the records that arrived, and fills the rows that they stand for.
    pub(super) async fn judge(&self, marks_all: bool) -> Result<Written, Fault> {
        self.link().await?;
        self.execute(&self.composer.mark_gone(marks_all)).await?;
        let written = self.count().await?;
        if let Some(drop) = self.composer.drop_unmatched() {
            self.execute(&drop).await?;
        }
        self.transfer().await?;
        Ok(written)
    }

    /// Fills the rows that the records that arrived stand for.
    pub(super) async fn transfer(&self) -> Result<(), Fault> {
        match self.composer.transfer() {
            Some(transfer) => self.execute(&transfer).await,
            None => Ok(()),
        }
    }

    async fn count(&self) -> Result<Written, Fault> {
        let mut written = Written::default();
        for row in self.query(&self.composer.count()).await? {
            let count = row.try_get::<_, i64>(1)?.unsigned_abs();
            match row.try_get(0)? {
                "matched" => written.matched = count,
                "unmatched" => written.unmatched = count,
                "ambiguous" => written.ambiguous = count,
                _ => {}
            }
        }
        Ok(written)
    }
}
