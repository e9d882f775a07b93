//! Findings for people.

use super::terminal::Terminal;
use crate::diagnose::{Cell, Examined, Finding, Layer, Passing, Severity, Who};

const WIDTH: usize = 100;

/// Prints what was found, by layer, with the matrix of fields and a last line that sums it up.
pub(super) fn print(name: &str, examined: &Examined, terminal: &Terminal) {
    for layer in Layer::ALL {
        let of_layer: Vec<&Finding> = examined.findings.iter().filter(|finding| finding.layer == layer).collect();
        if of_layer.is_empty() {
            continue;
        }
        terminal.say(layer.title());
        of_layer.iter().for_each(|finding| terminal.say(block(finding)));
        if layer == Layer::Data {
            print_matrix(examined, terminal);
        }
    }
    terminal.say(sum(name, examined));
}

/// One finding, with everything that there is to say.
pub(super) fn block(finding: &Finding) -> String {
    let mark = match finding.severity {
        Severity::Ok => "ok",
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Failed => "FAILED",
    };
    let mut text = wrapped(&format!("  {mark:<9}"), &finding.seen);
    if finding.severity > Severity::Ok {
        details(finding).iter().for_each(|(label, detail)| {
            text.push('\n');
            text.push_str(&wrapped(&format!("           {label:<12}"), detail));
        });
    }
    text
}

/// What stands below a finding: the code, why, what to do, where, who, and whether waiting helps.
pub(super) fn details(finding: &Finding) -> Vec<(&'static str, String)> {
    let mut lines = vec![("code", finding.code.to_string())];
    if !finding.cause.is_empty() && !finding.seen.contains(finding.cause.as_ref()) {
        lines.push(("why", finding.cause.to_string()));
    }
    if let Some(remedy) = &finding.remedy {
        lines.push(("what to do", remedy.text.to_string()));
        if let Some(link) = remedy.setup.as_ref().and_then(|setup| Some((setup, setup.link.as_ref()?))) {
            let (setup, link) = link;
            lines.push(("in Setup", format!("{link} (Quick Find: {})", setup.quick_find)));
        }
    }
    if finding.who != Who::Nobody {
        lines.push(("who", finding.who.to_string()));
    }
    match finding.may_pass {
        Some(Passing::Propagation) => lines.push(("may pass", format!("{}: --wait tries again", Passing::Propagation))),
        Some(Passing::Later) => lines.push(("may pass", Passing::Later.to_string())),
        None => {}
    }
    lines
}

fn print_matrix(examined: &Examined, terminal: &Terminal) {
    if examined.matrix.iter().all(|object| object.fields.is_empty()) {
        return;
    }
    let rows = examined.matrix.iter().flat_map(|object| {
        let cell = |field: &str, cell: Cell| vec![format!("    {}", object.object), field.into(), cell.words().into()];
        let whole = object.fields.is_empty().then(|| cell("", object.readable));
        whole.into_iter().chain(object.fields.iter().map(move |(field, state)| cell(field, *state)))
    });
    terminal.table(&["    object", "field", "for the user"], &[], rows.collect());
}

fn sum(name: &str, examined: &Examined) -> String {
    let count = |severity| examined.findings.iter().filter(|finding| finding.severity == severity).count();
    match (count(Severity::Failed), count(Severity::Warning)) {
        (0, 0) => format!("{name} is well."),
        (failed, warnings) => format!("{name}: {failed} failed, {warnings} to look at, {} ok.", count(Severity::Ok)),
    }
}

/// Text behind a label; lines after the first begin below its first word.
pub(super) fn wrapped(label: &str, text: &str) -> String {
    let indent = label.chars().count();
    let mut lines = vec![label.to_owned()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is a first line");
        let length = line.chars().count();
        if length > indent && length + 1 + word.chars().count() > WIDTH {
            lines.push(format!("{}{word}", " ".repeat(indent)));
        } else {
            if length > indent {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_wrapped_below_their_first_word() {
        let text = wrapped("  why  ", &"word ".repeat(30));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() == 2 && lines[1].starts_with("       word"), "{text}");
        assert!(lines.iter().all(|line| line.len() <= WIDTH), "{text}");
        assert_eq!(wrapped("> ", "one"), "> one");
    }
}
