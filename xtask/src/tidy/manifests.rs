//! Borders between crates, read off their manifests.

use super::{File, Violation};

/// A crate of ours and what of ours it may depend on, tests excepted.
const BORDERS: [(&str, &[&str]); 6] = [
    ("salesforce", &[]),
    ("sync", &["salesforce"]),
    ("destinations", &["sync"]),
    ("emulator", &[]),
    ("server", &["salesforce", "sync", "destinations", "emulator"]),
    ("xtask", &[]),
];

/// What only some crates may depend on, tests excepted.
const RESERVED: [(&str, &[&str]); 4] = [
    ("reqwest", &["salesforce", "destinations"]),
    ("rusqlite", &["destinations", "server"]),
    ("tokio-postgres", &["destinations", "server"]),
    ("deadpool-postgres", &["destinations", "server"]),
];

/// The emulator depends on nothing of ours in its tests either: it must not learn the protocol from the client.
const APART: &str = "emulator";

/// The fuzz targets are a workspace of their own, so that libFuzzer is in no other graph.
const A_WORKSPACE_OF_ITS_OWN: &str = "emulator/fuzz";

/// One dependency line of a manifest.
#[derive(Debug)]
struct Dependency<'a> {
    line: usize,
    name: &'a str,
    for_tests: bool,
    inherited: bool,
}

pub(super) fn check(files: &[File]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in files {
        let Some(owner) = file.path.strip_suffix("/Cargo.toml") else { continue };
        if owner == A_WORKSPACE_OF_ITS_OWN {
            continue;
        }
        match BORDERS.iter().find(|(name, _)| *name == owner) {
            Some((_, allowed)) => check_manifest(file, owner, allowed, &mut violations),
            None => violations.push(Violation::in_file(file, "a crate that the borders between crates do not name")),
        }
    }
    violations
}

fn check_manifest(file: &File, owner: &str, allowed: &[&str], violations: &mut Vec<Violation>) {
    for dependency in dependencies(&file.text) {
        let mut say = |reason: String| violations.push(Violation::at_line(file, dependency.line, reason));
        let name = dependency.name;
        if !dependency.inherited {
            say(format!("`{name}` must be `{name}.workspace = true`: versions and features are set in the root alone"));
        }
        let ours = BORDERS.iter().any(|(crate_name, _)| *crate_name == name);
        if ours && !allowed.contains(&name) && (!dependency.for_tests || owner == APART) {
            say(format!("`{owner}` may not depend on `{name}`"));
        }
        let reserved = RESERVED.iter().find(|(reserved, _)| *reserved == name);
        if reserved.is_some_and(|(_, owners)| !owners.contains(&owner)) && !dependency.for_tests {
            say(format!("`{name}` is not for `{owner}`"));
        }
    }
    for (index, line) in file.text.lines().enumerate() {
        if line.trim() == "[features]" {
            violations.push(Violation::at_line(file, index, "a crate of ours has no cargo features"));
        }
    }
}

/// The entries of every `[…dependencies]` table, one a line, as this project writes them.
fn dependencies(manifest: &str) -> Vec<Dependency<'_>> {
    let mut found = Vec::new();
    let mut table = "";
    for (line, text) in manifest.lines().enumerate() {
        let text = text.trim();
        if let Some(header) = text.strip_prefix('[') {
            table = header.trim_end_matches(']');
            // `[dependencies.name]` is a table of its own and never inherits.
            if let Some((_, name)) = table.split_once("dependencies.") {
                found.push(Dependency { line, name, for_tests: table.starts_with("dev-"), inherited: false });
            }
            continue;
        }
        let Some((key, value)) = text.split_once('=') else { continue };
        if !table.ends_with("dependencies") || text.starts_with('#') {
            continue;
        }
        let key = key.trim();
        let name = key.split('.').next().unwrap_or(key);
        let inherited = key == format!("{name}.workspace") && value.trim() == "true";
        found.push(Dependency { line, name, for_tests: table.starts_with("dev-"), inherited });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{super::file, *};

    fn reasons(path: &str, text: &str) -> Vec<String> {
        check(&[file(path, text)]).into_iter().map(|violation| violation.reason).collect()
    }

    #[test]
    fn a_crate_may_not_reach_across_a_border() {
        let found =
            reasons("sync/Cargo.toml", "[dependencies]\nsalesforce.workspace = true\ndestinations.workspace = true\n");
        assert_eq!(found, ["`sync` may not depend on `destinations`"]);
    }

    #[test]
    fn tests_may_use_the_emulator_but_the_emulator_may_use_nobody() {
        assert!(reasons("salesforce/Cargo.toml", "[dev-dependencies]\nemulator.workspace = true\n").is_empty());
        let found = reasons("emulator/Cargo.toml", "[dev-dependencies]\nsalesforce.workspace = true\n");
        assert_eq!(found, ["`emulator` may not depend on `salesforce`"]);
    }

    #[test]
    fn versions_and_features_are_set_in_the_root() {
        let member =
            "[dependencies]\nserde = { workspace = true, features = [\"rc\"] }\n[dependencies.url]\nversion = \"2\"\n";
        let found = reasons("sync/Cargo.toml", member);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("`serde` must be") && found[1].contains("`url` must be"), "{found:?}");
    }

    #[test]
    fn the_http_client_is_the_wires_alone() {
        let found = reasons("server/Cargo.toml", "[dependencies]\nreqwest.workspace = true\n");
        assert_eq!(found, ["`reqwest` is not for `server`"]);
        assert!(reasons("server/Cargo.toml", "[dev-dependencies]\nreqwest.workspace = true\n").is_empty());
    }

    #[test]
    fn our_crates_have_no_features_and_none_is_unnamed() {
        assert_eq!(reasons("sync/Cargo.toml", "[features]\n").len(), 1);
        assert_eq!(reasons("extra/Cargo.toml", "").len(), 1);
    }
}
