//! `orgtide verify`

use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use sync::verify::{Certificate, Depth, DifferenceKind, Differences, Month, Slice};

use super::{
    import::STOPPING,
    progress::Bars,
    stop_signal,
    terminal::{Terminal, counted, error_document, grouped, short},
};
use crate::{
    app::{
        App,
        import::Watcher,
        verify::{Comparing, Verified},
    },
    error::{Error, Exit},
};

/// So many differing records are named.
const NAMED: usize = 10;

/// Compares copies with their source, and prints a certificate: counts and checksums by month, and what differs
///
/// Both sides are read afresh: the org as an import would read it, and the rows of your database. Records that have changed
/// in the org since the last sync are left out and counted. Each difference is looked up once more before it is reported.
/// The certificate is kept: `orgtide status` shows the latest, `orgtide runs show` any.
///
/// Ends with 7 when a copy differs from its source.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  orgtide verify acme\n  orgtide verify acme Contact --repair\n  \
                  orgtide verify acme --depth versions --json")]
pub(super) struct Arguments {
    /// The connection's name
    connection: String,
    /// Only these objects or tables
    objects: Vec<String>,
    /// What is compared of each record
    #[arg(long, value_enum, default_value_t = HowDeep::Content)]
    depth: HowDeep,
    /// Writes what is missing or altered, deletes what is left over (as the mapping deletes), and compares again
    #[arg(long)]
    repair: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum HowDeep {
    /// Every mapped column
    Content,
    /// Ids and stamps: that each record is there, in its latest version. Fewer bytes; altered values are not seen
    Versions,
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    let depth = match arguments.depth {
        HowDeep::Content => Depth::Content,
        HowDeep::Versions => Depth::Versions,
    };
    let stop = stop_signal(terminal, STOPPING);
    let watcher: Arc<dyn Watcher> = Arc::new(Bars::wordless(*terminal));
    let how = Comparing { depth, repair: arguments.repair };
    let verified = app.verify(&arguments.connection, &arguments.objects, how, &watcher, &stop).await?;
    // The bars go before anything is printed.
    drop(watcher);
    let documents: Vec<Value> = verified.iter().map(document).collect();
    terminal.document(&json!({ "connection": arguments.connection, "streams": documents }));
    for one in &verified {
        match &one.result {
            Ok(certificate) => show(&arguments.connection, certificate, terminal),
            Err(error) => {
                let remedy = error.remedy().map(|remedy| format!("\n  what to do: {remedy}")).unwrap_or_default();
                terminal.notice(&format!("{}: {error}{remedy}", one.stream.object));
            }
        }
    }
    Ok(exit(&verified))
}

fn document(verified: &Verified) -> Value {
    let (object, table) = (&verified.stream.object, &verified.stream.table);
    match &verified.result {
        Ok(certificate) => {
            json!({ "object": object, "table": table, "is_equal": certificate.is_equal(), "certificate": certificate })
        }
        Err(error) => json!({ "object": object, "table": table, "error": error_document(error) }),
    }
}

fn exit(verified: &[Verified]) -> Exit {
    let mut failures = verified.iter().filter_map(|one| one.result.as_ref().err());
    let differs = |one: &Verified| one.result.as_ref().is_ok_and(|certificate| !certificate.is_equal());
    match failures.next() {
        Some(first) if verified.iter().all(|one| one.result.is_err()) => first.exit(),
        Some(_) => Exit::Partial,
        None if verified.iter().any(differs) => Exit::Partial,
        None => Exit::Done,
    }
}

pub(super) fn show(connection: &str, certificate: &Certificate, terminal: &Terminal) {
    let Certificate { object, table, as_of, differences, .. } = certificate;
    let stream = if object == table { object.clone() } else { format!("{object} → {table}") };
    let verdict = if certificate.is_equal() { "the copy is the source" } else { "the copy differs from the source" };
    terminal.say(format!("{stream}: {verdict}, as of {}", short(*as_of)));
    let compared = match certificate.depth {
        Depth::Content => "every mapped column",
        Depth::Versions => "Ids and stamps",
    };
    let rows = [certificate.source(), certificate.copy()];
    terminal.say(format!(
        "  {} and {} compared ({compared}), by {}",
        counted(rows[0].rows, "record"),
        counted(rows[1].rows, "row"),
        counted(certificate.api_calls, "API call"),
    ));
    terminal.say(format!("  checksums {:032x} and {:032x}", rows[0].checksum, rows[1].checksum));
    let left_out = [(certificate.changed_since, "changed since"), (certificate.rejected, "rejected by the mapping")];
    for (number, why) in left_out.into_iter().filter(|(number, _)| *number > 0) {
        terminal.say(format!("  left out: {} {why}", counted(number, "record")));
    }
    if let Some(repaired) = certificate.repaired {
        terminal.say(format!(
            "  put right: {} missing, {} left over, {} altered",
            grouped(repaired.missing),
            grouped(repaired.extra),
            grouped(repaired.altered)
        ));
    }
    if !certificate.is_equal() {
        show_differences(differences, terminal);
        show_slices(&certificate.slices, terminal);
        if certificate.repaired.is_none() && !differences.too_many {
            terminal.say(format!("  put it right with: orgtide verify {connection} {table} --repair"));
        }
    }
}

fn show_differences(differences: &Differences, terminal: &Terminal) {
    if differences.too_many {
        return terminal.say("  too many rows differ to name them; import the object anew");
    }
    terminal.say(format!(
        "  {} missing, {} left over, {} altered",
        grouped(differences.missing),
        grouped(differences.extra),
        grouped(differences.altered)
    ));
    for (column, rows) in &differences.columns {
        terminal.say(format!("    {column} differs in {}", counted(*rows, "row")));
    }
    for difference in differences.examples.iter().take(NAMED) {
        let how = match &difference.kind {
            DifferenceKind::Missing => "has no row".to_owned(),
            DifferenceKind::Extra => "is a row without a record".to_owned(),
            DifferenceKind::Altered { columns } if columns.is_empty() => "holds a value of another type".to_owned(),
            DifferenceKind::Altered { columns } => format!("differs in {}", columns.join(", ")),
        };
        terminal.say(format!("    {} {how}", difference.id));
    }
    let more = differences.count().saturating_sub(NAMED as u64);
    if more > 0 {
        terminal.say(format!("    and {} more", grouped(more)));
    }
}

fn show_slices(slices: &[Slice], terminal: &Terminal) {
    let rows = slices.iter().filter(|slice| !slice.is_equal()).map(|slice| {
        vec![
            format!("  {}", slice.month.map_or_else(|| "no stamp".to_owned(), Month::into)),
            grouped(slice.source.rows),
            grouped(slice.copy.rows),
        ]
    });
    terminal.table(&["  changed last in", "records", "rows"], &[1, 2], rows.collect());
}
