//! Judges what an org said. Pure: every check is a function from facts to findings, and a line in the table.

mod api;
mod data;
mod lasting;
mod matrix;
mod reaching;

use super::{
    facts::{Case, OrgFacts},
    finding::{Finding, Layer},
};

pub use self::matrix::{Cell, Matrix, matrix};

/// A check, and the layer whose facts it needs last.
struct Check {
    layer: Layer,
    run: fn(&Case, &OrgFacts) -> Vec<Finding>,
}

/// All checks, in the order in which a person reads what they find.
const CHECKS: &[Check] = &[
    Check { layer: Layer::Network, run: reaching::host },
    Check { layer: Layer::Org, run: reaching::org },
    Check { layer: Layer::Org, run: reaching::clock },
    Check { layer: Layer::SignIn, run: reaching::sign_in },
    Check { layer: Layer::SignIn, run: reaching::same_org },
    Check { layer: Layer::SignIn, run: reaching::user },
    Check { layer: Layer::Api, run: api::access },
    Check { layer: Layer::Api, run: api::scopes },
    Check { layer: Layer::Api, run: api::token_format },
    Check { layer: Layer::Api, run: api::version },
    Check { layer: Layer::Data, run: reaching::kind },
    Check { layer: Layer::Data, run: data::objects },
    Check { layer: Layer::Limit, run: lasting::bulk },
    Check { layer: Layer::Limit, run: lasting::requests },
    Check { layer: Layer::Life, run: lasting::renewal },
    Check { layer: Layer::Life, run: lasting::session },
    Check { layer: Layer::Life, run: lasting::approvals },
    Check { layer: Layer::Life, run: lasting::ending },
];

/// Judges what belongs to `layer`.
pub(super) fn judge(layer: Layer, case: &Case, facts: &OrgFacts) -> Vec<Finding> {
    let checks = CHECKS.iter().filter(|check| check.layer == layer);
    let found = checks.flat_map(|check| (check.run)(case, facts));
    found.map(|finding| finding.in_setup_of(&case.instance)).collect()
}
