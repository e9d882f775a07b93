//! Objects that tell of the org itself: their rows follow it.

use std::time::Duration;

use emulator::schema::{FieldSpec, FieldType, ObjectSpec};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Acme, Seen};

const ROOT: &str = "/services/data/v66.0";

struct Org {
    acme: Acme,
    token: String,
}

impl Org {
    async fn start() -> Self {
        let acme = Acme::start().await;
        let token = acme.sign_in_as_admin().await;
        Self { acme, token }
    }

    async fn ask_as(&self, token: &str, soql: &str) -> Seen {
        let request = self.acme.request(Method::GET, &format!("{ROOT}/query"), token).query(&[("q", soql)]);
        Seen::of(request.send().await.unwrap()).await
    }

    async fn query_as(&self, token: &str, soql: &str) -> Vec<Value> {
        let answer = self.ask_as(token, soql).await;
        assert_eq!(answer.status, 200, "{soql}: {}", answer.text);
        answer.json()["records"].as_array().unwrap().clone()
    }

    async fn query(&self, soql: &str) -> Vec<Value> {
        self.query_as(&self.token, soql).await
    }

    /// The values of a field in the records of a query.
    async fn column(&self, field: &str, soql: &str) -> Vec<Value> {
        self.query(soql).await.iter().map(|record| record[field].clone()).collect()
    }
}

#[tokio::test]
async fn the_organization_has_what_tools_select() {
    let org = Org::start().await;
    let soql = "SELECT Id, Name, OrganizationType, IsSandbox, InstanceName, NamespacePrefix, TrialExpirationDate, \
                LanguageLocaleKey, TimeZoneSidKey, DefaultLocaleSidKey, FiscalYearStartMonth, SignupCountryIsoCode FROM \
                Organization LIMIT 1";
    let row = &org.query(soql).await[0];
    for (name, value) in [
        ("Id", json!("00DgL000000ACMEUA4")),
        ("Name", json!("Acme")),
        ("OrganizationType", json!("Enterprise Edition")),
        ("IsSandbox", json!(false)),
        ("InstanceName", json!("NA1")),
        ("NamespacePrefix", Value::Null),
        ("TrialExpirationDate", Value::Null),
        ("FiscalYearStartMonth", json!(1)),
    ] {
        assert_eq!(row[name], value, "{name}");
    }
    let all = org.acme.get(&format!("{ROOT}/sobjects/Organization/{}", row["Id"].as_str().unwrap()), &org.token).await;
    assert_eq!(all.json()["DefaultAccountAccess"], "Edit", "{}", all.text);
}

#[tokio::test]
async fn users_and_their_permission_sets_follow_the_configuration() {
    let org = Org::start().await;
    let control = org.acme.emulator.control();
    let user = "SELECT IsActive, FirstName, Profile.Name, Profile.UserLicense.Name, SystemModstamp FROM User WHERE Username \
                = 'sam@acme.example'";
    let before = org.query(user).await[0].clone();
    assert_eq!(before["Profile"]["UserLicense"]["Name"], "Salesforce");
    control.advance(Duration::from_secs(60));
    control
        .change_setup(|setup| {
            let sam = setup.user_mut("sam@acme.example").unwrap();
            (sam.active, sam.frozen) = (false, true);
            sam.permission_sets = vec!["Setup Viewer".to_owned()];
        })
        .unwrap();
    let after = org.query(user).await[0].clone();
    assert_eq!((&after["IsActive"], &after["FirstName"]), (&json!(false), &json!("Sam")));
    assert_eq!(after["SystemModstamp"], "2026-11-21T09:01:00.000+0000");
    let others = org.query("SELECT Id FROM User WHERE SystemModstamp > 2026-11-21T09:00:30Z").await;
    assert_eq!(others.len(), 1, "who has not changed keeps the stamp");
    let soql = "SELECT PermissionSet.Label FROM PermissionSetAssignment WHERE Assignee.Username = 'sam@acme.example' AND \
                PermissionSet.IsOwnedByProfile = false";
    let sets: Vec<Value> = org.query(soql).await.iter().map(|row| row["PermissionSet"]["Label"].clone()).collect();
    assert_eq!(sets, ["Setup Viewer"]);
    assert_eq!(
        org.column("IsFrozen", "SELECT IsFrozen FROM UserLogin WHERE User.Username = 'sam@acme.example'").await,
        [true]
    );
    let trail = org.column("Action", "SELECT Action, Display, CreatedBy.Name FROM SetupAuditTrail ORDER BY Id").await;
    assert_eq!(trail, ["deactivateduser", "frozeuser", "PermSetAssign"]);
    control.change_setup(|setup| setup.user_mut("sam@acme.example").unwrap().permission_sets.clear()).unwrap();
    assert!(org.query(soql).await.is_empty());
}

