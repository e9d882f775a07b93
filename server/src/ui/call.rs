//! What every page begins with: who asks, whether they may, and what they sent.

use std::net::{IpAddr, SocketAddr};

use axum::{
    body::to_bytes,
    extract::{ConnectInfo, FromRequest, FromRequestParts, RawPathParams, Request},
    http::request::Parts,
    response::{Html, IntoResponse, Response},
};
use http::{HeaderValue, Method, StatusCode, header};

use super::{Console, fields::Fields, frame::Frame, problem::Problem};
use crate::{
    app::accounts::Caller,
    auth::{Role, Token},
    web::AskedHost,
};

/// A form is small.
const MOST_BYTES: usize = 256 * 1024;
/// The field of a form that proves that the form is of this session.
pub(super) const FORM_TOKEN: &str = "form_token";

/// Who may use a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whoever reaches it.
    Anyone,
    /// Whoever is signed in and has at least this role.
    Signed(Role),
}

/// A request for a page that the caller may use.
pub(super) struct Call {
    pub(super) console: Console,
    /// Present wherever a page asks for a role.
    caller: Option<Caller>,
    /// The session that the browser presented, whether or not it opens anything.
    pub(super) presented: Option<Token>,
    pub(super) address: IpAddr,
    /// The parameters of the path.
    path: Vec<(String, String)>,
    pub(super) query: Fields,
    pub(super) raw_query: String,
    pub(super) form: Fields,
    /// htmx asks for the part of the page that changes.
    pub(super) is_live: bool,
    /// The browser runs our script.
    pub(super) has_script: bool,
}

/// What a page gives.
pub(super) type Answer = Result<Response, Problem>;

impl Call {
    /// Who asks, on a page for whoever is signed in.
    pub(super) fn caller(&self) -> Result<&Caller, Problem> {
        self.caller.as_ref().ok_or_else(|| Problem::sign_in_first(""))
    }

    pub(super) fn visitor(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    pub(super) fn has_role(&self, role: Role) -> bool {
        self.caller.as_ref().is_some_and(|caller| caller.user.role >= role)
    }

    /// A parameter of the path.
    pub(super) fn part(&self, name: &str) -> &str {
        self.path.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    /// What surrounds the page.
    pub(super) fn frame(&self, title: impl Into<String>) -> Frame {
        Frame::of(self.caller.as_ref(), title.into(), self.query.text("done"))
    }

    pub(super) fn page(&self, template: &impl askama::Template) -> Answer {
        Ok(html(StatusCode::OK, template))
    }

    /// A page that looks again by itself while something goes on: htmx asks for the part that changes, and a browser
    /// without script gets a header.
    pub(super) fn changing_page(&self, template: &impl askama::Template, goes_on: bool) -> Answer {
        let mut response = html(StatusCode::OK, template);
        if goes_on && !self.has_script {
            response.headers_mut().insert(header::REFRESH, HeaderValue::from_static("2"));
        }
        Ok(response)
    }
}

/// Templates are filled from memory, into memory.
pub(super) fn html(status: StatusCode, template: &impl askama::Template) -> Response {
    let text = template.render().expect("a template of plain values can be written to a string");
    (status, Html(text)).into_response()
}

/// After a change: the browser asks for the page that shows it.
pub(super) fn go_to(place: &str) -> Answer {
    let place = HeaderValue::from_str(place).unwrap_or(HeaderValue::from_static("/"));
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response())
}

/// The cookie that holds a session's token, or takes it away.
pub(super) fn with_session(answer: Answer, console: &Console, token: Option<&Token>) -> Answer {
    let name = cookie_name(console.site.is_https);
    let (value, age) = token.map_or(("", 0), |token| (token.expose(), crate::auth::LIFETIME_MILLIS / 1000));
    let secure = if console.site.is_https { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}");
    let mut cookie = HeaderValue::from_str(&cookie).expect("a token is base64");
    cookie.set_sensitive(true);
    let mut response = answer?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Only a page of this very host can set a cookie whose name begins with `__Host-`
/// (draft-ietf-httpbis-rfc6265bis, section 4.1.3.2), and only over TLS.
fn cookie_name(is_https: bool) -> &'static str {
    if is_https { "__Host-orgtide" } else { "orgtide" }
}

impl FromRequest<Console> for Call {
    type Rejection = Problem;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        // A page that is missing in the table of routes is for nobody.
        let access = parts.extensions.get::<Access>().copied().unwrap_or(Access::Signed(Role::Owner));
        let presented = cookie(&parts, cookie_name(console.site.is_https)).map(|text| Token::presented(&text));
        let caller = match &presented {
            Some(token) => console.app.caller(token).await?,
            None => None,
        };
        if let Access::Signed(role) = access {
            let Some(caller) = &caller else { return Err(Problem::sign_in_first(&asked_for(&parts))) };
            if caller.user.role < role {
                return Err(Problem::forbidden(caller.clone(), role));
            }
        }
        let mut form = Fields::default();
        if parts.method != Method::GET && parts.method != Method::HEAD {
            is_from_here(&parts, console)?;
            let bytes = to_bytes(body, MOST_BYTES).await.map_err(|_| Problem::too_large())?;
            form = Fields::parse(&bytes);
            if let Some(caller) = &caller
                && access != Access::Anyone
                && !caller.session.is_form_token(form.text(FORM_TOKEN))
            {
                return Err(Problem::foreign_form());
            }
        }
        let path = path_of(&mut parts).await;
        let raw_query = parts.uri.query().unwrap_or_default().to_owned();
        Ok(Self {
            console: console.clone(),
            presented,
            address: address(&parts),
            path,
            query: Fields::parse(raw_query.as_bytes()),
            raw_query,
            form,
            is_live: parts.headers.contains_key("hx-request"),
            has_script: cookie(&parts, "orgtide-script").is_some(),
            caller,
        })
    }
}

