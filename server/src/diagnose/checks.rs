//! Judges what an org said. Pure: every check is a function from facts to findings, and a line in the table.

use salesforce::{Recovery, org::VersionStanding};

use super::{
    Finding, Severity,
    facts::{Fact, ObjectFacts, OrgFacts, Refused},
};

/// A check: its stable name, and what it judges.
struct Check {
    name: &'static str,
    run: fn(&OrgFacts) -> Vec<Judged>,
}

/// All checks, in the order in which a person reads them.
const CHECKS: &[Check] = &[
    Check { name: "sign_in", run: sign_in },
    Check { name: "identity", run: identity },
    Check { name: "api_version", run: api_version },
    Check { name: "object", run: objects },
    Check { name: "mapping", run: mappings },
    Check { name: "quota", run: quota },
];

/// A finding that does not know its check yet.
struct Judged {
    severity: Severity,
    subject: String,
    summary: String,
    remedy: Option<String>,
}

impl Judged {
    fn ok(subject: impl Into<String>, summary: impl Into<String>) -> Self {
        Self { severity: Severity::Ok, subject: subject.into(), summary: summary.into(), remedy: None }
    }

    fn warning(subject: impl Into<String>, summary: impl Into<String>, remedy: impl Into<String>) -> Self {
        let remedy = Some(remedy.into());
        Self { severity: Severity::Warning, subject: subject.into(), summary: summary.into(), remedy }
    }

    fn failed(subject: impl Into<String>, summary: impl Into<String>, remedy: Option<String>) -> Self {
        Self { severity: Severity::Failed, subject: subject.into(), summary: summary.into(), remedy }
    }

    /// What a person can cure fails, even where it may pass by itself; what only passes by itself is a warning.
    fn refused(subject: impl Into<String>, refused: &Refused) -> Self {
        match (refused.recovery, &refused.remedy) {
            (Recovery::Retry { .. }, None) => Self::warning(subject, refused.message.clone(), "Check again later"),
            (
                Recovery::Retry { .. } | Recovery::Reauthorize | Recovery::Configure | Recovery::Reject | Recovery::Bug,
                remedy,
            ) => Self::failed(subject, refused.message.clone(), remedy.clone()),
        }
    }
}

/// Judges all facts.
pub fn judge(facts: &OrgFacts) -> Vec<Finding> {
    let judge = |check: &Check| {
        let name = check.name;
        (check.run)(facts).into_iter().map(move |judged| Finding {
            check: name,
            severity: judged.severity,
            subject: judged.subject,
            summary: judged.summary,
            remedy: judged.remedy,
        })
    };
    CHECKS.iter().flat_map(judge).collect()
}

fn sign_in(facts: &OrgFacts) -> Vec<Judged> {
    vec![match &facts.identity {
        Fact::Known(_) => Judged::ok("", format!("{} accepts the stored sign-in", facts.org.host())),
        Fact::Refused(refused) => Judged {
            // Without a session nothing else can be judged.
            severity: Severity::Failed,
            ..Judged::refused("", refused)
        },
        Fact::NotAsked => return Vec::new(),
    }]
}

fn identity(facts: &OrgFacts) -> Vec<Judged> {
    let Fact::Known(user) = &facts.identity else { return Vec::new() };
    if user.organization_id != facts.expected_org_id {
        let summary = format!("the session is one of org {}, not {}", user.organization_id, facts.expected_org_id);
        let remedy = format!("Connect again: orgtide connect {} --org {}", facts.connection, facts.org.host());
        return vec![Judged::failed(user.organization_id.clone(), summary, Some(remedy))];
    }
    let summary = format!("{} in org {}", user.preferred_username, user.organization_id);
    if user.preferred_username.eq_ignore_ascii_case(&facts.expected_username) {
        return vec![Judged::ok(user.preferred_username.clone(), summary)];
    }
    vec![Judged::warning(
        user.preferred_username.clone(),
        format!("{summary}; {} was connected", facts.expected_username),
        "If that was meant (another Run As user), connect again to record it",
    )]
}

