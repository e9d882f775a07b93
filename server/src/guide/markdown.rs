//! A guide as Markdown that is readable as it is.

use std::fmt::Write;

use super::{Enter, Guide, Place, Step};

/// Lines of prose are no longer, for terminals.
const WIDTH: usize = 100;

/// Renders a guide.
pub fn render(guide: &Guide) -> String {
    let mut out = format!("# {}\n\n{}\n", escape(&guide.title), wrap("", &escape(&guide.summary)));
    for warning in &guide.warnings {
        let _ = write!(out, "\n{}\n", wrap("> ", &format!("**Ending:** {}", escape(warning))));
    }
    list(&mut out, "Before you begin", guide.before.iter().map(|text| escape(text)));
    for (index, step) in guide.steps.iter().enumerate() {
        let _ = write!(out, "\n## {}. {}\n", index + 1, escape(&step.title));
        write_step(&mut out, step);
    }
    let items = guide.hand_over.iter().map(|item| {
        let secret = if item.secret { " (secret)" } else { "" };
        format!("**{}**{secret}: {}", escape(&item.what), escape(&item.found))
    });
    list(&mut out, "What to hand over to whoever runs Orgtide", items);
    let items = guide.not_needed.iter().map(|item| format!("**{}**: {}", escape(&item.what), escape(&item.why)));
    list(&mut out, "What is not needed", items);
    out.push_str("\n## On the command line\n\n```console\n");
    guide.commands.iter().for_each(|command| out.push_str(&format!("{command}\n")));
    out.push_str("```\n");
    out
}

fn list(out: &mut String, title: &str, items: impl Iterator<Item = String>) {
    let mut items = items.peekable();
    if items.peek().is_some() {
        let _ = write!(out, "\n## {title}\n\n");
    }
    items.for_each(|item| out.push_str(&format!("{}\n", wrap("- ", &item))));
}

fn write_step(out: &mut String, step: &Step) {
    if let Some(place) = &step.place {
        let _ = write!(out, "\n{}\n", at(place));
    }
    let entries = step.entries.iter().map(|entry| {
        let label = escape(&entry.label);
        match &entry.enter {
            Enter::Text(value) => format!("{label}: {}", code(value)),
            Enter::Choose(value) => format!("{label}: **{}**", escape(value)),
            Enter::Tick => format!("[x] {label}"),
            Enter::Clear => format!("[ ] {label} (leave clear)"),
        }
    });
    // What is to be copied stays on one line.
    block(out, entries.map(|entry| format!("- {entry}")));
    block(out, step.actions.iter().map(|text| wrap("- ", &escape(text))));
    block(out, step.traps.iter().map(|text| wrap("- ", &format!("**Mind:** {}", escape(text)))));
    block(out, step.check.iter().map(|text| wrap("", &format!("**Check:** {}", escape(text)))));
}

fn block(out: &mut String, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        out.push('\n');
    }
    lines.for_each(|line| out.push_str(&format!("{line}\n")));
}

/// Lines of at most [`WIDTH`] characters, the first one behind `mark` and the others as far in. No line begins with a
/// word that would be a mark of its own.
fn wrap(mark: &str, text: &str) -> String {
    let quote = mark.starts_with('>');
    let margin = if quote { mark.to_owned() } else { " ".repeat(mark.chars().count()) };
    let mut out = mark.to_owned();
    let mut width = mark.chars().count();
    for (index, word) in text.split_whitespace().enumerate() {
        let length = word.chars().count();
        let is_mark = word.trim_end_matches(['.', ')']).chars().all(|c| c.is_ascii_digit() || "-+>#=".contains(c));
        if index > 0 && width + 1 + length > WIDTH && !is_mark {
            out.push_str(&format!("\n{margin}"));
            width = margin.chars().count();
        } else if index > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += length;
    }
    out
}

fn at(place: &Place) -> String {
    let mut ways = Vec::new();
    ways.extend(place.quick_find.map(|words| format!("Quick Find: {}", code(words))));
    ways.extend(place.url.as_ref().map(|url| format!("<{url}>")));
    let ways = if ways.is_empty() { String::new() } else { format!(" ({})", ways.join(", ")) };
    format!("**{}**{ways}", escape(&place.path))
}

/// A text whose characters mean nothing but themselves.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '[' | ']' | '<' | '|' => out.extend(['\\', c]),
            // Between letters an underscore is no mark.
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A code span that holds any text (CommonMark 0.31, "Code spans").
pub(super) fn code(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_enter_cannot_become_markup() {
        assert_eq!(escape("a <b> [c](d) `e` *f*\n# g"), "a \\<b> \\[c\\](d) \\`e\\` \\*f\\* # g");
        assert_eq!(code("a"), "`a`");
        let wrapped = wrap("- ", &format!("{} - API Only {}", "x".repeat(96), "y".repeat(90)));
        assert_eq!(wrapped, format!("- {} -\n  API Only\n  {}", "x".repeat(96), "y".repeat(90)));
        assert_eq!(code("`a``b"), "``` `a``b ```");
    }
}
