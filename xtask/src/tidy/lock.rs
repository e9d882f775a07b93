//! One SQLite driver and one TLS provider in the whole graph.

use super::{File, Violation};

/// A second TLS provider makes the first TLS use of the process fail; a second SQLite cannot be linked.
const REFUSED: [&str; 8] =
    ["aws-lc-rs", "aws-lc-sys", "libsql", "native-tls", "openssl", "openssl-sys", "sqlite3-sys", "sqlx"];

/// These must be there, in exactly one version.
const SINGLE: [&str; 4] = ["libsqlite3-sys", "reqwest", "ring", "rustls"];

pub(super) fn check(files: &[File]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| file.path == "Cargo.lock") {
        let packages: Vec<&str> = file.text.lines().filter_map(package_name).collect();
        for refused in REFUSED.iter().filter(|refused| packages.contains(refused)) {
            violations.push(Violation::in_file(file, format!("`{refused}` may not be in the graph")));
        }
        for single in SINGLE {
            let count = packages.iter().filter(|package| **package == single).count();
            if count != 1 {
                violations.push(Violation::in_file(file, format!("`{single}` is there {count} times instead of once")));
            }
        }
    }
    violations
}

fn package_name(line: &str) -> Option<&str> {
    line.strip_prefix("name = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::{super::file, *};

    fn lock(names: &[&str]) -> File {
        let packages: Vec<String> = names.iter().map(|name| format!("[[package]]\nname = \"{name}\"\n")).collect();
        file("Cargo.lock", &packages.concat())
    }

    #[test]
    fn one_of_each_is_tidy() {
        assert!(check(&[lock(&["libsqlite3-sys", "reqwest", "ring", "rustls", "openssl-probe"])]).is_empty());
    }

    #[test]
    fn a_second_tls_provider_or_a_second_version_is_found() {
        let found = check(&[lock(&["aws-lc-rs", "libsqlite3-sys", "reqwest", "reqwest", "ring", "rustls"])]);
        let reasons: Vec<&str> = found.iter().map(|violation| violation.reason.as_str()).collect();
        assert_eq!(reasons, ["`aws-lc-rs` may not be in the graph", "`reqwest` is there 2 times instead of once"]);
    }

    #[test]
    fn a_missing_driver_is_found_too() {
        assert_eq!(check(&[lock(&["reqwest", "ring", "rustls"])]).len(), 1);
    }
}
