//! What is found where something is wrong: the page of all findings, and each way to get a setup guide wrong.

use orgtide::diagnose::reference;

/// `ORGTIDE_REWRITE_DOCS=1 cargo test -p orgtide the_page_of_findings` writes the page anew.
#[test]
fn the_page_of_findings_says_what_the_program_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors.md");
    let page = reference::page();
    if std::env::var_os("ORGTIDE_REWRITE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == page, "docs/errors.md is not what the catalogue says: see the comment above this test");
}
