//! Functions of fields.

use super::*;

fn asked<'a>(snapshot: &'a Snapshot) -> Asked<'a> {
    Asked::by(user(), snapshot, &FullAccess, RowScope::Live, at(NOW))
}

#[test]
fn date_functions_are_compared_like_numbers() {
    let database = small_org();
    assert_eq!(
        names(&database, "Account WHERE CALENDAR_YEAR(CreatedDate) = 2026 AND DAY_IN_WEEK(CreatedDate) = 7").len(),
        2
    );
    assert_eq!(names(&database, "Account WHERE HOUR_IN_DAY(CreatedDate) IN (9, 10)").len(), 2);
    assert_eq!(names(&database, "Account WHERE DAY_ONLY(CreatedDate) = TODAY").len(), 2);
    assert_eq!(names(&database, "Account WHERE DAY_ONLY(CreatedDate) < 2026-11-21").len(), 0);
    assert_eq!(failure("SELECT Id FROM Contact WHERE HOUR_IN_DAY(Birthdate) = 1").0, "INVALID_FIELD");
    assert_eq!(failure("SELECT Id FROM Contact WHERE CALENDAR_YEAR(LastName) = 1").0, "INVALID_FIELD");
}

#[test]
fn days_begin_where_the_user_is() {
    let mut database = small_org();
    let author = Author { user: user(), at: at(NOW), access: &FullAccess };
    database.update(user(), &record(json!({"TimeZoneSidKey": "Asia/Tokyo"})), &author).unwrap();
    // Ten in the morning UTC is seven in the evening in Tokyo; the day there began at three in the afternoon UTC.
    let snapshot = database.snapshot();
    let count = |now: &str, condition: &str| {
        let asked = Asked { now: at(now), ..asked(&snapshot) };
        let query = format!("SELECT Id FROM Account WHERE {condition}");
        Arc::new(Plan::compile_as(&query, &asked).unwrap()).execute(snapshot.clone()).total()
    };
    assert_eq!(count("2026-11-21T14:59:59Z", "CreatedDate = TODAY"), 2);
    assert_eq!(count("2026-11-21T15:00:00Z", "CreatedDate = TODAY"), 0);
    assert_eq!(count("2026-11-21T15:00:00Z", "CreatedDate = YESTERDAY"), 2);
    assert_eq!(count(NOW, "HOUR_IN_DAY(CreatedDate) = 10"), 2);
    assert_eq!(count(NOW, "HOUR_IN_DAY(convertTimezone(CreatedDate)) = 19"), 2);
}

#[test]
fn distances_filter_and_sort() {
    let mut database = small_org();
    for (name, latitude, longitude) in
        [("Berlin", 52.52, 13.405), ("Hamburg", 53.5511, 9.9937), ("Paris", 48.8566, 2.3522)]
    {
        let place = json!({"Text__c": name, "Warehouse__Latitude__s": latitude, "Warehouse__Longitude__s": longitude});
        insert(&mut database, "Invoice__c", place);
    }
    insert(&mut database, "Invoice__c", json!({"Text__c": "nowhere"}));
    let near = "DISTANCE(Warehouse__c, GEOLOCATION(52.5, 13.4), 'km')";
    let texts = |rest: &str| -> Vec<Json> {
        let rows = page(&database, &format!("SELECT Text__c FROM Invoice__c {rest}"));
        rows.into_iter().map(|row| row["Text__c"].clone()).collect()
    };
    assert_eq!(texts(&format!("WHERE {near} < 300 ORDER BY {near} DESC")), ["Hamburg", "Berlin"]);
    assert_eq!(texts(&format!("WHERE {near} > 300")), ["Paris"]);
    let miles = near.replace("'km'", "'mi'");
    assert_eq!(texts(&format!("WHERE {miles} < 200")), ["Berlin", "Hamburg"]);
    assert_eq!(texts(&format!("ORDER BY {near} NULLS LAST LIMIT 1")), ["Berlin"]);
    for query in [
        format!("SELECT Id FROM Invoice__c WHERE {near} = 5"),
        format!("SELECT {near} FROM Invoice__c"),
        "SELECT Id FROM Invoice__c WHERE DISTANCE(Warehouse__c, GEOLOCATION(91, 0), 'km') < 5".to_owned(),
        "SELECT Id FROM Invoice__c WHERE DISTANCE(Warehouse__c, GEOLOCATION(1, 0), 'ly') < 5".to_owned(),
        "SELECT Id FROM Invoice__c WHERE DISTANCE(Text__c, GEOLOCATION(1, 0), 'km') < 5".to_owned(),
    ] {
        assert!(compile(&database, &query).is_err(), "{query}");
    }
}

