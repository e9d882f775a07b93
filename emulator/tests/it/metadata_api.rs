//! The Metadata API over SOAP: types, components, objects and fields; and what is refused.

use crate::client::Acme;
use crate::soap_client::{Soap, all, one};

const METADATA: &str = "http://soap.sforce.com/2006/04/metadata";

fn metadata<'a>(acme: &'a Acme, token: &str, version: u16) -> Soap<'a> {
    let path = format!("/services/Soap/m/{version}.0");
    Soap { path, namespace: METADATA.to_owned(), ..Soap::partner(acme, token) }
}

/// Code and message of a fault, which has no detail here.
async fn fault(soap: &Soap<'_>, operation: &str, content: &str) -> (String, String) {
    let answer = soap.call(operation, content).await;
    assert_eq!(answer.status, 500, "{}", answer.text);
    assert!(!answer.text.contains("<detail>"), "{}", answer.text);
    let code = one(&answer.text, "faultcode").trim_start_matches("sf:").to_owned();
    let message = one(&answer.text, "faultstring");
    let message = message.strip_prefix(&format!("{code}: ")).unwrap_or_else(|| panic!("{message}")).to_owned();
    (code, message)
}

async fn list(soap: &Soap<'_>, kind: &str) -> Vec<String> {
    let query = format!("<queries><type>{kind}</type></queries><asOfVersion>60.0</asOfVersion>");
    soap.results("listMetadata", &query).await
}

fn read_of(kind: &str, names: &[&str]) -> String {
    let names: String = names.iter().map(|name| format!("<fullNames>{name}</fullNames>")).collect();
    format!("<type>{kind}</type>{names}")
}

#[tokio::test]
async fn the_types_of_metadata_have_their_folders_and_suffixes() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let soap = metadata(&acme, &token, 60);
    let answer = soap.call("describeMetadata", "<asOfVersion>60.0</asOfVersion>").await;
    let types = all(&answer.text, "metadataObjects");
    let objects = types.iter().find(|kind| one(kind, "xmlName") == "CustomObject").unwrap();
    assert_eq!((one(objects, "directoryName"), one(objects, "suffix")), ("objects".to_owned(), "object".to_owned()));
    assert!(all(objects, "childXmlNames").contains(&"CustomField".to_owned()), "{objects}");
    let reports = types.iter().find(|kind| one(kind, "xmlName") == "Report").unwrap();
    assert_eq!(one(reports, "inFolder"), "true");
    assert!(answer.text.contains("<partialSaveAllowed>true</partialSaveAllowed>"), "{}", answer.text);
    // The metadata WSDL knows no such header.
    assert!(!answer.text.contains("LimitInfoHeader"), "{}", answer.text);
}

#[tokio::test]
async fn components_are_listed_by_their_type() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let soap = metadata(&acme, &token, 60);
    let objects = list(&soap, "CustomObject").await;
    let object = |name: &str| objects.iter().find(|file| one(file, "fullName") == name).unwrap();
    let invoice = object("Invoice__c");
    assert_eq!(one(invoice, "fileName"), "objects/Invoice__c.object");
    assert!(one(invoice, "id").starts_with("01I") && one(invoice, "manageableState") == "unmanaged", "{invoice}");
    assert_eq!(
        (one(object("Account"), "id"), one(object("Account"), "type")),
        (String::new(), "CustomObject".to_owned())
    );
    let fields = list(&soap, "CustomField").await;
    assert!(fields.iter().any(|file| one(file, "fullName") == "Account.Customer_Number__c"), "{fields:?}");
    assert!(!fields.iter().any(|file| one(file, "fullName") == "Account.Name"), "{fields:?}");
    let profiles = list(&soap, "Profile").await;
    assert!(profiles.iter().any(|file| one(file, "fileName") == "profiles/Admin.profile"), "{profiles:?}");
    let sets = list(&soap, "PermissionSet").await;
    assert!(sets.iter().any(|file| one(file, "id").starts_with("0PS")), "{sets:?}");
    assert!(list(&soap, "ApexClass").await.is_empty());
    let unknown = fault(&soap, "listMetadata", "<queries><type>Nope</type></queries>").await;
    assert_eq!(unknown, ("INVALID_TYPE".to_owned(), "Unknown type:Nope".to_owned()));
    let query = "<queries><type>Profile</type></queries>";
    assert_eq!(fault(&soap, "listMetadata", &query.repeat(4)).await.0, "EXCEEDED_ID_LIMIT");
}

