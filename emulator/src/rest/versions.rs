//! Which API versions there are, and which resources each has.

use http::Method;
use serde_json::{Value, json};

use super::allow;
use super::caller::Caller;
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::org::Org;
use crate::route::{NEWEST_VERSION, OLDEST_VERSION};

/// Release of the oldest version, v31.0: Summer '14.
const OLDEST_RELEASE: u16 = 3 * 14 + 1;
const SEASONS: [&str; 3] = ["Spring", "Summer", "Winter"];

/// `GET /services/data`: free of charge and of authentication, oldest version first.
pub(crate) fn versions(call: &Call) -> Answer {
    if let Err(refusal) = allow(call, &[Method::GET]) {
        return refusal.into();
    }
    let all: Vec<Value> = (OLDEST_VERSION..=NEWEST_VERSION)
        .map(|version| {
            json!({
                "label": label(version),
                "url": format!("/services/data/v{version}.0"),
                "version": format!("{version}.0"),
            })
        })
        .collect();
    Answer::ok(&all)
}

/// Three releases a year: Spring, Summer, and Winter, which is named after the following year.
fn label(version: u16) -> String {
    let release = OLDEST_RELEASE + version - OLDEST_VERSION;
    let season = usize::from(release % 3);
    let year = release / 3 + u16::from(SEASONS[season] == "Winter");
    format!("{} '{year}", SEASONS[season])
}

impl Org {
    /// `GET /services/data/vXX.0`: name and path of each resource.
    pub(super) fn resources(&self, call: &Call, caller: &Caller) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET])?;
        let root = caller.root();
        let base = self.instance_url(call.arrival);
        Ok(Answer::ok(&json!({
            "composite": format!("{root}/composite"),
            "identity": format!("{base}/id/{}/{}", self.id, caller.user_id),
            "jobs": format!("{root}/jobs"),
            "limits": format!("{root}/limits"),
            "query": format!("{root}/query"),
            "queryAll": format!("{root}/queryAll"),
            "sobjects": format!("{root}/sobjects"),
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_labelled_by_season_and_year() {
        for (version, expected) in [
            (31, "Summer '14"),
            (32, "Winter '15"),
            (60, "Spring '24"),
            (65, "Winter '26"),
            (66, "Spring '26"),
            (67, "Summer '26"),
            (68, "Winter '27"),
        ] {
            assert_eq!(label(version), expected);
        }
    }
}