fn api_version(facts: &OrgFacts) -> Vec<Judged> {
    let version = facts.api_version;
    let name = version.to_string();
    let offered = match &facts.versions {
        Fact::Known(offered) => offered,
        Fact::Refused(refused) => return vec![Judged::refused(name, refused)],
        Fact::NotAsked => return Vec::new(),
    };
    if !offered.contains(&version) {
        let remedy = "Connect again with --api-version and one that the org offers".to_owned();
        return vec![Judged::failed(name.clone(), format!("the org does not offer {name}"), Some(remedy))];
    }
    match (version.standing(), version.warning()) {
        (VersionStanding::Supported, _) | (_, None) => {
            let newest = offered.iter().max().map(|newest| format!("; the org's newest is {newest}"));
            vec![Judged::ok(name.clone(), format!("{name} is supported{}", newest.unwrap_or_default()))]
        }
        (VersionStanding::Retiring | VersionStanding::Retired, Some(warning)) => {
            vec![Judged::warning(name, warning, "Connect again with a newer --api-version, then import again")]
        }
    }
}

fn objects(facts: &OrgFacts) -> Vec<Judged> {
    facts.objects.iter().flat_map(object).collect()
}

fn object(facts: &ObjectFacts) -> Vec<Judged> {
    let name = &facts.name;
    let describe = match &facts.describe {
        Fact::Known(describe) => describe,
        Fact::Refused(refused) => return vec![Judged::refused(name, refused)],
        Fact::NotAsked => return Vec::new(),
    };
    if !describe.queryable {
        return vec![Judged::failed(name, format!("{name} cannot be queried"), None)];
    }
    vec![match &facts.rows {
        Fact::Known(0) => Judged::warning(
            name,
            format!("{name} is readable, and the user sees no records"),
            "If the org has some, the user lacks access to them: give its permission set \"View All\" on the object, \
             or share the records",
        ),
        Fact::Known(rows) => {
            Judged::ok(name, format!("{name} is readable: {rows} records, {} fields", describe.fields.len()))
        }
        Fact::Refused(refused) => Judged::refused(name, refused),
        Fact::NotAsked => return Vec::new(),
    }]
}

fn mappings(facts: &OrgFacts) -> Vec<Judged> {
    let remedy = "Give the user's permission set Read on the field, or take it out of the mapping";
    let judged = |object: &ObjectFacts| {
        let name = object.name.clone();
        object
            .problems
            .clone()
            .into_iter()
            .map(move |problem| Judged::failed(name.clone(), problem.to_string(), Some(remedy.to_owned())))
    };
    facts.objects.iter().flat_map(judged).collect()
}

fn quota(facts: &OrgFacts) -> Vec<Judged> {
    let from_limits = match &facts.limits {
        Fact::Known(limits) => limits.get("DailyApiRequests").map(|limit| (limit.max - limit.remaining, limit.max)),
        Fact::Refused(_) | Fact::NotAsked => None,
    };
    let from_headers = facts.requests.map(|(used, max)| (used.cast_signed(), max.cast_signed()));
    // The headers are of this moment; the limits lag by minutes, and need a permission.
    let Some((used, max)) = from_headers.or(from_limits).filter(|(_, max)| *max > 0) else { return Vec::new() };
    let summary = format!("{used} of {max} API requests of 24 hours are used");
    if used >= max {
        let remedy = "Wait until older requests are a day old, or raise the limit".to_owned();
        return vec![Judged::failed("", summary, Some(remedy))];
    }
    if used.saturating_mul(10) >= max.saturating_mul(8) {
        return vec![Judged::warning("", summary, "Sync less often, or raise the limit; Bulk needs few requests")];
    }
    vec![Judged::ok("", summary)]
}
