//! One request from arrival to answer: journal, faults, the resource, and what every answer carries.

use std::io::Write;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;

use crate::answer::{Answer, ApiError};
use crate::call::{Arrival, Call, Unreadable};
use crate::control;
use crate::faults::Effect;
use crate::home;
use crate::journal::JournalEntry;
use crate::payload::Payload;
use crate::route::Route;
use crate::scenario::OrgState;
use crate::site::Site;
use crate::world::World;

/// REST API guide, "Status Codes and Error Responses": both limits are the same number.
const MAX_URI: usize = 16_384;
const MAX_URI_AND_HEADERS: usize = 16_384;
/// Smaller answers go out as they are.
const WORTH_COMPRESSING: usize = 1024;
/// Larger answers are compressed off the event loop.
const COMPRESSED_IN_PLACE: usize = 32 << 10;

/// The connection is to be dropped without an answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer is given")]
pub(crate) struct Dropped;

impl World {
    /// Answers one request.
    pub(crate) async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
        arrival: Arrival,
    ) -> Result<Response<Payload>, Dropped> {
        let mut call = match Call::read(request, arrival, |host| self.locate(host, arrival).0).await {
            Ok(call) => call,
            Err(Unreadable::Broken) => return Err(Dropped),
            Err(Unreadable::TooLarge) => {
                return Ok(Answer::empty(StatusCode::PAYLOAD_TOO_LARGE).into_response());
            }
        };
        if let Some(answer) = self.answer_ourselves(&call).await {
            return Ok(answer.into_response());
        }
        let route = Route::parse(&call.path);
        let number = self.shared.journal.open(JournalEntry {
            number: 0,
            at: self.shared.clock.now(),
            method: call.method.to_string(),
            host: call.host.clone(),
            path: call.path.clone(),
            route: route.template(),
            status: None,
            fault: None,
        });
        call.number = number;
        let effect = self.strike(&call, &route);
        let answer = self.answer(&call, route, effect.as_ref()).await;
        let answer = spoil(answer, effect.as_ref())?;
        let answer = self.finish(&call, answer).await;
        if let Some(upload) = &call.upload {
            upload.drain().await;
        }
        self.shared.journal.answered(number, answer.status.as_u16());
        Ok(answer.into_response())
    }

    /// Answers what is the emulator's own and no org's. It is not in the journal, and meets no fault.
    async fn answer_ourselves(self: &Arc<Self>, call: &Call) -> Option<Answer> {
        let is_home = home::is_home(call);
        if !control::is_within_reach(call) || !(is_home || control::is_control(&call.path)) {
            return None;
        }
        let refusal = control::refuse_cross_site(call);
        Some(match refusal {
            Some(refusal) => refusal,
            None if is_home => home::answer(self, call),
            None => control::answer(self, call).await,
        })
    }

    fn strike(&self, call: &Call, route: &Route) -> Option<Effect> {
        let templated = format!("{} {}", call.method, route.template());
        let effect = self.shared.faults.strike([&call.line(), &templated])?;
        self.shared.journal.struck(call.number, effect.name());
        Some(effect)
    }

    async fn answer(&self, call: &Call, route: Route, effect: Option<&Effect>) -> Answer {
        if let Some(refusal) = refuse_oversize(call) {
            return refusal;
        }
        if let Some(instead) = effect.and_then(instead) {
            return instead;
        }
        if let (Some(Effect::ExpireSession), Some(token)) = (effect, call.bearer()) {
            self.orgs().iter().for_each(|org| {
                org.sessions.end(token);
            });
        }
        let hangs = matches!(effect, Some(Effect::Hang));
        let org = self.org_for(call, &route);
        let counts = matches!(route, Route::Data(..) | Route::Soap(..) | Route::Async(..));
        let _in_flight = counts.then(|| org.usage.running.enter(call.number, self.shared.clock.now()));
        // The token endpoint hangs in the middle of its work: the token that is presented is in process.
        if route != Route::Token {
            self.shared.hang_if(hangs).await;
        }
        if org.setup(call).org.state == OrgState::Maintenance {
            return match route {
                Route::Soap(api, _) => crate::soap::in_maintenance(api),
                _ => maintenance(StatusCode::SERVICE_UNAVAILABLE),
            };
        }
        match route {
            Route::Token => org.token(call, hangs).await,
            Route::UserInfo | Route::Identity { .. } | Route::SingleAccess | Route::Frontdoor
                if !matches!(call.method, Method::GET | Method::POST) =>
            {
                Answer::empty(StatusCode::METHOD_NOT_ALLOWED)
            }
            Route::UserInfo => org.user_info(call),
            Route::Introspect => org.introspect(call),
            Route::Revoke => org.revoke(call),
            Route::Identity { org: id, user } => org.identity(call, &id, &user),
            Route::SingleAccess => org.single_access(call),
            Route::Frontdoor => org.frontdoor(call),
            Route::Keys => Answer::ok(&crate::jwt::jwks()),
            Route::OpenIdConfiguration => org.openid_configuration(call),
            Route::AuthorizationServer => org.authorization_server(call),
            Route::AuthConfiguration => org.auth_configuration(call),
            Route::Soap(..) | Route::Async(..)
                if matches!(call.site, Site::Lightning | Site::Setup | Site::Unknown) =>
            {
                unknown_page(call)
            }
            Route::Soap(api, version) => org.soap(call, api, version).await,
            Route::Async(version, route) => org.bulk_one(call, version, route, effect).await,
            Route::Register => crate::oauth::register(),
            Route::Echo | Route::Headless => crate::oauth::headless(call),
            Route::Versions => crate::rest::versions(call),
            Route::ApexRest => org.apex_rest(call),
            Route::Cometd(version) => org.cometd(call, version).await,
            Route::Data(version, data) => org.data(call, version, data, effect).await,
            Route::Authorize => self.authorize(call),
            Route::Web(page) => self.web(call, page),
            Route::Unknown => unknown_page(call),
        }
    }

    async fn finish(&self, call: &Call, mut answer: Answer) -> Answer {
        let date = httpdate::fmt_http_date(SystemTime::from(self.shared.clock.now()));
        answer = answer.with(header::DATE, &date);
        if call.wants_pretty_json() {
            answer = answer.indented();
        }
        let coding = Coding::accepted(call);
        let body = answer.body.in_memory().filter(|body| body.len() >= WORTH_COMPRESSING);
        let plain = !answer.headers.contains_key(header::CONTENT_ENCODING);
        if let (Some(coding), true, Some(body)) = (coding, plain, body) {
            let compressed = compress(body.clone(), coding).await;
            answer.body = answer.body.replaced(compressed);
            return answer.with(header::CONTENT_ENCODING, coding.name());
        }
        answer
    }
}

