//! Keys that were checked, and tables for those that sign the most: bounded memory, whoever signs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::comb::KnownKey;
use super::key::{KeyError, PublicKey};

/// Keys that are kept; beyond, all are forgotten and checked again.
const KEYS_MAX: usize = 65_536;
/// Tables that are kept: 40 MiB together.
const TABLES_MAX: usize = 64;
/// A key with so many signatures is worth a table: making it takes as long as some 30 checks.
const TABLE_FROM: u32 = 64;
/// A table gives way to a key that signed so many times as much lately: tables made in turn for
/// all would cost more than they save.
const TABLE_GIVES_WAY: u32 = 2;
/// After so many signatures, what was signed before counts half.
const COUNTS_HALVE: u32 = 1 << 20;

/// Gives keys by their bytes. Shared by threads.
#[derive(Debug, Default)]
pub struct KnownKeys(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    keys: HashMap<PublicKey, Counted>,
    tables: Vec<PublicKey>,
    signatures: u32,
}

#[derive(Debug)]
struct Counted {
    key: Arc<KnownKey>,
    signatures: u32,
}

impl KnownKeys {
    /// A key, checked now or before, to check one signature with.
    ///
    /// # Errors
    /// [`KeyError`] when it is no good key.
    pub fn get(&self, key: &PublicKey) -> Result<Arc<KnownKey>, KeyError> {
        let found = self.locked(|inner| inner.count(key));
        match found {
            Some((known, false)) => Ok(known),
            Some((known, true)) => {
                // Not under the lock: others check meanwhile.
                let tabled = Arc::new(known.with_table());
                self.locked(|inner| inner.put_table(key, &tabled));
                Ok(tabled)
            }
            None => {
                let known = Arc::new(KnownKey::new(key)?);
                self.locked(|inner| inner.put(*key, &known));
                Ok(known)
            }
        }
    }

    fn locked<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    /// A key that is known, and whether it should have a table now.
    fn count(&mut self, key: &PublicKey) -> Option<(Arc<KnownKey>, bool)> {
        self.signatures += 1;
        if self.signatures >= COUNTS_HALVE {
            self.signatures = 0;
            for counted in self.keys.values_mut() {
                counted.signatures /= 2;
            }
        }
        let counted = self.keys.get_mut(key)?;
        counted.signatures += 1;
        let signatures = counted.signatures;
        let known = Arc::clone(&counted.key);
        // Asked for now and then only: whether others make way takes a look at all of them.
        let due = !known.has_table() && signatures.is_multiple_of(TABLE_FROM);
        let worth = due && self.makes_way(signatures);
        Some((known, worth))
    }

    /// Whether there is room for a table of a key with so many signatures; makes it if another
    /// signed much less.
    fn makes_way(&mut self, signatures: u32) -> bool {
        if self.tables.len() < TABLES_MAX {
            return true;
        }
        let count = |key: &PublicKey| self.keys.get(key).map_or(0, |it| it.signatures);
        let least = self
            .tables
            .iter()
            .enumerate()
            .map(|(place, key)| (count(key), place))
            .min();
        let Some((least, place)) = least else {
            return false;
        };
        if least.saturating_mul(TABLE_GIVES_WAY) >= signatures {
            return false;
        }
        let loser = self.tables.swap_remove(place);
        // Without its table it is checked again, should it come back.
        self.keys.remove(&loser);
        true
    }

    fn put_table(&mut self, key: &PublicKey, tabled: &Arc<KnownKey>) {
        // Another thread may have been first, or all were forgotten meanwhile.
        if let Some(counted) = self.keys.get_mut(key)
            && !counted.key.has_table()
            && self.tables.len() < TABLES_MAX
        {
            counted.key = Arc::clone(tabled);
            self.tables.push(*key);
        }
    }

    fn put(&mut self, key: PublicKey, known: &Arc<KnownKey>) {
        if self.keys.len() >= KEYS_MAX {
            self.keys.clear();
            self.tables.clear();
        }
        self.keys.entry(key).or_insert_with(|| Counted {
            key: Arc::clone(known),
            signatures: 1,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SigningKey;

    fn key(number: u32) -> PublicKey {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        SigningKey::from_seed(&seed).public()
    }

    fn sign(keys: &KnownKeys, number: u32, times: u32) -> Arc<KnownKey> {
        let key = key(number);
        for _ in 1..times {
            keys.get(&key).unwrap();
        }
        keys.get(&key).unwrap()
    }

    #[test]
    fn tables_go_to_those_that_sign_most_and_stay_few() {
        let keys = KnownKeys::default();
        assert!(!sign(&keys, 0, TABLE_FROM - 1).has_table());
        assert!(sign(&keys, 0, 1).has_table());
        for number in 1..TABLES_MAX as u32 {
            assert!(sign(&keys, number, TABLE_FROM).has_table());
        }
        // No more for one that signs as much as they do; a table for one that signs much more.
        assert!(!sign(&keys, 1000, TABLE_FROM).has_table());
        assert!(sign(&keys, 1000, 2 * TABLE_FROM).has_table());
        let inner = keys.0.lock().unwrap();
        let tables = inner.keys.values().filter(|it| it.key.has_table()).count();
        assert_eq!((inner.tables.len(), tables), (TABLES_MAX, TABLES_MAX));
    }

    #[test]
    fn a_bad_key_is_never_known() {
        let keys = KnownKeys::default();
        let identity = PublicKey::from_bytes(std::array::from_fn(|place| u8::from(place == 0)));
        assert_eq!(keys.get(&identity).unwrap_err(), KeyError::SmallOrder);
        assert_eq!(keys.get(&identity).unwrap_err(), KeyError::SmallOrder);
    }
}
