//! The device flow: a person enters a code on Salesforce's page, on any device, while it is asked whether they have.

use std::time::Duration;

use salesforce::{
    Timestamp,
    error::OAuthCause,
    oauth::{DEVICE_CODE_LIFE, Flow, Grant, exchange, start_device},
};
use url::Url;

use super::{
    ConnectRequest, Connected, Granted, SCOPES,
    begun::{Begun, Pending},
};
use crate::{app::App, diagnose::Checklist, error::Error, store::StoreError};

/// One poll takes less. What is waited for after it comes when the sign-in is forgotten, so that nobody polls any more.
const POLL_LEASE: Duration = Duration::from_secs(300);
/// What `slow_down` adds to the interval (RFC 8628, section 3.5).
const SLOWER_SECONDS: u64 = 5;

/// A device sign-in that was begun.
#[derive(Debug)]
pub struct BegunDevice {
    pub id: String,
    pub name: String,
    /// What the person enters.
    pub user_code: String,
    /// Where they enter it.
    pub verification_uri: Url,
    /// The same with the code filled in, for a link or a QR code.
    pub prefilled_uri: Url,
    pub interval: Duration,
    pub expires_at: Timestamp,
}

/// What a poll has shown.
#[derive(Debug)]
pub enum DevicePoll {
    /// The person has not decided yet.
    Pending {
        again_in: Duration,
    },
    Connected(Box<Connected>),
}

impl App {
    /// Begins a device sign-in.
    ///
    /// # Errors
    /// The refusal, such as that of an app without the flow.
    pub async fn begin_device(&self, request: ConnectRequest, begun_by: &str) -> Result<BegunDevice, Error> {
        let prepared = self.prepare(request, Flow::Device).await?;
        self.knock(&prepared.name, &prepared.org).await?;
        let start = start_device(&self.http, &prepared.org, prepared.app.client_app(), SCOPES)
            .await
            .map_err(|source| Error::sign_in(&prepared.name, source))?;
        let pending = Pending::Device {
            device_code: start.device_code.expose().to_owned(),
            interval_seconds: start.interval.as_secs(),
        };
        let begun = Begun::new(&prepared, pending);
        let (id, expires_at) = self.remember(Flow::Device, &begun, begun_by, None, DEVICE_CODE_LIFE).await?;
        Ok(BegunDevice {
            id,
            name: prepared.name,
            prefilled_uri: start.prefilled_uri(),
            user_code: start.user_code,
            verification_uri: start.verification_uri,
            interval: start.interval,
            expires_at,
        })
    }

    /// Asks once whether the person has decided. Whoever asks at the same time is told to wait.
    ///
    /// # Errors
    /// The person's refusal, and whatever else ends the sign-in; it is forgotten then.
    pub async fn poll_device(&self, id: &str, begun_by: &str, checklist: &dyn Checklist) -> Result<DevicePoll, Error> {
        let lease = match self.store.acquire_lease(&format!("the sign-in {id}"), &self.holder, POLL_LEASE).await {
            Ok(lease) => lease,
            Err(StoreError::Leased { .. }) => {
                return Ok(DevicePoll::Pending { again_in: Duration::from_secs(SLOWER_SECONDS) });
            }
            Err(error) => return Err(error.into()),
        };
        let polled = self.poll_alone(id, begun_by, checklist).await;
        self.store.release_lease(&lease).await?;
        polled
    }

    async fn poll_alone(&self, id: &str, begun_by: &str, checklist: &dyn Checklist) -> Result<DevicePoll, Error> {
        let found = self.store.sign_in(id, begun_by).await?;
        let (_, document) = found.ok_or(Error::SignInOver)?;
        let mut begun = Begun::from_document(&document)?;
        let Pending::Device { device_code, interval_seconds } = &mut begun.pending else {
            return Err(Error::SignInOver);
        };
        let grant = Grant::Device { device_code: device_code.clone().into() };
        let again_in = Duration::from_secs(*interval_seconds);
        let slower = *interval_seconds + SLOWER_SECONDS;
        let prepared = self.prepare(begun.request(), Flow::Device).await?;
        let tokens = match exchange(&self.http, &prepared.org, prepared.app.client_app(), &grant).await {
            Ok(tokens) => tokens,
            Err(error) => match error.cause() {
                Some(OAuthCause::AuthorizationPending) => return Ok(DevicePoll::Pending { again_in }),
                Some(OAuthCause::SlowDown) => {
                    begun.pending.poll_every(slower);
                    self.store.change_sign_in(id, &begun.document()).await?;
                    return Ok(DevicePoll::Pending { again_in: Duration::from_secs(slower) });
                }
                // A poll that Salesforce has certainly not answered is worth another one.
                None if !error.may_have_redeemed() => return Ok(DevicePoll::Pending { again_in }),
                _ => {
                    self.store.end_sign_in(id).await?;
                    return Err(Error::sign_in(&prepared.name, error));
                }
            },
        };
        self.store.end_sign_in(id).await?;
        let granted = Granted { flow: Flow::Device, tokens, credentials: Vec::new(), audience: None };
        self.conclude(prepared, granted, checklist).await.map(|connected| DevicePoll::Connected(Box::new(connected)))
    }
}

impl Pending {
    fn poll_every(&mut self, seconds: u64) {
        if let Self::Device { interval_seconds, .. } = self {
            *interval_seconds = seconds;
        }
    }
}
