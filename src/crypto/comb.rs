//! The strict verdict on many signatures at a time, quick where a key signed many.
//!
//! The verdict is RFC 8032's, strict, as [`VerifyingKey`] gives it: s below L, R no point of small
//! order, and the bytes of sB − kA equal to R's. What is quicker is the way to sB − kA: for B and
//! for keys that signed much, multiples of the point are kept in tables (combs of 8 or 5 bits a
//! window), so that a product takes 32 or 51 additions and no doubling. And R is never
//! decompressed: the sums are encoded together, with one inversion for all of them.
//! `docs/decisions/0013` tells why the verdict is the same.

use std::sync::{Arc, OnceLock};

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest as _, Sha512};

use super::key::{KeyError, PublicKey, Signature};
use super::verify::VerifyingKey;

/// How wide a comb's windows are: wider ones take more memory and fewer additions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableSize {
    /// 51 windows of 5 bits, 127.5 KiB.
    Small,
    /// 32 windows of 8 bits, 640 KiB.
    Large,
}

impl TableSize {
    /// Bits of the scalar in a window.
    const fn bits(self) -> usize {
        match self {
            Self::Small => 5,
            Self::Large => 8,
        }
    }

    /// Number of windows that hold a reduced scalar, which is below 2^253, and the carry of the
    /// last one.
    const fn windows(self) -> usize {
        (SCALAR_BITS + 1).div_ceil(self.bits())
    }

    /// Number of multiples of a point in a window: digits are from 1 − this to this.
    const fn multiples(self) -> usize {
        1 << (self.bits() - 1)
    }
}

/// Bits of a reduced scalar.
const SCALAR_BITS: usize = 253;
/// The most windows of any size.
const WINDOWS_MAX: usize = TableSize::Small.windows();
/// Number of multiples that are taken from the table at a time: the processor then waits for memory
/// once for all of them, and not at every addition.
const GATHERED: usize = 8;

/// A table of a point's multiples: d · 2^(bits · w) · P for each window w and each digit d from 1.
struct Comb {
    /// How wide the windows are.
    size: TableSize,
    /// The multiples, window by window, each window's by rising d.
    multiples: Vec<EdwardsPoint>,
}

impl Comb {
    fn new(point: &EdwardsPoint, size: TableSize) -> Self {
        let mut multiples = Vec::with_capacity(size.windows() * size.multiples());
        let mut unit = *point;
        for _ in 0..size.windows() {
            let mut multiple = unit;
            for _ in 1..size.multiples() {
                multiples.push(multiple);
                multiple += unit;
            }
            multiples.push(multiple);
            unit = multiple + multiple;
        }
        Self { size, multiples }
    }

    /// Adds the product of the point and a scalar. The time that it takes depends on the scalar,
    /// which is public, as keys and signatures are.
    fn add_product(&self, scalar: &Scalar, sum: &mut EdwardsPoint) {
        // Nothing is carried out of the last digit, and no digit is beyond a window's multiples: a
        // test says so of both. If one were, its addition would be left out, the sum be another
        // point, and a signature that holds would fail: never the other way round.
        let (digits, _) = digits(scalar, self.size);
        let windows = self.multiples.chunks_exact(self.size.multiples());
        let mut places = windows.zip(digits).filter_map(|(window, digit)| {
            let place = usize::from(digit.unsigned_abs()).checked_sub(1)?;
            Some((window.get(place)?, digit < 0))
        });
        let mut gathered = [(EdwardsPoint::default(), false); GATHERED];
        loop {
            let mut count = 0;
            for (place, (multiple, negative)) in gathered.iter_mut().zip(&mut places) {
                *place = (*multiple, negative);
                count += 1;
            }
            for (multiple, negative) in gathered.iter().take(count) {
                if *negative {
                    *sum -= multiple;
                } else {
                    *sum += multiple;
                }
            }
            if count < GATHERED {
                return;
            }
        }
    }
}

/// The digits of a reduced scalar to the base 2^bits, from 1 − 2^(bits − 1) to 2^(bits − 1), lowest
/// first, and what is carried out of the last: nothing.
fn digits(scalar: &Scalar, size: TableSize) -> ([i16; WINDOWS_MAX], i16) {
    let bytes = scalar.to_bytes();
    #[expect(clippy::cast_possible_truncation, reason = "128 at most")]
    let (bits, half) = (size.bits(), size.multiples() as i16);
    // Beyond its 32 bytes a scalar is zeroes.
    let byte = |at: usize| bytes.get(at).map_or(0, |byte| u16::from(*byte));
    let mut digits = [0; WINDOWS_MAX];
    let mut carry = 0;
    for (window, digit) in digits.iter_mut().enumerate().take(size.windows()) {
        let (from, shift) = (window * bits / 8, window * bits % 8);
        let both = byte(from) | byte(from + 1) << 8;
        let value = (both >> shift & ((1 << bits) - 1)) as i16 + carry;
        carry = i16::from(value > half);
        *digit = value - (carry << bits);
    }
    (digits, carry)
}

/// The table of the base point, made at the first use.
fn base() -> &'static Comb {
    static BASE: OnceLock<Comb> = OnceLock::new();
    BASE.get_or_init(|| Comb::new(&ED25519_BASEPOINT_POINT, TableSize::Large))
}

/// Whether an encoding is one of the eight points of small order, of which R must be none.
fn is_small_order(encoding: &[u8; 32]) -> bool {
    static SMALL: OnceLock<[[u8; 32]; 8]> = OnceLock::new();
    SMALL
        .get_or_init(|| EIGHT_TORSION.map(|point| point.compress().to_bytes()))
        .contains(encoding)
}

