//! The keyring: seals what is secret or personal before it is stored.
//!
//! A sealed record is version (1 byte) ‖ key id (4 bytes, big endian) ‖ nonce (24 bytes) ‖ ciphertext and tag, by
//! XChaCha20-Poly1305 (`draft-irtf-cfrg-xchacha-03`). Version, key id and the place in the store are authenticated with
//! it, so a record that is moved to another row, column or table does not open. The newest key seals; the key whose id
//! a record carries opens it; [`Vault::reseal`] moves a record to the newest key while everything runs.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{PoisonError, RwLock, RwLockReadGuard},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use zeroize::Zeroizing;

pub mod source;

const RECORD_VERSION: u8 = 1;
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const HEAD_BYTES: usize = 1 + 4 + NONCE_BYTES;

/// Where in the store a record stands.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub table: &'a str,
    pub row: &'a str,
    pub column: &'a str,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{} of {}", self.table, self.column, self.row)
    }
}

/// Why a record does not open, or a keyring cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    #[error("{place} is sealed with key {key}, which the keyring does not hold")]
    UnknownKey { place: String, key: u32 },
    #[error("{place} does not open with key {key}: it was changed, moved, or sealed with another key of that number")]
    Tampered { place: String, key: u32 },
    #[error("{place} is not a sealed record that this version reads")]
    Unreadable { place: String },
    #[error("line {line} of the keyring is wrong: {reason}")]
    Keyring { line: usize, reason: &'static str },
    #[error("the keyring holds no key")]
    Empty,
}

impl VaultError {
    /// What a person does about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::UnknownKey { .. } => {
                "give the keyring that this store was used with before; if it is lost, connect again"
            }
            Self::Tampered { .. } | Self::Unreadable { .. } => {
                "give the keyring that belongs to this store, or restore the store from a backup; failing both, connect \
                 again"
            }
            Self::Keyring { .. } | Self::Empty => {
                "a keyring has one line a key: a number, a space, and 32 random bytes in base64, such as `1 \
                 $(openssl rand -base64 32)`"
            }
        }
    }
}

/// Where a keyring is read from, again whenever it may have changed. It may take as long as reading a file, or running a
/// program, takes.
pub trait KeyringSource: Send + Sync {
    /// The whole keyring.
    ///
    /// # Errors
    /// A sentence for people; it must not contain a key.
    fn read(&self) -> Result<Zeroizing<String>, String>;

    /// What changes when the keyring does, if that can be told cheaply.
    fn stamp(&self) -> Option<Stamp>;
}

/// The state of a file: its last change, length and identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(pub i128, pub u64, pub u64);

/// Seals and opens. A key that is added to the keyring while this runs is noticed: a file is looked at before each
/// sealing, and any keyring is read again when a record carries a key that is not known.
pub struct Vault {
    ring: RwLock<Ring>,
    source: Option<Box<dyn KeyringSource>>,
}

/// The keys, by id. The highest id is the newest key.
struct Ring {
    keys: BTreeMap<u32, XChaCha20Poly1305>,
    newest: u32,
    /// That of the source when it was read.
    stamp: Option<Stamp>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Vault").field("keys", &self.keys()).finish()
    }
}

impl Vault {
    /// Reads a keyring: a line (or an entry between commas) a key, number and base64 of 32 bytes; `#` begins a
    /// comment.
    pub fn from_keyring(text: &str) -> Result<Self, VaultError> {
        Ok(Self { ring: RwLock::new(Ring::read(text)?), source: None })
    }

    /// A vault whose keyring is read from `source`, again whenever it may have changed.
    ///
    /// # Errors
    /// The source cannot be read, or holds no keyring.
    pub fn of_source(source: Box<dyn KeyringSource>) -> Result<Self, String> {
        let stamp = source.stamp();
        let ring = Ring::read(&source.read()?).map_err(|error| error.to_string())?;
        Ok(Self { ring: RwLock::new(Ring { stamp, ..ring }), source: Some(source) })
    }

    /// The numbers of all keys.
    pub fn keys(&self) -> Vec<u32> {
        self.ring().keys.keys().copied().collect()
    }

    /// The number of the key that seals.
    pub fn newest(&self) -> u32 {
        self.ring().newest
    }

