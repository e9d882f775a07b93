//! Bytes as people and the store have them.

use ring::digest::{SHA256, digest};

/// Two lower-case digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of a text, in hex: how the store knows a secret of 256 random bits, which needs no salt and no slow hash.
pub(crate) fn sha256_hex(text: &str) -> String {
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}
