use proptest::prelude::*;

use super::{body::Said, *};

fn refusal(status: u16, code: ErrorCode, message: &str) -> Refusal {
    Refusal {
        doing: "query".to_owned(),
        host: "acme.my.salesforce.com".to_owned(),
        status,
        code,
        message: message.to_owned(),
        fields: Vec::new(),
        retry_after: None,
    }
}

#[test]
fn all_shapes_of_error_bodies_are_read() {
    let code = |code, message: &str, fields: &[&str]| Said::Code {
        code,
        message: message.to_owned(),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
    };
    for (body, said) in [
        (
            r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#,
            code(ErrorCode::InvalidSessionId, "Session expired or invalid", &[]),
        ),
        (
            r#"[{"message":"no","errorCode":"INVALID_FIELD_FOR_INSERT_UPDATE","fields":["MasterRecordId"]}]"#,
            code(ErrorCode::InvalidFieldForInsertUpdate, "no", &["MasterRecordId"]),
        ),
        (
            r#"{"id":null,"success":false,"errors":[{"statusCode":"MALFORMED_ID","message":"malformed id 1","fields":[]}]}"#,
            code(ErrorCode::MalformedId, "malformed id 1", &[]),
        ),
        (
            r#"{"error":"invalid_grant","error_description":"expired access/refresh token"}"#,
            Said::OAuth { error: "invalid_grant".to_owned(), description: "expired access/refresh token".to_owned() },
        ),
        ("<h1>Bad Message 414</h1><pre>reason</pre>", Said::Page { title: "Bad Message 414".to_owned() }),
        ("\n <!DOCTYPE html><html><body>x", Said::Page { title: String::new() }),
        ("Bad_OAuth_Token", Said::Text("Bad_OAuth_Token".to_owned())),
        ("[]", Said::Text("[]".to_owned())),
        (" ", Said::Nothing),
    ] {
        assert_eq!(body::read(body.as_bytes()), said, "{body}");
    }
}

// Pitfall 42.
#[test]
fn unknown_codes_and_bulk_spellings_are_kept_and_understood() {
    assert_eq!(ErrorCode::parse("InvalidJob"), ErrorCode::InvalidJob);
    assert_eq!(ErrorCode::parse("QUERY_TIMEOUT"), ErrorCode::QueryTimeout);
    let unknown = ErrorCode::parse("Some_New_Code");
    assert_eq!(unknown.as_str(), "Some_New_Code");
}

#[test]
fn the_daily_quota_is_not_retried_but_the_limit_of_parallel_requests_is() {
    let daily = refusal(403, ErrorCode::RequestLimitExceeded, "TotalRequests Limit exceeded.");
    let parallel =
        refusal(403, ErrorCode::RequestLimitExceeded, "ConcurrentRequests (Concurrent API Requests) Limit exceeded.");
    assert!(!daily.is_transient() && parallel.is_transient());
}

// Pitfall 42.
#[test]
fn locks_pass_and_query_timeouts_do_not() {
    assert!(refusal(400, ErrorCode::UnableToLockRow, "").is_transient());
    assert!(!refusal(500, ErrorCode::QueryTimeout, "").is_transient());
    assert!(refusal(500, ErrorCode::UnknownException, "").is_transient());
    assert!(!refusal(400, ErrorCode::MalformedQuery, "").is_transient());
}

#[test]
fn only_a_session_that_a_new_one_replaces_is_renewed() {
    let expired = refusal(401, ErrorCode::InvalidSessionId, "Session expired or invalid");
    assert!(expired.is_cured_by_new_session());
    assert!(refusal(403, ErrorCode::BadOAuthToken, "").is_cured_by_new_session());
    for message in ["This session is not valid for use with the REST API", "Connected app is not attached to Agent"] {
        assert!(!refusal(401, ErrorCode::InvalidSessionId, message).is_cured_by_new_session());
    }
    for code in [ErrorCode::InsufficientAccess, ErrorCode::ApiDisabledForOrg, ErrorCode::InvalidAuthHeader] {
        assert!(!refusal(401, code.clone(), "").is_cured_by_new_session());
        assert!(!refusal(403, code, "").is_cured_by_new_session());
    }
}