    /// Reads the keyring again. One that cannot be read now leaves the keys as they were.
    pub fn reload(&self) {
        let Some(source) = &self.source else { return };
        let stamp = source.stamp();
        let read = source.read().and_then(|text| Ring::read(&text).map_err(|error| error.to_string()));
        match read {
            Ok(ring) => *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Ring { stamp, ..ring },
            Err(reason) => tracing::warn!(reason, "the keyring cannot be read again; the keys stay as they were"),
        }
    }

    fn reload_if_changed(&self) {
        let Some(stamp) = self.source.as_ref().and_then(|source| source.stamp()) else { return };
        if self.ring().stamp != Some(stamp) {
            self.reload();
        }
    }

    fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A keyring with one fresh key.
    pub fn fresh_keyring() -> Zeroizing<String> {
        Self::fresh_line(1)
    }

    /// A line of a keyring with a fresh key of that number.
    pub fn fresh_line(number: u32) -> Zeroizing<String> {
        let mut key = Zeroizing::new([0_u8; KEY_BYTES]);
        getrandom::fill(&mut *key).expect("the system gives random bytes");
        let encoded = Zeroizing::new(STANDARD.encode(*key));
        Zeroizing::new(format!("{number} {}\n", *encoded))
    }

    /// Seals `plain` for its place with the newest key.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Vec<u8> {
        self.reload_if_changed();
        let ring = self.ring();
        let mut nonce = [0_u8; NONCE_BYTES];
        getrandom::fill(&mut nonce).expect("the system gives random bytes");
        let cipher = ring.keys.get(&ring.newest).expect("the newest key is one of the keys");
        let payload = Payload { msg: plain, aad: &associated_data(ring.newest, place) };
        let sealed = cipher.encrypt(&XNonce::from(nonce), payload).expect("a record is far below the cipher's limit");
        let mut record = Vec::with_capacity(HEAD_BYTES + sealed.len());
        record.push(RECORD_VERSION);
        record.extend_from_slice(&ring.newest.to_be_bytes());
        record.extend_from_slice(&nonce);
        record.extend_from_slice(&sealed);
        record
    }

    /// Opens a record that was sealed for `place`.
    pub fn open(&self, place: Place<'_>, record: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (key, nonce, sealed) = parts(place, record)?;
        if !self.ring().keys.contains_key(&key) {
            self.reload();
        }
        let ring = self.ring();
        let cipher = ring.keys.get(&key).ok_or_else(|| VaultError::UnknownKey { place: place.to_string(), key })?;
        let payload = Payload { msg: sealed, aad: &associated_data(key, place) };
        let plain = cipher
            .decrypt(&XNonce::from(nonce), payload)
            .map_err(|_| VaultError::Tampered { place: place.to_string(), key })?;
        Ok(Zeroizing::new(plain))
    }

    /// Seals a record anew when an older key sealed it; `None` when it has the newest key already.
    pub fn reseal(&self, place: Place<'_>, record: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        let (key, ..) = parts(place, record)?;
        if key == self.newest() {
            return Ok(None);
        }
        Ok(Some(self.seal(place, &self.open(place, record)?)))
    }
}

impl Ring {
    fn read(text: &str) -> Result<Self, VaultError> {
        let mut keys = BTreeMap::new();
        let entries = text.lines().zip(1..).flat_map(|(line, number)| line.split(',').map(move |part| (part, number)));
        for (entry, line) in entries {
            let entry = entry.trim();
            if entry.is_empty() || entry.starts_with('#') {
                continue;
            }
            let wrong = |reason| VaultError::Keyring { line, reason };
            let (id, key) = entry.split_once(' ').ok_or_else(|| wrong("a number, a space and a key are expected"))?;
            let id = id.parse().map_err(|_| wrong("the key's number is not a number"))?;
            let key = Zeroizing::new(STANDARD.decode(key.trim()).map_err(|_| wrong("the key is not base64"))?);
            let key: &Key = (&**key).try_into().map_err(|_| wrong("the key is not 32 bytes long"))?;
            if keys.insert(id, XChaCha20Poly1305::new(key)).is_some() {
                return Err(wrong("the key's number stands twice"));
            }
        }
        let newest = *keys.keys().next_back().ok_or(VaultError::Empty)?;
        Ok(Self { keys, newest, stamp: None })
    }
}

fn parts<'a>(place: Place<'_>, record: &'a [u8]) -> Result<(u32, [u8; NONCE_BYTES], &'a [u8]), VaultError> {
    let unreadable = || VaultError::Unreadable { place: place.to_string() };
    let (version, rest) = record.split_first().ok_or_else(unreadable)?;
    let (key, rest) = rest.split_first_chunk::<4>().ok_or_else(unreadable)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(unreadable)?;
    if *version != RECORD_VERSION {
        return Err(unreadable());
    }
    Ok((u32::from_be_bytes(*key), *nonce, sealed))
}

