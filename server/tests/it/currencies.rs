//! Amounts of an org with several currencies, converted by its own rates.

use std::path::{Path, PathBuf};

use emulator::{Scenario, scenario::CurrencySpec};
use serde_json::json;

use crate::org::{Acme, rows};

const MAPPING: &str = r#"
object = "Opportunity"

[[columns]]
field = "Amount"
column = "amount"

[[columns]]
field = "CurrencyIsoCode"
column = "code"

[[columns]]
field = "Amount"
column = "eur"
currency = "EUR"

[[columns]]
field = "Amount"
column = "jpy"
currency = "JPY"
"#;

/// Millionths: how much of a currency one euro is.
const RATES: [(&str, i128); 4] = [("EUR", 1_000_000), ("USD", 1_084_200), ("JPY", 161_500_000), ("CHF", 937_500)];

/// An org with these rates, and its mapping in a file.
async fn org() -> (Acme, PathBuf) {
    let mut scenario = Scenario::builtin("acme").unwrap();
    let rate = |millionths: i128| format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    let rates = RATES[1..].iter().map(|(code, millionths)| ((*code).to_owned(), rate(*millionths))).collect();
    scenario.currencies = Some(CurrencySpec { corporate: "EUR".to_owned(), rates });
    for user in &mut scenario.users {
        "System Administrator".clone_into(&mut user.profile);
    }
    let org = Acme::of(scenario).await;
    org.connect().await;
    let mapping = org.directory.path().join("deals.toml");
    std::fs::write(&mapping, MAPPING).unwrap();
    (org, mapping)
}

/// Adds a deal; `None`: without an amount.
fn deal(org: &Acme, code: &str, amount: Option<f64>) -> String {
    let deal = json!({
        "Name": "Probe", "StageName": "Prospecting", "CloseDate": "2026-12-31", "CurrencyIsoCode": code, "Amount": amount,
    });
    org.emulator.control().insert("Opportunity", deal).unwrap().to_string()
}

/// Hundredths of a decimal text.
fn hundredths(text: &str) -> i128 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    assert!(fraction.len() <= 2, "{text}");
    sign * format!("{whole}{fraction:0<2}").parse::<i128>().unwrap()
}

/// `amount / from * to`, rounded half away from zero.
fn exchanged(amount: i128, from: i128, to: i128) -> i128 {
    let (dividend, half) = (amount * to, if amount < 0 { -from / 2 } else { from / 2 });
    (dividend + half) / from
}

type Deal = (String, Option<String>, String, Option<String>, Option<String>);

fn deals(database: &Path) -> Vec<Deal> {
    let file = rusqlite::Connection::open(database).unwrap();
    let mut query = file.prepare("SELECT Id, amount, code, eur, jpy FROM Opportunity ORDER BY Id").unwrap();
    let deal = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?));
    query.query_map([], deal).unwrap().map(Result::unwrap).collect()
}

/// Every deal's amounts are what the rates say.
fn hold(deals: &[Deal], rates: &[(&str, i128)]) {
    let rate = |code: &str| rates.iter().find(|(known, _)| *known == code).unwrap().1;
    for (id, amount, code, eur, jpy) in deals {
        for (target, converted) in [("EUR", eur), ("JPY", jpy)] {
            let expected = amount.as_ref().map(|amount| exchanged(hundredths(amount), rate(code), rate(target)));
            let converted = converted.as_ref().map(|amount| hundredths(amount));
            assert_eq!(converted, expected, "{id}: {amount:?} {code} in {target}");
        }
    }
    for (code, _) in rates {
        assert!(deals.iter().any(|deal| deal.2 == *code && deal.1.is_some()), "there is an amount in {code}");
    }
}

#[tokio::test]
async fn amounts_are_converted_by_the_orgs_own_rates_the_same_over_both_wires_and_anew_when_a_rate_changes() {
    let (org, mapping) = org().await;
    for code in RATES.map(|(code, _)| code) {
        for amount in [None, Some(0.0), Some(0.01), Some(-12.34), Some(999_999_999.99)] {
            deal(&org, code, amount);
        }
    }
    let databases = ["rest", "bulk"].map(|read| (read, org.directory.path().join(format!("{read}.db"))));
    for (read, database) in &databases {
        let line =
            format!("import acme --mapping {} --read {read} --to sqlite:{}", mapping.display(), database.display());
        let imported = org.run(&line).await;
        assert_eq!(imported.code, 0, "{imported:?}");
        hold(&deals(database), &RATES);
    }
    assert_eq!(deals(&databases[0].1), deals(&databases[1].1));

    let control = org.emulator.control();
    let dollar = control.records("CurrencyType").into_iter().find(|record| record["IsoCode"] == "USD").unwrap();
    control.update(dollar["Id"].as_str().unwrap(), json!({"ConversionRate": 1.25})).unwrap();
    let synced = org.run("sync acme").await;
    assert_eq!(synced.code, 0, "{synced:?}");
    let changed = RATES.map(|(code, rate)| (code, if code == "USD" { 1_250_000 } else { rate }));
    databases.iter().for_each(|(_, database)| hold(&deals(database), &changed));
}

#[tokio::test]
async fn an_amount_in_a_currency_that_has_been_switched_off_is_kept_with_the_run_and_its_row_is_there() {
    let (org, mapping) = org().await;
    let id = deal(&org, "CHF", Some(5.5));
    let control = org.emulator.control();
    let franc = control.records("CurrencyType").into_iter().find(|record| record["IsoCode"] == "CHF").unwrap();
    control.update(franc["Id"].as_str().unwrap(), json!({"IsActive": false})).unwrap();
    let imported = org.run(&format!("import acme --mapping {} --json", mapping.display())).await;
    assert_eq!(imported.code, 0, "{imported:?}");
    let of_deal = format!("SELECT count(*) FROM Opportunity WHERE Id = '{id}' AND amount = '5.5' AND eur IS NULL");
    assert_eq!(rows(&org.data().join("acme.db"), &of_deal), 1);
    let run = org.run("runs acme --json").await.json()["runs"][0]["id"].as_str().unwrap().to_owned();
    let shown = org.run(&format!("runs show {run} --json")).await.json();
    assert!(shown["values"].to_string().contains("5.5 CHF"), "{shown}");
}
