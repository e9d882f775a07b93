//! Leads that are converted, and what the calls about the user interface say.

use reqwest::Method;
use serde_json::json;

use crate::client::Acme;
use crate::soap_client::{Soap, all, one};

const ROOT: &str = "/services/data/v60.0";

async fn signed_in() -> (Acme, String) {
    let acme = Acme::start_with(|scenario| scenario.rows.clear()).await;
    let token = acme.sign_in_as_admin().await;
    (acme, token)
}

async fn create(soap: &Soap<'_>, kind: &str, fields: &str) -> String {
    let results = soap.results("create", &format!("<sObjects><type>{kind}</type>{fields}</sObjects>")).await;
    assert_eq!(one(&results[0], "success"), "true", "{results:?}");
    one(&results[0], "id")
}

/// A `LeadConvert` with what every one has.
fn wanted(lead: &str, more: &str) -> String {
    format!(
        "<leadConverts>{more}<convertedStatus>Closed - Converted</convertedStatus><leadId>{lead}</leadId>\
         <overwriteLeadSource>false</overwriteLeadSource><sendNotificationEmail>false</sendNotificationEmail></leadConverts>"
    )
}

async fn refusal(soap: &Soap<'_>, content: &str) -> (String, String) {
    let result = soap.results("convertLead", content).await.pop().unwrap();
    assert_eq!(one(&result, "success"), "false", "{result}");
    assert!(result.starts_with("<accountId xsi:nil=\"true\"/><contactId xsi:nil=\"true\"/><errors>"), "{result}");
    (one(&result, "statusCode"), one(&result, "message"))
}

#[tokio::test]
async fn a_lead_becomes_an_account_a_contact_and_an_opportunity() {
    let (acme, token) = signed_in().await;
    for soap in [Soap::partner(&acme, &token), Soap::enterprise(&acme, &token)] {
        let partner = Soap::partner(&acme, &token);
        let fields = "<FirstName>Ann</FirstName><LastName>Öz</LastName><Company>Öz &amp; Co</Company><Phone>1</Phone>\
                      <City>Köln</City><LeadSource>Web</LeadSource><Email>ann@oz.example</Email>";
        let lead = create(&partner, "Lead", fields).await;
        let task = create(&partner, "Task", &format!("<WhoId>{lead}</WhoId><Subject>Call</Subject>")).await;
        let result = soap.results("convertLead", &wanted(&lead, "")).await.pop().unwrap();
        let [account, contact, deal] = ["accountId", "contactId", "opportunityId"].map(|name| one(&result, name));
        let expected = format!(
            "<accountId>{account}</accountId><contactId>{contact}</contactId><leadId>{lead}</leadId>\
             <opportunityId>{deal}</opportunityId><success>true</success>"
        );
        assert_eq!(result, expected);
        for (soql, expected) in [
            (
                format!("SELECT Name, BillingCity, AccountSource, Owner.Name FROM Account WHERE Id = '{account}'"),
                vec!["Öz &amp; Co", "Köln", "Web", "Ada Admin"],
            ),
            (
                format!("SELECT Name, AccountId, Email, MailingCity, Phone FROM Contact WHERE Id = '{contact}'"),
                vec!["Ann Öz", &account, "ann@oz.example", "Köln", "<sf:Phone>1"],
            ),
            (
                format!("SELECT Name, StageName, CloseDate, AccountId FROM Opportunity WHERE Id = '{deal}'"),
                vec!["Öz &amp; Co", "Prospecting", "2026-12-31", &account],
            ),
            (
                format!(
                    "SELECT IsConverted, Status, ConvertedDate, ConvertedAccountId, ConvertedContactId, \
                     ConvertedOpportunityId FROM Lead WHERE Id = '{lead}'"
                ),
                vec![">true<", "Closed - Converted", "2026-11-21", &account, &contact, &deal],
            ),
            (format!("SELECT WhoId FROM Task WHERE Id = '{task}'"), vec![&contact]),
        ] {
            let found = partner.query(&soql).await;
            expected.iter().for_each(|text| assert!(found.contains(text), "{text} in {found}"));
        }
    }
}

