//! Fields and functions of fields.

use super::Binder;
use crate::schema::{FieldIndex, FieldType};
use crate::soql::aggregate::AggregateFunction;
use crate::soql::asked::Calendar;
use crate::soql::operand::{DatePart, Distance, DistanceUnit, Function, Operand, labels};
use crate::soql::outcome::{QueryError, QueryErrorCode};
use crate::soql::path::{BoundPath, Leaf};
use crate::soql::syntax::{Call, Expression, Literal, LiteralKind};

impl Binder<'_> {
    pub(super) fn operand(&self, expression: &Expression) -> Result<Operand, QueryError> {
        match expression {
            Expression::Path(path) => self.scene.resolve(path).map(Operand::Path),
            Expression::Call(call) => self.function(call),
            Expression::Literal(literal) => Err(self.scene.malformed(literal.at, "a field or a function is expected")),
        }
    }

    fn function(&self, call: &Call) -> Result<Operand, QueryError> {
        let at = call.function.at;
        if let Some(part) = DatePart::named(&call.function.text) {
            return self.date_part(part, call);
        }
        match call.function.text.to_ascii_uppercase().as_str() {
            "TOLABEL" => self.to_label(call),
            "FORMAT" => self.format(call),
            "CONVERTCURRENCY" => self.convert_currency(call),
            "DISTANCE" => self.distance(call),
            "CONVERTTIMEZONE" => Err(self.scene.malformed(at, "convertTimezone() stands in a date function only")),
            "GROUPING" => Err(self.scene.malformed(at, "GROUPING() needs GROUP BY ROLLUP or GROUP BY CUBE")),
            name if AggregateFunction::named(name).is_some() => {
                Err(self.scene.malformed(at, &format!("the aggregate function {name}() is not allowed here")))
            }
            name => Err(self.scene.malformed(at, &format!("unknown function: {name}"))),
        }
    }

    /// The only argument of a function.
    pub(super) fn argument<'c>(&self, call: &'c Call) -> Result<&'c Expression, QueryError> {
        match call.arguments.as_slice() {
            [argument] => Ok(argument),
            _ => {
                let message = format!("{}() takes one argument", call.function.text);
                Err(self.scene.malformed(call.function.at, &message))
            }
        }
    }

    /// The only argument of a function, which has to be a field.
    pub(super) fn field_argument(&self, call: &Call) -> Result<BoundPath, QueryError> {
        match self.argument(call)? {
            Expression::Path(path) => self.scene.resolve(path),
            other => {
                let message = format!("{}() takes a field", call.function.text);
                Err(self.scene.malformed(other.at(), &message))
            }
        }
    }

    fn unfit(&self, call: &Call, kind: FieldType) -> QueryError {
        let message = format!("{}() does not take a field of type {}", call.function.text, kind.as_str());
        self.scene.error(QueryErrorCode::InvalidField, call.function.at, &message)
    }

    fn date_part(&self, part: DatePart, call: &Call) -> Result<Operand, QueryError> {
        let (of, calendar) = match self.argument(call)? {
            Expression::Call(inner) if inner.function.is("convertTimezone") => {
                let of = self.field_argument(inner)?;
                if of.kind != FieldType::DateTime {
                    return Err(self.unfit(inner, of.kind));
                }
                (of, self.scene.asked.calendar)
            }
            _ => (self.field_argument(call)?, self.scene.asked.calendar.in_utc()),
        };
        match of.kind {
            FieldType::DateTime => {}
            FieldType::Date if !part.needs_time() => {}
            kind => return Err(self.unfit(call, kind)),
        }
        Ok(Operand::of(Function::DatePart { part, of, calendar }))
    }

    fn to_label(&self, call: &Call) -> Result<Operand, QueryError> {
        let of = self.field_argument(call)?;
        if !of.kind.is_text() || of.kind == FieldType::EncryptedString {
            return Err(self.unfit(call, of.kind));
        }
        let labels = self.scene.leaf(&of).map(|field| labels(&field.picklist)).unwrap_or_default();
        Ok(Operand::of(Function::Label { of, labels }))
    }

    fn format(&self, call: &Call) -> Result<Operand, QueryError> {
        let of = match self.argument(call)? {
            Expression::Call(inner) if inner.function.is("convertCurrency") => self.convert_currency(inner)?,
            _ => Operand::Path(self.field_argument(call)?),
        };
        if !is_formatted(of.kind()) {
            return Err(self.unfit(call, of.kind()));
        }
        let scale = self.scene.leaf(of.path()).map_or(0, |field| field.scale);
        let currency = self.currency_beside(of.path());
        Ok(Operand::of(Function::Format { of, scale, currency, calendar: self.calendar() }))
    }

    pub(super) fn calendar(&self) -> Calendar {
        self.scene.asked.calendar
    }

    /// The field with the currency of the row that holds an amount.
    fn currency_beside(&self, amount: &BoundPath) -> Option<BoundPath> {
        let Leaf::Field { object, .. } = amount.leaf else { return None };
        let (field, found) = self.scene.asked.schema.object(object).find("CurrencyIsoCode")?;
        (amount.kind == FieldType::Currency).then(|| amount.beside(object, field, found.kind))
    }

    fn convert_currency(&self, call: &Call) -> Result<Operand, QueryError> {
        let of = self.field_argument(call)?;
        if of.kind != FieldType::Currency {
            return Err(self.unfit(call, of.kind));
        }
        let own = self.scene.asked.currencies.as_ref().map(|currencies| currencies.own.clone());
        Ok(match own {
            Some(own) => self.converted(of, &own),
            None => Operand::Path(of),
        })
    }

    /// An amount in one currency, whatever the row's; as it is where rows have none.
    pub(super) fn converted(&self, of: BoundPath, to: &str) -> Operand {
        match (&self.scene.asked.currencies, self.currency_beside(&of)) {
            (Some(currencies), Some(currency)) => {
                let scale = self.scene.leaf(&of).map_or(2, |field| field.scale);
                let currencies = std::sync::Arc::clone(currencies);
                Operand::of(Function::Convert { of, currency, currencies, to: to.to_owned(), scale })
            }
            _ => Operand::Path(of),
        }
    }

    fn distance(&self, call: &Call) -> Result<Operand, QueryError> {
        let at = call.function.at;
        let [a, b, Expression::Literal(Literal { kind: LiteralKind::Text(unit), at: unit_at })] = &*call.arguments
        else {
            return Err(self.scene.malformed(at, "DISTANCE() takes a location, a GEOLOCATION() and a unit"));
        };
        let Some(unit) = DistanceUnit::named(unit) else {
            return Err(self.scene.malformed(*unit_at, "the unit of a distance is 'mi' or 'km'"));
        };
        let (field, place) = match (a, b) {
            (Expression::Path(field), Expression::Call(place)) | (Expression::Call(place), Expression::Path(field)) => {
                (field, place)
            }
            _ => return Err(self.scene.malformed(at, "DISTANCE() takes a location and a GEOLOCATION()")),
        };
        let compound = self.scene.resolve(field)?;
        let [latitude, longitude] = self.coordinates(&compound).ok_or_else(|| self.unfit(call, compound.kind))?;
        let from = self.geolocation(place)?;
        Ok(Operand::of(Function::Distance(Distance { latitude, longitude, from, unit })))
    }

    /// Latitude and longitude of a location or an address.
    fn coordinates(&self, compound: &BoundPath) -> Option<[BoundPath; 2]> {
        let Leaf::Field { object, field } = compound.leaf else { return None };
        let declared = self.scene.asked.schema.object(object);
        let parts = declared.components(declared.field(field));
        let part = |key: &str| parts.iter().find(|(known, _)| *known == key).map(|(_, index)| *index);
        let beside = |index: FieldIndex| compound.beside(object, index, declared.field(index).kind);
        Some([beside(part("latitude")?), beside(part("longitude")?)])
    }

    fn geolocation(&self, call: &Call) -> Result<(f64, f64), QueryError> {
        let number = |argument: &Expression| match argument {
            Expression::Literal(Literal { kind: LiteralKind::Number(text), .. }) => text.parse::<f64>().ok(),
            _ => None,
        };
        let place = match call.arguments.as_slice() {
            [latitude, longitude] if call.function.is("GEOLOCATION") => number(latitude).zip(number(longitude)),
            _ => None,
        };
        place
            .filter(|(latitude, longitude)| latitude.abs() <= 90.0 && longitude.abs() <= 180.0)
            .ok_or_else(|| self.scene.malformed(call.function.at, "GEOLOCATION() takes a latitude and a longitude"))
    }

    /// A date function shows nothing of one row: it is for conditions and groups.
    pub(super) fn refuse_ungrouped(&self, operand: &Operand, written: &Expression) -> Result<(), QueryError> {
        match operand {
            Operand::Function(function) if matches!(**function, Function::DatePart { .. }) => {
                Err(self.must_be_grouped(written))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn must_be_grouped(&self, written: &Expression) -> QueryError {
        let message = format!("Field must be grouped or aggregated: {}", written.written());
        self.scene.malformed(written.at(), &message)
    }
}

/// What FORMAT() takes. Source: SOQL reference v66, FORMAT().
pub(super) fn is_formatted(kind: FieldType) -> bool {
    kind.is_number() || matches!(kind, FieldType::Date | FieldType::DateTime | FieldType::Time)
}
