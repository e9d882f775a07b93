//! Objects, fields and records.

use salesforce::{ApiError, ErrorCode};

use crate::diagnose::{
    catalogue,
    facts::{Case, Existence, Fact, FieldFact, FieldState, Grants, ObjectFacts, OrgFacts},
    finding::{Finding, Severity},
    of_error,
};

pub(super) fn objects(case: &Case, facts: &OrgFacts) -> Vec<Finding> {
    let is_usual = |name: &str| case.needs.iter().any(|need| need.is_usual && need.object == name);
    let sees_any = facts.objects.iter().any(|object| matches!(object.describe, Fact::Known(_)));
    let judge = |facts: &ObjectFacts| {
        let findings = object(facts).into_iter();
        // A user who sees one of the usual objects is set up; the other may be none of their business.
        let is_no_fault = sees_any && is_usual(&facts.name);
        findings.map(|finding| if is_no_fault { no_fault(finding) } else { finding }).collect::<Vec<_>>()
    };
    facts.objects.iter().flat_map(judge).collect()
}

fn no_fault(finding: Finding) -> Finding {
    let severity = if finding.severity == Severity::Failed { Severity::Note } else { finding.severity };
    Finding { severity, ..finding }
}

fn object(facts: &ObjectFacts) -> Vec<Finding> {
    let name = &facts.name;
    let describe = match &facts.describe {
        Fact::Known(describe) => describe,
        Fact::Refused(error) => return vec![unseen_object(facts, error).about(name)],
        Fact::NotAsked => return Vec::new(),
    };
    if !describe.queryable {
        return vec![catalogue::OBJECT_NOT_QUERYABLE.found(format!("{name} cannot be queried")).about(name)];
    }
    let mut findings = records(facts, describe.fields.len());
    findings.extend(fields(facts));
    let problem = |problem: &sync::mapping::MappingProblem| catalogue::MAPPING_PROBLEM.found(problem.to_string());
    findings.extend(facts.problems.iter().map(problem));
    findings.into_iter().map(|finding| if finding.subject.is_empty() { finding.about(name) } else { finding }).collect()
}

/// Why an object cannot be described: the list of objects is answered, so it is about this one.
fn unseen_object(facts: &ObjectFacts, error: &ApiError) -> Finding {
    let Some(refusal) = error.refusal() else { return of_error::of_api(error) };
    let seen = of_error::said(refusal);
    match refusal.code {
        ErrorCode::NotFound | ErrorCode::InvalidType => match facts.existence {
            Existence::Proved => with_sets(catalogue::OBJECT_HIDDEN.found(seen), &facts.name, facts.grants.as_ref()),
            Existence::Unknown => catalogue::OBJECT_MISSING_OR_HIDDEN.found(seen),
        },
        ErrorCode::InsufficientAccess => {
            with_sets(catalogue::OBJECT_REFUSED.found(seen), &facts.name, facts.grants.as_ref())
        }
        ErrorCode::InsufficientAccessOrReadonly | ErrorCode::InsufficientAccessOnCrossReferenceEntity => {
            catalogue::OBJECT_READ_ONLY_REFUSAL.found(seen)
        }
        _ => of_error::of_api(error),
    }
}

/// Names the permission sets that would do.
fn with_sets(finding: Finding, what: &str, grants: Option<&Grants>) -> Finding {
    match grants.map(|grants| grants.by_other_sets.as_slice()) {
        None | Some([]) => finding,
        Some([set]) => finding.with_remedy(format!(
            "Assign the permission set \"{set}\" to the user: it grants Read on {what}, and the user does not have it \
             (Setup > Permission Sets > {set} > Manage Assignments)"
        )),
        Some(sets) => finding.with_remedy(format!(
            "Assign one of the permission sets that grant Read on {what} to the user, who has none of them: {} (Setup > \
             Permission Sets > the set > Manage Assignments)",
            sets.join(", ")
        )),
    }
}

fn records(facts: &ObjectFacts, fields: usize) -> Vec<Finding> {
    let rows = match &facts.rows {
        Fact::Known(rows) => *rows,
        Fact::Refused(error) => {
            return vec![match error.refusal() {
                Some(refusal) if refusal.code == ErrorCode::InsufficientAccess => {
                    catalogue::OBJECT_REFUSED.found(of_error::said(refusal))
                }
                _ => of_error::of_api(error),
            }];
        }
        Fact::NotAsked => return Vec::new(),
    };
    if rows == 0 {
        return vec![catalogue::NO_RECORDS.found(format!("{} is readable, and the user sees no records", facts.name))];
    }
    let readable = format!("{} is readable: {rows} records, {fields} fields", facts.name);
    let mut findings = vec![catalogue::OBJECT_READABLE.found(readable)];
    match &facts.grants {
        Some(grants) if grants.view_all => {
            findings.push(catalogue::ALL_RECORDS.found(format!("{rows} records, and no other is hidden")));
        }
        Some(grants) if grants.by_own_sets => {
            findings.push(catalogue::SHARED_RECORDS_ONLY.found(format!("{rows} records are visible")));
        }
        // Nobody tells, or the object has no permissions of its own.
        Some(_) | None => {}
    }
    findings
}

fn fields(facts: &ObjectFacts) -> Vec<Finding> {
    let unseen: Vec<Finding> = facts.fields.iter().filter_map(|field| unseen_field(facts, field)).collect();
    if unseen.is_empty() && !facts.fields.is_empty() {
        let seen = format!("all {} wanted fields of {} are readable", facts.fields.len(), facts.name);
        return vec![catalogue::FIELDS_READABLE.found(seen)];
    }
    unseen
}

fn unseen_field(facts: &ObjectFacts, fact: &FieldFact) -> Option<Finding> {
    let FieldState::Unseen { object, field, existence, grants, nearest } = &fact.state else { return None };
    let seen = match object == &facts.name {
        true => format!("{object} shows no field {field}"),
        false => format!("{object}, to which {}.{} leads, shows no field {field}", facts.name, fact.path),
    };
    let finding = match (existence, nearest) {
        (Existence::Proved, _) => {
            with_sets(catalogue::FIELD_HIDDEN.found(seen), &format!("{object}.{field}"), grants.as_ref())
        }
        (Existence::Unknown, None) => catalogue::FIELD_MISSING_OR_HIDDEN.found(seen),
        (Existence::Unknown, Some(nearest)) => {
            let finding = catalogue::FIELD_MISSING_OR_HIDDEN.found(format!("{seen}, and one that is spelt {nearest}"));
            let remedy = finding.remedy.as_ref().map(|remedy| remedy.text.clone()).unwrap_or_default();
            finding.with_remedy(format!("If {nearest} is meant, correct the spelling. {remedy}"))
        }
    };
    Some(finding.about(format!("{}.{}", facts.name, fact.path)))
}
