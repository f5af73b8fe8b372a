//! How people write numbers and addresses, and the one spelling that each has here.

use crate::record::AccountId;

/// Signs that people put between groups of three digits: the comma, point, apostrophes, blanks and underscore.
const GROUPING: [char; 9] = [
    ',', '.', '\'', '’', '_', ' ', '\u{a0}', '\u{2009}', '\u{202f}',
];

/// A text with digits, letters and signs of full width in the width that they have elsewhere.
pub(super) fn half_width(text: &str) -> String {
    let narrow = |c: char| match u32::from(c) {
        // U+FF01 to U+FF5E are ! to ~ once more; U+3000 is a blank.
        code @ 0xff01..=0xff5e => char::from_u32(code - 0xfee0).unwrap_or(c),
        0x3000 => ' ',
        _ => c,
    };
    text.chars().map(narrow).collect()
}

/// A whole number as people write it: `007`, `+7`, `#7`, `33,258`, `33 258`, `３３２５８`. A sign between digits counts only
/// where it parts thousands: `7.5` is no number.
pub(super) fn number(text: &str) -> Option<u64> {
    let text = half_width(text);
    let text = text.trim().trim_start_matches(['#', '№', '+']).trim_start();
    let separator = text.chars().find(|c| !c.is_ascii_digit());
    let Some(separator) = separator else {
        return text.parse().ok();
    };
    if !GROUPING.contains(&separator) {
        return None;
    }
    let groups: Vec<&str> = text.split(separator).collect();
    let (first, rest) = groups.split_first()?;
    let fits = (1..=3).contains(&first.len()) && rest.iter().all(|group| group.len() == 3);
    let digits = groups.concat();
    let plain = fits && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok())?
}

/// The address of the page that a path means, if the path is not written so.
pub(super) fn canonical(path: &str) -> Option<String> {
    meant(path).filter(|meant| meant != path)
}

/// The address of the page that a path means; `None` if there is no such kind of page.
pub(super) fn meant(path: &str) -> Option<String> {
    let decoded = decoded(path)?;
    let mut parts = decoded.trim().trim_matches('/').split('/');
    let page = parts.next()?.to_lowercase();
    let parts: Vec<&str> = parts.collect();
    let meant = match (page.as_str(), parts.as_slice()) {
        ("certificate" | "entry" | "plot", [one]) => format!("/{page}/{}", number(one)?),
        ("tree", [plot, serial]) => format!("/tree/{}/{}", number(plot)?, number(serial)?),
        ("account", [id]) => {
            let id: AccountId = half_width(id).trim().to_lowercase().parse().ok()?;
            format!("/account/{id}")
        }
        ("method" | "receipt" | "check" | "governance" | "search", []) => format!("/{page}"),
        _ => return None,
    };
    Some(meant)
}

/// A path without its escapes; `None` if it is no text then.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = behind;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for text in [
            "33258",
            "+33258",
            "033258",
            "33,258",
            "33.258",
            "33 258",
            "33\u{202f}258",
            " #33258 ",
            "３３２５８",
            "＃３３，２５８",
        ] {
            assert_eq!(number(text), Some(33_258), "{text:?}");
        }
        for text in [
            "",
            "+",
            "33,25",
            "33.2580",
            "3325,8",
            "1,000 000",
            ",333",
            "-5",
            "5e3",
            "0x5",
            "99999999999999999999",
        ] {
            assert_eq!(number(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_page_has_one_address() {
        let id = "0a".repeat(32);
        for (path, meant) in [
            ("/certificate/+33258", "/certificate/33258"),
            ("/certificate/%2B33258", "/certificate/33258"),
            ("/certificate/007/", "/certificate/7"),
            ("/Certificate/33,258", "/certificate/33258"),
            ("/entry/%EF%BC%95", "/entry/5"),
            ("/tree/01/0373", "/tree/1/373"),
            ("/plot/ 7", "/plot/7"),
            ("/method/", "/method"),
            (
                &format!("/account/{}", id.to_uppercase()),
                &format!("/account/{id}"),
            ),
        ] {
            assert_eq!(canonical(path).as_deref(), Some(meant), "{path}");
        }
        let own = format!("/account/{id}");
        for path in [
            "/",
            "/certificate/33258",
            "/certificate/x",
            "/tree/1",
            "/entry/-1",
            "/entry/%zz",
            "/v1/entries/05",
            "/method",
            &own,
        ] {
            assert_eq!(canonical(path), None, "{path}");
        }
    }
}
