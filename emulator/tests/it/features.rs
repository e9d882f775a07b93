//! Features that a scenario switches on: several currencies, person accounts.

use emulator::Scenario;
use emulator::scenario::CurrencySpec;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Acme, Seen};

const ROOT: &str = "/services/data/v60.0";

async fn all(acme: &Acme, token: &str, resource: &str, soql: &str) -> Vec<Value> {
    let request = acme.request(Method::GET, &format!("{ROOT}/{resource}"), token).query(&[("q", soql)]);
    let answer = Seen::of(request.send().await.unwrap()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["records"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_org_with_several_currencies_has_their_rates_and_a_code_on_every_amount() {
    let acme = Acme::start_with(|scenario| {
        let rates = [("USD", "1.0842"), ("JPY", "161.5")].map(|(code, rate)| (code.to_owned(), rate.to_owned()));
        scenario.currencies = Some(CurrencySpec { corporate: "EUR".to_owned(), rates: rates.into() });
    })
    .await;
    let token = acme.sign_in_as_admin().await;
    let soql = "SELECT IsoCode, ConversionRate, DecimalPlaces FROM CurrencyType WHERE IsActive = true ORDER BY IsCorporate DESC, IsoCode";
    let currencies = all(&acme, &token, "query", soql).await;
    let shown: Vec<String> =
        currencies.iter().map(|row| format!("{} {}", row["IsoCode"], row["ConversionRate"])).collect();
    assert_eq!(shown, ["\"EUR\" 1.0", "\"JPY\" 161.5", "\"USD\" 1.0842"]);
    let deals = all(&acme, &token, "query", "SELECT CurrencyIsoCode FROM Opportunity").await;
    for code in ["EUR", "JPY", "USD"] {
        assert!(deals.iter().any(|deal| deal["CurrencyIsoCode"] == code), "{code}");
    }
    assert!(deals.iter().all(|deal| !deal["CurrencyIsoCode"].is_null()));
    let id = acme.emulator.control().insert("Account", json!({"Name": "New"})).unwrap();
    let record = acme.get(&format!("{ROOT}/sobjects/Account/{id}?fields=CurrencyIsoCode"), &token).await.json();
    assert_eq!(record["CurrencyIsoCode"], "EUR");
    let wrong = acme.emulator.control().insert("Account", json!({"Name": "New", "CurrencyIsoCode": "GBP"}));
    assert!(wrong.unwrap_err().to_string().contains("restricted picklist"));
    let text = include_str!("../../scenarios/acme.toml");
    let refused = Scenario::from_toml(&format!("{text}\n[currencies]\ncorporate = 'Euro'\nrates = {{}}\n"));
    assert!(refused.unwrap_err().to_string().contains("is not the ISO code"));
}

#[tokio::test]
async fn an_org_without_these_features_knows_none_of_their_fields() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    for object in ["Account", "Contact"] {
        let describe = acme.get(&format!("{ROOT}/sobjects/{object}/describe"), &token).await.text;
        assert!(!describe.contains("CurrencyIsoCode") && !describe.contains("IsPersonAccount"), "{object}");
    }
    assert_eq!(acme.get(&format!("{ROOT}/sobjects/CurrencyType/describe"), &token).await.status, 404);
}

#[tokio::test]
async fn a_person_account_is_an_account_and_a_contact_that_are_written_as_one() {
    let acme = Acme::start_with(|scenario| scenario.person_accounts = Some(10)).await;
    let token = acme.sign_in_as_admin().await;
    let control = acme.emulator.control();
    let persons = all(
        &acme,
        &token,
        "query",
        "SELECT Name, FirstName, LastName, RecordType.DeveloperName FROM Account WHERE IsPersonAccount = true",
    )
    .await;
    assert_eq!(persons.len(), 10);
    for person in &persons {
        let parts: Vec<&str> = ["FirstName", "LastName"].iter().filter_map(|name| person[*name].as_str()).collect();
        assert_eq!(
            (person["Name"].as_str().unwrap(), person["RecordType"]["DeveloperName"].as_str()),
            (parts.join(" ").as_str(), Some("PersonAccount"))
        );
    }
    let business = all(
        &acme,
        &token,
        "query",
        "SELECT Id FROM Account WHERE IsPersonAccount = false AND PersonContactId = null AND LastName = null",
    )
    .await;
    assert_eq!(business.len(), 120);

    let person =
        json!({"FirstName": "Ada", "LastName": "Byron", "PersonEmail": "ada@example.com", "Level__pc": "Primary"});
    let id = control.insert("Account", person).unwrap().to_string();
    control.advance(std::time::Duration::from_secs(60));
    control.update(&id, json!({"LastName": "Lovelace", "PersonMailingCity": "London"})).unwrap();
    let soql = format!(
        "SELECT Id, Name, Email, MailingCity, Level__c, IsPersonAccount, SystemModstamp FROM Contact WHERE AccountId = '{id}'"
    );
    let contact = &all(&acme, &token, "query", &soql).await[0];
    assert_eq!(
        (&contact["Name"], &contact["Email"], &contact["MailingCity"]),
        (&json!("Ada Lovelace"), &json!("ada@example.com"), &json!("London"))
    );
    assert_eq!((&contact["Level__c"], &contact["IsPersonAccount"]), (&json!("Primary"), &json!(true)));
    assert_eq!(contact["SystemModstamp"], "2026-11-21T09:01:00.000+0000");
    let account = &all(
        &acme,
        &token,
        "query",
        &format!("SELECT Name, PersonContactId, PersonMailingAddress FROM Account WHERE Id = '{id}'"),
    )
    .await[0];
    assert_eq!((&account["Name"], &account["PersonContactId"]), (&json!("Ada Lovelace"), &contact["Id"]));
    assert_eq!(account["PersonMailingAddress"]["city"], "London");
    let contact = contact["Id"].as_str().unwrap();
    assert!(control.update(contact, json!({"Title": "Dr."})).is_err());
    assert!(control.insert("Account", json!({"LastName": "X", "Name": "Y"})).is_err());

    let other = control.insert("Account", json!({"LastName": "Byron"})).unwrap().to_string();
    let case = control.insert("Case", json!({"AccountId": other})).unwrap().to_string();
    control.merge(&id, &[&other]).unwrap();
    let lost =
        all(&acme, &token, "queryAll", &format!("SELECT MasterRecordId FROM Contact WHERE AccountId = '{other}'"))
            .await;
    assert_eq!(lost[0]["MasterRecordId"], contact);
    assert_eq!(
        all(&acme, &token, "query", &format!("SELECT AccountId FROM Case WHERE Id = '{case}'")).await[0]["AccountId"],
        id
    );
    assert_eq!(all(&acme, &token, "query", &format!("SELECT Id FROM Contact WHERE AccountId = '{id}'")).await.len(), 1);
    control.delete(&case).unwrap();
    control.delete(&id).unwrap();
    assert!(all(&acme, &token, "query", &format!("SELECT Id FROM Contact WHERE Id = '{contact}'")).await.is_empty());
}

#[tokio::test]
async fn types_on_which_connectors_give_up_are_there_only_where_they_are_wanted() {
    for wanted in [false, true] {
        let acme = Acme::start_with(|scenario| scenario.rare_types = wanted).await;
        let token = acme.sign_in_as_admin().await;
        let described = acme.get(&format!("{ROOT}/sobjects/Invoice__c/describe"), &token).await.json();
        let fields = described["fields"].as_array().unwrap();
        for rare in ["json", "complexvalue", "floatarray", "textarray"] {
            assert_eq!(fields.iter().any(|field| field["type"] == rare), wanted, "{rare}");
        }
        assert!(fields.iter().any(|field| field["type"] == "long"));
    }
}
