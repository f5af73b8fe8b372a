//! Where the bytes of a body lie while it arrives, and until it is answered.

use std::io;
use std::ops::Deref;

use memmap2::{MmapMut, MmapOptions};

/// Bodies up to this size lie on the heap.
const SMALL_BYTES: usize = 16 << 10;

/// The bytes of a body that have come.
///
/// Those of a larger body lie in a mapping of their own, as long as the body may become. The system
/// gives it a page when the first byte of the page comes, and has all pages back as soon as the body is
/// dropped. On the heap a body would be moved as it grows, and the room of those that were moved or
/// dropped would stay with the process for as long as anything behind it is in use.
pub(super) enum BodyBytes {
    Small(Vec<u8>),
    Mapped { map: MmapMut, length: usize },
}

impl BodyBytes {
    pub(super) fn new() -> Self {
        Self::Small(Vec::new())
    }

    /// Adds a part of a body that has at most `bytes_max` bytes.
    ///
    /// # Errors
    /// When the system has no memory to give, or the body is longer than that.
    pub(super) fn add(&mut self, part: &[u8], bytes_max: usize) -> io::Result<()> {
        if let Self::Small(bytes) = self {
            if bytes.len() + part.len() <= SMALL_BYTES {
                bytes.extend_from_slice(part);
                return Ok(());
            }
            let mut map = mapping(bytes_max)?;
            put(&mut map, 0, bytes)?;
            let length = bytes.len();
            *self = Self::Mapped { map, length };
        }
        if let Self::Mapped { map, length } = self {
            put(map, *length, part)?;
            *length += part.len();
        }
        Ok(())
    }
}

/// Memory without pages yet.
fn mapping(bytes: usize) -> io::Result<MmapMut> {
    let map = MmapOptions::new()
        .len(bytes)
        // Most of it is never used.
        .no_reserve_swap()
        .map_anon()?;
    // A first byte would take 2 MiB. A system without huge pages does not know the advice.
    #[cfg(target_os = "linux")]
    let _ = map.advise(memmap2::Advice::NoHugePage);
    Ok(map)
}

fn put(map: &mut MmapMut, place: usize, part: &[u8]) -> io::Result<()> {
    let room = map.get_mut(place..place + part.len());
    let too_long = || io::Error::new(io::ErrorKind::FileTooLarge, "longer than it may become");
    room.ok_or_else(too_long)?.copy_from_slice(part);
    Ok(())
}

impl Deref for BodyBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Small(bytes) => bytes,
            // A part is in the mapping before the length says so.
            Self::Mapped { map, length } => map.get(..*length).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_as_they_came_wherever_they_lie() {
        for parts in [
            &[0, 1, 100][..],
            &[SMALL_BYTES],
            &[SMALL_BYTES, 1],
            &[SMALL_BYTES + 1],
            &[10_000, 10_000, 1, 70_000],
        ] {
            let all: usize = parts.iter().sum();
            let whole: Vec<u8> = (0..all).map(|place| (place % 251) as u8).collect();
            let mut bytes = BodyBytes::new();
            let mut rest = whole.as_slice();
            for part in parts {
                let (part, behind) = rest.split_at(*part);
                bytes.add(part, all).unwrap();
                rest = behind;
            }
            assert_eq!(&*bytes, whole.as_slice());
            let mapped = matches!(bytes, BodyBytes::Mapped { .. });
            assert_eq!(mapped, all > SMALL_BYTES);
            assert!(!mapped || bytes.add(b"x", all).is_err());
        }
    }
}
