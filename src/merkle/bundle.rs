//! Entry bundles: up to 256 entries, each behind its length as a big-endian `u16`
//! (c2sp.org/tlog-tiles, "Log entries").

/// The longest entry that a bundle's length prefix could carry.
pub const ENTRY_BYTES_MAX: usize = u16::MAX as usize;
/// Bytes of an entry's length prefix.
const LENGTH_BYTES: usize = size_of::<u16>();

/// Bytes that are not a bundle of the number of entries that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// An entry's length reaches past the end.
    #[error("the bundle is cut inside its entry {position}")]
    Cut {
        /// Which entry of the bundle.
        position: usize,
    },
    /// There are more or fewer entries.
    #[error("the bundle holds {found} entries, but {expected} belong there")]
    Count {
        /// Entries found.
        found: usize,
        /// Entries that its width asks for.
        expected: usize,
    },
}

/// The entries of a bundle, as slices of the bundle's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle<'a> {
    entries: Vec<&'a [u8]>,
}

impl<'a> Bundle<'a> {
    /// Reads exactly `width` entries, with nothing after them.
    ///
    /// # Errors
    /// [`BundleError`] says where the bytes end or how many entries there are.
    pub fn parse(bytes: &'a [u8], width: u16) -> Result<Self, BundleError> {
        let bundle = Self::parse_all(bytes)?;
        let (found, expected) = (bundle.entries.len(), usize::from(width));
        if found != expected {
            return Err(BundleError::Count { found, expected });
        }
        Ok(bundle)
    }

    /// Bytes that its first `width` entries take: where a partial bundle of that width ends.
    pub fn bytes_of_first(&self, width: u16) -> usize {
        let first = self.entries.iter().take(width.into());
        first.map(|entry| LENGTH_BYTES + entry.len()).sum()
    }

    /// Reads entries to the end of the bytes, however many there are.
    ///
    /// # Errors
    /// [`BundleError::Cut`].
    pub fn parse_all(bytes: &'a [u8]) -> Result<Self, BundleError> {
        let mut entries = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let cut = BundleError::Cut {
                position: entries.len(),
            };
            let (length, after) = rest.split_first_chunk::<LENGTH_BYTES>().ok_or(cut)?;
            let (entry, after) = after
                .split_at_checked(usize::from(u16::from_be_bytes(*length)))
                .ok_or(cut)?;
            entries.push(entry);
            rest = after;
        }
        Ok(Self { entries })
    }

    /// The entries, in order.
    pub fn entries(&self) -> &[&'a [u8]] {
        &self.entries
    }
}

impl Bundle<'_> {
    /// Appends `entry` behind its length. `None`, and nothing appended, if it is too long.
    pub fn append(bytes: &mut Vec<u8>, entry: &[u8]) -> Option<()> {
        let length = u16::try_from(entry.len()).ok()?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
        Some(())
    }
}
