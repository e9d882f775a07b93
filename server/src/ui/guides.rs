//! The guide beside a form, and the certificate that a form of the JWT bearer flow needs.

use axum::response::IntoResponse;
use http::header;
use salesforce::oauth::Flow;

use super::{
    call::{Answer, Call, go_to},
    connect_form::{ConnectForm, carried},
    problem::Problem,
    words::{Moment, address},
};
use crate::guide::{Guide, GuideRequest, html};

/// The key of a connection, as far as it is shown.
pub(super) struct Certificate {
    /// The connection that it is for.
    pub(super) name: String,
    /// Where the certificate is downloaded; `None` before there is a key.
    pub(super) download: Option<String>,
    pub(super) ends: Option<Moment>,
}

/// The setup guide for this way, as HTML.
pub(super) fn beside(call: &Call, form: &ConnectForm) -> String {
    let org = call.console.app.read_address(&form.org).ok();
    let request = GuideRequest { org, ..GuideRequest::new(form.flow, call.console.site.callback_url()) };
    html::fragment(&Guide::of(&request))
}

/// The certificate, for the one way that needs it and a connection that has a name.
pub(super) async fn certificate(call: &Call, form: &ConnectForm) -> Result<Option<Certificate>, Problem> {
    let name = form.connection_name(call);
    if form.flow != Flow::JwtBearer || name.is_empty() {
        return Ok(None);
    }
    let made = call.console.app.client_certificate(&name).await?;
    Ok(Some(Certificate {
        download: made.as_ref().map(|_| address("/certificate", &[("name", &name)])),
        ends: made.map(|made| Moment::of(made.ends_at, call.console.app.now())),
        name,
    }))
}

/// Makes a key and its certificate. The key is shown to nobody.
pub(super) async fn make_certificate(call: Call) -> Answer {
    call.console.app.make_client_key(call.form.text("name")).await?;
    let mut query = vec![("org", call.form.text("org")), ("done", "certificate")];
    query.extend(carried(&call.form));
    go_to(&address("/connect/jwt-bearer", &query))
}

/// The certificate as a file.
pub(super) async fn download_certificate(call: Call) -> Answer {
    let name = call.query.text("name");
    let made = call.console.app.client_certificate(name).await?;
    let made = made.ok_or_else(|| Problem::not_found("There is no certificate for a connection of that name."))?;
    let kind = [
        (header::CONTENT_TYPE, "application/x-x509-ca-cert"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"orgtide.crt\""),
    ];
    Ok((kind, made.certificate).into_response())
}