// Pitfall 9.
#[test]
fn refusals_of_the_bulk_api_are_told_apart() {
    for (code, message, by_bulk) in [
        ("INVALIDENTITY", "Entity 'CaseStatus' is not supported by the Bulk API.", Some(BulkRefusal::Object)),
        ("API_ERROR", "x does not support query", Some(BulkRefusal::Object)),
        ("API_ERROR", "Selecting compound data not supported in Bulk Query", Some(BulkRefusal::Field)),
        ("API_ERROR", "Implementation restriction: …", Some(BulkRefusal::NeedsFilter)),
        ("FEATURENOTENABLED", "Async API not enabled", Some(BulkRefusal::NotEnabled)),
        ("LIMIT_EXCEEDED", "Max bulk v2 query jobs (10000) per 24 hrs has been reached", Some(BulkRefusal::Quota)),
        ("INVALID_FIELD", "No such column 'x' on entity 'Contact'.", None),
        ("API_ERROR", "Error encountered when deleting the job because the job is not terminated", None),
    ] {
        assert_eq!(refusal(400, ErrorCode::parse(code), message).by_bulk(), by_bulk, "{message}");
    }
}

#[test]
fn a_refused_sign_in_names_cause_setting_and_remedy() {
    for (error, description, cause, setting) in [
        ("invalid_client_id", "client identifier invalid", OAuthCause::UnknownClient, Setting::ConsumerKey),
        ("invalid_client", "invalid client credentials", OAuthCause::WrongSecret, Setting::ConsumerSecret),
        (
            "invalid_grant",
            "authentication failure - Invalid Password",
            OAuthCause::AuthenticationFailure,
            Setting::UsernameOrPassword,
        ),
        ("invalid_grant", "request not supported on this domain", OAuthCause::WrongHost, Setting::OrgAddress),
        ("invalid_grant", "no client credentials user enabled", OAuthCause::NoRunAsUser, Setting::AppFlow),
        ("invalid_grant", "Audience validation failed", OAuthCause::AudienceInvalid, Setting::OrgAddress),
        ("invalid_app_access", "user is not admin approved", OAuthCause::NotAdminApproved, Setting::AppPolicy),
        ("invalid_grant", "Data Not Available", OAuthCause::OrgGone, Setting::Org),
    ] {
        let parsed = OAuthCause::parse(error, description);
        assert_eq!((parsed, parsed.setting()), (cause, Some(setting)), "{description}");
    }
    assert_eq!(OAuthCause::parse("invalid_grant", "something new"), OAuthCause::Unknown);
    assert_eq!(OAuthCause::parse("invalid_grant", "expired access/refresh token").recovery(), Recovery::Reauthorize);
    let busy = OAuthCause::parse("invalid_grant", "token request is already being processed");
    assert_eq!(busy.recovery(), Recovery::Retry { after: None });
}

#[test]
fn messages_keep_salesforces_words_and_hide_tokens() {
    let token =
        "00D000000000001!AQcAQH0dMHEXAMPLEzmpkb58urFRkgeBGsxL_QJWwYMfAbUeeG7c1EXAMPLEDUkWe6H34r1AAwOR8B8fLEz6nEXA";
    let text = body::redact(&format!("invalid token: {token}, field Account.Owner.Name"));
    assert_eq!(text, "invalid token: (hidden), field Account.Owner.Name");
    let long = "a".repeat(90);
    assert_eq!(body::redact(&format!("ärger {long}ö")), "ärger (hidden)ö");
}

#[test]
fn a_message_says_what_failed_why_and_what_to_do() {
    let refused = refusal(400, ErrorCode::InvalidField, "No such column 'x' on entity 'Contact'.");
    assert_contains(
        &ApiError::Refused(Box::new(refused)).to_string(),
        &["query", "acme.my.salesforce.com", "INVALID_FIELD", "No such column 'x'", "field-level security"],
    );
}

fn assert_contains(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is missing in {message:?}");
    }
}

#[test]
fn a_failed_job_is_tried_again_unless_it_says_why_not() {
    let failed = |message: &str| {
        let job = crate::bulk::JobId("750".to_owned());
        ApiError::JobEnded { job, aborted: false, message: message.to_owned() }.recovery()
    };
    assert_eq!(failed("InvalidBatch : Field name not found : X"), Recovery::Bug);
    assert_eq!(failed("Retried more than 15 times"), Recovery::Configure);
    assert_eq!(failed("something broke"), Recovery::Retry { after: None });
    assert_eq!(failed(""), Recovery::Retry { after: None });
}

proptest! {
    #[test]
    fn any_body_of_a_refusal_is_read(body: Vec<u8>, text in "[<\\[{\"a-zA-Z :,}\\]>/]{0,60}") {
        body::read(&body);
        body::read(text.as_bytes());
    }

    #[test]
    fn hiding_tokens_leaves_all_other_words(words in prop::collection::vec("[A-Za-z0-9_.]{1,15}", 0..20)) {
        let text = words.join(" ");
        prop_assert_eq!(body::redact(&text), text);
    }

    #[test]
    fn codes_are_written_as_they_were_read(code in "[A-Z_]{1,30}") {
        let parsed = ErrorCode::parse(&code);
        prop_assert_eq!(parsed.as_str(), code);
    }
}
