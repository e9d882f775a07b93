//! The data calls of the SOAP API, in partner and in enterprise form.

use std::time::Duration;

use serde_json::json;

use crate::client::{Acme, Seen};
use crate::soap_client::{Soap, all, one};

async fn signed_in() -> (Acme, String) {
    let acme = Acme::start_with(|scenario| scenario.rows.clear()).await;
    let token = acme.sign_in_as_admin().await;
    (acme, token)
}

fn sobject(kind: &str, fields: &str) -> String {
    format!("<sObjects><type>{kind}</type>{fields}</sObjects>")
}

async fn create(soap: &Soap<'_>, kind: &str, fields: &str) -> String {
    let results = soap.results("create", &sobject(kind, fields)).await;
    assert_eq!(one(&results[0], "success"), "true", "{results:?}");
    one(&results[0], "id")
}

#[tokio::test]
async fn a_partner_query_names_the_type_and_the_id_twice_and_counts_as_a_request() {
    let (acme, token) = signed_in().await;
    let soap = Soap::partner(&acme, &token);
    let id = create(&soap, "Account", "<Name>Tom &amp; Jerry's</Name><AnnualRevenue>50000000</AnnualRevenue>").await;
    create(&soap, "Contact", &format!("<LastName>Öz</LastName><AccountId>{id}</AccountId>")).await;
    let soql =
        format!("SELECT Id, Name, Type, AnnualRevenue, CreatedDate, BillingAddress FROM Account WHERE Id = '{id}'");
    let answer = soap.call("query", &format!("<queryString>{soql}</queryString>")).await;
    let record = format!(
        "<result xsi:type=\"QueryResult\"><done>true</done><queryLocator xsi:nil=\"true\"/>\
         <records xsi:type=\"sf:sObject\"><sf:type>Account</sf:type><sf:Id>{id}</sf:Id><sf:Id>{id}</sf:Id>\
         <sf:Name>Tom &amp; Jerry&apos;s</sf:Name><sf:Type xsi:nil=\"true\"/><sf:AnnualRevenue>5.0E7</sf:AnnualRevenue>\
         <sf:CreatedDate>2026-11-21T09:00:00.000Z</sf:CreatedDate><sf:BillingAddress xsi:nil=\"true\"/></records>\
         <size>1</size></result>"
    );
    assert!(answer.text.contains(&record), "{}", answer.text);
    let envelope = "xmlns=\"urn:partner.soap.sforce.com\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
                    xmlns:sf=\"urn:sobject.partner.soap.sforce.com\"><soapenv:Header><LimitInfoHeader><limitInfo>\
                    <current>3</current><limit>100000</limit><type>API REQUESTS</type></limitInfo></LimitInfoHeader>";
    assert!(answer.text.contains(envelope), "{}", answer.text);
    assert_eq!(answer.header("content-type"), "text/xml;charset=UTF-8");

    let contact = soap
        .query(&format!("SELECT LastName, Account.Name, ReportsTo.Name FROM Contact WHERE AccountId = '{id}'"))
        .await;
    let expected = "<sf:type>Contact</sf:type><sf:Id xsi:nil=\"true\"/><sf:LastName>Öz</sf:LastName>\
                    <sf:Account xsi:type=\"sf:sObject\"><sf:type>Account</sf:type><sf:Id xsi:nil=\"true\"/>\
                    <sf:Name>Tom &amp; Jerry&apos;s</sf:Name></sf:Account><sf:ReportsTo xsi:nil=\"true\"/></records>";
    assert!(contact.contains(expected), "{contact}");
}

/// As the messages of WWW::Salesforce are.
#[tokio::test]
async fn an_only_argument_needs_no_name_and_a_partner_record_may_have_its_type_as_an_attribute() {
    let (acme, token) = signed_in().await;
    let soap = Soap::partner(&acme, &token);
    let created = soap.results("create", "<sObjects xsi:type=\"sfons:Account\"><Name>Perl</Name></sObjects>").await;
    assert_eq!(one(&created[0], "success"), "true", "{created:?}");
    let found = soap.results("query", "<c-gensym3>SELECT Name FROM Account</c-gensym3>").await.pop().unwrap();
    assert_eq!(one(&found, "sf:Name"), "Perl");
}

