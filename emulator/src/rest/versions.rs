//! Which API versions there are, and which resources each has.

use http::Method;
use serde_json::{Map, Value, json};

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

/// The resources of a version's root, and since which version each is there.
///
/// Source: REST API guide v66, "List Available REST Resources". Since when is taken from the guides of the resources where
/// they say so, and is inferred for the others.
const RESOURCES: [(&str, u16); 46] = [
    ("actions", 31),
    ("analytics", 31),
    ("appMenu", 31),
    ("async", 58),
    ("async-queries", 35),
    ("chatter", 31),
    ("commerce", 38),
    ("compactLayouts", 31),
    ("composite", 34),
    ("connect", 31),
    ("consent", 44),
    ("contact-tracing", 49),
    ("dedupe", 36),
    ("domino", 47),
    ("eclair", 36),
    ("emailConnect", 42),
    ("event", 39),
    ("fingerprint", 40),
    ("folders", 37),
    ("iot", 39),
    ("jobs", 41),
    ("jsonxform", 45),
    ("licensing", 31),
    ("limits", 31),
    ("localizedvalue", 48),
    ("metadata", 46),
    ("mobile", 49),
    ("nouns", 31),
    ("parameterizedSearch", 36),
    ("payments", 48),
    ("prechatForms", 39),
    ("process", 31),
    ("query", 31),
    ("queryAll", 31),
    ("quickActions", 31),
    ("recent", 31),
    ("search", 31),
    ("serviceTemplates", 38),
    ("smartdatadiscovery", 44),
    ("sobjects", 31),
    ("support", 38),
    ("tabs", 31),
    ("theme", 31),
    ("tokenizer", 47),
    ("tooling", 31),
    ("wave", 36),
];

impl Org {
    /// `GET /services/data/vXX.0`: name and path of each resource.
    pub(super) fn resources(&self, call: &Call, caller: &Caller) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET])?;
        let root = caller.root();
        let listed = RESOURCES.iter().filter(|(_, since)| caller.version >= *since);
        let mut resources: Map<String, Value> =
            listed.map(|(name, _)| ((*name).to_owned(), json!(format!("{root}/{name}")))).collect();
        let base = self.instance_url(call.arrival);
        resources.insert("identity".to_owned(), json!(format!("{base}/id/{}/{}", self.id, caller.user_id)));
        Ok(Answer::ok(&resources))
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
