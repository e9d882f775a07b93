//! The Rust example of `docs/emulator.md`, as it stands there.

use emulator::{Effect, Emulator, Fault, Options, Scenario};

#[tokio::test]
async fn a_sign_in_that_meets_a_busy_org_is_repeated() {
    let org = Emulator::start(Scenario::builtin("acme").unwrap(), Options::default()).await.unwrap();
    org.control().push_fault(Fault::next("POST */token", Effect::Unavailable { retry_after: 1 }));
    let token_url = format!("{}/services/oauth2/token", org.http_url());
    my_integration::sign_in(&token_url, "3MVG9.acme.integration", "acme-integration-secret").await.unwrap();
    let statuses: Vec<_> = org.control().journal().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(503), Some(200)]);
}

/// What the reader of the example brings along.
mod my_integration {
    use reqwest::StatusCode;

    pub(super) async fn sign_in(url: &str, key: &str, secret: &str) -> Result<(), reqwest::Error> {
        let form = [("grant_type", "client_credentials"), ("client_id", key), ("client_secret", secret)];
        let client = crate::client::plain_client();
        let mut answer = client.post(url).form(&form).send().await?;
        while answer.status() == StatusCode::SERVICE_UNAVAILABLE {
            answer = client.post(url).form(&form).send().await?;
        }
        answer.error_for_status().map(|_| ())
    }
}

#[test]
fn the_document_shows_the_example_that_runs() {
    let document = include_str!("../../../docs/emulator.md");
    let (_, rest) = document.split_once("```rust\n").unwrap();
    let (example, _) = rest.split_once("```\n").unwrap();
    assert!(include_str!("example.rs").contains(example));
}