/// The parameters of the path; one that is no UTF-8 has none.
async fn path_of(parts: &mut Parts) -> Vec<(String, String)> {
    let Ok(params) = RawPathParams::from_request_parts(parts, &()).await else { return Vec::new() };
    params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn cookie(parts: &Parts, name: &str) -> Option<String> {
    let headers = parts.headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut cookies = headers.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
    cookies.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned())
}

/// Browsers say with every form which page sends it: `Sec-Fetch-Site` (Fetch Metadata, W3C) or `Origin`.
fn is_from_here(parts: &Parts, console: &Console) -> Result<(), Problem> {
    let text = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    let host = parts.extensions.get::<AskedHost>().map_or("", |host| &host.0);
    let is_ours = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => console.site.is_own_origin(origin, host),
        // No browser.
        (None, None) => true,
    };
    if is_ours { Ok(()) } else { Err(Problem::foreign_form()) }
}

/// Where a page is asked for, to come back to it after signing in.
fn asked_for(parts: &Parts) -> String {
    if parts.method != Method::GET { String::new() } else { parts.uri.to_string() }
}

/// The network address of whoever asks. A proxy on this machine says for whom it asks.
fn address(parts: &Parts) -> IpAddr {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let peer = peer.unwrap_or(IpAddr::from([127, 0, 0, 1]));
    let forwarded = parts.headers.get_all("x-forwarded-for").into_iter().next_back();
    let forwarded = forwarded.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    if peer.is_loopback() { forwarded.unwrap_or(peer) } else { peer }
}

/// A path of ours, or the first page: nobody is led elsewhere by a link to the sign-in page.
pub(super) fn own_path(path: &str) -> &str {
    let is_own = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && path.bytes().all(|byte| byte.is_ascii_graphic());
    if is_own { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        for own in ["/", "/connections/acme?done=checked"] {
            assert_eq!(own_path(own), own);
        }
        for other in ["", "https://evil.example", "//evil.example", "/\\evil.example", "/\r\nx: y", "evil"] {
            assert_eq!(own_path(other), "/", "{other:?}");
        }
    }
}
