//! The emulated org as `curl` reaches it: TLS under its real name, by the same listener as the product.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{Failure, command::output_of, emulated::EmulatedOrg, json};

pub(super) const CLIENT_ID: &str = "orgtide-bench";
pub(super) const CLIENT_SECRET: &str = "a secret that only this scenario knows";
const VERSION: &str = "v60.0";
const LONGEST_JOB: Duration = Duration::from_secs(3600);

/// A signed-in caller.
pub(super) struct Wire<'a> {
    org: &'a EmulatedOrg,
    session: String,
    /// Result pages are asked for packed.
    is_packed: bool,
}

impl<'a> Wire<'a> {
    pub(super) fn sign_in(org: &'a EmulatedOrg, is_packed: bool) -> Result<Self, Failure> {
        let form = format!("grant_type=client_credentials&client_id={CLIENT_ID}");
        let mut curl = curl(org);
        curl.args(["--data", &form, "--data-urlencode", &format!("client_secret={CLIENT_SECRET}")]);
        let answer = output_of(curl.arg(format!("{}/services/oauth2/token", org.url)))?;
        let session = json::text(&answer, "access_token");
        let session = session.ok_or_else(|| Failure::new(format!("the bench cannot sign in: {answer}")))?;
        Ok(Self { org, session, is_packed })
    }

    /// Creates a Bulk query job and waits until it is complete; returns the path of its results.
    pub(super) fn complete_job(&self, query: &str) -> Result<String, Failure> {
        let question = format!("{{\"operation\":\"query\",\"query\":{}}}", json::quoted(query));
        let job = self.create_job("query", &question)?;
        self.await_job(&job)?;
        Ok(format!("{job}/results"))
    }

    /// Inserts the rows of a CSV file by a Bulk ingest job, and waits until it is complete.
    pub(super) fn complete_load(&self, object: &str, rows: &Path) -> Result<(), Failure> {
        let wanted = format!("{{\"operation\":\"insert\",\"object\":{},\"lineEnding\":\"LF\"}}", json::quoted(object));
        let job = self.create_job("ingest", &wanted)?;
        let mut upload = self.get(&format!("{job}/batches"));
        upload.args(["--fail-with-body", "--header", "Content-Type: text/csv", "--upload-file"]).arg(rows);
        output_of(&mut upload)?;
        output_of(self.get(&job).args([
            "--fail-with-body",
            "--request",
            "PATCH",
            "--json",
            r#"{"state":"UploadComplete"}"#,
        ]))?;
        let answer = self.await_job(&job)?;
        match json::number(&answer, "numberRecordsFailed") {
            Some(0) => Ok(()),
            _ => Err(Failure::new(format!("not every row was taken: {answer}"))),
        }
    }

    /// Creates a Bulk job and returns its path.
    fn create_job(&self, kind: &str, wanted: &str) -> Result<String, Failure> {
        let jobs = format!("/services/data/{VERSION}/jobs/{kind}");
        let created = output_of(self.get(&jobs).args(["--json", wanted]))?;
        let id = json::text(&created, "id").ok_or_else(|| Failure::new(format!("no job was created: {created}")))?;
        Ok(format!("{jobs}/{id}"))
    }

    /// Waits until a job is complete; returns what the org says of it then.
    fn await_job(&self, job: &str) -> Result<String, Failure> {
        let started = Instant::now();
        while started.elapsed() < LONGEST_JOB {
            let answer = output_of(&mut self.get(job))?;
            match json::text(&answer, "state").as_deref() {
                Some("JobComplete") => return Ok(answer),
                Some("UploadComplete" | "InProgress") => pause(),
                _ => return Err(Failure::new(format!("the job ended badly: {answer}"))),
            }
        }
        Err(Failure::new("the job does not end"))
    }

    /// The ids that a query finds on its first page.
    pub(super) fn ids(&self, query: &str) -> Result<Vec<String>, Failure> {
        let path = format!("/services/data/{VERSION}/query?q={}", query.replace(' ', "+"));
        let answer = output_of(&mut self.get(&path))?;
        let ids: Vec<String> =
            answer.split("\"Id\":\"").skip(1).filter_map(|rest| rest.get(..18)).map(str::to_owned).collect();
        if ids.is_empty() { Err(Failure::new(format!("nothing was found: {answer}"))) } else { Ok(ids) }
    }