#[tokio::test]
async fn an_enterprise_record_has_its_type_as_an_attribute_and_no_null_fields() {
    let (acme, token) = signed_in().await;
    let soap = Soap::enterprise(&acme, &token);
    let content = "<sObjects xsi:type=\"ns2:Contact\"><LastName>Typed</LastName><DoNotCall>true</DoNotCall></sObjects>";
    let results = soap.results("create", content).await;
    assert_eq!(one(&results[0], "success"), "true", "{results:?}");
    let answer = soap
        .call("query", "<queryString>SELECT LastName, Phone, DoNotCall, Owner.Name FROM Contact</queryString>")
        .await;
    let expected = "<result><done>true</done><queryLocator xsi:nil=\"true\"/><records xsi:type=\"sf:Contact\">\
                    <sf:LastName>Typed</sf:LastName><sf:DoNotCall>true</sf:DoNotCall>\
                    <sf:Owner xsi:type=\"sf:User\"><sf:Name>Ada Admin</sf:Name></sf:Owner></records><size>1</size></result>";
    assert!(answer.text.contains(expected), "{}", answer.text);
    assert!(answer.text.contains("xmlns:sf=\"urn:sobject.enterprise.soap.sforce.com\""), "{}", answer.text);
    let (code, message, kind) = soap.fault("create", "<sObjects><LastName>x</LastName></sObjects>").await;
    assert_eq!((code.as_str(), kind.as_str()), ("INVALID_TYPE", "InvalidSObjectFault"));
    assert_eq!(message, "Must send a concrete entity type.");
}

#[tokio::test]
async fn every_type_of_value_comes_and_goes_in_the_form_of_the_schema() {
    let acme = Acme::start_with(|scenario| scenario.rare_types = true).await;
    let token = acme.sign_in_as_admin().await;
    let soap = Soap::partner(&acme, &token);
    let fields = "<Text__c>&lt;b&gt; \"q\"</Text__c><Paid__c>1</Paid__c><Count__c> 7 </Count__c>\
                  <Counter__c>9007199254740993</Counter__c><Amount__c>1.5E1</Amount__c><Weight__c>0.000001</Weight__c>\
                  <Due_Date__c>2026-02-28</Due_Date__c><Sent_At__c>2026-11-21T10:00:00+01:00</Sent_At__c>\
                  <Pickup_Time__c>10:15:00.000Z</Pickup_Time__c><Scan__c>aGVsbG8=</Scan__c>\
                  <Payload__c>{\"b\":1,\"a\":[2]}</Payload__c><Delivery_Address__City__s>Köln</Delivery_Address__City__s>\
                  <Warehouse__Latitude__s>50.9</Warehouse__Latitude__s><Warehouse__Longitude__s>6.9</Warehouse__Longitude__s>";
    let id = create(&soap, "Invoice__c", fields).await;
    let selected = "Text__c, Paid__c, Count__c, Counter__c, Amount__c, Weight__c, Due_Date__c, Sent_At__c, Pickup_Time__c, \
                    Scan__c, Delivery_Address__c, Warehouse__c, Total__c, Unpaid__c";
    let found = soap.query(&format!("SELECT {selected} FROM Invoice__c WHERE Id = '{id}'")).await;
    for expected in [
        "<sf:Text__c>&lt;b&gt; &quot;q&quot;</sf:Text__c>",
        "<sf:Paid__c>true</sf:Paid__c><sf:Count__c>7</sf:Count__c><sf:Counter__c>9007199254740993</sf:Counter__c>",
        "<sf:Amount__c>15.0</sf:Amount__c><sf:Weight__c>1.0E-6</sf:Weight__c>",
        "<sf:Due_Date__c>2026-02-28</sf:Due_Date__c><sf:Sent_At__c>2026-11-21T09:00:00.000Z</sf:Sent_At__c>",
        "<sf:Pickup_Time__c>10:15:00.000Z</sf:Pickup_Time__c><sf:Scan__c>aGVsbG8=</sf:Scan__c>",
        "<sf:Delivery_Address__c xsi:type=\"address\"><latitude xsi:nil=\"true\"/><longitude xsi:nil=\"true\"/><city>Köln</city>",
        "<sf:Warehouse__c xsi:type=\"location\"><latitude>50.9</latitude><longitude>6.9</longitude></sf:Warehouse__c>",
        "<sf:Unpaid__c>false</sf:Unpaid__c>",
    ] {
        assert!(found.contains(expected), "{expected}\nin {found}");
    }
}

