//! The strict verdict on many signatures at a time, quick where a key signed many.
//!
//! The verdict is RFC 8032's, strict, as [`VerifyingKey`] gives it: s below L, R no point of small
//! order, and the bytes of sB − kA equal to R's. What is quicker is the way to sB − kA: for B and
//! for keys that signed much, multiples of the point are kept in tables (a comb of 32 windows of
//! 8 bits), so that a product takes 32 additions and no doubling. And R is never decompressed: the
//! sums are encoded together, with one inversion for all of them. `docs/decisions/0013` tells why
//! the verdict is the same.

use std::sync::{Arc, OnceLock};

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest as _, Sha512};

use super::key::{KeyError, PublicKey, Signature};
use super::verify::VerifyingKey;

/// A scalar's digits to the base 256.
const WINDOWS: usize = 32;
/// Multiples of a point in a window: digits are −127 to 128.
const MULTIPLES: usize = 128;

/// d · 256^w · P for each window w and each d from 1 to 128: 640 KiB.
struct Comb(Vec<EdwardsPoint>);

impl Comb {
    fn new(point: &EdwardsPoint) -> Self {
        let mut table = Vec::with_capacity(WINDOWS * MULTIPLES);
        let mut unit = *point;
        for _ in 0..WINDOWS {
            let mut multiple = unit;
            for _ in 1..MULTIPLES {
                table.push(multiple);
                multiple += unit;
            }
            table.push(multiple);
            unit = multiple + multiple;
        }
        Self(table)
    }

    /// Adds the product of the point and a scalar. Takes a time that tells the scalar: all of this
    /// is public.
    fn add_product(&self, scalar: &Scalar, sum: &mut EdwardsPoint) {
        for (window, digit) in self.0.chunks_exact(MULTIPLES).zip(digits(scalar)) {
            let place = usize::from(digit.unsigned_abs()).checked_sub(1);
            let Some(multiple) = place.and_then(|place| window.get(place)) else {
                continue;
            };
            if digit > 0 {
                *sum += multiple;
            } else {
                *sum -= multiple;
            }
        }
    }
}

/// The digits of a scalar to the base 256, from −127 to 128, lowest first. A reduced scalar is
/// below 2^253, so that the last digit takes its carry.
fn digits(scalar: &Scalar) -> [i16; WINDOWS] {
    let mut carry = 0;
    scalar.to_bytes().map(|byte| {
        let digit = i16::from(byte) + carry;
        carry = i16::from(digit > MULTIPLES as i16);
        digit - 256 * carry
    })
}

fn base() -> &'static Comb {
    static BASE: OnceLock<Comb> = OnceLock::new();
    BASE.get_or_init(|| Comb::new(&ED25519_BASEPOINT_POINT))
}

/// The eight encodings that the sum could have if R were of small order.
fn is_small_order(encoding: &[u8; 32]) -> bool {
    static SMALL: OnceLock<[[u8; 32]; 8]> = OnceLock::new();
    SMALL
        .get_or_init(|| EIGHT_TORSION.map(|point| point.compress().to_bytes()))
        .contains(encoding)
}

/// A key that was checked, with its table if it has one.
pub struct KnownKey {
    key: PublicKey,
    minus: EdwardsPoint,
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

    /// The same with a table: worth it for some 30 signatures or more.
    pub fn with_table(&self) -> Self {
        Self {
            key: self.key,
            minus: self.minus,
            comb: Some(Comb::new(&self.minus)),
        }
    }

    /// Whether it has a table.
    pub fn has_table(&self) -> bool {
        self.comb.is_some()
    }

    /// sB − kA.
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
pub struct Batch {
    checks: Vec<Option<Check>>,
}

#[derive(Debug)]
struct Check {
    key: Arc<KnownKey>,
    k: Scalar,
    s: Scalar,
    r: [u8; 32],
}

impl Batch {
    /// Adds a signature over a message. Without a key it does not hold.
    pub fn add(&mut self, key: Option<Arc<KnownKey>>, message: &[u8], signature: &Signature) {
        let (r, s) = signature.halves();
        let s: Option<Scalar> = Scalar::from_canonical_bytes(s).into();
        self.checks.push(key.zip(s).map(|(key, s)| {
            let mut hasher = Sha512::new();
            hasher.update(r);
            hasher.update(key.key.as_bytes());
            hasher.update(message);
            let k = Scalar::from_bytes_mod_order_wide(&hasher.finalize().into());
            Check { key, k, s, r }
        }));
    }

    /// Whether each holds, in the order in which they were added.
    pub fn verdicts(self) -> Vec<bool> {
        let mut holds = vec![false; self.checks.len()];
        let numbered = self.checks.into_iter().enumerate();
        let mut checks: Vec<(usize, Check)> = numbered
            .filter_map(|(place, check)| Some((place, check?)))
            .collect();
        // A key's table stays in the processor's cache while its signatures last.
        checks.sort_unstable_by_key(|(place, check)| (check.key.key, *place));
        let sums: Vec<EdwardsPoint> = checks
            .iter()
            .map(|(_, check)| check.key.sum(&check.k, &check.s))
            .collect();
        let encodings = EdwardsPoint::compress_batch_alloc(&sums);
        for ((place, check), encoding) in checks.iter().zip(encodings) {
            if let Some(verdict) = holds.get_mut(*place) {
                *verdict = encoding.to_bytes() == check.r && !is_small_order(&check.r);
            }
        }
        holds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_make_the_scalar_again() {
        let largest = -Scalar::ONE;
        let mut scalar = Scalar::ONE;
        for _ in 0..500 {
            for it in [scalar, -scalar, largest - scalar] {
                let (mut sum, mut unit) = (Scalar::ZERO, Scalar::ONE);
                for digit in digits(&it) {
                    assert!((-127..=128).contains(&digit));
                    let size = Scalar::from(u64::from(digit.unsigned_abs()));
                    sum += unit * if digit < 0 { -size } else { size };
                    unit *= Scalar::from(256_u64);
                }
                assert_eq!(sum, it);
            }
            scalar = scalar * Scalar::from(0x8080_8081_7f80_u64) + Scalar::from(255_u64);
        }
    }

    #[test]
    fn a_comb_makes_the_products_that_the_library_makes() {
        let point = ED25519_BASEPOINT_POINT * Scalar::from(987_654_321_u64);
        let comb = Comb::new(&point);
        let mut scalar = -Scalar::ONE;
        for _ in 0..100 {
            let mut sum = EdwardsPoint::default();
            comb.add_product(&scalar, &mut sum);
            assert_eq!(sum, point * scalar);
            scalar = scalar * scalar + Scalar::from(3_u64);
        }
    }
}
