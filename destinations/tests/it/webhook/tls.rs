//! A receiver behind TLS, as receivers are.

use std::sync::Arc;

use destinations::{
    DestinationSettings,
    webhook::{Policy, Surroundings},
};
use sync::{checkpoint::Epoch, destination::DestinationError};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use super::{Hook, Receiver};
use crate::contact::{names, stream};

/// A receiver for `localhost`, and its certificate.
async fn secure() -> (Hook, String) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let receiver = Receiver::start_with(Some(TlsAcceptor::from(Arc::new(config)))).await;
    (Hook::of(receiver), certified.cert.pem())
}

fn settings(hook: &Hook, host: &str, surroundings: &Surroundings) -> DestinationSettings {
    let query = hook.address("");
    let query = query.split_once('?').unwrap().1;
    let address = format!("webhook:https://{host}:{}/hook?patience=0&{query}", hook.receiver.address.port());
    address.parse::<DestinationSettings>().unwrap().within(surroundings)
}

async fn prepare(settings: &DestinationSettings) -> Result<(), DestinationError> {
    destinations::open(settings).unwrap().prepare(&stream(), &names(), Epoch(1)).await.map(drop)
}

#[tokio::test]
async fn a_receiver_is_known_by_its_certificate_and_an_authority_of_the_configuration_counts() {
    let (hook, pem) = secure().await;
    let inside = Policy { allow: vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()], allow_http: false };
    let strangers = Surroundings { policy: inside, ..hook.surroundings() };
    let known = Surroundings { extra_ca_pem: vec![pem], ..strangers.clone() };
    let error = prepare(&settings(&hook, "localhost", &strangers)).await.unwrap_err();
    assert!(matches!(error, DestinationError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
    let error = prepare(&settings(&hook, "127.0.0.1", &known)).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    prepare(&settings(&hook, "localhost", &known)).await.unwrap();
    let arrived = hook.receiver.arrived();
    assert!(arrived.len() == 1 && arrived[0].is_taken);
}
