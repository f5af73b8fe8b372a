//! A table of digests on disk: what it holds takes no memory, however much it is.
//!
//! A hash table of open addressing in one nameless file, and in another the values, those of equal
//! digests behind each other: they are taken in the order in which they were put in. A crash
//! leaves nothing of either.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::record::Digest;

/// What is kept with a digest: numbers, whose meaning is the caller's.
pub(super) type Value = [u64; VALUE_NUMBERS];

const VALUE_NUMBERS: usize = 11;

/// digest ‖ place of its first value + 1 ‖ place of its last value + 1
const SLOT_BYTES: usize = 48;
/// value ‖ place of the next value of the same digest + 1
const VALUE_BYTES: usize = (VALUE_NUMBERS + 1) * 8;
/// Slots that are read at a time.
const SLOTS_TOGETHER: usize = 8;

/// A multiset of digests with values.
pub(super) struct DigestTable {
    slots: File,
    slot_mask: u64,
    values: File,
    values_count: u64,
    /// How many values it has room for; the room doubles when it is full.
    values_max: u64,
    folder: PathBuf,
}

#[derive(Clone, Copy)]
struct Slot {
    digest: [u8; 32],
    /// 0 once all values were taken.
    first: u64,
    /// 0 where nothing was ever put.
    last: u64,
}

impl Slot {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (digest, rest) = bytes.split_first_chunk::<32>()?;
        let (first, rest) = rest.split_first_chunk::<8>()?;
        let (last, _) = rest.split_first_chunk::<8>()?;
        Some(Self {
            digest: *digest,
            first: u64::from_be_bytes(*first),
            last: u64::from_be_bytes(*last),
        })
    }

    fn bytes(&self) -> Vec<u8> {
        [
            self.digest.as_slice(),
            &self.first.to_be_bytes(),
            &self.last.to_be_bytes(),
        ]
        .concat()
    }
}

impl DigestTable {
    /// An empty table for some `room` values; its files are in `folder`, without names.
    pub(super) fn new(folder: &Path, room: u64) -> io::Result<Self> {
        let values_max = room.max(1);
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        // At most half full, so that a look is a read or two.
        let slot_count = values_max.max(SLOTS_TOGETHER as u64).next_power_of_two() * 2;
        let slots = tempfile::tempfile_in(folder)?;
        // As long as it will be; what was never written reads as empty slots and takes no room.
        write_at(&slots, &[0], slot_count * SLOT_BYTES as u64 - 1)?;
        Ok(Self {
            slots,
            slot_mask: slot_count - 1,
            values: tempfile::tempfile_in(folder)?,
            values_count: 0,
            values_max,
            folder: folder.to_owned(),
        })
    }

    /// Puts a value behind those that the digest has.
    pub(super) fn put(&mut self, digest: &Digest, value: Value) -> io::Result<()> {
        if self.values_count == self.values_max {
            self.grow()?;
        }
        let place = self.values_count;
        self.values_count += 1;
        let mut bytes = [0; VALUE_BYTES];
        let (numbers, _) = bytes.as_chunks_mut::<8>();
        for (chunk, number) in numbers.iter_mut().zip(value) {
            *chunk = number.to_be_bytes();
        }
        write_at(&self.values, &bytes, place * VALUE_BYTES as u64)?;
        let (at, slot) = self.find(digest)?;
        let last = place + 1;
        let slot = match slot {
            None => Slot {
                digest: *digest.as_bytes(),
                first: last,
                last,
            },
            Some(slot) if slot.first == 0 => Slot {
                first: last,
                last,
                ..slot
            },
            Some(slot) => {
                let next = slot.last * VALUE_BYTES as u64 - 8;
                write_at(&self.values, &last.to_be_bytes(), next)?;
                Slot { last, ..slot }
            }
        };
        self.write(at, &slot)
    }

    /// Twice the room, for all that was not taken out.
    fn grow(&mut self) -> io::Result<()> {
        let mut larger = Self::new(&self.folder, self.values_max.saturating_mul(2))?;
        self.for_each(|digest, value| larger.put(&digest, value))?;
        *self = larger;
        Ok(())
    }

    /// Takes the first value of a digest out, if there is one.
    pub(super) fn take(&mut self, digest: &Digest) -> io::Result<Option<Value>> {
        let (at, Some(slot)) = self.find(digest)? else {
            return Ok(None);
        };
        if slot.first == 0 {
            return Ok(None);
        }
        let (value, next) = self.value(slot.first)?;
        self.write(
            at,
            &Slot {
                first: next,
                ..slot
            },
        )?;
        Ok(Some(value))
    }

    /// The first value of a digest, which stays.
    pub(super) fn peek(&self, digest: &Digest) -> io::Result<Option<Value>> {
        match self.find(digest)? {
            (_, Some(slot)) if slot.first != 0 => Ok(Some(self.value(slot.first)?.0)),
            _ => Ok(None),
        }
    }

    /// Calls `each` with all values of a digest that were not taken out.
    pub(super) fn for_each_of(
        &self,
        digest: &Digest,
        mut each: impl FnMut(Value),
    ) -> io::Result<()> {
        let (_, slot) = self.find(digest)?;
        let mut next = slot.map_or(0, |slot| slot.first);
        while next != 0 {
            let (value, after) = self.value(next)?;
            each(value);
            next = after;
        }
        Ok(())
    }

