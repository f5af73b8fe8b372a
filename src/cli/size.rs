//! Sizes with units, as flags and the configuration file have them.

/// A number of bytes: digits, and behind them K, M, G or T for powers of 1024, with or without B or iB.
///
/// # Errors
/// How to write it.
pub fn parse<N: TryFrom<u64>>(text: &str) -> Result<N, String> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let power = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => Some(0),
        "k" | "kb" | "kib" => Some(1),
        "m" | "mb" | "mib" => Some(2),
        "g" | "gb" | "gib" => Some(3),
        "t" | "tb" | "tib" => Some(4),
        _ => None,
    };
    let how = || "write it in bytes, or as 256K, 256M or 2G (powers of 1024)".to_owned();
    let (Ok(number), Some(power)) = (digits.parse::<u64>(), power) else {
        return Err(how());
    };
    let bytes = number.checked_mul(1024_u64.pow(power)).ok_or_else(how)?;
    N::try_from(bytes).map_err(|_| format!("{text} is more than can be counted here"))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("0", 0),
            ("1000", 1000),
            ("256M", 256 << 20),
            ("2 GiB", 2 << 30),
            ("8kb", 8192),
        ] {
            assert_eq!(parse::<u64>(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "M", "1.5G", "-1", "1X", "99999999999T"] {
            assert!(parse::<u64>(wrong).is_err(), "{wrong}");
        }
        assert!(parse::<u8>("1K").is_err());
    }
}
