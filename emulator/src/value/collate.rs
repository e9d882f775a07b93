//! How SOQL compares values: text without regard to case, numbers across types, ids by their characters.

use std::cmp::Ordering;

use super::{Cell, Decimal};

/// Whether text differs by case. Only unique fields marked as case-sensitive do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TextOrder {
    #[default]
    IgnoreCase,
    CaseSensitive,
}

/// The order of two texts without regard to case.
#[must_use]
pub fn order_text(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() {
        let fold = |text| <str>::bytes(text).map(|byte| byte.to_ascii_lowercase());
        return fold(a).cmp(fold(b));
    }
    let fold = |text| <str>::chars(text).flat_map(char::to_lowercase);
    fold(a).cmp(fold(b))
}

/// Whether two texts are the same without regard to case.
#[must_use]
pub fn equal_text(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || (!(a.is_ascii() && b.is_ascii()) && order_text(a, b) == Ordering::Equal)
}

impl Cell<'_> {
    /// The order of two values of one field. `None` where a null is involved or the types have no common order.
    #[must_use]
    pub fn order(self, other: Cell<'_>, text: TextOrder) -> Option<Ordering> {
        Some(match (self, other) {
            (Cell::Bool(a), Cell::Bool(b)) => a.cmp(&b),
            (Cell::Int(a), Cell::Int(b)) => a.cmp(&b),
            (Cell::Decimal(a), Cell::Decimal(b)) => a.cmp(&b),
            (Cell::Int(a), Cell::Decimal(b)) => Decimal::from(a).cmp(&b),
            (Cell::Decimal(a), Cell::Int(b)) => a.cmp(&Decimal::from(b)),
            (Cell::Text(a), Cell::Text(b)) => match text {
                TextOrder::IgnoreCase => order_text(a, b),
                TextOrder::CaseSensitive => a.cmp(b),
            },
            (Cell::Id(a), Cell::Id(b)) => a.cmp(&b),
            (Cell::Date(a), Cell::Date(b)) => a.cmp(&b),
            (Cell::DateTime(a), Cell::DateTime(b)) => a.cmp(&b),
            (Cell::Time(a), Cell::Time(b)) => a.cmp(&b),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_equal_whatever_its_case() {
        assert!(equal_text("ÄÖÜ straße", "äöü STRAßE"));
        assert!(equal_text("ACME", "acme"));
        assert!(!equal_text("acme", "acme "));
        assert_eq!(order_text("apple", "Banana"), Ordering::Less);
        assert_eq!(order_text("Zebra", "äpfel"), Ordering::Less);
    }

    #[test]
    fn integers_and_decimals_share_one_order() {
        let half = Cell::Decimal(Decimal::new(5, 1));
        assert_eq!(Cell::Int(0).order(half, TextOrder::IgnoreCase), Some(Ordering::Less));
        assert_eq!(Cell::Null.order(half, TextOrder::IgnoreCase), None);
    }
}
