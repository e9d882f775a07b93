//! The examples of `docs/emulator.md` that are programs of other languages, run as they stand there. The example in
//! Rust is a test of the crate `emulator`.

use std::{env, fs, path::Path, process::Stdio};

use crate::{
    Failure,
    clients::{orgtide, without_proxy},
    command::{find, succeed},
};

const DOCUMENT: &str = "docs/emulator.md";

/// A language of an example: how the document marks it, the file's name and the program that runs it.
const LANGUAGES: [(&str, &str, &str); 2] = [("js", "example.mjs", "node"), ("python", "example.py", "python3")];

/// Runs the examples and returns a sentence for each that could not run here.
pub(crate) fn run(root: &Path) -> Result<Vec<String>, Failure> {
    let document = fs::read_to_string(root.join(DOCUMENT))?;
    let program = orgtide(root)?;
    let beside = program.parent().ok_or_else(|| Failure::new("the program lies in no folder"))?;
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(std::iter::once(beside.to_owned()).chain(env::split_paths(&path)));
    let path = path.map_err(|error| Failure::new(error.to_string()))?;
    let folder = root.join("target/examples");
    fs::create_dir_all(&folder)?;
    let mut skipped = Vec::new();
    for (mark, name, interpreter) in LANGUAGES {
        let example =
            block(&document, mark).ok_or_else(|| Failure::new(format!("{DOCUMENT} has no {mark} example")))?;
        if find(interpreter).is_none() {
            skipped.push(format!("the {mark} example of {DOCUMENT} is skipped: {interpreter} is not here"));
            continue;
        }
        let file = folder.join(name);
        fs::write(&file, example)?;
        succeed(without_proxy(interpreter).arg(&file).env("PATH", &path).stdin(Stdio::null()))?;
    }
    Ok(skipped)
}

/// The first block of a language in a Markdown document.
fn block<'a>(document: &'a str, mark: &str) -> Option<&'a str> {
    let (_, rest) = document.split_once(&format!("\n```{mark}\n"))?;
    rest.split_once("\n```\n").map(|(block, _)| block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_found_by_its_language() {
        let document = "text\n\n```js\none()\ntwo()\n```\n\n```python\nthree()\n```\n";
        assert_eq!(block(document, "js"), Some("one()\ntwo()"));
        assert_eq!(block(document, "python"), Some("three()"));
        assert_eq!(block(document, "rust"), None);
    }
}
