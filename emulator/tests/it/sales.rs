//! Products, prices, orders and contracts, and what every org has of them from its first day.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Acme;
use crate::rest::query;

const ROOT: &str = "/services/data/v60.0";

struct Shop {
    acme: Acme,
    token: String,
}

impl Shop {
    async fn open() -> Self {
        let acme = Acme::start().await;
        let token = acme.sign_in_as_admin().await;
        Self { acme, token }
    }

    async fn create(&self, object: &str, record: Value) -> String {
        let answer = self.acme.send(Method::POST, &format!("{ROOT}/sobjects/{object}"), &self.token, &record).await;
        assert_eq!(answer.status, 201, "{object}: {}", answer.text);
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    async fn records(&self, soql: &str) -> Value {
        let answer = query(&self.acme, &self.token, soql).await;
        assert_eq!(answer.status, 200, "{soql}: {}", answer.text);
        answer.json()["records"].clone()
    }
}

#[tokio::test]
async fn an_opportunity_has_products_at_prices_of_the_standard_price_book() {
    let shop = Shop::open().await;
    let standard = shop.records("SELECT Id, Name, IsStandard FROM Pricebook2").await;
    assert_eq!((&standard[0]["Name"], &standard[0]["IsStandard"]), (&json!("Standard Price Book"), &json!(true)));
    let product = shop.create("Product2", json!({"Name": "Buoy", "ProductCode": "B-1", "IsActive": true})).await;
    let price = json!({
        "Pricebook2Id": standard[0]["Id"], "Product2Id": product, "UnitPrice": 12.5, "IsActive": true,
    });
    let entry = shop.create("PricebookEntry", price).await;
    let deal = json!({"Name": "Buoys", "StageName": "Prospecting", "CloseDate": "2026-12-01"});
    let deal = shop.create("Opportunity", deal).await;
    let item = json!({"OpportunityId": deal, "PricebookEntryId": entry, "Quantity": 3, "UnitPrice": 12.5});
    shop.create("OpportunityLineItem", item).await;
    let person = shop.create("Contact", json!({"LastName": "Buyer"})).await;
    let role = json!({"OpportunityId": deal, "ContactId": person, "Role": "Decision Maker", "IsPrimary": true});
    shop.create("OpportunityContactRole", role).await;
    let found = shop
        .records(
            "SELECT (SELECT Quantity, PricebookEntry.Product2.Name FROM OpportunityLineItems), \
             (SELECT Contact.LastName FROM OpportunityContactRoles) FROM Opportunity WHERE Name = 'Buoys'",
        )
        .await;
    let item = &found[0]["OpportunityLineItems"]["records"][0];
    assert_eq!((&item["Quantity"], &item["PricebookEntry"]["Product2"]["Name"]), (&json!(3.0), &json!("Buoy")));
    assert_eq!(found[0]["OpportunityContactRoles"]["records"][0]["Contact"]["LastName"], "Buyer");
}

#[tokio::test]
async fn orders_and_contracts_are_numbered_and_hang_on_accounts() {
    let shop = Shop::open().await;
    let account = shop.create("Account", json!({"Name": "Harbour"})).await;
    let contract = shop.create("Contract", json!({"AccountId": account, "StartDate": "2026-11-01"})).await;
    let order = json!({"AccountId": account, "ContractId": contract, "EffectiveDate": "2026-11-02", "Status": "Draft"});
    let order = shop.create("Order", order).await;
    shop.create("OrderItem", json!({"OrderId": order, "Quantity": 2, "UnitPrice": 4})).await;
    let found = shop
        .records(
            "SELECT OrderNumber, Contract.ContractNumber, Contract.Status, (SELECT Quantity FROM OrderItems) FROM Order \
             WHERE Account.Name = 'Harbour' ORDER BY OrderNumber",
        )
        .await;
    assert_eq!((&found[0]["OrderNumber"], &found[0]["Contract"]["Status"]), (&json!("00000001"), &json!("Draft")));
    assert_eq!(found[0]["OrderItems"]["records"][0]["Quantity"], 2.0);
}

#[tokio::test]
async fn business_hours_are_there_from_the_first_day() {
    let shop = Shop::open().await;
    let hours = shop.records("SELECT Id, Name, IsDefault, MondayStartTime FROM BusinessHours").await;
    assert_eq!((&hours[0]["Name"], &hours[0]["IsDefault"]), (&json!("Default"), &json!(true)));
    assert_eq!(hours[0]["MondayStartTime"], "00:00:00.000Z");
}
