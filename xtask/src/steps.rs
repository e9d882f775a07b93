//! A list of steps, run in order, with their durations and a summary at the end.

use std::time::{Duration, Instant};

use crate::Failure;

/// How a step ended.
#[derive(Debug)]
enum Outcome {
    Passed,
    Failed(String),
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    took: Duration,
    outcome: Outcome,
}

/// What was done so far. A failed step does not keep the next from running: one run tells everything that is wrong.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
    notes: Vec<String>,
}

impl Steps {
    /// Runs one step, under its name.
    pub(crate) fn run(&mut self, name: &'static str, step: impl FnOnce() -> Result<(), Failure>) {
        println!("\n── {name} ──");
        let start = Instant::now();
        let outcome = match step() {
            Ok(()) => Outcome::Passed,
            Err(Failure(reason)) => {
                eprintln!("error: {reason}");
                Outcome::Failed(reason)
            }
        };
        self.done.push(Step { name, took: start.elapsed(), outcome });
    }

    /// Keeps a sentence for the summary: something left out, or a count worth seeing.
    pub(crate) fn note(&mut self, sentence: impl Into<String>) {
        self.notes.push(sentence.into());
    }

    /// Prints the summary; fails when any step did, or when there was none.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        print!("{}", self.summary());
        let failed: Vec<&str> =
            self.done.iter().filter(|step| matches!(step.outcome, Outcome::Failed(_))).map(|step| step.name).collect();
        match failed.as_slice() {
            [] if self.done.is_empty() => Err(Failure::new("nothing was run")),
            [] => Ok(()),
            names => Err(Failure::new(format!("failed: {}", names.join(", ")))),
        }
    }

    fn summary(&self) -> String {
        let mut text = String::from("\n── summary ──\n");
        for step in &self.done {
            let (word, reason) = match &step.outcome {
                Outcome::Passed => ("ok    ", String::new()),
                Outcome::Failed(reason) => ("FAILED", format!("  {reason}")),
            };
            text.push_str(&format!("{word} {:>7.1} s  {}{reason}\n", step.took.as_secs_f64(), step.name));
        }
        for note in &self.notes {
            text.push_str(&format!("note   {note}\n"));
        }
        let total: Duration = self.done.iter().map(|step| step.took).sum();
        text.push_str(&format!("{:>14.1} s  in all\n", total.as_secs_f64()));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_fails_the_whole_and_later_steps_still_run() {
        let mut steps = Steps::default();
        let mut ran = false;
        steps.run("first", || Err(Failure::new("it broke")));
        steps.run("second", || {
            ran = true;
            Ok(())
        });
        assert!(ran);
        assert!(steps.summary().contains("it broke"));
        assert_eq!(steps.finish().unwrap_err().0, "failed: first");
    }

    #[test]
    fn a_run_of_no_steps_is_not_a_success() {
        assert!(Steps::default().finish().is_err());
    }

    #[test]
    fn notes_stand_in_the_summary() {
        let mut steps = Steps::default();
        steps.run("only", || Ok(()));
        steps.note("PostgreSQL tests are skipped");
        assert!(steps.summary().contains("PostgreSQL tests are skipped"));
        assert!(steps.finish().is_ok());
    }
}