/// A compression of answers. Source: REST API guide, "Compression Headers".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
}

impl Coding {
    /// What a client accepts; gzip where it accepts both.
    fn accepted(call: &Call) -> Option<Self> {
        let accepted = call.header(header::ACCEPT_ENCODING)?;
        let accepts = |wanted: Self| accepted.split(',').any(|coding| wanted.is_named(coding));
        [Self::Gzip, Self::Deflate].into_iter().find(|coding| accepts(*coding))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    fn is_named(self, coding: &str) -> bool {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case(self.name()) && weight.trim() != "q=0"
    }

    /// `deflate` is the zlib format (RFC 9110, 8.4.1.2).
    fn encode(self, body: &[u8]) -> Bytes {
        let room = Vec::with_capacity(body.len() / 4);
        let encoded = match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(room, Compression::fast());
                encoder.write_all(body).and_then(|()| encoder.finish())
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(room, Compression::fast());
                encoder.write_all(body).and_then(|()| encoder.finish())
            }
        };
        encoded.map(Bytes::from).expect("writing to memory does not fail")
    }
}

async fn compress(body: Bytes, coding: Coding) -> Bytes {
    if body.len() <= COMPRESSED_IN_PLACE {
        return coding.encode(&body);
    }
    tokio::task::spawn_blocking(move || coding.encode(&body)).await.expect("compression does not panic")
}

/// The answer that a fault gives in place of the work.
fn instead(effect: &Effect) -> Option<Answer> {
    let status = |status: u16| StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match effect {
        Effect::Error { status: number, code, message } => {
            Some(ApiError::new(status(*number), code.clone(), message.clone()).into())
        }
        Effect::Answer { status: number, content_type, body } => {
            let body = Payload::bytes(body.clone());
            Some(Answer::typed(status(*number), content_type, body))
        }
        Effect::Unavailable { retry_after } => {
            let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "SERVER_UNAVAILABLE", "Server too busy");
            Some(Answer::from(error).with(header::RETRY_AFTER, &retry_after.to_string()))
        }
        Effect::Maintenance { status: number } => Some(maintenance(status(*number))),
        Effect::CutBody { .. }
        | Effect::SlowBody { .. }
        | Effect::Hang
        | Effect::LostAnswer
        | Effect::ExpireSession
        | Effect::StuckJob
        | Effect::SlowJob { .. }
        | Effect::FailedJob { .. }
        | Effect::AbortedJob
        | Effect::ExpiredJob
        | Effect::ExpiredLocator
        | Effect::FailedRows { .. }
        | Effect::HalfDoneJob { .. }
        | Effect::CutUpload { .. }
        | Effect::ShortPage { .. }
        | Effect::RefusedRow { .. } => None,
    }
}

/// What a fault does to an answer that has been worked out.
fn spoil(mut answer: Answer, effect: Option<&Effect>) -> Result<Answer, Dropped> {
    match effect {
        Some(Effect::LostAnswer | Effect::CutUpload { .. }) => return Err(Dropped),
        Some(Effect::CutBody { after }) => answer.body = answer.body.cut_after(*after),
        Some(Effect::SlowBody { bytes_per_second }) => {
            answer.body = answer.body.paced(*bytes_per_second);
        }
        _ => {}
    }
    Ok(answer)
}

fn maintenance(status: StatusCode) -> Answer {
    Answer::html(status, MAINTENANCE)
}

const MAINTENANCE: &str = "<!DOCTYPE html>\n<html><head><title>Salesforce - Down for Maintenance</title></head>\
<body><h1>We are down for maintenance.</h1><p>Sorry for the inconvenience. We'll be back shortly.</p></body></html>\n";

/// Too long a target or header is refused with an HTML body, by whatever stands in front of the API.
fn refuse_oversize(call: &Call) -> Option<Answer> {
    if call.uri_bytes > MAX_URI {
        let text = "<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>";
        return Some(Answer::html(StatusCode::URI_TOO_LONG, text));
    }
    if call.uri_bytes + call.header_bytes() > MAX_URI_AND_HEADERS {
        let text = "<h1>Bad Message 431</h1><pre>reason: Request Header Fields Too Large</pre>";
        return Some(Answer::html(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, text));
    }
    None
}

/// A path that names no resource: an error of the API below `/services`, a page elsewhere.
fn unknown_page(call: &Call) -> Answer {
    if call.path.starts_with("/services/data") {
        return ApiError::not_found().into();
    }
    Answer::html(StatusCode::NOT_FOUND, "<h1>URL No Longer Exists</h1>")
}