#[tokio::test]
async fn a_lead_goes_into_an_account_and_a_contact_that_are_there_and_fills_what_is_empty() {
    let (acme, token) = signed_in().await;
    let soap = Soap::partner(&acme, &token);
    let account = create(&soap, "Account", "<Name>Known</Name>").await;
    let fields = format!("<LastName>Known</LastName><AccountId>{account}</AccountId><LeadSource>Other</LeadSource>");
    let contact = create(&soap, "Contact", &fields).await;
    let lead = "<LastName>New</LastName><Company>New</Company><Title>Dr</Title><LeadSource>Web</LeadSource>";
    let ids = format!("<accountId>{account}</accountId><contactId>{contact}</contactId>");
    let quiet = format!("{ids}<doNotCreateOpportunity>true</doNotCreateOpportunity><ownerId xsi:nil=\"true\"/>");
    let source = format!("SELECT LastName, Title, LeadSource FROM Contact WHERE Id = '{contact}'");
    for (overwrites, expected) in [("false", "Other"), ("true", "Web")] {
        let lead = create(&soap, "Lead", lead).await;
        let content =
            wanted(&lead, &quiet).replace("<overwriteLeadSource>false", &format!("<overwriteLeadSource>{overwrites}"));
        let result = soap.results("convertLead", &content).await.pop().unwrap();
        assert_eq!((one(&result, "accountId"), one(&result, "contactId")), (account.clone(), contact.clone()));
        assert!(result.contains("<opportunityId xsi:nil=\"true\"/><success>true"), "{result}");
        let found = soap.query(&source).await;
        let fields = ["sf:LastName", "sf:Title", "sf:LeadSource"].map(|name| one(&found, name));
        assert_eq!(fields, ["Known", "Dr", expected]);
    }
    let other = create(&soap, "Account", "<Name>Other</Name>").await;
    let lead = create(&soap, "Lead", lead).await;
    let (code, _) = refusal(&soap, &wanted(&lead, &ids.replace(&account, &other))).await;
    assert_eq!(code, "FIELD_INTEGRITY_EXCEPTION");
    let named = soap.results("convertLead", &wanted(&lead, "<opportunityName>Big deal</opportunityName>")).await;
    let deal = one(&named[0], "opportunityId");
    assert!(soap.query(&format!("SELECT Name FROM Opportunity WHERE Id = '{deal}'")).await.contains("Big deal"));
}

#[tokio::test]
async fn a_conversion_that_is_refused_leaves_nothing_behind() {
    let (acme, token) = signed_in().await;
    let soap = Soap::partner(&acme, &token);
    let lead = create(&soap, "Lead", "<LastName>L</LastName><Company>C</Company>").await;
    let account = create(&soap, "Account", "<Name>Known</Name>").await;
    let wrong = wanted(&lead, "").replace("Closed - Converted", "Closed - Not Converted");
    let status = ("INVALID_STATUS".to_owned(), "invalid convertedStatus: Closed - Not Converted".to_owned());
    assert_eq!(refusal(&soap, &wrong).await, status);
    for (content, code) in [
        (wanted("", ""), "MISSING_ARGUMENT"),
        (wanted("00Qnope", ""), "MALFORMED_ID"),
        (wanted(&account, ""), "MALFORMED_ID"),
        (wanted("00QgL00000zzzzzUAA", ""), "INVALID_CROSS_REFERENCE_KEY"),
        (wanted(&lead, &format!("<opportunityId>{account}</opportunityId>")), "MALFORMED_ID"),
        (wanted(&lead, &format!("<ownerId>{account}</ownerId>")), "UNKNOWN_EXCEPTION"),
        (
            wanted(&lead, &format!("<relatedPersonAccountId>{account}</relatedPersonAccountId>")),
            "INVALID_TYPE_FOR_OPERATION",
        ),
    ] {
        assert_eq!(refusal(&soap, &content).await.0, code, "{content}");
    }
    let counts = ["Account", "Contact", "Opportunity"].map(|object| format!("SELECT Id FROM {object}"));
    for (soql, number) in counts.iter().zip(["1", "0", "0"]) {
        assert_eq!(one(&soap.query(soql).await, "size"), number, "{soql}");
    }
    let many = wanted(&lead, "").repeat(101);
    assert_eq!(soap.fault("convertLead", &many).await.0, "EXCEEDED_ID_LIMIT");
}

#[tokio::test]
async fn a_converted_lead_is_not_changed_any_more() {
    let (acme, token) = signed_in().await;
    let soap = Soap::partner(&acme, &token);
    let lead = create(&soap, "Lead", "<LastName>L</LastName><Company>C</Company>").await;
    soap.results("convertLead", &wanted(&lead, "")).await;
    let again = refusal(&soap, &wanted(&lead, "")).await;
    assert_eq!(again, ("CANNOT_UPDATE_CONVERTED_LEAD".to_owned(), "cannot reference converted lead".to_owned()));
    let change = json!({"Title": "Dr"});
    let refused = acme.send(Method::PATCH, &format!("{ROOT}/sobjects/Lead/{lead}"), &token, &change).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    let expected = json!([{
        "errorCode": "CANNOT_UPDATE_CONVERTED_LEAD",
        "fields": [],
        "message": "cannot reference converted lead",
    }]);
    assert_eq!(refused.json(), expected);
}