#[tokio::test]
async fn permissions_are_rows_of_what_is_granted() {
    let org = Org::start().await;
    let control = org.acme.emulator.control();
    let field = "SELECT PermissionsEdit FROM FieldPermissions WHERE Field = 'Account.AnnualRevenue' AND Parent.Profile.Name \
                 = 'Standard User'";
    assert!(org.query(field).await.is_empty(), "hidden by the profile");
    let phone = "SELECT Field, PermissionsRead, PermissionsEdit, Parent.Label FROM FieldPermissions WHERE SobjectType = \
                 'Account' AND Field = 'Account.Phone' AND Parent.Label = 'Standard User'";
    let row = &org.query(phone).await[0];
    assert_eq!((&row["PermissionsRead"], &row["PermissionsEdit"]), (&json!(true), &json!(true)));
    let shown =
        "SELECT Parent.Label FROM FieldPermissions WHERE Field = 'Contact.Level__c' AND Parent.Label = 'Orgtide Read'";
    assert_eq!(org.query(shown).await.len(), 1);
    let admin = "SELECT PermissionsDelete FROM ObjectPermissions WHERE SobjectType = 'Lead' AND Parent.Label = 'System \
                 Administrator'";
    assert_eq!(org.column("PermissionsDelete", admin).await, [true]);
    assert!(
        org.query(
            "SELECT Id FROM ObjectPermissions WHERE SobjectType = 'User' AND Parent.Label = 'System Administrator'"
        )
        .await
        .is_empty()
    );

    control
        .change_setup(|setup| {
            let profile = setup.profiles.get_mut("Standard User").unwrap();
            profile.hidden_fields.clear();
        })
        .unwrap();
    assert_eq!(org.column("PermissionsEdit", field).await, [true]);
    let by_hand = control.insert("PermissionSet", json!({"Name": "Hand", "Label": "Hand"})).unwrap();
    let fields = json!({"ParentId": by_hand.to_string(), "SobjectType": "Contact", "Field": "Contact.Phone", "PermissionsRead": true});
    control.insert("FieldPermissions", fields).unwrap();
    assert_eq!(org.query("SELECT Id FROM FieldPermissions WHERE Parent.Name = 'Hand'").await.len(), 1);
    let ids = org.column("Id", "SELECT Id FROM FieldPermissions").await;
    assert_eq!(control.records("FieldPermissions").len(), ids.len(), "the truth of an outside reader");
}

#[tokio::test]
async fn definitions_follow_the_schema_and_who_asks() {
    let org = Org::start().await;
    let control = org.acme.emulator.control();
    let entity = "SELECT Id, DurableId, QualifiedApiName, DeveloperName, Label, PluralLabel, KeyPrefix, IsQueryable, \
                  IsCustomizable, PublisherId FROM EntityDefinition WHERE QualifiedApiName = 'Opportunity'";
    let row = &org.query(entity).await[0];
    for (name, value) in [
        ("Id", "000000000000000AAA"),
        ("DurableId", "Opportunity"),
        ("PluralLabel", "Opportunities"),
        ("KeyPrefix", "006"),
        ("PublisherId", "System"),
    ] {
        assert_eq!(row[name], value, "{name}");
    }
    let custom =
        "SELECT DurableId, DeveloperName, PublisherId FROM EntityDefinition WHERE QualifiedApiName = 'Invoice__c'";
    let row = &org.query(custom).await[0];
    assert!(row["DurableId"].as_str().unwrap().starts_with("01I") && row["PublisherId"] == "<local>", "{row}");

    let field = "SELECT QualifiedApiName, DataType, ValueTypeId, EntityDefinitionId, EntityDefinition.Label FROM \
                 FieldDefinition WHERE EntityDefinition.QualifiedApiName = 'Contact' AND QualifiedApiName = 'Score__c'";
    let row = &org.query(field).await[0];
    assert_eq!((&row["DataType"], &row["ValueTypeId"]), (&json!("Number(14, 4)"), &json!("double")));
    assert_eq!((&row["EntityDefinitionId"], &row["EntityDefinition"]["Label"]), (&json!("Contact"), &json!("Contact")));
    let parts = "SELECT QualifiedApiName, FieldDefinition.QualifiedApiName FROM EntityParticle WHERE EntityDefinitionId = \
                 'Contact' AND QualifiedApiName = 'MailingCity'";
    assert_eq!(org.query(parts).await[0]["FieldDefinition"]["QualifiedApiName"], "MailingAddress");
    let whole =
        "SELECT Id FROM FieldDefinition WHERE EntityDefinitionId = 'Contact' AND QualifiedApiName = 'MailingCity'";
    assert!(org.query(whole).await.is_empty());
    let refused = org.ask_as(&org.token, "SELECT Id FROM FieldDefinition").await;
    let text = "FieldDefinition: a filter on a reified column is required [EntityDefinitionId,DurableId]";
    assert_eq!(refused.json(), json!([{"message": text, "errorCode": "MALFORMED_QUERY"}]));

    let sam = org.acme.sign_in_as("sam@acme.example", "sams-passwordTokenOfSam").await;
    assert!(org.query_as(&sam, "SELECT Id FROM EntityDefinition WHERE QualifiedApiName = 'Lead'").await.is_empty());
    let hidden =
        "SELECT Id FROM FieldDefinition WHERE EntityDefinitionId = 'Contact' AND QualifiedApiName = 'Birthdate'";
    assert_eq!((org.query(hidden).await.len(), org.query_as(&sam, hidden).await.len()), (1, 0));

    control.declare_object(&ObjectSpec { name: "Later__c".into(), ..ObjectSpec::default() }).unwrap();
    let spec = FieldSpec { name: "Depth__c".into(), kind: Some(FieldType::Double), ..FieldSpec::default() };
    control.declare_field("Later__c", &spec).unwrap();
    let later = "SELECT Label FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = 'Later__c' AND QualifiedApiName \
                 = 'Depth__c'";
    assert_eq!(org.column("Label", later).await, ["Depth"]);
    control.remove_field("Later__c", "Depth__c").unwrap();
    assert!(org.query(later).await.is_empty());
    assert_eq!(
        org.column("Action", "SELECT Action FROM SetupAuditTrail ORDER BY Id").await,
        ["createdCustObj", "createdCF", "deletedCF"]
    );
}