    /// Calls `each` with all that was not taken out.
    pub(super) fn for_each(
        &self,
        mut each: impl FnMut(Digest, Value) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut bytes = vec![0; SLOT_BYTES * SLOTS_TOGETHER];
        for group in 0..=self.slot_mask / SLOTS_TOGETHER as u64 {
            let at = group * (SLOTS_TOGETHER * SLOT_BYTES) as u64;
            read_at(&self.slots, &mut bytes, at)?;
            for slot in bytes.chunks_exact(SLOT_BYTES).filter_map(Slot::read) {
                let mut next = slot.first;
                while next != 0 {
                    let (value, after) = self.value(next)?;
                    each(Digest::from_bytes(slot.digest), value)?;
                    next = after;
                }
            }
        }
        Ok(())
    }

    /// A value, and where the next of its digest is.
    fn value(&self, place: u64) -> io::Result<(Value, u64)> {
        let mut bytes = [0; VALUE_BYTES];
        read_at(&self.values, &mut bytes, (place - 1) * VALUE_BYTES as u64)?;
        let mut value = [0; VALUE_NUMBERS];
        let (chunks, _) = bytes.as_chunks::<8>();
        let mut numbers = chunks.iter().map(|chunk| u64::from_be_bytes(*chunk));
        value.fill_with(|| numbers.next().unwrap_or_default());
        Ok((value, numbers.next().unwrap_or_default()))
    }

    /// The slot that a digest has, or would get.
    fn find(&self, digest: &Digest) -> io::Result<(u64, Option<Slot>)> {
        let [a, b, c, d, e, f, g, h, ..] = *digest.as_bytes();
        let hash = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let mut at = hash & self.slot_mask & !(SLOTS_TOGETHER as u64 - 1);
        let mut bytes = [0; SLOT_BYTES * SLOTS_TOGETHER];
        loop {
            read_at(&self.slots, &mut bytes, at * SLOT_BYTES as u64)?;
            let slots = bytes.chunks_exact(SLOT_BYTES).filter_map(Slot::read);
            for (place, slot) in (at..).zip(slots) {
                if slot.last == 0 {
                    return Ok((place, None));
                }
                if slot.digest == *digest.as_bytes() {
                    return Ok((place, Some(slot)));
                }
            }
            at = (at + SLOTS_TOGETHER as u64) & self.slot_mask;
        }
    }

    fn write(&self, at: u64, slot: &Slot) -> io::Result<()> {
        write_at(&self.slots, &slot.bytes(), at * SLOT_BYTES as u64)
    }
}

fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    file.read_exact_at(bytes, at)
}

fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    file.write_all_at(bytes, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: u64) -> Digest {
        use sha2::Digest as _;
        // Some share their first bytes, and so their first slot.
        let mut bytes: [u8; 32] = sha2::Sha256::digest(n.to_be_bytes()).into();
        if n.is_multiple_of(3) {
            bytes[..8].fill(0xff);
        }
        Digest::from_bytes(bytes)
    }

    fn value(n: u64, nth: u64) -> Value {
        [n, nth, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    }

    #[test]
    fn each_value_is_taken_once_equal_digests_in_the_order_they_came() {
        let temp = tempfile::tempdir().unwrap();
        let mut table = DigestTable::new(temp.path(), 4000).unwrap();
        for n in 0..1000 {
            for nth in 0..=n % 5 {
                table.put(&digest(n), value(n, nth)).unwrap();
            }
        }
        assert_eq!(table.take(&digest(5000)).unwrap(), None);
        for n in (0..1000).rev().filter(|n| n % 2 == 0) {
            assert_eq!(table.peek(&digest(n)).unwrap(), Some(value(n, 0)));
            for nth in 0..=n % 5 {
                assert_eq!(table.take(&digest(n)).unwrap(), Some(value(n, nth)));
            }
            assert_eq!(table.take(&digest(n)).unwrap(), None);
            table.put(&digest(n), value(n, 9)).unwrap();
            assert_eq!(table.take(&digest(n)).unwrap(), Some(value(n, 9)));
        }
        let mut left = Vec::new();
        table
            .for_each(|found, [n, nth, ..]| {
                assert_eq!(found, digest(n));
                left.push((n, nth));
                Ok(())
            })
            .unwrap();
        left.sort_unstable();
        let odd = (0..1000).filter(|n| n % 2 == 1);
        let expected: Vec<_> = odd
            .flat_map(|n| (0..=n % 5).map(move |nth| (n, nth)))
            .collect();
        assert_eq!(left, expected);
        assert_eq!(
            std::fs::read_dir(temp.path()).unwrap().count(),
            0,
            "nameless"
        );
    }

    #[test]
    fn a_full_table_grows_and_keeps_what_was_not_taken_out() {
        let temp = tempfile::tempdir().unwrap();
        let mut table = DigestTable::new(temp.path(), 0).unwrap();
        for n in 0..100 {
            table.put(&digest(n % 7), value(n, 0)).unwrap();
            if n % 10 == 0 {
                assert!(table.take(&digest(n % 7)).unwrap().is_some());
            }
        }
        let mut left = 0;
        while let Some([n, ..]) = table.take(&digest(3)).unwrap() {
            assert_eq!(n % 7, 3);
            left += 1;
        }
        assert_eq!(left, 14 - 2);
    }
}