#[tokio::test]
async fn lead_statuses_say_which_of_them_converts_a_lead() {
    let (acme, token) = signed_in().await;
    let soap = Soap::partner(&acme, &token);
    let converting = soap.query("SELECT Id, MasterLabel FROM LeadStatus WHERE IsConverted = true").await;
    assert_eq!(
        (one(&converting, "size"), one(&converting, "sf:MasterLabel")),
        ("1".into(), "Closed - Converted".into())
    );
    let all_of_them = soap.query("SELECT MasterLabel, IsDefault FROM LeadStatus ORDER BY SortOrder").await;
    assert_eq!(all(&all_of_them, "sf:MasterLabel").len(), 4);
    assert_eq!(one(&all_of_them, "sf:MasterLabel"), "Open - Not Contacted");
}

#[tokio::test]
async fn describes_of_the_user_interface_are_those_of_an_org_without_customisation() {
    let (acme, token) = signed_in().await;
    let soap = Soap::partner(&acme, &token);
    for operation in ["describeTabs", "describeAllTabs", "describeSearchScopeOrder", "describeAvailableQuickActions"] {
        assert_eq!(soap.results(operation, "").await, Vec::<String>::new(), "{operation}");
    }
    for operation in ["describeAppMenu", "describeTheme", "describeSoftphoneLayout"] {
        assert_eq!(soap.results(operation, "").await, [String::new()], "{operation}");
    }
    let account = "<sObjectType>Account</sObjectType>";
    assert_eq!(soap.results("describeApprovalLayout", account).await, [String::new()]);
    let compact = soap.results("describeCompactLayouts", account).await.pop().unwrap();
    let layout = one(&compact, "compactLayouts");
    assert_eq!((one(&layout, "name"), one(&layout, "objectType")), ("SYSTEM".into(), "Account".into()));
    assert!(compact.contains("<defaultCompactLayoutId xsi:nil=\"true\"/>"), "{compact}");
    let primary = soap.results("describePrimaryCompactLayouts", "<sObjectTypes>Account</sObjectTypes>").await;
    assert_eq!(primary, [layout]);
    let search = soap.results("describeSearchLayouts", account).await.pop().unwrap();
    assert_eq!(one(&search, "field"), "Account.Name");
    let theme = soap.call("describeGlobalTheme", "").await;
    assert!(theme.text.contains("</global><theme/></result>"), "{}", theme.text);
    let unknown = "<sObjectType>Nope</sObjectType>";
    for operation in ["describeCompactLayouts", "describeSearchLayouts", "describeApprovalLayout"] {
        assert_eq!(soap.fault(operation, unknown).await.0, "INVALID_TYPE", "{operation}");
    }
}

#[tokio::test]
async fn approvals_and_mail_are_refused_for_each_request() {
    let (acme, token) = signed_in().await;
    let soap = Soap::partner(&acme, &token);
    let id = create(&soap, "Account", "<Name>A</Name>").await;
    let submit = format!("<actions xsi:type=\"ProcessSubmitRequest\"><objectId>{id}</objectId></actions>");
    let decide =
        "<actions xsi:type=\"ProcessWorkitemRequest\"><action>Approve</action><workitemId>04i</workitemId></actions>";
    let results = soap.results("process", &format!("{submit}{decide}")).await;
    let codes: Vec<String> = results.iter().map(|result| one(result, "statusCode")).collect();
    assert_eq!(codes, ["NO_APPLICABLE_PROCESS", "INVALID_CROSS_REFERENCE_KEY"]);
    let mail = "<messages xsi:type=\"SingleEmailMessage\"><subject>s</subject></messages>\
                <messages xsi:type=\"MassEmailMessage\"/>";
    let results = soap.results("sendEmail", mail).await;
    let codes: Vec<String> = results.iter().map(|result| one(result, "statusCode")).collect();
    assert_eq!(codes, ["NO_SINGLE_MAIL_PERMISSION", "NO_MASS_MAIL_PERMISSION"]);
}

#[tokio::test]
async fn the_apis_of_apex_and_tooling_know_their_users_and_no_calls() {
    let (acme, token) = signed_in().await;
    for (segment, namespace, operation) in [
        ("s", "http://soap.sforce.com/2006/08/apex", "executeAnonymous"),
        ("T", "urn:tooling.soap.sforce.com", "describeGlobal"),
    ] {
        let path = format!("/services/Soap/{segment}/60.0/00DgL000000ACME");
        let soap = Soap { path, namespace: namespace.to_owned(), ..Soap::partner(&acme, &token) };
        let answer = soap.call(operation, "").await;
        assert_eq!(
            (answer.status, one(&answer.text, "faultcode").as_str()),
            (500, "soapenv:Client"),
            "{}",
            answer.text
        );
        let expected = format!("No operation available for request {{{namespace}}}{operation}");
        assert!(one(&answer.text, "faultstring").starts_with(&expected), "{}", answer.text);
        let stranger = Soap { token: "wrong".to_owned(), ..soap };
        let refused = stranger.call(operation, "").await;
        assert_eq!(one(&refused.text, "faultcode"), "sf:INVALID_SESSION_ID");
    }
}
