//! Whether a browser can be sent to sign in, and what error pages say that never lead back to us.

use std::borrow::Cow;

use http::{Method, header};
use url::{Url, form_urlencoded};

use super::{
    authorize::{AUTHORIZE, AuthorizationRequest, random_text},
    callback::SOMEBODY,
    in_words_of_oauth,
};
use crate::{
    error::{OAuthError, OAuthRefusal, Stage, body, mentioned},
    http::{Http, Request, Whatever},
};

/// What the authorization endpoint answers to somebody who is not signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// The way to sign in.
    Ready,
    /// Something that is neither known as a refusal nor as the way to sign in; a person finds out.
    Unclear { status: u16 },
}

/// The last part of the path of Salesforce's page for refusals that are not told to the app.
const ERROR_PAGE: &str = "RemoteAccessErrorPage.apexp";

/// Opens the address of `request` once, without being signed in, as a browser would.
///
/// Much that is set up wrongly never comes back to the callback: the person is left on a page of Salesforce, or with a
/// file named `authorize`. It is all said to the first request already, unless it depends on who signs in. No redirect
/// is followed. Shapes of the refusals: help page `remoteaccess_oauth_flow_errors`, and public trackers.
///
/// # Errors
/// The refusal with its cause, or why there was no usable answer.
pub async fn probe_authorize(http: &Http, request: &AuthorizationRequest<'_>) -> Result<Probe, OAuthError> {
    // A state of its own: that of the person's browser is told to nobody else.
    let url = AuthorizationRequest { state: &random_text(), ..*request }.url();
    let path = format!("{AUTHORIZE}?{}", url.query().unwrap_or_default());
    let get = Request::new(Method::GET, AUTHORIZE, path, "trying the link to sign in").uncounted().taking_anything();
    let answer: Whatever = http
        .send(request.login, &get, None, None)
        .await
        .map_err(|error| in_words_of_oauth(error, Stage::Authorize, 1))?;
    match refusal_in(&answer, &url, request.redirect_uri) {
        Some((error, description)) => {
            Err(OAuthRefusal::new(Stage::Authorize, &answer.host, answer.status, &error, &description).into())
        }
        None if answer.status >= 500 => Err(in_words_of_oauth(answer.into_error(), Stage::Authorize, 1)),
        None if matches!(answer.status, 200..=399) => Ok(Probe::Ready),
        None => Ok(Probe::Unclear { status: answer.status }),
    }
}

/// `error` and `error_description`.
type Words = (String, String);

/// What an answer refuses with: in the address that it leads to, on its page, or bare.
fn refusal_in(answer: &Whatever, url: &Url, redirect_uri: &str) -> Option<Words> {
    if let Some(location) = answer.headers.get(header::LOCATION) {
        return refusal_in_address(&url.join(location.to_str().ok()?).ok()?, redirect_uri);
    }
    let text = String::from_utf8_lossy(&answer.body);
    refusal_on_page(&text, url, redirect_uri).or_else(|| body::read_form(text.trim()))
}

/// Only the callback and the error page are known to say what `error` is.
fn refusal_in_address(to: &Url, redirect_uri: &str) -> Option<Words> {
    let is_callback = to.as_str().strip_prefix(redirect_uri).is_some_and(|rest| rest.starts_with(['?', '&', '#']));
    let is_error_page = to.path().ends_with(ERROR_PAGE);
    if is_callback || is_error_page { body::read_form(&from_error(to.query()?)?) } else { None }
}

/// The refusal that a page shows in a `pre`, or that its script leads to.
fn refusal_on_page(page: &str, url: &Url, redirect_uri: &str) -> Option<Words> {
    let shown = page.split("<pre").skip(1).filter_map(|part| part.split_once('>')?.1.split("</pre").next());
    let mut shown = shown.filter_map(|text| body::read_form(&from_error(&unescaped(text))?));
    shown.next().or_else(|| {
        let end = page.find(ERROR_PAGE)? + ERROR_PAGE.len();
        let query: String = page[end..].chars().take_while(|c| !"\"'<> \\".contains(*c)).collect();
        let to = url.join(&format!("/{ERROR_PAGE}{}", unescaped(&query))).ok()?;
        refusal_in_address(&to, redirect_uri)
    })
}

/// A text from its parameter `error` on.
fn from_error(text: &str) -> Option<String> {
    let starts = text.match_indices("error=").map(|(at, _)| at);
    let is_start = |at: &usize| text[..*at].chars().next_back().is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_');
    let at = starts.into_iter().find(is_start)?;
    let line = text[at..].split(['\n', '\r', '<', '"', '\'', '`']).next()?;
    Some(line.trim_end().to_owned())
}

/// An ampersand is what a query has in HTML besides letters.
fn unescaped(html: &str) -> Cow<'_, str> {
    if html.contains('&') { html.replace("&amp;", "&").replace("&#38;", "&").into() } else { html.into() }
}