#[test]
fn labels_are_shown_and_compared() {
    let mut database = small_org();
    insert(&mut database, "Invoice__c", json!({"Status__c": "Sent"}));
    let rows = page(
        &database,
        "SELECT toLabel(Status__c), toLabel(Owner.Name) FROM Invoice__c WHERE toLabel(Status__c) = 'sent'",
    );
    assert_eq!(rows[0]["Status__c"], "Sent");
    let rows =
        page(&database, "SELECT Status__c, toLabel(Status__c) shown FROM Invoice__c ORDER BY toLabel(Status__c)");
    assert_eq!((&rows[0]["Status__c"], &rows[0]["shown"]), (&json!("Sent"), &json!("Sent")));
    assert_eq!(failure("SELECT Status__c, toLabel(Status__c) FROM Invoice__c").0, "INVALID_FIELD");
    assert_eq!(failure("SELECT toLabel(Amount__c) FROM Invoice__c").0, "INVALID_FIELD");
}

#[test]
fn formatted_values_have_names_of_their_own() {
    let database = small_org();
    let rows = page(
        &database,
        "SELECT AnnualRevenue, FORMAT(AnnualRevenue) shown, FORMAT(CreatedDate) at, FORMAT(NumberOfEmployees) \
         FROM Account WHERE Name = 'Acme'",
    );
    assert_eq!((&rows[0]["AnnualRevenue"], &rows[0]["shown"]), (&json!(50_000), &json!("$50,000")));
    assert_eq!((&rows[0]["at"], &rows[0]["NumberOfEmployees"]), (&json!("11/21/2026, 10:00 AM"), &json!("12")));
}

/// The small org with three currencies: one euro is two dollars or a hundred yen.
fn currencies() -> Database {
    let mut database = small_org();
    let codes = ["EUR", "USD", "JPY"].map(str::to_owned);
    database.enable_currencies(&catalog::currency_type(), &codes, "EUR").unwrap();
    for (code, rate) in [("EUR", "1"), ("USD", "2"), ("JPY", "100")] {
        let currency =
            json!({"IsoCode": code, "ConversionRate": rate, "DecimalPlaces": 2, "IsCorporate": code == "EUR"});
        insert(&mut database, "CurrencyType", currency);
    }
    let author = Author { user: user(), at: at(NOW), access: &FullAccess };
    database.update(user(), &record(json!({"DefaultCurrencyIsoCode": "USD"})), &author).unwrap();
    for (text, code, amount) in [("a", "EUR", 10), ("b", "USD", 30), ("c", "JPY", 500)] {
        let invoice = json!({"Text__c": text, "CurrencyIsoCode": code, "Amount__c": amount});
        insert(&mut database, "Invoice__c", invoice);
    }
    database
}

#[test]
fn amounts_are_converted_and_compared_across_currencies() {
    let database = currencies();
    let snapshot = database.snapshot();
    let rows = |query: &str| {
        let plan = Plan::compile_as(query, &asked(&snapshot)).unwrap_or_else(|error| panic!("{query}: {error}"));
        records(&Arc::new(plan).execute(snapshot.clone()), Cut { rows: 100, child_rows: 100 }).0
    };
    let shown = rows(
        "SELECT Amount__c, convertCurrency(Amount__c) mine, FORMAT(convertCurrency(Amount__c)) shown FROM Invoice__c",
    );
    let mine: Vec<f64> = shown.iter().map(|row| row["mine"].as_f64().unwrap()).collect();
    assert_eq!(mine, [20.0, 30.0, 10.0]);
    assert_eq!(shown[2]["shown"], "USD 10.00");
    let texts = |condition: &str| -> Vec<Json> {
        let found = rows(&format!("SELECT Text__c FROM Invoice__c WHERE {condition}"));
        found.into_iter().map(|row| row["Text__c"].clone()).collect()
    };
    assert_eq!(texts("Amount__c > USD15"), ["a", "b"]);
    assert_eq!(texts("Amount__c = eur15.00"), ["b"]);
    assert_eq!(texts("Amount__c >= JPY1000"), ["a", "b"]);
    assert_eq!(rows("SELECT SUM(Amount__c) total FROM Invoice__c")[0]["total"], 30.0);
    let error = Plan::compile_as("SELECT Id FROM Invoice__c WHERE Amount__c > XYZ5", &asked(&snapshot)).unwrap_err();
    assert!(error.message.ends_with("invalid currency: XYZ"), "{}", error.message);
}
