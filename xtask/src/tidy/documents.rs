//! Documents say what is there: links resolve, named tests exist, and nothing speaks of the machine it was written on.

use std::collections::BTreeSet;

use super::{File, Violation};

/// In pieces, so that this file does not find itself.
const MACHINE_PATHS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];

/// Which registry a build uses is the machine's affair.
const REGISTRIES: [&str; 6] = [
    concat!("crates", ".io"),
    concat!("npm", "js.org"),
    concat!("npm", "js.com"),
    concat!("py", "pi.org"),
    concat!("python", "hosted.org"),
    concat!("deb", ".debian.org"),
];

/// Cargo writes the registry into the lock file itself.
const GENERATED: [&str; 3] = ["Cargo.lock", "emulator/fuzz/Cargo.lock", "tests/clients/package-lock.json"];

/// A test that a document names by this form must exist: `test: a_name_like_this`.
const NAMED_TEST: &str = "`test: ";

pub(super) fn check(files: &[File]) -> Vec<Violation> {
    let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| !GENERATED.contains(&file.path.as_str())) {
        for (index, line) in file.text.lines().enumerate() {
            for reason in foreign_words(line) {
                violations.push(Violation::at_line(file, index, reason));
            }
            if !file.path.ends_with(".md") {
                continue;
            }
            for target in links(line) {
                if let Some(reason) = broken(file, target, files, &paths) {
                    violations.push(Violation::at_line(file, index, reason));
                }
            }
            for name in named_tests(line).filter(|name| !is_test(name, files)) {
                violations.push(Violation::at_line(file, index, format!("there is no test `{name}`")));
            }
        }
    }
    violations
}

fn foreign_words(line: &str) -> Vec<String> {
    let starts_word =
        |at: usize| !line[..at].ends_with(|before: char| before.is_alphanumeric() || "./-_*}".contains(before));
    let paths = MACHINE_PATHS
        .iter()
        .filter(|path| line.match_indices(**path).any(|(at, _)| starts_word(at)))
        .map(|path| format!("`{path}…` is a path of one machine"));
    let registries = REGISTRIES
        .iter()
        .filter(|host| line.contains(**host))
        .map(|host| format!("`{host}`: which registry is used is the machine's affair"));
    paths.chain(registries).collect()
}

/// The targets of `[text](target)` in one line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// Why a link leads nowhere; `None` when it resolves or leaves the project.
fn broken(file: &File, target: &str, files: &[File], paths: &BTreeSet<&str>) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let target_path = if path.is_empty() { Some(file.path.clone()) } else { resolve(&file.path, path) };
    let Some(target_path) = target_path else { return Some(format!("the link `{target}` leaves the project")) };
    let folder = format!("{}/", target_path.trim_end_matches('/'));
    if !paths.contains(target_path.as_str()) && !paths.iter().any(|path| path.starts_with(&folder)) {
        return Some(format!("the link `{target}` leads to nothing"));
    }
    let anchor = anchor?;
    let heading_is_there = files
        .iter()
        .filter(|candidate| candidate.path == target_path)
        .any(|candidate| headings(&candidate.text).any(|heading| heading == anchor));
    (!heading_is_there).then(|| format!("the link `{target}` names a heading that is not there"))
}

/// `link` as seen from the folder of `from`, as a path from the root.
fn resolve(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// Headings in the form that links name them by: lower case, hyphens for blanks, no punctuation.
fn headings(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter(|line| line.starts_with('#')).map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
    })
}

fn named_tests(line: &str) -> impl Iterator<Item = &str> {
    line.split(NAMED_TEST).skip(1).filter_map(|rest| rest.split('`').next())
}

fn is_test(name: &str, files: &[File]) -> bool {
    let definitions = [format!("fn {name}("), format!("def {name}("), format!("test(\"{name}\"")];
    files.iter().any(|file| definitions.iter().any(|definition| file.text.contains(definition.as_str())))
}

#[cfg(test)]
mod tests {
    use super::{super::file, *};

    fn reasons(files: &[File]) -> Vec<String> {
        check(files).into_iter().map(|violation| violation.reason).collect()
    }

    #[test]
    fn a_link_leads_to_a_file_a_folder_or_a_heading() {
        let text =
            "# The map\n[a](docs/a.md) [b](docs) [c](#the-map) [d](docs/a.md#one-two) [e](https://example.com/x)";
        let good = [file("README.md", text), file("docs/a.md", "## One, two\n[up](../README.md)")];
        assert!(reasons(&good).is_empty(), "{:?}", reasons(&good));

        let bad = [file("README.md", "[a](docs/b.md) [c](#nowhere) [d](../../etc)")];
        assert_eq!(reasons(&bad).len(), 3);
    }

    #[test]
    fn a_test_that_a_document_names_exists() {
        let page = file("docs/pitfalls.md", "| 1 | `test: late_commits_are_read` | `test: nothing` |");
        let code = file("sync/tests/it/window.rs", "#[test]\nfn late_commits_are_read() {}\n");
        assert_eq!(reasons(&[page, code]), ["there is no test `nothing`"]);
    }

    #[test]
    fn paths_of_one_machine_and_registries_are_found_anywhere() {
        let line = format!("// see {}notes and {}", concat!("/wo", "rk/"), concat!("py", "pi.org"));
        assert_eq!(reasons(&[file("sync/src/run.rs", &line)]).len(), 2);
        assert!(reasons(&[file("a.rs", concat!("\"https://example.com/wo", "rk/x\""))]).is_empty());
    }
}
