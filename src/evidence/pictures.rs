//! Photographs that are nearly the same: one that was made smaller, or saved again, stands for two things under two
//! digests. A hint, and no proof: trees of one row look alike, and who crops or turns a picture is not found.
//!
//! By a gradient hash (N. Krawetz, 2013, "dHash") of 16 × 16: whether each of 256 places of the small grey picture is
//! darker than the next one.

use std::io::Cursor;

use image::{ImageReader, Limits};
use image_hasher::{HashAlg, HasherConfig, ImageHash};

use super::{Files, shown};
use crate::audit::{EvidenceHeld, NamedFile, NamedFiles, PictureCounts};

/// The most pictures that are compared, each with each.
const PICTURES_MAX: usize = 50_000;
/// The longest file that is read as a picture.
const PICTURE_BYTES_MAX: usize = 64 << 20;
/// The most pixels on a side.
const SIDE_MAX: u32 = 20_000;
/// The most memory that a decoder may take: 100 million pixels.
const DECODER_BYTES_MAX: u64 = 400 << 20;
const HASH_SIDE: u32 = 16;
/// Pictures are alike if at most so many of the 256 places differ. Of two that have nothing to do with each other 128
/// do, give or take 8.
const DIFFERENT_MAX: u32 = 20;
/// A picture in which fewer places differ from the next is plain: a wall, a page. It is compared with nothing.
const STRUCTURE_MIN: u32 = 32;

struct Picture<'a> {
    named: &'a NamedFile,
    path: String,
    hash: ImageHash,
}

/// Compares the pictures that stand as evidence of different entries.
pub(super) fn compare(files: &Files, named: &NamedFiles, held: &mut EvidenceHeld) {
    let hasher = HasherConfig::new()
        .hash_size(HASH_SIDE, HASH_SIDE)
        .hash_alg(HashAlg::Gradient)
        .to_hasher();
    let mut counts = PictureCounts::default();
    let mut pictures: Vec<Picture<'_>> = Vec::new();
    for group in named.digests.chunk_by(|a, b| a.digest == b.digest) {
        let Some(first) = group.first() else { continue };
        let Some(found) = files.of(&first.digest) else {
            continue;
        };
        let Ok(bytes) = found.read(&first.digest, PICTURE_BYTES_MAX) else {
            continue;
        };
        // By what the file begins with, not by its name.
        let Ok(mut reader) = ImageReader::new(Cursor::new(&bytes)).with_guessed_format() else {
            continue;
        };
        if reader.format().is_none() {
            continue;
        }
        let mut limits = Limits::default();
        limits.max_image_width = Some(SIDE_MAX);
        limits.max_image_height = Some(SIDE_MAX);
        limits.max_alloc = Some(DECODER_BYTES_MAX);
        reader.limits(limits);
        if pictures.len() >= PICTURES_MAX {
            counts.unread += 1;
            continue;
        }
        match reader.decode() {
            Ok(picture) => {
                let hash = hasher.hash_image(&picture);
                let darker: u32 = hash.as_bytes().iter().map(|byte| byte.count_ones()).sum();
                let all = HASH_SIDE * HASH_SIDE;
                if (STRUCTURE_MIN..=all - STRUCTURE_MIN).contains(&darker) {
                    pictures.push(Picture {
                        named: first,
                        path: shown(&found.path),
                        hash,
                    });
                } else {
                    counts.plain += 1;
                }
            }
            Err(_) => counts.unread += 1,
        }
    }
    counts.compared = pictures.len() as u64;
    for (place, one) in pictures.iter().enumerate() {
        let others = pictures.iter().skip(place + 1);
        for other in others.filter(|other| one.hash.dist(&other.hash) <= DIFFERENT_MAX) {
            counts.alike += 1;
            let detail = format!(
                "{} and {} differ in {} of 256 places",
                one.path,
                other.path,
                one.hash.dist(&other.hash)
            );
            held.alike(one.named, other.named, detail);
        }
    }
    held.row.pictures = Some(counts);
}