#[tokio::test]
async fn results_are_paged_by_locators_in_the_size_that_query_options_ask_for() {
    let acme = Acme::start_with(|scenario| {
        scenario.rows.insert("Account".to_owned(), 1200);
    })
    .await;
    let token = acme.sign_in_as_admin().await;
    let size = async |soap: &Soap<'_>, operation: &str, content: String| {
        let result = soap.results(operation, &content).await.pop().unwrap();
        let locator = all(&result, "queryLocator").pop().unwrap_or_default();
        (all(&result, "records").len(), one(&result, "done"), locator, one(&result, "size"))
    };
    let first = "<queryString>SELECT Id FROM Account</queryString>".to_owned();
    let soap = Soap::partner(&acme, &token);
    let (rows, done, locator, total) = size(&soap, "query", first.clone()).await;
    assert_eq!((rows, done.as_str(), total.as_str()), (500, "false", "1200"));
    let more = format!("<queryLocator>{locator}</queryLocator>");
    let (rows, done, locator, _) = size(&soap, "queryMore", more).await;
    assert_eq!((rows, done.as_str()), (500, "false"));
    let (rows, done, locator, _) = size(&soap, "queryMore", format!("<queryLocator>{locator}</queryLocator>")).await;
    assert_eq!((rows, done.as_str(), locator.as_str()), (200, "true", ""));
    let soap = soap.with("<QueryOptions><batchSize>200</batchSize></QueryOptions>");
    assert_eq!(size(&soap, "query", first).await.0, 200);
    for locator in ["0r8nope-200", "", "../../limits"] {
        let (code, message, kind) = soap.fault("queryMore", &format!("<queryLocator>{locator}</queryLocator>")).await;
        assert_eq!((code.as_str(), message.as_str()), ("INVALID_QUERY_LOCATOR", "invalid query locator"));
        assert_eq!(kind, "InvalidQueryLocatorFault");
    }
}

#[tokio::test]
async fn query_all_sees_the_recycle_bin_and_a_count_has_no_records() {
    let (acme, token) = signed_in().await;
    let soap = Soap::partner(&acme, &token);
    let id = create(&soap, "Account", "<Name>Gone</Name>").await;
    let deleted = soap.results("delete", &format!("<ids>{id}</ids><ids>001nope</ids><ids>{id}</ids>")).await;
    assert_eq!(deleted[0], format!("<id>{id}</id><success>true</success>"));
    let malformed = "<errors><message>malformed id 001nope</message><statusCode>MALFORMED_ID</statusCode></errors>\
                     <id xsi:nil=\"true\"/><success>false</success>";
    assert_eq!(deleted[1], malformed);
    assert_eq!(one(&deleted[2], "statusCode"), "ENTITY_IS_DELETED");
    let count = "<queryString>SELECT COUNT() FROM Account</queryString>";
    let live = soap.results("query", count).await.pop().unwrap();
    assert_eq!(live, "<done>true</done><queryLocator xsi:nil=\"true\"/><size>0</size>");
    assert_eq!(one(&soap.results("queryAll", count).await[0], "size"), "1");
    let back = soap.results("undelete", &format!("<ids>{id}</ids>")).await;
    assert_eq!(one(&back[0], "success"), "true");
    assert_eq!(one(&soap.results("undelete", &format!("<ids>{id}</ids>")).await[0], "statusCode"), "UNDELETE_FAILED");
    let refused = soap.results("emptyRecycleBin", &format!("<ids>{id}</ids>")).await;
    assert_eq!(one(&refused[0], "message"), "invalid record id; no recycle bin entry found");
    soap.results("delete", &format!("<ids>{id}</ids>")).await;
    assert_eq!(one(&soap.results("emptyRecycleBin", &format!("<ids>{id}</ids>")).await[0], "success"), "true");
    assert_eq!(one(&soap.results("queryAll", count).await[0], "size"), "0");
    let unknown = soap.results("delete", &format!("<ids>{id}</ids>")).await;
    assert_eq!(one(&unknown[0], "statusCode"), "INVALID_CROSS_REFERENCE_KEY");
}

