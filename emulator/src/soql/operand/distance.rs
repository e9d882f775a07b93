//! `DISTANCE(field, GEOLOCATION(latitude, longitude), 'km')`
//!
//! Source: SOQL reference v66, "Location-Based SOQL Queries": great circles on a sphere (haversine).

use crate::database::Snapshot;
use crate::soql::path::BoundPath;
use crate::table::Row;
use crate::value::{Cell, Decimal};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::soql) enum DistanceUnit {
    Kilometres,
    Miles,
}

impl DistanceUnit {
    pub(in crate::soql) fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "km" => Some(Self::Kilometres),
            "mi" => Some(Self::Miles),
            _ => None,
        }
    }

    /// The mean radius of the earth.
    fn radius(self) -> f64 {
        match self {
            Self::Kilometres => 6_371.0,
            Self::Miles => 3_958.761,
        }
    }
}

/// How far a place of a row is from a fixed one.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::soql) struct Distance {
    pub latitude: BoundPath,
    pub longitude: BoundPath,
    /// Latitude and longitude in degrees.
    pub from: (f64, f64),
    pub unit: DistanceUnit,
}

/// Digits behind the point: millimetres are beyond what coordinates say.
const PLACES: u8 = 6;

impl Distance {
    pub(super) fn read(&self, row: &Row<'_>, snapshot: &Snapshot, scratch: &mut String) -> Cell<'static> {
        let latitude = super::number(self.latitude.read(row, snapshot, scratch));
        let longitude = super::number(self.longitude.read(row, snapshot, scratch));
        let Some(place) = latitude.zip(longitude) else { return Cell::Null };
        let distance = great_circle(self.from, place) * self.unit.radius();
        Decimal::from_f64(distance).map_or(Cell::Null, |distance| Cell::Decimal(distance.rounded(PLACES)))
    }
}

/// The angle between two places, in radians.
fn great_circle(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (a_latitude, b_latitude) = (a.0.to_radians(), b.0.to_radians());
    let half = |from: f64, to: f64| ((to - from) / 2.0).sin().powi(2);
    let chord =
        half(a_latitude, b_latitude) + a_latitude.cos() * b_latitude.cos() * half(a.1.to_radians(), b.1.to_radians());
    2.0 * chord.sqrt().clamp(-1.0, 1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cities_are_as_far_apart_as_they_are() {
        let (berlin, munich) = ((52.52, 13.405), (48.1371, 11.5754));
        let angle = great_circle(berlin, munich);
        assert!((angle * DistanceUnit::Kilometres.radius() - 504.0).abs() < 2.0, "{angle}");
        assert!((angle * DistanceUnit::Miles.radius() - 313.5).abs() < 1.5, "{angle}");
        assert!(great_circle(berlin, berlin).abs() < 1e-9);
    }
}
