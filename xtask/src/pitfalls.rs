//! The page of pitfalls: its last column is written from marks beside the tests.
//!
//! A test that would fail if a pitfall came back carries a comment above it: `// Pitfall 12.` or `// Pitfalls 12, 41.`

use std::{collections::BTreeMap, fs, path::Path};

use crate::{
    Failure,
    tidy::{File, tracked_files},
};

pub(crate) const HELP: &str = "\
Writes the tests of each pitfall into docs/pitfalls.md, from the marks beside the tests (`// Pitfall 12.`).

Usage: cargo xtask pitfalls
";

pub(crate) const PAGE: &str = "docs/pitfalls.md";

const MARK: &str = "Pitfall";

/// A test and the file it stands in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Proof {
    path: String,
    test: String,
}

pub(crate) fn run(root: &Path, options: &[String]) -> Result<(), Failure> {
    crate::named_values(options, &[])?;
    let files = tracked_files(root)?;
    let page = fs::read_to_string(root.join(PAGE))?;
    fs::write(root.join(PAGE), written(&page, &files))?;
    println!("written: {PAGE}");
    Ok(())
}

/// The page with its last column as the tests have it.
pub(crate) fn written(page: &str, files: &[File]) -> String {
    let proofs = marked(files);
    let mut text = String::with_capacity(page.len());
    for line in page.lines() {
        match row(line) {
            Some((number, kept)) => {
                let named: Vec<String> = proofs.get(&number).into_iter().flatten().map(spelt).collect();
                let named = if named.is_empty() { "—".to_owned() } else { named.join(", ") };
                text.push_str(&format!("{kept}| {named} |\n"));
            }
            None => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

/// The number of a row, and the row up to its last cell.
fn row(line: &str) -> Option<(u32, &str)> {
    let number = line.strip_prefix("| ")?.split(' ').next()?.parse().ok()?;
    let end = line.strip_suffix('|')?.rfind('|')?;
    Some((number, &line[..end]))
}

fn spelt(proof: &Proof) -> String {
    format!("`test: {}` ({})", proof.test, proof.path)
}

/// The marked tests, by the number of the pitfall.
fn marked(files: &[File]) -> BTreeMap<u32, Vec<Proof>> {
    let mut marked: BTreeMap<u32, Vec<Proof>> = BTreeMap::new();
    for file in files.iter().filter(|file| [".rs", ".mjs", ".py"].iter().any(|end| file.path.ends_with(end))) {
        let mut waiting: Vec<u32> = Vec::new();
        for line in file.text.lines().map(str::trim) {
            if let Some(numbers) = numbers(line) {
                waiting.extend(numbers);
            } else if let Some(test) = test_of(line) {
                for number in waiting.drain(..) {
                    marked.entry(number).or_default().push(Proof { path: file.path.clone(), test: test.to_owned() });
                }
            }
        }
    }
    for proofs in marked.values_mut() {
        proofs.sort();
        proofs.dedup();
    }
    marked
}

/// The numbers of a mark: `// Pitfall 12.`, `/// Pitfalls 27 and 30: in words`.
fn numbers(line: &str) -> Option<impl Iterator<Item = u32>> {
    let rest = line.strip_prefix("//")?.trim_start_matches('/').trim_start().strip_prefix(MARK)?;
    let numbers = rest.split([':', '.']).next().unwrap_or_default().split(|letter: char| !letter.is_ascii_digit());
    Some(numbers.filter_map(|number| number.parse().ok()))
}

/// The name of the test that a line begins.
fn test_of(line: &str) -> Option<&str> {
    let line = line.strip_prefix("async ").unwrap_or(line);
    for (start, end) in [("fn ", '('), ("def ", '('), ("test(\"", '"')] {
        if let Some(rest) = line.strip_prefix(start) {
            return rest.split(end).next();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::file;

    #[test]
    fn the_last_column_names_the_marked_tests_and_the_rest_of_the_page_stays() {
        let mark = |numbers: &str| format!("// {MARK}{numbers}");
        let code = format!(
            "{}\n#[test]\nfn late_ones_come() {{}}\n{}\n#[tokio::test]\nasync fn ties_come(org: Org) {{}}\nfn no_test() {{}}\n",
            mark("s 1, 3."),
            mark(" 1."),
        );
        let files = [file("sync/tests/it/window.rs", &code)];
        let page =
            "# Pitfalls\n| # | pitfall | test |\n|---|---|---|\n| 1 | late | x |\n| 2 | open | — |\n| 3 | tie |  |\n";
        assert_eq!(
            written(page, &files),
            "# Pitfalls\n| # | pitfall | test |\n|---|---|---|\n\
             | 1 | late | `test: late_ones_come` (sync/tests/it/window.rs), `test: ties_come` (sync/tests/it/window.rs) |\n\
             | 2 | open | — |\n\
             | 3 | tie | `test: late_ones_come` (sync/tests/it/window.rs) |\n"
        );
    }
}
