//! Bulk API 1.0, which this org does not have: only what a client with a wrong version or session is told
//! (Bulk API guide, "Errors").

use http::StatusCode;

use crate::answer::Answer;
use crate::call::Call;
use crate::oauth::escape_xml;
use crate::org::Org;
use crate::payload::Payload;
use crate::route::{NEWEST_VERSION, OLDEST_VERSION};

impl Org {
    /// Any call below `/services/async/<version>`: there is an answer for a wrong version, a wrong session, and the rest.
    pub(crate) fn bulk_version_one(&self, call: &Call, version: Option<u16>) -> Answer {
        if !version.is_some_and(|version| (OLDEST_VERSION..=NEWEST_VERSION).contains(&version)) {
            return refuse("InvalidVersion", "Unsupported API version");
        }
        let Some(token) = call.header("x-sfdc-session") else {
            return refuse("InvalidSessionId", "Unable to find session id");
        };
        let session = self.sessions.authenticate(token, self.now());
        let holds = session
            .filter(|session| session.is_opaque() && session.reaches_api())
            .filter(|session| self.still_holds(&self.setup(call), session));
        match holds {
            None => refuse("InvalidSessionId", "Invalid session id"),
            Some(_) => refuse("FeatureNotEnabled", "Bulk API 1.0 is not available in this org; use Bulk API 2.0"),
        }
    }
}

fn refuse(code: &str, message: &str) -> Answer {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><error xmlns=\"http://www.force.com/2009/06/asyncapi/dataload\">\
         <exceptionCode>{code}</exceptionCode><exceptionMessage>{}</exceptionMessage></error>",
        escape_xml(message)
    );
    Answer::typed(StatusCode::BAD_REQUEST, "application/xml;charset=UTF-8", Payload::bytes(text))
}
