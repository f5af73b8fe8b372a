//! A CSV table, whose cells no spreadsheet runs.
//!
//! Programs that open CSV take a cell that begins with one of [`STARTS`] for a formula, which may fetch
//! from the network or start a program (CWE-1236; OWASP, *CSV Injection*). What issuers wrote is free
//! text, so such a text gets an apostrophe in front, which spreadsheets read as "this is text". A text
//! that begins with an apostrophe gets another one, so that taking one away gives every text back.
//! Numbers, days and times are written by this software and stay as they are: -33.4 is a number.

use std::borrow::Cow;

use super::tables::Holds;

/// What a spreadsheet takes for the start of a formula; the last four are the wide forms, which some
/// programs read alike. A line feed would begin a second cell to a reader that knows no quotes.
const STARTS: [char; 11] = [
    '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];

/// A cell of a column as it is written.
pub(super) fn csv_cell(holds: Holds, text: &str) -> Cow<'_, str> {
    match holds {
        Holds::Text if starts_a_formula(text) => format!("'{text}").into(),
        _ => text.into(),
    }
}

/// Whether a text must not begin a cell as it is. Some programs take away spaces in front first.
fn starts_a_formula(text: &str) -> bool {
    let start = |text: &str| text.chars().next().is_some_and(|it| STARTS.contains(&it));
    text.starts_with('\'') || start(text) || start(text.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_a_formula_and_every_text_comes_back() {
        for text in [
            "=1+1",
            "+1",
            "-1+2",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "  =1",
            "\u{a0}=1",
            "'",
            "'=1",
            "''",
            "\u{ff1d}1",
        ] {
            let cell = csv_cell(Holds::Text, text);
            assert_eq!(cell.strip_prefix('\''), Some(text), "{text:?}");
        }
        for text in ["", "Oak", "1=1", "a-b", "O'Hara", "-"] {
            let cell = csv_cell(Holds::Text, text);
            let back = cell.strip_prefix('\'').unwrap_or(&cell);
            assert_eq!(back, text);
        }
        assert_eq!(csv_cell(Holds::Text, "Oak"), "Oak");
        // A number stays one.
        for holds in [Holds::Real, Holds::Signed] {
            assert_eq!(csv_cell(holds, "-33.4"), "-33.4");
        }
    }
}