#[tokio::test]
async fn objects_and_fields_are_read_and_what_is_not_there_is_nil() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let soap = metadata(&acme, &token, 60);
    let answer = soap.call("readMetadata", &read_of("CustomObject", &["Invoice__c", "Nope__c"])).await;
    assert!(
        answer.text.contains("<records xsi:type=\"CustomObject\"><fullName>Invoice__c</fullName>"),
        "{}",
        answer.text
    );
    assert!(answer.text.contains("<records xsi:nil=\"true\"/>"), "{}", answer.text);
    let invoice = &all(&answer.text, "records")[0];
    assert_eq!(one(&one(invoice, "nameField"), "type"), "AutoNumber");
    let amount = all(invoice, "fields").into_iter().find(|field| one(field, "fullName") == "Amount__c").unwrap();
    assert_eq!((one(&amount, "type"), one(&amount, "scale")), ("Currency".to_owned(), "2".to_owned()));

    let fields = soap.results("readMetadata", &read_of("CustomField", &["Account.Customer_Number__c"])).await;
    let expected = "<fullName>Account.Customer_Number__c</fullName><caseSensitive>true</caseSensitive>\
                    <externalId>true</externalId><label>Customer Number</label><length>32</length>\
                    <required>false</required><trackTrending>false</trackTrending><type>Text</type>\
                    <unique>true</unique>";
    assert!(fields[0].contains(expected), "{fields:?}");
    // Only versions up to 37.0 have the values of standard picklists, converted ones of leads among them.
    let status = read_of("CustomField", &["Lead.Status"]);
    assert!(!soap.results("readMetadata", &status).await[0].contains("picklist"));
    let old = metadata(&acme, &token, 37).results("readMetadata", &status).await;
    let converted = all(&old[0], "picklistValues").into_iter().filter(|value| one(value, "converted") == "true");
    let converted: Vec<String> = converted.map(|value| one(&value, "fullName")).collect();
    assert_eq!(converted, ["Closed - Converted"]);
    assert_eq!(fault(&soap, "readMetadata", &read_of("Profile", &["Admin"])).await.0, "FUNCTIONALITY_NOT_ENABLED");
    let many = vec!["Account"; 11];
    assert_eq!(fault(&soap, "readMetadata", &read_of("CustomObject", &many)).await.0, "EXCEEDED_ID_LIMIT");
}

#[tokio::test]
async fn metadata_is_for_administrators_and_is_not_changed() {
    let acme = Acme::start().await;
    let admin = acme.sign_in_as_admin().await;
    let sam = acme.sign_in_as("sam@acme.example", "sams-passwordTokenOfSam").await;
    let missing = "use of the Metadata API requires a user with the ModifyAllData or ModifyMetadata permissions";
    for operation in ["describeMetadata", "listMetadata", "readMetadata", "deploy"] {
        let refused = fault(&metadata(&acme, &sam, 60), operation, "").await;
        assert_eq!(refused, ("INSUFFICIENT_ACCESS".to_owned(), missing.to_owned()), "{operation}");
    }
    for operation in ["createMetadata", "retrieve", "checkDeployStatus"] {
        assert_eq!(fault(&metadata(&acme, &admin, 60), operation, "").await.0, "FUNCTIONALITY_NOT_ENABLED");
    }
    let answer = metadata(&acme, &admin, 60).call("describeGlobal", "").await;
    assert!(answer.text.contains("No operation available for request"), "{}", answer.text);
}
