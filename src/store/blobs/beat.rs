//! Signs of life, and the wish that another process leads. No safety rests on either: they say when
//! a fence is worth a try.

use super::commit::Session;
use super::{BlobError, Blobs, Patience, names};
use crate::store::{Bytes, StoreError};

/// The first line of a beat of this version.
const BEAT: &str = "arborlog beat 1";
/// The first line of a handover of this version.
const HANDOVER: &str = "arborlog handover 1";
/// Longest address that is believed, in bytes.
const ADDRESS_BYTES_MAX: usize = 500;

/// An object `beat/<session>`, which that session's process alone overwrites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// How many came before: another number is a sign of life.
    pub count: u64,
    /// Where the process is reached; empty if it did not say.
    pub address: String,
    /// Whether the process still leads.
    pub standing: Standing,
}

/// What a beat says of its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It leads.
    Leads,
    /// It commits nothing more: any other process may lead at once.
    Left,
    /// It commits nothing more, so that the process at this address leads.
    LeftTo(String),
}

impl Beat {
    /// Writes the beat of a session.
    ///
    /// # Errors
    /// [`BlobError`]; the next one is written all the same.
    pub async fn put(
        &self,
        blobs: &dyn Blobs,
        session: Session,
        patience: Patience,
    ) -> Result<(), BlobError> {
        let name = names::beat(session);
        let bytes = self.encode();
        patience
            .ask(&name, || blobs.put(&name, bytes.clone()))
            .await
    }

    /// The newest beat of a session; `None` if there is none that this software reads.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn get(
        blobs: &dyn Blobs,
        session: Session,
        patience: Patience,
    ) -> Result<Option<Self>, BlobError> {
        let name = names::beat(session);
        let bytes = patience.ask(&name, || blobs.get(&name, None)).await?;
        Ok(bytes.and_then(|bytes| Self::decode(&bytes)))
    }

    fn encode(&self) -> Bytes {
        let standing = match &self.standing {
            Standing::Leads => "leads".to_owned(),
            Standing::Left => "left".to_owned(),
            Standing::LeftTo(address) => format!("left to {address}"),
        };
        Bytes::from(format!(
            "{BEAT}\n{}\n{standing}\n{}\n",
            self.count, self.address
        ))
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut lines = lines_of(bytes, BEAT)?;
        let count = lines.next()?.parse().ok()?;
        let standing = match lines.next()? {
            "leads" => Standing::Leads,
            "left" => Standing::Left,
            other => Standing::LeftTo(address_of(other.strip_prefix("left to ")?)?),
        };
        let address = address_of(lines.next()?)?;
        Some(Self {
            count,
            address,
            standing,
        })
    }
}

/// The object `handover`: the wish that the process at an address leads. The last one counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// Tells one wish from another.
    pub nonce: Session,
    /// Who shall lead.
    pub to: String,
}

impl Handover {
    /// Wishes that the process at this address leads the log in a store.
    ///
    /// # Errors
    /// [`StoreError`], also when there is no log.
    pub async fn wish(blobs: &dyn Blobs, to: &str, patience: Patience) -> Result<(), StoreError> {
        let version = || blobs.get(names::VERSION, Some(0..1));
        if patience.ask(names::VERSION, version).await?.is_none() {
            return Err(StoreError::NoLog(blobs.address()));
        }
        let nonce = Session::draw()?;
        let bytes = Bytes::from(format!("{HANDOVER}\n{nonce}\n{to}\n"));
        let ask = || blobs.put(names::HANDOVER, bytes.clone());
        Ok(patience.ask(names::HANDOVER, ask).await?)
    }

    /// The newest wish, if there is one.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn get(blobs: &dyn Blobs, patience: Patience) -> Result<Option<Self>, BlobError> {
        let ask = || blobs.get(names::HANDOVER, None);
        let bytes = patience.ask(names::HANDOVER, ask).await?;
        Ok(bytes.and_then(|bytes| Self::decode(&bytes)))
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut lines = lines_of(bytes, HANDOVER)?;
        let mut nonce = [0; 16];
        hex::decode_to_slice(lines.next()?, &mut nonce).ok()?;
        let to = address_of(lines.next()?)?;
        Some(Self {
            nonce: Session::from_bytes(nonce),
            to,
        })
    }
}

/// The lines behind the first one, which must be this.
fn lines_of<'a>(bytes: &'a [u8], first: &str) -> Option<impl Iterator<Item = &'a str>> {
    let mut lines = std::str::from_utf8(bytes).ok()?.lines();
    (lines.next() == Some(first)).then_some(lines)
}

/// An address as headers and messages may show it.
fn address_of(text: &str) -> Option<String> {
    let good = text.len() <= ADDRESS_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    good.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_says_what_was_written() {
        for standing in [
            Standing::Leads,
            Standing::Left,
            Standing::LeftTo("http://b.example".to_owned()),
        ] {
            let beat = Beat {
                count: 7,
                address: "http://a.example:8080".to_owned(),
                standing,
            };
            assert_eq!(Beat::decode(&beat.encode()), Some(beat));
        }
    }

    #[test]
    fn bytes_that_are_no_beat_are_none() {
        for bytes in [
            "",
            "arborlog beat 2\n1\nleads\n\n",
            "arborlog beat 1\none\nleads\n\n",
            "arborlog beat 1\n1\nleft to \u{7f}\n\n",
            "arborlog beat 1\n1\nleads\na b\n",
        ] {
            assert_eq!(Beat::decode(bytes.as_bytes()), None, "{bytes:?}");
        }
    }
}
