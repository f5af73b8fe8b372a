//! Numbers as people read them.

/// A number with its thousands apart.
pub(crate) fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number that may be below zero, as some balances are after a correction: with a minus then.
pub(crate) fn signed(number: i128) -> String {
    let sign = if number < 0 { "−" } else { "" };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

/// Points as a weight: grams, kilograms or tonnes.
#[cfg(any(test, feature = "cli"))]
pub(crate) fn weight(grams: u128) -> String {
    let unit = |size: u128, name: &str| {
        // Not `grams * 10 / size`: that could exceed 128 bits.
        let tenth = grams % size * 10 / size;
        format!("{}.{tenth} {name}", grouped(grams / size))
    };
    match grams {
        0..1_000 => format!("{grams} g"),
        1_000..1_000_000 => unit(1_000, "kg"),
        _ => unit(1_000_000, "t"),
    }
}

/// A whole number of a unit's 10^-`places` as that unit, without zeros at the end.
pub(crate) fn decimal(number: u64, places: u32) -> String {
    let one = 10_u64.pow(places);
    let digits = places as usize;
    let text = format!("{}.{:0digits$}", number / one, number % one);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Ten-millionths of a degree as degrees, to five decimals, half a unit away from zero. By integers: of a binary fraction
/// each language rounds a half in its own way, and the browser's verifier compares the text.
pub(crate) fn degrees(e7: i32) -> String {
    let units = (e7.unsigned_abs() + 50) / 100;
    let sign = if e7 < 0 && units > 0 { "−" } else { "" };
    format!("{sign}{}.{:05}°", units / 100_000, units % 100_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(signed(-1_234), "−1,234");
        assert_eq!(signed(0), "0");
        assert_eq!(weight(999), "999 g");
        assert_eq!(weight(1_500), "1.5 kg");
        assert_eq!(weight(12_345_678_900), "12,345.6 t");
        assert!(weight(u128::MAX).ends_with("431,768.2 t"));
        assert_eq!(decimal(167_250_000, 6), "167.25");
        assert_eq!(decimal(3_000, 3), "3");
        // 1/64 of a degree is a half of the last decimal, in binary too.
        assert_eq!(degrees(156_250), "0.01563°");
        assert_eq!(degrees(-156_250), "−0.01563°");
        assert_eq!(degrees(-49), "0.00000°");
        assert_eq!(degrees(-1_800_000_000), "−180.00000°");
    }
}
