//! Which type holds the values of two.

use sync::table::ColumnType;

/// The type that holds every value of both. Text holds everything.
pub(crate) fn wider(held: ColumnType, wanted: ColumnType) -> ColumnType {
    match (held, wanted) {
        (held, wanted) if held == wanted => held,
        (ColumnType::Integer, ColumnType::Decimal) | (ColumnType::Decimal, ColumnType::Integer) => ColumnType::Decimal,
        (ColumnType::Date, ColumnType::Timestamp) | (ColumnType::Timestamp, ColumnType::Date) => ColumnType::Timestamp,
        _ => ColumnType::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wider_type_holds_both_and_is_the_same_either_way() {
        use ColumnType::{Boolean, Date, Decimal, Integer, Json, Text, Time, Timestamp};
        let all = [Text, Boolean, Integer, Decimal, Date, Timestamp, Time, Json];
        for one in all {
            assert_eq!(wider(one, Text), Text);
            for other in all {
                let wide = wider(one, other);
                assert_eq!(wide, wider(other, one));
                assert_eq!(wide, wider(wide, one));
            }
        }
        assert_eq!(wider(Integer, Decimal), Decimal);
        assert_eq!(wider(Boolean, Integer), Text);
    }
}