#[tokio::test]
async fn logins_are_rows_unless_rows_are_generated() {
    let org = Org::start().await;
    let refused = org.acme.password_grant("sam@acme.example", "wrong").await;
    assert_eq!(refused.status, 400);
    org.acme.password_grant("nobody@acme.example", "wrong").await;
    let soql = "SELECT UserId, LoginTime, LoginType, Status, Application, SourceIp FROM LoginHistory ORDER BY Id";
    let rows = org.query(soql).await;
    let seen: Vec<(&Value, &Value)> = rows.iter().map(|row| (&row["Status"], &row["LoginType"])).collect();
    let (success, wrong, remote) = (json!("Success"), json!("Invalid Password"), json!("Remote Access 2.0"));
    assert_eq!(seen, [(&success, &remote), (&wrong, &remote)]);
    assert_eq!(
        (&rows[0]["LoginTime"], &rows[0]["SourceIp"]),
        (&json!("2026-11-21T09:00:00.000+0000"), &json!("203.0.113.10"))
    );
    let generated = Acme::start_with(|scenario| {
        scenario.rows.insert("LoginHistory".to_owned(), 30);
    })
    .await;
    generated.sign_in_as_admin().await;
    assert_eq!(generated.emulator.control().records("LoginHistory").len(), 30);
}

#[tokio::test]
async fn setup_is_seen_with_its_permission_and_described_with_its_cursors() {
    let org = Org::start().await;
    let sam = org.acme.sign_in_as("sam@acme.example", "sams-passwordTokenOfSam").await;
    for (object, cursor) in [
        ("SetupAuditTrail", Some("CreatedDate")),
        ("UserLogin", Some("LastModifiedDate")),
        ("CronTrigger", Some("CreatedDate")),
        ("ConnectedApplication", Some("SystemModstamp")),
    ] {
        assert_eq!(org.ask_as(&sam, &format!("SELECT Id FROM {object}")).await.code(), "INVALID_TYPE", "{object}");
        let describe = org.acme.get(&format!("{ROOT}/sobjects/{object}/describe"), &org.token).await.json();
        let cursors = ["SystemModstamp", "LastModifiedDate", "CreatedDate"];
        let found = cursors
            .into_iter()
            .find(|name| describe["fields"].as_array().unwrap().iter().any(|field| field["name"] == *name));
        assert_eq!(found, cursor, "{object}");
    }
    for (object, rows) in [
        ("AppDefinition", 2),
        ("ApexClass", 0),
        ("AsyncApexJob", 0),
        ("CronTrigger", 0),
        ("Domain", 1),
        ("PackageLicense", 0),
        ("RecordType", 2),
        ("UserLicense", 2),
        ("UserRole", 0),
    ] {
        assert_eq!(org.query(&format!("SELECT Id FROM {object}")).await.len(), rows, "{object}");
    }
    let apps = org.column("Name", "SELECT Name FROM ConnectedApplication").await;
    assert!(apps.contains(&json!("Acme Connected")), "{apps:?}");
}

#[tokio::test]
async fn reports_folders_and_logs_can_be_asked_for_although_nobody_has_made_any() {
    let org = Org::start().await;
    for soql in [
        "SELECT Id, Name, DeveloperName, FolderName, LastRunDate FROM Report",
        "SELECT Id, Title, FolderName FROM Dashboard",
        "SELECT Id, Name FROM Folder WHERE Type = 'Document'",
    ] {
        assert_eq!(org.query(soql).await.len(), 0, "{soql}");
    }
    let soql = "SELECT Id, LogType, DebugLevelId, DebugLevel.ApexCode FROM TraceFlag";
    let request = org.acme.request(Method::GET, &format!("{ROOT}/tooling/query"), &org.token).query(&[("q", soql)]);
    let flags = Seen::of(request.send().await.unwrap()).await;
    assert_eq!((flags.status, &flags.json()["totalSize"]), (200, &json!(0)), "{}", flags.text);
}