#[tokio::test]
async fn writes_answer_for_each_record_or_for_none() {
    let (acme, token) = signed_in().await;
    let soap = Soap::partner(&acme, &token);
    let content = sobject("Account", "<Name>One</Name>") + &sobject("Account", "<Phone>2</Phone>");
    let results = soap.results("create", &content).await;
    let missing = "<errors><fields>Name</fields><message>Required fields are missing: [Name]</message>\
                   <statusCode>REQUIRED_FIELD_MISSING</statusCode></errors><id xsi:nil=\"true\"/><success>false</success>";
    assert_eq!((one(&results[0], "success").as_str(), results[1].as_str()), ("true", missing));
    let strict = Soap::partner(&acme, &token).with("<AllOrNoneHeader><allOrNone>true</allOrNone></AllOrNoneHeader>");
    let results = strict.results("create", &content).await;
    assert_eq!(one(&results[0], "statusCode"), "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    assert_eq!(one(&results[1], "statusCode"), "REQUIRED_FIELD_MISSING");
    assert_eq!(acme.emulator.control().records("Account").len(), 1);

    let id = create(&soap, "Account", "<Name>Two</Name><Phone>1</Phone><Site>here</Site>").await;
    let update = format!("<fieldsToNull>Phone</fieldsToNull><Id>{id}</Id><Name>Three</Name><Site xsi:nil=\"true\"/>");
    assert_eq!(
        soap.results("update", &sobject("Account", &update)).await[0],
        format!("<id>{id}</id><success>true</success>")
    );
    let found = soap.query(&format!("SELECT Name, Phone, Site FROM Account WHERE Id = '{id}'")).await;
    let expected = "<sf:Name>Three</sf:Name><sf:Phone xsi:nil=\"true\"/><sf:Site>here</sf:Site>";
    assert!(found.contains(expected), "{found}");
    let nameless = soap.results("update", &sobject("Account", "<Name>x</Name>")).await;
    assert_eq!(one(&nameless[0], "statusCode"), "MISSING_ARGUMENT");

    let upsert = |fields: &str| {
        format!("<externalIDFieldName>Customer_Number__c</externalIDFieldName>{}", sobject("Account", fields))
    };
    let fields = "<Name>Up</Name><Customer_Number__c>C-1</Customer_Number__c>";
    let created = soap.results("upsert", &upsert(fields)).await;
    assert!(created[0].starts_with("<created>true</created><id>001"), "{created:?}");
    let updated = soap.results("upsert", &upsert(fields)).await;
    assert!(updated[0].starts_with("<created>false</created><id>001"), "{updated:?}");
    let contact =
        "<LastName>Child</LastName><Account><type>Account</type><Customer_Number__c>C-1</Customer_Number__c></Account>";
    create(&soap, "Contact", contact).await;
    let found = soap.query("SELECT Account.Name FROM Contact WHERE LastName = 'Child'").await;
    assert!(found.contains("<sf:Name>Up</sf:Name>"), "{found}");
}

#[tokio::test]
async fn long_texts_are_cut_when_the_header_allows_it() {
    let (acme, token) = signed_in().await;
    let long = "ü".repeat(300);
    let content = sobject("Account", &format!("<Name>{long}</Name>"));
    let soap = Soap::partner(&acme, &token);
    assert_eq!(one(&soap.results("create", &content).await[0], "statusCode"), "STRING_TOO_LONG");
    let header =
        "<AllowFieldTruncationHeader><allowFieldTruncation>true</allowFieldTruncation></AllowFieldTruncationHeader>";
    assert_eq!(one(&soap.with(header).results("create", &content).await[0], "success"), "true");
    assert_eq!(acme.emulator.control().records("Account")[0]["Name"], json!("ü".repeat(255)));
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_a_fault_of_its_type() {
    let (acme, token) = signed_in().await;
    let soap = Soap::partner(&acme, &token);
    let query = |soql: &str| format!("<queryString>{soql}</queryString>");
    let answer = soap.call("query", &query("SELECT x FROM Contact")).await;
    assert!(
        answer.text.contains("<sf:row>1</sf:row><sf:column>8</sf:column></sf:InvalidFieldFault>"),
        "{}",
        answer.text
    );
    for (operation, content, expected, kind) in [
        ("query", query("SELECT x FROM Contact"), "INVALID_FIELD", "InvalidFieldFault"),
        ("query", query("SELECT Id FROM Nope"), "INVALID_TYPE", "InvalidSObjectFault"),
        ("query", query("SELECT FROM"), "MALFORMED_QUERY", "MalformedQueryFault"),
        ("create", sobject("Nope", ""), "INVALID_TYPE", "InvalidSObjectFault"),
        ("create", sobject("Account", "<Nope__c>1</Nope__c>"), "INVALID_FIELD", "InvalidFieldFault"),
        ("create", sobject("Account", "<Name>a</Name>").repeat(201), "EXCEEDED_ID_LIMIT", "UnexpectedErrorFault"),
        ("delete", "<ids>001</ids>".repeat(201), "EXCEEDED_ID_LIMIT", "UnexpectedErrorFault"),
        ("describeSObject", "<sObjectType>Nope</sObjectType>".to_owned(), "INVALID_TYPE", "InvalidSObjectFault"),
        (
            "describeSObjects",
            "<sObjectType>Account</sObjectType>".repeat(101),
            "EXCEEDED_ID_LIMIT",
            "UnexpectedErrorFault",
        ),
        (
            "getUpdated",
            "<sObjectType>Account</sObjectType>".to_owned(),
            "INVALID_REPLICATION_DATE",
            "UnexpectedErrorFault",
        ),
    ] {
        let fault = soap.fault(operation, &content).await;
        assert_eq!((fault.0.as_str(), fault.2.as_str()), (expected, kind), "{operation} {}", fault.1);
    }
    let limited = Acme::start_with(|scenario| scenario.limits.daily_api_requests = 1).await;
    let token = limited.sign_in_as_admin().await;
    let soap = Soap::partner(&limited, &token);
    assert_eq!(soap.call("getServerTimestamp", "").await.status, 200);
    assert_eq!(soap.fault("getServerTimestamp", "").await.0, "REQUEST_LIMIT_EXCEEDED");
}

#[tokio::test]
async fn permissions_hold_here_as_they_do_elsewhere() {
    let acme = Acme::start().await;
    let admin = acme.sign_in_as_admin().await;
    let id =
        create(&Soap::partner(&acme, &admin), "Account", "<Name>Seen</Name><AnnualRevenue>1</AnnualRevenue>").await;
    let token = acme.sign_in_as("sam@acme.example", "sams-passwordTokenOfSam").await;
    let soap = Soap::partner(&acme, &token);
    assert_eq!(
        soap.fault("query", "<queryString>SELECT AnnualRevenue FROM Account</queryString>").await.0,
        "INVALID_FIELD"
    );
    let hidden = sobject("Account", "<Name>x</Name><AnnualRevenue>2</AnnualRevenue>");
    assert_eq!(soap.fault("create", &hidden).await.0, "INVALID_FIELD");
    assert_eq!(soap.fault("create", &sobject("Lead", "")).await.0, "INVALID_TYPE");
    let refused = soap.results("delete", &format!("<ids>{id}</ids>")).await;
    assert_eq!(one(&refused[0], "statusCode"), "INSUFFICIENT_ACCESS_OR_READONLY");
    let described = soap.results("describeSObject", "<sObjectType>Account</sObjectType>").await.pop().unwrap();
    assert!(!described.contains("<name>AnnualRevenue</name>") && described.contains("<deletable>false</deletable>"));
}

#[tokio::test]
async fn describes_have_the_elements_of_the_wsdl_in_their_order() {
    let (acme, token) = signed_in().await;
    let soap = Soap::partner(&acme, &token);
    let global = soap.results("describeGlobal", "").await.pop().unwrap();
    assert!(global.starts_with("<encoding>UTF-8</encoding><maxBatchSize>200</maxBatchSize><sobjects>"), "{global}");
    let account = &all(&global, "sobjects")[0];
    let names: Vec<&str> = account.split("</").filter_map(|part| part.split('>').next()).collect();
    assert!(account.contains("<associateEntityType xsi:nil=\"true\"/>"), "{account}");
    let expected = "activateable createable custom customSetting deepCloneable deletable deprecatedAndHidden feedEnabled \
                    hasSubtypes idEnabled isInterface isSubtype keyPrefix label labelPlural layoutable mergeable mruEnabled \
                    name queryable replicateable retrieveable searchable triggerable undeletable updateable";
    let names: Vec<&str> =
        names.into_iter().filter(|name| expected.split_whitespace().any(|known| known == *name)).collect();
    assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());

    let content = "<sObjectType>Contact</sObjectType><sObjectType>Invoice__c</sObjectType>";
    let described = soap.results("describeSObjects", content).await;
    assert_eq!(described.len(), 2);
    let id = all(&described[0], "fields").into_iter().find(|field| field.contains("<name>Id</name>")).unwrap();
    assert!(id.contains("<soapType>tns:ID</soapType><sortable>true</sortable><type>id</type>"), "{id}");
    assert!(!described[0].contains("<urls>") && described[0].contains("<urlNew>http"), "{}", described[0]);
    let boolean =
        "<defaultValue xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xsi:type=\"xsd:boolean\">false</defaultValue>";
    assert!(described[1].contains(boolean), "{}", described[1]);
    assert!(described[1].contains("<soapType>tns:address</soapType>"), "{}", described[1]);
    let status =
        all(&described[1], "fields").into_iter().find(|field| field.contains("<name>Status__c</name>")).unwrap();
    let draft = "<picklistValues><active>true</active><defaultValue>true</defaultValue><label>Draft</label><value>Draft</value>";
    assert!(status.contains(draft), "{status}");
    let layout = soap.results("describeLayout", "<sObjectType>Invoice__c</sObjectType>").await.pop().unwrap();
    assert!(layout.starts_with("<layouts><id xsi:nil=\"true\"/></layouts><recordTypeMappings>"), "{layout}");
    let tabs = soap.call("describeTabs", "").await;
    assert!(tabs.text.contains("<describeTabsResponse></describeTabsResponse>"), "{}", tabs.text);
}

#[tokio::test]
async fn retrieve_keeps_the_order_of_ids_and_has_nil_for_what_is_not_there() {
    let (acme, token) = signed_in().await;
    let soap = Soap::partner(&acme, &token);
    let one_id = create(&soap, "Account", "<Name>One</Name>").await;
    let two = create(&soap, "Account", "<Name>Two</Name>").await;
    soap.results("delete", &format!("<ids>{one_id}</ids>")).await;
    let content =
        format!("<fieldList>Id, Name</fieldList><sObjectType>Account</sObjectType><ids>{two}</ids><ids>{one_id}</ids>");
    let answer = soap.call("retrieve", &content).await;
    let expected = format!(
        "<result xsi:type=\"sf:sObject\"><sf:type>Account</sf:type><sf:Id>{two}</sf:Id><sf:Id>{two}</sf:Id>\
         <sf:Name>Two</sf:Name></result><result xsi:nil=\"true\"/>"
    );
    assert!(answer.text.contains(&expected), "{}", answer.text);
    let wrong = "<fieldList>Nope</fieldList><sObjectType>Account</sObjectType>";
    assert_eq!(soap.fault("retrieve", wrong).await.0, "INVALID_FIELD");
    let malformed = "<fieldList>Id</fieldList><sObjectType>Account</sObjectType><ids>x</ids>";
    let (code, _, kind) = soap.fault("retrieve", malformed).await;
    assert_eq!((code.as_str(), kind.as_str()), ("MALFORMED_ID", "InvalidIdFault"));
}

#[tokio::test]
async fn a_merge_says_who_lost_and_what_was_taken_over() {
    let (acme, token) = signed_in().await;
    let soap = Soap::partner(&acme, &token);
    let master = create(&soap, "Account", "<Name>Master</Name>").await;
    let loser = create(&soap, "Account", "<Name>Loser</Name>").await;
    let child = create(&soap, "Contact", &format!("<LastName>Child</LastName><AccountId>{loser}</AccountId>")).await;
    let request = |master: &str| {
        format!(
            "<request><masterRecord><type>Account</type><Id>{master}</Id><Phone>7</Phone></masterRecord>\
             <recordToMergeIds>{loser}</recordToMergeIds></request>"
        )
    };
    let merged = soap.results("merge", &request(&master)).await;
    let expected = format!(
        "<id>{master}</id><mergedRecordIds>{loser}</mergedRecordIds><success>true</success>\
         <updatedRelatedIds>{child}</updatedRelatedIds>"
    );
    assert_eq!(merged, [expected]);
    let found = soap.query(&format!("SELECT AccountId, Account.Phone FROM Contact WHERE Id = '{child}'")).await;
    assert!(
        found.contains(&format!("<sf:AccountId>{master}</sf:AccountId>")) && found.contains("<sf:Phone>7</sf:Phone>")
    );
    assert_eq!(one(&soap.results("merge", &request(&master)).await[0], "statusCode"), "ENTITY_IS_DELETED");
    assert_eq!(soap.fault("merge", &request("001nope")).await.2, "InvalidIdFault");
}

#[tokio::test]
async fn replication_calls_answer_as_rest_does() {
    let (acme, token) = signed_in().await;
    let soap = Soap::partner(&acme, &token);
    let kept = create(&soap, "Account", "<Name>Kept</Name>").await;
    let gone = create(&soap, "Account", "<Name>Gone</Name>").await;
    soap.results("delete", &format!("<ids>{gone}</ids>")).await;
    acme.emulator.control().advance(Duration::from_secs(600));
    let content = "<sObjectType>Account</sObjectType><startDate>2026-11-21T08:00:00Z</startDate>\
                   <endDate>2026-11-21T09:05:00.000Z</endDate>";
    let updated = soap.results("getUpdated", content).await;
    assert_eq!(updated, [format!("<ids>{kept}</ids><latestDateCovered>2026-11-21T09:05:00.000Z</latestDateCovered>")]);
    let deleted = soap.results("getDeleted", content).await.pop().unwrap();
    let record =
        format!("<deletedRecords><deletedDate>2026-11-21T09:00:00.000Z</deletedDate><id>{gone}</id></deletedRecords>");
    assert!(deleted.starts_with(&record), "{deleted}");
    assert!(deleted.ends_with("<latestDateCovered>2026-11-21T09:05:00.000Z</latestDateCovered>"), "{deleted}");
}

#[tokio::test]
async fn the_time_the_user_and_the_sessions() {
    let (acme, token) = signed_in().await;
    let soap = Soap::partner(&acme, &token);
    assert_eq!(soap.results("getServerTimestamp", "").await, ["<timestamp>2026-11-21T09:00:00.000Z</timestamp>"]);
    let user = soap.results("getUserInfo", "").await.pop().unwrap();
    assert_eq!(
        (one(&user, "userName").as_str(), one(&user, "organizationName").as_str()),
        ("admin@acme.example", "Acme")
    );
    let other = acme.sign_in_as_admin().await;
    let ended = soap.results("invalidateSessions", &format!("<sessionIds>{other}</sessionIds>")).await;
    assert_eq!(ended, ["<success>true</success>"]);
    assert_eq!(acme.get("/services/data/v60.0/limits", &other).await.status, 401);
    let search = soap.call("search", "<searchString>FIND {Acme}</searchString>").await;
    assert!(matches!(search.status, 200 | 500), "{}", search.text);
    let unknown = soap.call("findDuplicates", "<sObjects/>").await;
    assert!(unknown.text.contains("No operation available for request"), "{}", unknown.text);
}

#[tokio::test]
async fn an_expired_password_is_changed_by_the_session_that_may_do_nothing_else() {
    let acme = Acme::start_with(|scenario| {
        scenario.org.soap_login = true;
        scenario.users[0].password_expired = true;
    })
    .await;
    let sign_in = async |password: &str| -> Seen {
        let anonymous = Soap::partner(&acme, "");
        let content =
            format!("<username>admin@acme.example</username><password>{password}TokenOfAdmin0000000000000</password>");
        anonymous.call("login", &content).await
    };
    let answer = sign_in("correct-horse").await;
    let (token, user) = (one(&answer.text, "sessionId"), one(&answer.text, "userId"));
    let soap = Soap::partner(&acme, &token);
    assert_eq!(soap.fault("getUserInfo", "").await.0, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD");
    let set = |password: &str| format!("<userId>{user}</userId><password>{password}</password>");
    let (code, _, kind) = soap.fault("setPassword", &set("short")).await;
    assert_eq!((code.as_str(), kind.as_str()), ("INVALID_NEW_PASSWORD", "InvalidNewPasswordFault"));
    assert!(soap.call("setPassword", &set("battery-2-staple")).await.text.contains("<setPasswordResponse><result/>"));
    assert_eq!(soap.call("getUserInfo", "").await.status, 200);
    assert_eq!(one(&sign_in("correct-horse").await.text, "sf:exceptionCode"), "INVALID_LOGIN");
    assert_eq!(one(&sign_in("battery-2-staple").await.text, "passwordExpired"), "false");

    let own = |old: &str| format!("<oldPassword>{old}</oldPassword><newPassword>third-one-3</newPassword>");
    assert_eq!(soap.fault("changeOwnPassword", &own("wrong")).await.2, "InvalidOldPasswordFault");
    assert_eq!(soap.call("changeOwnPassword", &own("battery-2-staple")).await.status, 200);
    let reset = soap.results("resetPassword", &format!("<userId>{user}</userId>")).await.pop().unwrap();
    assert_eq!(one(&sign_in(&one(&reset, "password")).await.text, "passwordExpired"), "true");
    let sam = acme.sign_in_as("sam@acme.example", "sams-passwordTokenOfSam").await;
    assert_eq!(
        Soap::partner(&acme, &sam).fault("resetPassword", &format!("<userId>{user}</userId>")).await.0,
        "INSUFFICIENT_ACCESS"
    );
}

#[tokio::test]
async fn a_data_call_at_a_login_host_is_told_to_move_on() {
    let (acme, token) = signed_in().await;
    let body = "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Header><SessionHeader><sessionId>TOKEN\
                </sessionId></SessionHeader></e:Header><e:Body><getUserInfo xmlns='urn:partner.soap.sforce.com'/></e:Body>\
                </e:Envelope>";
    let request = acme.http.post(acme.url("/services/Soap/u/60.0")).header("host", "login.salesforce.com");
    let answer = Seen::of(request.body(body.replace("TOKEN", &token)).send().await.unwrap()).await;
    assert_eq!(one(&answer.text, "sf:exceptionCode"), "UNKNOWN_EXCEPTION");
    assert!(answer.text.contains("Destination URL not reset"), "{}", answer.text);
}

#[tokio::test]
async fn duplicate_rules_raise_an_error_of_their_own_and_let_those_pass_who_insist() {
    let acme = Acme::start_with(|scenario| {
        scenario.rows.clear();
        let rule = "[[duplicates]]\nname = 'Same_Name'\nobject = 'Account'\nfields = ['Name']\nmessage = 'Twice?'";
        scenario.rules = toml::from_str(rule).unwrap();
    })
    .await;
    let token = acme.sign_in_as_admin().await;
    let soap = Soap::partner(&acme, &token);
    let first = create(&soap, "Account", "<Name>Twin</Name>").await;
    let twin = sobject("Account", "<Name>Twin</Name>");
    let error = format!(
        "<errors xsi:type=\"DuplicateError\"><message>Twice?</message><statusCode>DUPLICATES_DETECTED</statusCode>\
         <duplicateResult><allowSave>true</allowSave><duplicateRule>Same_Name</duplicateRule>\
         <duplicateRuleEntityType>Account</duplicateRuleEntityType><errorMessage>Twice?</errorMessage><matchResults>\
         <entityType>Account</entityType><matchEngine>ExactMatchEngine</matchEngine><matchRecords>\
         <matchConfidence>100.0</matchConfidence><record xsi:type=\"sf:sObject\"><sf:type>Account</sf:type>\
         <sf:Id>{first}</sf:Id></record></matchRecords><rule>Same_Name</rule><size>1</size><success>true</success>\
         </matchResults></duplicateResult></errors>"
    );
    let refused = soap.call("create", &twin).await;
    assert!(refused.text.contains(&error), "{}", refused.text);
    let insisting =
        Soap::partner(&acme, &token).with("<DuplicateRuleHeader><allowSave>true</allowSave></DuplicateRuleHeader>");
    assert_eq!(one(&insisting.results("create", &twin).await[0], "success"), "true");
}

#[tokio::test]
async fn records_count_as_lately_used_when_a_call_about_one_asks_for_it() {
    let (acme, token) = signed_in().await;
    let soap = Soap::partner(&acme, &token);
    let noted = Soap::partner(&acme, &token).with("<MruHeader><updateMru>true</updateMru></MruHeader>");
    create(&soap, "Account", "<Name>One</Name>").await;
    let second = create(&noted, "Account", "<Name>Two</Name>").await;
    let twice = format!("{}{}", sobject("Account", "<Name>Three</Name>"), sobject("Account", "<Name>Four</Name>"));
    assert_eq!(noted.results("create", &twice).await.len(), 2);
    let recent = acme.get("/services/data/v60.0/recent", &token).await.json();
    let ids: Vec<&str> = recent.as_array().unwrap().iter().filter_map(|item| item["Id"].as_str()).collect();
    assert_eq!(ids, [second]);
}
