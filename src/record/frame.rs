//! Frames: bytes behind their length, as bodies have records, seals and statements (`docs/http.md`).

use std::ops::Range;

use super::codec::CodecError;

/// Bytes of the length before each frame.
const LENGTH_BYTES: usize = size_of::<u32>();

/// Appends bytes behind their length, a big-endian u32.
pub fn append_frame(bytes: &[u8], body: &mut Vec<u8>) {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the encodings of records and statements are limited to some KiB"
    )]
    let length = bytes.len() as u32;
    body.extend_from_slice(&length.to_be_bytes());
    body.extend_from_slice(bytes);
}

/// Where the frames of a body are, in order, without their lengths. One that reaches past the end is the
/// last that is told.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Frames<'a> {
    /// The frames of a body.
    pub fn of(body: &'a [u8]) -> Self {
        Self { body, at: 0 }
    }
}

impl Iterator for Frames<'_> {
    type Item = Result<Range<usize>, CodecError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.body.get(self.at..).filter(|rest| !rest.is_empty())?;
        let range = rest.split_first_chunk::<4>().and_then(|(length, behind)| {
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            let begin = self.at + LENGTH_BYTES;
            (length <= behind.len()).then(|| begin..begin + length)
        });
        let Some(range) = range else {
            self.at = self.body.len();
            let what = "a length reaches past the end of the body".to_owned();
            return Some(Err(CodecError::Malformed(what)));
        };
        self.at = range.end;
        Some(Ok(range))
    }
}
