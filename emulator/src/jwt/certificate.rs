//! The certificate of a client app: only its RSA key counts.

use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Largest certificate that an app takes (Salesforce Help, "Create a Connected App", digital signatures).
const MAX_PEM_BYTES: usize = 4096;
const MIN_KEY_BITS: usize = 2048;

/// The object identifier `rsaEncryption`, 1.2.840.113549.1.1.1, as DER holds it.
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

mod tag {
    pub(super) const INTEGER: u8 = 0x02;
    pub(super) const BIT_STRING: u8 = 0x03;
    pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(super) const SEQUENCE: u8 = 0x30;
    pub(super) const VERSION: u8 = 0xa0;
}

/// Why an app cannot have a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CertificateError {
    #[error("it is not a certificate in PEM form")]
    NotCertificate,
    #[error("it is larger than 4 KB")]
    TooLarge,
    #[error("its key is not an RSA key")]
    NotRsa,
    #[error("its key is shorter than 2048 bits")]
    ShortKey,
}

/// The RSA key of a certificate that an app registered.
///
/// The rest of the certificate is not looked at: it is registered itself, so no chain and no name vouches for it, and
/// orgs are not known to look at its dates. Certificates of X.509 version 1 are taken too: the commands in the guide
/// for Salesforce's own command line (`openssl req`, then `openssl x509 -req`) make them. That rules out webpki,
/// which reads version 3 only; so the key is found by a walk down to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl Certificate {
    /// Reads the first certificate of a PEM text.
    pub(crate) fn from_pem(pem: &str) -> Result<Self, CertificateError> {
        if pem.len() > MAX_PEM_BYTES {
            return Err(CertificateError::TooLarge);
        }
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| CertificateError::NotCertificate)?;
        Self::from_der(&der)
    }

    fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let (algorithm, key) = public_key(der).ok_or(CertificateError::NotCertificate)?;
        if algorithm != RSA_ENCRYPTION {
            return Err(CertificateError::NotRsa);
        }
        let (modulus, exponent) = rsa_key(key).ok_or(CertificateError::NotCertificate)?;
        if bits(modulus) < MIN_KEY_BITS {
            return Err(CertificateError::ShortKey);
        }
        Ok(Self { modulus: modulus.to_vec(), exponent: exponent.to_vec() })
    }

    /// Whether `signature` is the RS256 signature of `message` by this key.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = RsaPublicKeyComponents { n: &self.modulus, e: &self.exponent };
        key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
    }
}

/// Algorithm and key of a certificate's `SubjectPublicKeyInfo` (RFC 5280 §4.1).
fn public_key(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let certificate = Der(der).read(tag::SEQUENCE)?;
    let mut signed = Der(Der(certificate).read(tag::SEQUENCE)?);
    // Version 1 leaves the version out.
    signed.skip_optional(tag::VERSION)?;
    signed.read(tag::INTEGER)?;
    for _signature_issuer_validity_subject in 0..4 {
        signed.read(tag::SEQUENCE)?;
    }
    let mut info = Der(signed.read(tag::SEQUENCE)?);
    let algorithm = Der(info.read(tag::SEQUENCE)?).read(tag::OBJECT_IDENTIFIER)?;
    // The first byte of a bit string counts the unused bits of its last byte: none in a key.
    let key = info.read(tag::BIT_STRING)?.strip_prefix(&[0])?;
    Some((algorithm, key))
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017 §A.1.1), without the zero that keeps an integer positive.
fn rsa_key(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut key = Der(Der(der).read(tag::SEQUENCE)?);
    let mut positive = || {
        let integer = key.read(tag::INTEGER)?;
        Some(integer.strip_prefix(&[0]).unwrap_or(integer))
    };
    Some((positive()?, positive()?))
}

fn bits(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |first| first.leading_zeros() as usize);
    number.len() * 8 - unused
}

/// A DER value list that is read from its front.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The content of the next value, which must have this tag.
    fn read(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&found, rest) = self.0.split_first()?;
        if found != tag {
            return None;
        }
        let (length, rest) = length(rest)?;
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(content)
    }

    /// Goes past the next value when it has this tag; `None` when it has, and is cut off.
    fn skip_optional(&mut self, tag: u8) -> Option<()> {
        match self.0.first() {
            Some(&found) if found == tag => self.read(tag).map(drop),
            _ => Some(()),
        }
    }
}

/// A length of at most two bytes, which is enough for 4 KB, and what follows it.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [short, rest @ ..] if *short < 0x80 => Some((usize::from(*short), rest)),
        [0x81, length, rest @ ..] => Some((usize::from(*length), rest)),
        [0x82, high, low, rest @ ..] => Some((usize::from(u16::from_be_bytes([*high, *low])), rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VERSION_1: &str = include_str!("certificates/version1.pem");
    const VERSION_3: &str = include_str!("certificates/version3.pem");
    const OTHER: &str = include_str!("certificates/other.pem");
    const SHORT: &str = include_str!("certificates/short.pem");
    const ELLIPTIC: &str = include_str!("certificates/elliptic.pem");
    const KEY: &str = include_str!("emulated-key.pem");

    #[test]
    fn certificates_of_version_1_and_3_and_of_rcgen_hold_the_same_key() {
        let key = rcgen::KeyPair::from_pem(KEY).unwrap();
        let made = rcgen::CertificateParams::new(vec!["client.example".to_owned()]).unwrap().self_signed(&key).unwrap();
        let expected = Certificate::from_pem(VERSION_3).unwrap();
        assert_eq!(Certificate::from_pem(VERSION_1).unwrap(), expected);
        assert_eq!(Certificate::from_pem(&made.pem()).unwrap(), expected);
        assert_ne!(Certificate::from_pem(OTHER).unwrap(), expected);
    }

    #[test]
    fn text_around_the_certificate_is_passed_over() {
        let text = format!("subject=CN = client\r\n\r\n{}\n", VERSION_3.replace('\n', "\r\n"));
        assert!(Certificate::from_pem(&text).is_ok());
    }

    #[test]
    fn elliptic_curves_short_keys_and_large_files_are_refused() {
        let large = format!("{}{VERSION_3}", "#".repeat(4096));
        for (pem, error) in [
            (ELLIPTIC, CertificateError::NotRsa),
            (SHORT, CertificateError::ShortKey),
            (large.as_str(), CertificateError::TooLarge),
            (KEY, CertificateError::NotCertificate),
            ("", CertificateError::NotCertificate),
            ("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", CertificateError::NotCertificate),
        ] {
            assert_eq!(Certificate::from_pem(pem), Err(error), "{pem}");
        }
    }

    #[test]
    fn a_certificate_that_is_cut_anywhere_before_its_key_ends_is_refused() {
        let whole = CertificateDer::from_pem_slice(VERSION_3.as_bytes()).unwrap();
        for end in 0..whole.len() {
            assert!(Certificate::from_der(&whole[..end]).is_err(), "{end}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = Certificate::from_der(&bytes);
        }

        #[test]
        fn no_changed_byte_makes_it_panic(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut der = CertificateDer::from_pem_slice(VERSION_1.as_bytes()).unwrap().to_vec();
            let place = place.index(der.len());
            der[place] = byte;
            if let Ok(certificate) = Certificate::from_der(&der) {
                certificate.verifies(b"message", &[7; 256]);
            }
        }
    }
}
