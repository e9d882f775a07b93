//! What fuzz targets feed: readers of outside input, each by one narrow function. Not part of the interface.

use crate::jwt::{Certificate, Unverified};

/// Reads an assertion as the token endpoint does.
pub fn jwt(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Some(jwt) = Unverified::parse(&text) {
        let claims = jwt.claims();
        claims.is_expired(0);
        claims.audiences().for_each(drop);
    }
}

/// Reads the certificate of an app.
pub fn certificate(input: &[u8]) {
    let _ = Certificate::from_pem(&String::from_utf8_lossy(input));
}