/// Of a pasted text no more is read.
const LONGEST_PASTE: usize = 64 << 10;

/// Reads what a person copies from an error page of Salesforce: its address, its words, or the text of the file named
/// `authorize` that the browser saved. `None` when it mentions no refusal.
pub fn read_error_page(pasted: &str) -> Option<OAuthRefusal> {
    let pasted: String = pasted.trim().chars().take(LONGEST_PASTE).collect();
    let host = Url::parse(&pasted).ok().filter(|url| url.scheme() == "https");
    let host = host.as_ref().and_then(Url::host_str).unwrap_or(SOMEBODY);
    let written = from_error(&unescaped(&pasted)).and_then(|form| body::read_form(&form));
    let (error, description) = written.or_else(|| {
        let said: String =
            form_urlencoded::parse(pasted.as_bytes()).map(|(key, value)| format!("{key} {value}\n")).collect();
        let (error, description) = mentioned(&pasted).or_else(|| mentioned(&said))?;
        Some((error.to_owned(), description.to_owned()))
    })?;
    Some(OAuthRefusal::new(Stage::Authorize, host, 0, &error, &description))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::OAuthCause;

    #[test]
    fn what_a_person_copies_from_an_error_page_is_understood() {
        for (pasted, cause) in [
            (
                "https://acme.my.salesforce.com/setup/secur/RemoteAccessErrorPage.apexp?retURL=%2F&error=invalid_client\
                 &error_description=app+must+be+installed+into+org&state=abc",
                OAuthCause::AppNotInstalled,
            ),
            ("error=invalid_client_id&error_description=client%20identifier%20invalid", OAuthCause::UnknownClient),
            (
                "<pre>error=redirect_uri_mismatch&amp;error_description=redirect_uri%20must%20match%20configuration</pre>",
                OAuthCause::RedirectUriMismatch,
            ),
            ("error=invalid_request&error_description=missing required code challenge\n", OAuthCause::ChallengeMissing),
            (
                "We can't authorize you because of an OAuth error. For more information, contact your Salesforce \
                 administrator.\n\nOAUTH_APP_BLOCKED : this app is blocked by admin",
                OAuthCause::AppBlocked,
            ),
            ("OAUTH_APP_ACCESS_DENIED: user is not admin approved to access this app", OAuthCause::NotAdminApproved),
            ("oauth_ec_app_not_found", OAuthCause::AppOfOtherOrg),
            ("External client app is not installed in this org", OAuthCause::AppOfOtherOrg),
            ("An unexpected error has occured during authentication. Please try again.", OAuthCause::ApprovalFailed),
            ("Client identifier invalid", OAuthCause::UnknownClient),
            ("It says: app must be installed into org", OAuthCause::AppNotInstalled),
            ("missing required code challenge", OAuthCause::ChallengeMissing),
            ("https://app.example/callback?error=access_denied&error_description=x&state=s", OAuthCause::Denied),
            ("error=something_new&error_description=nobody+knows", OAuthCause::Unknown),
        ] {
            let refusal = read_error_page(pasted).unwrap_or_else(|| panic!("nothing in {pasted}"));
            assert_eq!(refusal.cause, cause, "{pasted}: {refusal:?}");
        }
    }

    #[test]
    fn a_text_without_a_refusal_tells_nothing() {
        for pasted in ["", "   ", "It does not work", "https://acme.my.salesforce.com/", "the_error=x", "error="] {
            assert_eq!(read_error_page(pasted), None, "{pasted}");
        }
    }

    #[test]
    fn the_host_of_an_address_is_named() {
        let page = "https://acme.my.salesforce.com/setup/secur/RemoteAccessErrorPage.apexp?error=invalid_client";
        assert_eq!(read_error_page(page).unwrap().host, "acme.my.salesforce.com");
    }

    #[test]
    fn a_page_whose_script_leads_to_the_error_page_is_read() {
        let url = Url::parse("https://acme.my.salesforce.com/services/oauth2/authorize").unwrap();
        let page = "<script>window.location.replace('/setup/secur/RemoteAccessErrorPage.apexp?error=invalid_client&amp;\
                    error_description=app+must+be+installed+into+org');</script>";
        let (error, description) = refusal_on_page(page, &url, "https://app.example/").unwrap();
        assert_eq!((error.as_str(), description.as_str()), ("invalid_client", "app must be installed into org"));
        assert_eq!(refusal_on_page("<form action='/x?error=1'>", &url, "https://app.example/"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in ".{0,300}", words in "[a-z_=&%<>\"' é]{0,200}") {
            let url = Url::parse("https://acme.my.salesforce.com/").unwrap();
            for text in [text.clone(), format!("error={text}"), format!("<pre>{words}"), words.clone(), format!("{ERROR_PAGE}{text}")] {
                let _ = read_error_page(&text);
                let _ = refusal_on_page(&text, &url, "https://app.example/callback");
            }
        }
    }
}
