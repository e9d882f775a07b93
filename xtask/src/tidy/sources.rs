//! Where things may stand in the code, how long a file is, and what things are called.

use super::{File, Violation};

/// A longer file holds more than one thing.
const MAX_LINES: usize = 600;
const MEASURED: [&str; 9] = ["askama", "css", "html", "js", "md", "mjs", "py", "rs", "sh"];

/// Names that say nothing about what a thing is.
const EMPTY_NAMES: [&str; 5] = ["Manager", "Service", "Helper", "Processor", "Util"];

/// Unfinished work. In pieces, so that this file does not find itself.
const UNFINISHED: [&str; 7] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("to", "do!("),
    concat!("un", "implemented!("),
    concat!("db", "g!("),
    concat!("#[ig", "nore"),
];

/// Something that may stand in some places only.
struct Placed {
    marks: &'static [&'static str],
    places: &'static [&'static str],
    reason: &'static str,
}

const PLACED: [Placed; 3] = [
    Placed {
        marks: &[
            "ALTER TABLE ",
            "BEGIN IMMEDIATE",
            "CREATE TABLE ",
            "DELETE FROM ",
            "DROP TABLE ",
            "INSERT INTO ",
            "ON CONFLICT",
            "PRAGMA ",
            "rusqlite::",
            "tokio_postgres::",
        ],
        places: &["server/src/store", "destinations/", "xtask/"],
        reason: "SQL belongs to server/src/store and to destinations",
    },
    Placed {
        marks: &["env::var", "env::args", "use std::env;"],
        places: &[
            "server/src/config",
            "destinations/src/postgres/password.rs",
            "destinations/src/webhook/secret.rs",
            "xtask/",
        ],
        reason: "the environment is read in server/src/config.rs, and by a destination's password or secret",
    },
    Placed {
        marks: &["reqwest::"],
        places: &["salesforce/", "destinations/src/webhook", "xtask/"],
        reason: "requests to Salesforce are sent by the crate `salesforce`, and those to addresses that users give by the webhook \
                 destination",
    },
];

pub(super) fn check(files: &[File]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in files {
        check_length(file, &mut violations);
        if file.path.ends_with(".rs") {
            check_code(file, &mut violations);
        }
    }
    violations
}

fn check_length(file: &File, violations: &mut Vec<Violation>) {
    let extension = file.path.rsplit('.').next().unwrap_or_default();
    let vendored = file.path.contains("/vendor/");
    let lines = file.text.lines().count();
    if MEASURED.contains(&extension) && !vendored && lines > MAX_LINES {
        violations.push(Violation::in_file(file, format!("{lines} lines; {MAX_LINES} are the most")));
    }
}

fn check_code(file: &File, violations: &mut Vec<Violation>) {
    let mut in_tests = is_test_file(&file.path);
    for (index, line) in file.text.lines().enumerate() {
        in_tests |= line.trim() == "#[cfg(test)]";
        if let Some(mark) = UNFINISHED.iter().find(|mark| line.contains(**mark)) {
            violations.push(Violation::at_line(file, index, format!("`{mark}` is unfinished work")));
        }
        if let Some(name) = type_name(line)
            && let Some(word) = EMPTY_NAMES.iter().find(|word| name.contains(**word))
        {
            violations.push(Violation::at_line(file, index, format!("`{name}`: `{word}` does not say what it is")));
        }
        let is_comment = line.trim_start().starts_with("//");
        if in_tests || is_comment {
            continue;
        }
        for placed in &PLACED {
            let here = placed.places.iter().any(|place| file.path.starts_with(place));
            if !here && placed.marks.iter().any(|mark| line.contains(mark)) {
                violations.push(Violation::at_line(file, index, placed.reason));
            }
        }
    }
}

/// Tests look into databases and read the variables that chores set.
fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// The name that a line defines a type by.
fn type_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace().skip_while(|word| word.starts_with("pub"));
    let keyword = words.next()?;
    let name = words.next()?;
    let end = name.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(name.len());
    matches!(keyword, "struct" | "enum" | "trait" | "type" | "union").then(|| &name[..end])
}

#[cfg(test)]
mod tests {
    use super::{super::file, *};

    fn reasons(path: &str, text: &str) -> Vec<String> {
        check(&[file(path, text)]).into_iter().map(|violation| violation.reason).collect()
    }

    #[test]
    fn a_file_may_have_six_hundred_lines_and_no_more() {
        assert!(reasons("sync/src/run.rs", &"\n".repeat(600)).is_empty());
        assert_eq!(reasons("sync/src/run.rs", &"\n".repeat(601)), ["601 lines; 600 are the most"]);
        assert!(reasons("server/src/cases.json", &"\n".repeat(601)).is_empty());
    }

    #[test]
    fn sql_stands_in_the_store_and_in_destinations() {
        let code = "    store.execute(\"INSERT INTO runs VALUES (1)\")?;\n";
        assert_eq!(reasons("server/src/app.rs", code).len(), 1);
        assert!(reasons("server/src/store/runs.rs", code).is_empty());
        assert!(reasons("destinations/src/sqlite.rs", code).is_empty());
        assert!(reasons("server/tests/it/store.rs", code).is_empty());
    }

    #[test]
    fn a_query_in_salesforces_language_is_not_sql() {
        assert!(reasons("sync/src/read.rs", "let soql = \"SELECT Id FROM Account\";\n").is_empty());
    }

    #[test]
    fn the_environment_is_read_in_one_place_and_by_tests() {
        let code = "let home = std::env::var(\"HOME\");\n";
        assert_eq!(reasons("salesforce/src/http.rs", code).len(), 1);
        assert!(reasons("server/src/config.rs", code).is_empty());
        assert!(reasons("sync/src/run.rs", &format!("#[cfg(test)]\nmod tests {{\n{code}}}\n")).is_empty());
        assert!(reasons("salesforce/src/http.rs", "env!(\"CARGO_PKG_VERSION\")\n").is_empty());
    }

    #[test]
    fn unfinished_work_is_found_in_tests_too() {
        let code = format!("#[cfg(test)]\nfn later() {{ {}) }}\n", concat!("to", "do!("));
        assert_eq!(reasons("sync/src/run.rs", &code).len(), 1);
    }

    #[test]
    fn a_type_is_named_after_what_it_is() {
        assert_eq!(reasons("server/src/app.rs", "pub(crate) struct TokenManager;\n").len(), 1);
        assert_eq!(reasons("server/src/app.rs", "enum UtilKind<T> {\n").len(), 1);
        assert!(reasons("server/src/app.rs", "use tower::Service;\nlet struct_name = Helper;\n").is_empty());
    }
}
