//! Who asks, when, by which version of the API, and what the org says about time and money.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Offset as _, TimeZone as _, Utc};

use super::RowScope;
use crate::database::Snapshot;
use crate::ids::RecordId;
use crate::schema::{Access, ObjectIndex, Schema};
use crate::table::{IdRange, Row};
use crate::value::{Date, Timestamp, Value};

/// The version that a question is asked by unless it says otherwise.
const NEWEST_VERSION: u16 = 68;

/// A question's surroundings.
#[derive(Clone)]
pub struct Asked<'a> {
    pub schema: &'a Schema,
    pub access: &'a dyn Access,
    pub scope: RowScope,
    pub now: Timestamp,
    /// Of the API: subqueries within subqueries came with 58.
    pub version: u16,
    /// Whose records `USING SCOPE mine` means.
    pub user: Option<RecordId>,
    pub calendar: Calendar,
    /// `None` while the org has one currency.
    pub currencies: Option<Arc<Currencies>>,
}

impl<'a> Asked<'a> {
    /// Asked by nobody in particular, in UTC, by the newest version.
    #[must_use]
    pub fn anonymously(schema: &'a Schema, access: &'a dyn Access, scope: RowScope, now: Timestamp) -> Self {
        let calendar = Calendar::default();
        Self { schema, access, scope, now, version: NEWEST_VERSION, user: None, calendar, currencies: None }
    }

    /// Asked by a user, whose time zone and currency the data tells.
    #[must_use]
    pub fn by(user: RecordId, snapshot: &'a Snapshot, access: &'a dyn Access, scope: RowScope, now: Timestamp) -> Self {
        let schema = snapshot.schema();
        Self {
            user: Some(user),
            calendar: Calendar::of(user, snapshot),
            currencies: Currencies::of(user, snapshot).map(Arc::new),
            ..Self::anonymously(schema, access, scope, now)
        }
    }

    /// The object of this name, if there is one for this user.
    pub(super) fn visible(&self, object: &str) -> Option<ObjectIndex> {
        let (index, object) = self.schema.find(object)?;
        self.access.reads(object).then_some(index)
    }
}

/// Where days and fiscal years begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    pub(super) zone: chrono_tz::Tz,
    /// 1 for January.
    pub(super) fiscal_month: u32,
    pub(super) week: Week,
}

/// The day with which a week begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Week {
    FromSunday,
    FromMonday,
}

/// Countries whose weeks begin on Sunday, of those with many users. Source: Unicode CLDR, `weekData`.
const SUNDAY_COUNTRIES: [&str; 16] =
    ["AU", "BR", "CA", "CO", "HK", "IL", "IN", "JP", "KR", "MX", "PH", "SG", "TH", "TW", "US", "ZA"];

impl Week {
    /// The week of a locale such as `de_DE`.
    fn of(locale: &str) -> Self {
        let country = locale.split('_').next_back().unwrap_or_default();
        if SUNDAY_COUNTRIES.contains(&country) { Self::FromSunday } else { Self::FromMonday }
    }
}

impl Default for Calendar {
    fn default() -> Self {
        Self { zone: chrono_tz::UTC, fiscal_month: 1, week: Week::FromSunday }
    }
}

impl Calendar {
    /// The zone of a user and the fiscal year of the org.
    fn of(user: RecordId, snapshot: &Snapshot) -> Self {
        let of_user = |field: &str| snapshot.row(user).and_then(|row| text(&row, field));
        let zone = of_user("TimeZoneSidKey").and_then(|zone| zone.parse().ok());
        let week = of_user("LocaleSidKey").map_or(Week::FromSunday, |locale| Week::of(&locale));
        let month = first_row(snapshot, "Organization").and_then(|row| number(&row, "FiscalYearStartMonth"));
        let fiscal_month = month.map_or(1, |month| month.clamp(1, 12) as u32);
        Self { zone: zone.unwrap_or(chrono_tz::UTC), fiscal_month, week }
    }

