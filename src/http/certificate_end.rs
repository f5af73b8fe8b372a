//! The day on which a certificate ends: the one field of it that TLS itself does not tell.

use crate::record::Day;

/// When a certificate (RFC 5280, DER) ends, in seconds since 1970 UTC; `None` if it can't be read.
pub(super) fn certificate_end(certificate: &[u8]) -> Option<u64> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    const INTEGER: u8 = 0x02;
    let (mut fields, _) = of_tag(SEQUENCE, of_tag(SEQUENCE, certificate)?.0)?;
    // A certificate of version 1 does not say so.
    if let Some((_, rest)) = of_tag(VERSION, fields) {
        fields = rest;
    }
    // The serial number, the algorithm, the issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        fields = of_tag(tag, fields)?.1;
    }
    let (validity, _) = of_tag(SEQUENCE, fields)?;
    let (_, _not_before, rest) = element(validity)?;
    let (tag, not_after, _) = element(rest)?;
    seconds(tag, not_after)
}

/// The first element of these bytes: its tag and content, and what is behind it. Lengths of up to three bytes.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = digits
                .iter()
                .fold(0, |sum, digit| sum << 8 | usize::from(*digit));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn of_tag(wanted: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(bytes)?;
    (tag == wanted).then_some((content, rest))
}

/// UTCTime `YYMMDDHHMMSSZ`, of 1950 to 2049, or GeneralizedTime `YYYYMMDDHHMMSSZ` (RFC 5280, 4.1.2.5), from 1970 on.
fn seconds(tag: u8, text: &[u8]) -> Option<u64> {
    let digits = text.strip_suffix(b"Z")?;
    let (year_digits, length) = match tag {
        0x17 => (2, 12),
        0x18 => (4, 14),
        _ => return None,
    };
    if digits.len() != length || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |digits: &[u8]| {
        digits
            .iter()
            .fold(0, |sum, c| 10 * sum + u32::from(c - b'0'))
    };
    let (year, rest) = digits.split_at_checked(year_digits)?;
    let year = match (year_digits, number(year)) {
        (2, year @ 50..) => 1900 + year,
        (2, year) => 2000 + year,
        (_, year) => year,
    };
    let mut parts = rest.chunks(2).map(number);
    let mut next = || parts.next();
    let day = Day::from_ymd(i64::from(year), next()?, next()?)?;
    let of_day = (next()? * 60 + next()?) * 60 + next()?;
    Some(u64::from(day.0) * 86_400 + u64::from(of_day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_their_standard() {
        // date -u -d '…' +%s
        for (tag, text, wanted) in [
            (0x17, "261128145000Z", Some(1_795_877_400)),
            (0x17, "500101000000Z", None),
            (0x17, "491231235959Z", Some(2_524_607_999)),
            (0x18, "20500101000000Z", Some(2_524_608_000)),
            (0x18, "20000229120000Z", Some(951_825_600)),
            (0x18, "99991231235959Z", Some(253_402_300_799)),
            (0x17, "261128145000", None),
            (0x17, "20500101000000Z", None),
            (0x17, "261328145000Z", None),
            (0x17, "26x128145000Z", None),
            (0x04, "261128145000Z", None),
        ] {
            assert_eq!(seconds(tag, text.as_bytes()), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        let cut = [0x30, 0x82, 0x01, 0x00, 0x30, 0x84, 0xff, 0xff];
        for bytes in [
            &[][..],
            &[0x30],
            &[0x30, 0x80],
            &[0x30, 0x02, 0x30, 0x00],
            &cut,
        ] {
            assert_eq!(certificate_end(bytes), None);
        }
    }
}