    /// Asks for many paths below the version, some of them at once, over connections that stay open; returns how long that
    /// took. Every answer must be 200.
    pub(super) fn ask_all(&self, paths: &[String], at_once: usize, folder: &Path) -> Result<Duration, Failure> {
        let line = |path: &String| {
            format!("url = \"{}/services/data/{VERSION}/{path}\"\noutput = \"/dev/null\"\n", self.org.url)
        };
        let list = folder.join("calls.txt");
        fs::write(&list, paths.iter().map(line).collect::<String>())?;
        let mut curl = curl(self.org);
        curl.args(["--http1.1", "--no-progress-meter", "--write-out", "%{http_code}\n", "--globoff"]);
        curl.args(["--header", &format!("Authorization: Bearer {}", self.session)]);
        if at_once > 1 {
            curl.args(["--parallel", "--parallel-max", &at_once.to_string()]);
        }
        let start = Instant::now();
        let statuses = output_of(curl.arg("--config").arg(&list))?;
        let took = start.elapsed();
        match statuses.lines().filter(|status| *status == "200").count() == paths.len() {
            true => Ok(took),
            false => Err(Failure::new("not every call was answered with 200")),
        }
    }

    /// Fetches one page of results into `file`; returns the locator of the next one.
    pub(super) fn fetch_page(
        &self,
        results: &str,
        locator: Option<&str>,
        file: &Path,
    ) -> Result<Option<String>, Failure> {
        let path = match locator {
            Some(locator) => format!("{results}?locator={locator}"),
            None => results.to_owned(),
        };
        let mut curl = self.get(&path);
        curl.args(["--fail", "--header", "Accept: text/csv", "--dump-header", "-", "--output"]).arg(file);
        if self.is_packed {
            curl.arg("--compressed");
        }
        Ok(next_locator(&output_of(&mut curl)?))
    }

    /// When the first page of results was asked for, and what the org's clock shows now, as seconds of its day.
    pub(super) fn first_results(&self) -> Result<(f64, f64), Failure> {
        let clock = self.control("clock")?;
        let now = json::text(&clock, "now").and_then(|now| second_of_day(&now));
        let journal = self.control("journal")?;
        let entry = journal.split("},").find(|entry| entry.contains("/jobs/query/") && entry.contains("/result"));
        let first = entry.and_then(|entry| second_of_day(&json::text(entry, "at")?));
        first.zip(now).ok_or_else(|| Failure::new("the journal names no request for results"))
    }

    /// How many requests for data the org has had: sign-ins are none.
    pub(super) fn requests(&self) -> Result<usize, Failure> {
        Ok(self.control("journal")?.matches("\"path\":\"/services/data/").count())
    }

    fn control(&self, route: &str) -> Result<String, Failure> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error"]).arg(format!("{}/__emulator/{route}", self.org.plain));
        output_of(&mut curl)
    }

    fn get(&self, path: &str) -> Command {
        let mut curl = curl(self.org);
        curl.args(["--header", &format!("Authorization: Bearer {}", self.session)]);
        curl.arg(format!("{}{path}", self.org.url));
        curl
    }
}

fn curl(org: &EmulatedOrg) -> Command {
    let mut curl = Command::new("curl");
    let host = org.url.trim_start_matches("https://");
    curl.args(["--silent", "--show-error", "--noproxy", "*", "--connect-to"]);
    curl.arg(format!("{host}:443:{}", org.tls)).arg("--cacert").arg(&org.ca).stdin(Stdio::null());
    curl
}

fn next_locator(headers: &str) -> Option<String> {
    let lines = headers.lines().filter_map(|line| line.split_once(':'));
    let mut locators = lines.filter(|(name, _)| name.eq_ignore_ascii_case("sforce-locator"));
    locators.next().map(|(_, value)| value.trim().to_owned()).filter(|locator| locator != "null")
}

/// Seconds since midnight of `2026-11-21T09:00:00.5Z`.
fn second_of_day(stamp: &str) -> Option<f64> {
    let (_, time) = stamp.split_once('T')?;
    let mut parts = time.trim_end_matches('Z').split(':');
    let mut next = || parts.next()?.parse::<f64>().ok();
    Some(next()? * 3600.0 + next()? * 60.0 + next()?)
}

#[expect(clippy::disallowed_methods, reason = "another process is waited for in real time")]
fn pause() {
    std::thread::sleep(Duration::from_millis(200));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_locator_is_read_and_the_last_page_has_none() {
        let headers = |locator: &str| format!("HTTP/2 200\r\nSforce-Locator: {locator}\r\nContent-Type: text/csv\r\n");
        assert_eq!(next_locator(&headers("MTAwMA")).as_deref(), Some("MTAwMA"));
        assert_eq!(next_locator(&headers("null")), None);
        assert_eq!(next_locator("HTTP/2 200\r\n"), None);
    }

    #[test]
    fn the_time_of_a_stamp_is_read_with_its_fraction() {
        assert_eq!(second_of_day("2026-11-21T01:02:03.5Z"), Some(3723.5));
        assert_eq!(second_of_day("yesterday"), None);
    }
}
