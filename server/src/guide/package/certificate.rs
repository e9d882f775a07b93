//! A certificate as the app takes it.

use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::PackageError;

/// Salesforce Help, "OAuth 2.0 JWT Bearer Flow": certificates of at most 4 KB.
const MAX_BYTES: usize = 4096;
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
/// `rsaEncryption`, 1.2.840.113549.1.1.1, in DER: the algorithm of the key (RFC 8017, appendix C).
const RSA_KEY: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// A certificate for the JWT bearer flow. Public by nature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    pem: String,
}

impl Certificate {
    /// Reads a PEM file.
    ///
    /// # Errors
    /// When it cannot be read, is no certificate, is not one of an RSA key, is too large, or holds a private key.
    pub fn read(path: &Path) -> Result<Self, PackageError> {
        let refuse = |reason: String| PackageError::Certificate { path: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        Self::from_pem(&text).map_err(|reason| refuse(reason.to_owned()))
    }

    /// The one certificate of a PEM text.
    ///
    /// # Errors
    /// What is wrong with it; never a part of it.
    pub fn from_pem(text: &str) -> Result<Self, &'static str> {
        if text.contains("PRIVATE KEY") {
            return Err("it holds a private key, which never leaves the machine that signs");
        }
        let (_, rest) = text.split_once(BEGIN).ok_or("it has no line BEGIN CERTIFICATE")?;
        let (body, rest) = rest.split_once(END).ok_or("it has no line END CERTIFICATE")?;
        if rest.contains(BEGIN) {
            return Err("it holds more than one certificate");
        }
        let body: String = body.split_whitespace().collect();
        let der = STANDARD.decode(&body).map_err(|_| "what stands between the lines is not base64")?;
        if der.first() != Some(&0x30) || !der.windows(RSA_KEY.len()).any(|window| window == RSA_KEY) {
            return Err("it is no certificate of an RSA key, and Salesforce takes no other");
        }
        let lines: Vec<&str> = body.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        let pem = format!("{BEGIN}\n{}\n{END}", lines.join("\n"));
        if pem.len() > MAX_BYTES {
            return Err("it is larger than 4 KB");
        }
        Ok(Self { pem })
    }

    /// As a file has it, without a last line break.
    pub fn pem(&self) -> &str {
        &self.pem
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RSA: &str = include_str!("../../../../emulator/tests/it/keys/client.crt.pem");

    #[test]
    fn a_certificate_is_taken_without_what_stands_around_it() {
        let certificate = Certificate::from_pem(&format!("subject=CN\r\n{}", RSA.replace('\n', "\r\n"))).unwrap();
        assert_eq!(certificate.pem(), RSA.trim());
    }

    #[test]
    fn what_salesforce_would_refuse_is_refused_here() {
        let key = "-----BEGIN PRIVATE KEY-----\nSENTINEL\n-----END PRIVATE KEY-----\n";
        let curve = format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode([0x30, 0x03, 0x06, 0x01, 0x01]));
        let large = format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode([&[0x30][..], RSA_KEY, &[0; 4096]].concat()));
        for text in ["", BEGIN, "x", key, &format!("{RSA}{key}"), &format!("{RSA}{RSA}"), &curve, &large] {
            let refused = Certificate::from_pem(text).unwrap_err();
            assert!(!refused.contains("SENTINEL"), "{refused}");
        }
    }
}