/// Version, key and place, each with its length, so that no two places give the same bytes.
fn associated_data(key: u32, place: Place<'_>) -> Vec<u8> {
    let mut data = vec![RECORD_VERSION];
    data.extend_from_slice(&key.to_be_bytes());
    for part in [place.table, place.row, place.column] {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part.as_bytes());
    }
    data
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACE: Place<'static> = Place { table: "credentials", row: "con_1", column: "refresh_token" };

    fn vault() -> Vault {
        Vault::from_keyring(&Vault::fresh_keyring()).unwrap()
    }

    #[test]
    fn a_record_opens_in_its_place_and_in_no_other() {
        let vault = vault();
        let record = vault.seal(PLACE, b"secret");
        assert_eq!(&**vault.open(PLACE, &record).unwrap(), b"secret");
        for other in [
            Place { row: "con_2", ..PLACE },
            Place { column: "session", ..PLACE },
            Place { table: "rejected_values", ..PLACE },
            Place { row: "con_1r", column: "efresh_token", ..PLACE },
        ] {
            assert!(matches!(vault.open(other, &record), Err(VaultError::Tampered { key: 1, .. })), "{other}");
        }
    }

    #[test]
    fn a_record_of_an_unknown_key_names_the_key() {
        let record = Vault::from_keyring(&format!("7 {}", STANDARD.encode([7; 32]))).unwrap().seal(PLACE, b"x");
        assert_eq!(vault().open(PLACE, &record), Err(VaultError::UnknownKey { place: PLACE.to_string(), key: 7 }));
    }

    #[test]
    fn a_rotated_keyring_opens_old_records_and_reseals_them_once() {
        let old = format!("1 {}", STANDARD.encode([1; 32]));
        let record = Vault::from_keyring(&old).unwrap().seal(PLACE, b"secret");
        let rotated = Vault::from_keyring(&format!("# rotated\n{old}\n2 {}\n", STANDARD.encode([2; 32]))).unwrap();
        assert_eq!(&**rotated.open(PLACE, &record).unwrap(), b"secret");
        let resealed = rotated.reseal(PLACE, &record).unwrap().expect("an old key sealed it");
        assert_eq!(rotated.reseal(PLACE, &resealed).unwrap(), None);
        let only_new = Vault::from_keyring(&format!("2 {}", STANDARD.encode([2; 32]))).unwrap();
        assert_eq!(&**only_new.open(PLACE, &resealed).unwrap(), b"secret");
    }

    #[test]
    fn a_keyring_that_cannot_be_used_is_refused_with_its_line() {
        let short = STANDARD.encode([1; 31]);
        let good = STANDARD.encode([1; 32]);
        assert_eq!(Vault::from_keyring("\n# nothing\n").unwrap_err(), VaultError::Empty);
        for (text, line) in [
            (good.clone(), 1),
            (format!("# key\n1 {short}"), 2),
            ("1 not-base64!".to_owned(), 1),
            (format!("one {good}"), 1),
            (format!("1 {good}\n1 {good}"), 2),
        ] {
            let error = Vault::from_keyring(&text).unwrap_err();
            assert!(matches!(error, VaultError::Keyring { line: found, .. } if found == line), "{error:?}");
            assert!(!error.to_string().contains(&good), "{error}");
        }
    }

    #[test]
    fn the_same_secret_is_never_sealed_to_the_same_bytes() {
        let vault = vault();
        assert_ne!(vault.seal(PLACE, b"secret"), vault.seal(PLACE, b"secret"));
    }

    proptest! {
        #[test]
        fn every_flipped_bit_is_noticed(plain in proptest::collection::vec(any::<u8>(), 0..64), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let vault = vault();
            let mut record = vault.seal(PLACE, &plain);
            prop_assert_eq!(&**vault.open(PLACE, &record).unwrap(), &plain[..]);
            let at = at.index(record.len());
            record[at] ^= 1 << bit;
            prop_assert!(vault.open(PLACE, &record).is_err());
        }

        #[test]
        fn arbitrary_bytes_never_open_and_never_panic(record in proptest::collection::vec(any::<u8>(), 0..128)) {
            prop_assert!(vault().open(PLACE, &record).is_err());
        }
    }
}