/// A key that was checked, with its table if it has one.
pub struct KnownKey {
    /// The key's bytes, which are hashed with each message.
    key: PublicKey,
    /// −A, where A is the key's point.
    minus: EdwardsPoint,
    /// The table of −A, if the key signs enough to be worth one.
    comb: Option<Comb>,
}

impl std::fmt::Debug for KnownKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KnownKey({})", self.key)
    }
}

impl KnownKey {
    /// Checks a key: see [`VerifyingKey::new`].
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn new(key: &PublicKey) -> Result<Self, KeyError> {
        Ok(Self {
            key: *key,
            minus: -VerifyingKey::new(key)?.point(),
            comb: None,
        })
    }

    /// The same key with a table.
    pub fn with_table(&self, size: TableSize) -> Self {
        Self {
            key: self.key,
            minus: self.minus,
            comb: Some(Comb::new(&self.minus, size)),
        }
    }

    /// The size of the key's table, if it has one.
    pub fn table(&self) -> Option<TableSize> {
        self.comb.as_ref().map(|comb| comb.size)
    }

    /// sB − kA, which a valid signature's R encodes.
    fn sum(&self, k: &Scalar, s: &Scalar) -> EdwardsPoint {
        match &self.comb {
            Some(comb) => {
                let mut sum = EdwardsPoint::default();
                base().add_product(s, &mut sum);
                comb.add_product(k, &mut sum);
                sum
            }
            None => EdwardsPoint::vartime_double_scalar_mul_basepoint(k, &self.minus, s),
        }
    }
}

/// Signatures to be checked together.
#[derive(Debug, Default)]
pub struct SignatureBatch {
    /// The signatures in the order in which they were added; `None` for one that fails already, as
    /// it has no key, or its s is not below L.
    pending: Vec<Option<PendingSignature>>,
}

/// A signature whose verdict is not known yet.
#[derive(Debug)]
struct PendingSignature {
    /// The key that the signature must be of.
    key: Arc<KnownKey>,
    /// SHA-512 over R, the key and the message, as a scalar (RFC 8032, section 5.1.7).
    k: Scalar,
    /// The signature's second half.
    s: Scalar,
    /// The signature's first half: the encoding of R, never decompressed.
    r: [u8; 32],
}

impl SignatureBatch {
    /// Adds a signature over a message. A `None` key counts as a failed signature.
    pub fn add(&mut self, key: Option<Arc<KnownKey>>, message: &[u8], signature: &Signature) {
        let (r, s) = signature.halves();
        let s: Option<Scalar> = Scalar::from_canonical_bytes(s).into();
        self.pending.push(key.zip(s).map(|(key, s)| {
            let mut hasher = Sha512::new();
            hasher.update(r);
            hasher.update(key.key.as_bytes());
            hasher.update(message);
            let k = Scalar::from_bytes_mod_order_wide(&hasher.finalize().into());
            PendingSignature { key, k, s, r }
        }));
    }

    /// Whether each signature holds, in the order in which they were added.
    pub fn verdicts(self) -> Vec<bool> {
        // A signature fails until its own sum says otherwise.
        let mut holds = vec![false; self.pending.len()];
        let verdicts = holds.iter_mut().zip(self.pending);
        let mut checks: Vec<(&mut bool, PendingSignature)> = verdicts
            .filter_map(|(verdict, pending)| Some((verdict, pending?)))
            .collect();
        // A key's table stays in the processor's cache while its signatures last.
        checks.sort_by_key(|(_, pending)| pending.key.key);
        let sums: Vec<EdwardsPoint> = checks
            .iter()
            .map(|(_, pending)| pending.key.sum(&pending.k, &pending.s))
            .collect();
        let encodings = EdwardsPoint::compress_batch_alloc(&sums);
        for ((verdict, pending), encoding) in checks.into_iter().zip(encodings) {
            *verdict = encoding.to_bytes() == pending.r && !is_small_order(&pending.r);
        }
        holds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [TableSize; 2] = [TableSize::Small, TableSize::Large];

    #[test]
    fn digits_make_the_scalar_again() {
        let largest = -Scalar::ONE;
        let mut scalar = Scalar::ONE;
        for _ in 0..500 {
            for (tried, size) in [scalar, -scalar, largest - scalar]
                .into_iter()
                .flat_map(|tried| SIZES.map(|size| (tried, size)))
            {
                let (mut sum, mut unit) = (Scalar::ZERO, Scalar::ONE);
                let (digits, carry) = digits(&tried, size);
                assert_eq!(carry, 0);
                for digit in digits {
                    let most = size.multiples() as i16;
                    assert!((1 - most..=most).contains(&digit));
                    let value = Scalar::from(u64::from(digit.unsigned_abs()));
                    sum += unit * if digit < 0 { -value } else { value };
                    unit *= Scalar::from(1_u64 << size.bits());
                }
                assert_eq!(sum, tried);
            }
            scalar = scalar * Scalar::from(0x8080_8081_7f80_u64) + Scalar::from(255_u64);
        }
    }

    #[test]
    fn a_comb_makes_the_products_that_the_library_makes() {
        let point = ED25519_BASEPOINT_POINT * Scalar::from(987_654_321_u64);
        for comb in SIZES.map(|size| Comb::new(&point, size)) {
            let mut scalar = -Scalar::ONE;
            for _ in 0..100 {
                let mut sum = EdwardsPoint::default();
                comb.add_product(&scalar, &mut sum);
                assert_eq!(sum, point * scalar);
                scalar = scalar * scalar + Scalar::from(3_u64);
            }
        }
    }
}
