//! Keys that were checked, and tables for those that sign the most. The memory is bounded for any
//! number of keys.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::comb::{KnownKey, TableSize};
use super::key::{KeyError, PublicKey};

/// Number of keys in the cache. When one more comes, all are dropped, and checked again on use.
const KEYS_MAX: usize = 65_536;

/// Which keys get a table of a size, and how many: 40 MiB of large ones and 64 MiB of small ones.
struct Tier {
    /// The size of the tier's tables.
    size: TableSize,
    /// Number of keys that have a table of this size at most.
    tables_max: usize,
    /// Number of signatures from which on a key is worth a table: making one takes as long as half
    /// as many checks.
    signatures_min: u32,
}

const TIERS: [Tier; 2] = [
    Tier {
        size: TableSize::Small,
        tables_max: 512,
        signatures_min: 32,
    },
    Tier {
        size: TableSize::Large,
        tables_max: 64,
        signatures_min: 256,
    },
];

/// A full tier evicts its coldest key only for one more than twice as hot; otherwise keys in
/// rotation would rebuild tables forever.
const EVICTION_FACTOR: u32 = 2;
/// Number of signatures of all keys after which every key's count is halved: old ones weigh less.
const COUNTS_HALVE: u32 = 1 << 20;

/// A cache of checked keys by their bytes, shared by threads.
#[derive(Debug, Default)]
pub struct KnownKeys(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The keys that were checked.
    keys: HashMap<PublicKey, Counted>,
    /// The keys with a table, by tier.
    tables: [Vec<PublicKey>; TIERS.len()],
    /// Number of signatures of all keys since counts were halved last.
    signatures: u32,
}

/// A key and how much it signs.
#[derive(Debug)]
struct Counted {
    /// The key, with its table if it has one.
    key: Arc<KnownKey>,
    /// Number of signatures, earlier ones halved with time.
    signatures: u32,
}