    /// The same fiscal year by days of UTC.
    pub(super) fn in_utc(self) -> Self {
        Self { zone: chrono_tz::UTC, ..self }
    }

    fn offset_ms(self, time: Timestamp) -> i64 {
        if self.zone == chrono_tz::UTC {
            return 0;
        }
        let time = DateTime::<Utc>::from(time).naive_utc();
        i64::from(self.zone.offset_from_utc_datetime(&time).fix().local_minus_utc()) * 1000
    }

    /// What a clock on a wall of this zone shows, as if it were UTC.
    pub(super) fn local(self, time: Timestamp) -> Timestamp {
        Timestamp(time.0.saturating_add(self.offset_ms(time)))
    }

    /// When a day begins in this zone.
    pub(super) fn start_of(self, day: Date) -> Timestamp {
        let midnight = day.start();
        let near = Timestamp(midnight.0 - self.offset_ms(midnight));
        Timestamp(midnight.0 - self.offset_ms(near))
    }
}

/// Currencies of an org that has several, by their codes, with what one unit of the corporate currency is in each.
#[derive(Clone, Debug, PartialEq)]
pub struct Currencies {
    rates: BTreeMap<String, f64>,
    /// The currency of the user who asks.
    pub(super) own: String,
    pub(super) corporate: String,
}

impl Currencies {
    fn of(user: RecordId, snapshot: &Snapshot) -> Option<Self> {
        let (types, _) = snapshot.schema().find("CurrencyType")?;
        let mut rates = BTreeMap::new();
        let mut corporate = None;
        for row in live_rows(snapshot, types) {
            let (Some(code), Some(rate)) = (text(&row, "IsoCode"), decimal(&row, "ConversionRate")) else { continue };
            let is_corporate = row.object().find("IsCorporate").map(|(field, _)| row.value(field));
            if is_corporate == Some(Value::Bool(true)) {
                corporate = Some(code.clone());
            }
            rates.insert(code, rate);
        }
        let own = snapshot.row(user).and_then(|row| text(&row, "DefaultCurrencyIsoCode"));
        let corporate = corporate?;
        let own = own.filter(|own| rates.contains_key(own)).unwrap_or_else(|| corporate.clone());
        Some(Self { rates, own, corporate })
    }

    pub(super) fn has(&self, code: &str) -> bool {
        self.rates.contains_key(code)
    }

    /// An amount of one currency in another; `None` for an unknown one.
    pub(super) fn convert(&self, amount: f64, from: &str, to: &str) -> Option<f64> {
        let (from, to) = (self.rates.get(from)?, self.rates.get(to)?);
        (*from != 0.0).then(|| amount / from * to)
    }
}

fn live_rows(snapshot: &Snapshot, object: ObjectIndex) -> impl Iterator<Item = Row<'_>> {
    snapshot.table(object).scan(IdRange::ALL).filter(|row| !row.is_deleted())
}

fn first_row<'a>(snapshot: &'a Snapshot, object: &str) -> Option<Row<'a>> {
    let (index, _) = snapshot.schema().find(object)?;
    live_rows(snapshot, index).next()
}

fn text(row: &Row<'_>, field: &str) -> Option<String> {
    let (field, _) = row.object().find(field)?;
    if let Value::Text(text) = row.value(field) { Some(text.into()) } else { None }
}

fn number(row: &Row<'_>, field: &str) -> Option<i64> {
    let (field, _) = row.object().find(field)?;
    if let Value::Int(number) = row.value(field) { Some(number) } else { None }
}

fn decimal(row: &Row<'_>, field: &str) -> Option<f64> {
    let (field, _) = row.object().find(field)?;
    match row.value(field) {
        Value::Decimal(number) => Some(number.to_f64()),
        Value::Int(number) => Some(number as f64),
        _ => None,
    }
}
