//! The callback of a sign-in that begins on the command line: one request to this machine.

use std::{net::SocketAddr, sync::Arc};

use askama::Template;
use axum::{
    Router,
    extract::{RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use ring::digest;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};
use url::Url;

use crate::error::Error;

/// The address that most client apps know already: that of Salesforce's own command line.
pub(in crate::cli) const USUAL_CALLBACK: &str = "http://localhost:1717/OauthRedirect";

/// Waits for the browser to come back.
pub(super) struct Loopback {
    callbacks: mpsc::Receiver<Callback>,
    servers: Vec<JoinHandle<()>>,
    closing: watch::Sender<bool>,
}

/// A browser that came back, and waits for a page.
pub(super) struct Callback {
    pub(super) query: String,
    answer: oneshot::Sender<Page>,
}

/// What the person's browser shows at the end.
#[derive(Template)]
#[template(path = "loopback.html")]
pub(super) struct Page {
    pub(super) is_connected: bool,
    pub(super) headline: String,
    pub(super) words: String,
    pub(super) remedy: Option<String>,
}

impl Page {
    const STYLE: &'static str = include_str!("../../../templates/loopback.css");
}

impl Callback {
    /// Shows the page. A browser that has gone away is no error.
    pub(super) fn answer(self, page: Page) {
        let _ = self.answer.send(page);
    }
}

impl Loopback {
    /// Listens where `callback` leads: a name of this machine, with a port.
    pub(super) async fn listen(callback: &str) -> Result<Self, Error> {
        let (port, path) = place(callback)?;
        let (sender, callbacks) = mpsc::channel(1);
        let router = Router::new().route(&path, get(came_back)).with_state(Arc::new(sender));
        let mut servers = Vec::new();
        let unusable = |error: std::io::Error| Error::Unreadable {
            what: format!("the callback {callback}"),
            reason: format!("{error}; another program may use the port: end it, or give another --callback"),
        };
        let first = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await.map_err(unusable)?;
        // `localhost` is either address, as the browser likes; a machine without IPv6 has the first alone.
        let second = TcpListener::bind(SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, port))).await.ok();
        let (closing, _) = watch::channel(false);
        for listener in std::iter::once(first).chain(second) {
            let (router, mut closed) = (router.clone(), closing.subscribe());
            servers.push(tokio::spawn(async move {
                let until = async move {
                    // A sender that is gone closes as well.
                    let _ = closed.wait_for(|closing| *closing).await;
                };
                let _ = axum::serve(listener, router).with_graceful_shutdown(until).await;
            }));
        }
        Ok(Self { callbacks, servers, closing })
    }

    /// Listens no more, once the pages that browsers wait for are on their way.
    pub(super) async fn close(mut self) {
        self.closing.send_replace(true);
        for server in &mut self.servers {
            let _ = server.await;
        }
    }

    /// The next callback.
    pub(super) async fn callback(&mut self) -> Callback {
        match self.callbacks.recv().await {
            Some(callback) => callback,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.servers.iter().for_each(JoinHandle::abort);
    }
}

/// Port and path of a callback on this machine.
fn place(callback: &str) -> Result<(u16, String), Error> {
    let refused = || Error::Unreadable {
        what: format!("the callback {callback}"),
        reason: format!("the command line listens on this machine alone: give one such as {USUAL_CALLBACK}"),
    };
    let url = Url::parse(callback).map_err(|_| refused())?;
    let is_here = url.scheme() == "http" && matches!(url.host_str(), Some("localhost" | "127.0.0.1"));
    if !is_here || url.query().is_some() || url.path().contains(['{', '}']) {
        return Err(refused());
    }
    Ok((url.port().unwrap_or(80), url.path().to_owned()))
}

async fn came_back(State(sender): State<Arc<mpsc::Sender<Callback>>>, RawQuery(query): RawQuery) -> Response {
    let (answer, page) = oneshot::channel();
    let callback = Callback { query: query.unwrap_or_default(), answer };
    if sender.send(callback).await.is_err() {
        return StatusCode::GONE.into_response();
    }
    let Ok(page) = page.await else { return StatusCode::GONE.into_response() };
    let style = STANDARD.encode(digest::digest(&digest::SHA256, Page::STYLE.as_bytes()));
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (header::CONTENT_SECURITY_POLICY, format!("default-src 'none'; style-src 'sha256-{style}'")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::CONNECTION, "close".to_owned()),
    ];
    (headers, page.render().unwrap_or_default()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_of_this_machine_has_a_port_and_a_path() {
        assert_eq!(place(USUAL_CALLBACK).unwrap(), (1717, "/OauthRedirect".to_owned()));
        assert_eq!(place("http://127.0.0.1:8000/a/b").unwrap(), (8000, "/a/b".to_owned()));
    }

    #[test]
    fn the_command_line_listens_nowhere_else() {
        for elsewhere in [
            "https://localhost:1717/x",
            "http://example.com:1717/x",
            "http://0.0.0.0:1717/",
            "nonsense",
            "http://localhost:1/x?y",
        ] {
            assert!(place(elsewhere).is_err(), "{elsewhere}");
        }
    }
}