impl KnownKeys {
    /// A key, checked now or before, to check one signature with: each call counts as a signature.
    ///
    /// # Errors
    /// [`KeyError`] when it is no good key.
    pub fn get(&self, key: &PublicKey) -> Result<Arc<KnownKey>, KeyError> {
        let found = self.locked(|inner| inner.count(key));
        match found {
            Some((known, None)) => Ok(known),
            Some((known, Some(size))) => {
                // Not under the lock: other threads check signatures meanwhile.
                let tabled = Arc::new(known.with_table(size));
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
        // After a panic too: at worst a key has no table. That a key here was checked is not at
        // stake: only `KnownKey::new` makes one.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    /// Counts a signature. Gives the key if it is known, and the size of the table to make for it
    /// if it is due one.
    fn count(&mut self, key: &PublicKey) -> Option<(Arc<KnownKey>, Option<TableSize>)> {
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
        let has = known.table();
        // Only at multiples of the minimum: finding the coldest key of a tier visits all of its
        // keys.
        let mut tiers = TIERS.iter().zip(&mut self.tables).rev();
        let due = tiers.find_map(|(tier, tables)| {
            let worth = has < Some(tier.size)
                && signatures.is_multiple_of(tier.signatures_min)
                && try_make_room(&mut self.keys, tables, tier, signatures);
            worth.then_some(tier.size)
        });
        Some((known, due))
    }

    fn put_table(&mut self, key: &PublicKey, tabled: &Arc<KnownKey>) {
        // All keys may have been dropped meanwhile: then the table serves this one check.
        let Some(counted) = self.keys.get_mut(key) else {
            return;
        };
        let mut tiers = TIERS.iter().zip(&mut self.tables);
        let room = tiers
            .find(|(tier, _)| Some(tier.size) == tabled.table())
            .filter(|(tier, tables)| tables.len() < tier.tables_max);
        // Another thread may have been first, with this table or a larger one.
        if let Some((_, tables)) = room
            && counted.key.table() < tabled.table()
        {
            counted.key = Arc::clone(tabled);
            tables.push(*key);
            let smaller = TIERS.iter().zip(&mut self.tables);
            for (_, tables) in smaller.filter(|(tier, _)| Some(tier.size) < tabled.table()) {
                tables.retain(|other| other != key);
            }
        }
    }

    fn put(&mut self, key: PublicKey, known: &Arc<KnownKey>) {
        if self.keys.len() >= KEYS_MAX {
            self.keys.clear();
            self.tables = Default::default();
        }
        self.keys.entry(key).or_insert_with(|| Counted {
            key: Arc::clone(known),
            signatures: 1,
        });
    }
}

/// Whether a tier has room for the table of a key with this number of signatures. A full tier
/// evicts its coldest key if that one signed much less.
fn try_make_room(
    keys: &mut HashMap<PublicKey, Counted>,
    tables: &mut Vec<PublicKey>,
    tier: &Tier,
    signatures: u32,
) -> bool {
    if tables.len() < tier.tables_max {
        return true;
    }
    // A key with a table is in the map; one that were not counts nothing, and is evicted first.
    let count = |key: &PublicKey| keys.get(key).map_or(0, |counted| counted.signatures);
    let all = tables.iter().enumerate();
    let Some((least, place)) = all.map(|(place, key)| (count(key), place)).min() else {
        return false;
    };
    // No count is past COUNTS_HALVE: twice that is far below the type's end.
    if least * EVICTION_FACTOR >= signatures {
        return false;
    }
    let evicted = tables.swap_remove(place);
    // The key goes with its table; its next signature has it checked again.
    keys.remove(&evicted);
    true
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

    /// Number of keys with a table of a size, by the keys themselves and by the tier's list.
    fn tables(keys: &KnownKeys, size: TableSize) -> (usize, usize) {
        let inner = keys.0.lock().unwrap();
        let tabled = inner.keys.values();
        let tabled = tabled
            .filter(|counted| counted.key.table() == Some(size))
            .count();
        let mut tiers = TIERS.iter().zip(&inner.tables);
        let listed = tiers.find(|(tier, _)| tier.size == size).unwrap().1.len();
        (tabled, listed)
    }

    #[test]
    fn tables_go_to_those_that_sign_most_and_stay_few() {
        let [small, large] = &TIERS;
        let keys = KnownKeys::default();
        assert_eq!(sign(&keys, 0, small.signatures_min - 1).table(), None);
        assert_eq!(sign(&keys, 0, 1).table(), Some(TableSize::Small));
        assert_eq!(tables(&keys, TableSize::Small), (1, 1));
        let more = large.signatures_min - small.signatures_min;
        assert_eq!(sign(&keys, 0, more).table(), Some(TableSize::Large));
        assert_eq!(tables(&keys, TableSize::Small), (0, 0));
        for number in 1..large.tables_max as u32 {
            let key = sign(&keys, number, large.signatures_min);
            assert_eq!(key.table(), Some(TableSize::Large));
        }
        // Small ones for those that sign as much as they do; a large one for one that signs
        // much more.
        for number in 1000..1000 + small.tables_max as u32 {
            let key = sign(&keys, number, small.signatures_min);
            assert_eq!(key.table(), Some(TableSize::Small));
        }
        assert_eq!(sign(&keys, 5000, small.signatures_min).table(), None);
        let much = EVICTION_FACTOR * large.signatures_min;
        assert_eq!(sign(&keys, 1000, much).table(), Some(TableSize::Small));
        assert_eq!(
            sign(&keys, 1000, large.signatures_min).table(),
            Some(TableSize::Large)
        );
        assert_eq!(tables(&keys, TableSize::Large), (64, 64));
        let (tabled, listed) = tables(&keys, TableSize::Small);
        assert_eq!(tabled, listed);
        assert!(listed <= small.tables_max);
    }

    #[test]
    fn a_bad_key_is_never_known() {
        let keys = KnownKeys::default();
        let identity = PublicKey::from_bytes(std::array::from_fn(|place| u8::from(place == 0)));
        assert_eq!(keys.get(&identity).unwrap_err(), KeyError::SmallOrder);
        assert_eq!(keys.get(&identity).unwrap_err(), KeyError::SmallOrder);
    }
}
