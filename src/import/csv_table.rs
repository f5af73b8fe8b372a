//! CSV files, plain or compressed with zstd, line by line.
//!
//! Each row stands on one line. RFC 4180 lets a quoted field contain line breaks; a reader that
//! follows it takes one stray quotation mark for the beginning of a field that swallows all rows
//! up to the next one. Here a quoted field may contain commas and doubled quotation marks, and a
//! row that does not end on its line is set aside by itself: the rows behind it are read right.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::durable::{FileChanged, SteadyFile};

/// A longer line is no row.
const LINE_BYTES_MAX: usize = 1 << 20;
/// What some editors write at the beginning of a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A file that can't be read as CSV.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CsvTableError {
    /// The file can't be opened or read.
    #[error("{0}: {1}")]
    Io(String, io::Error),
    /// The file ends in `.zst`, and is no whole zstd file.
    #[error("{0} can't be decompressed: {1}; it was cut or damaged, so get it again")]
    Compressed(String, io::Error),
    /// The file is of another kind.
    #[error("{file} is {found}; {advice}. Nothing of it was taken")]
    OtherKind {
        /// The file.
        file: String,
        /// What it is.
        found: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The header can't be read.
    #[error("{file}: its first line is no header: {what}")]
    Header {
        /// The file.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// A column is missing.
    #[error("{file} has no column {column:?}; it has {found}")]
    Column {
        /// The file.
        file: String,
        /// The column that is needed.
        column: &'static str,
        /// The columns that the file has.
        found: String,
    },
    /// A column is there twice.
    #[error("{file} has the column {column:?} twice; remove the one that is not meant")]
    ColumnTwice {
        /// The file.
        file: String,
        /// The column.
        column: &'static str,
    },
}

/// A line that does not go in.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct SetAside {
    /// The file.
    pub file: String,
    /// The line, as an editor counts: the header is line 1.
    pub line: u64,
    /// What the file calls the thing that the line tells of; empty where that can't be read.
    pub id: String,
    /// A stable name for the reason.
    pub reason: &'static str,
    /// The reason in words.
    pub detail: String,
    /// For a duplicate: the line that it repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_line: Option<u64>,
}

/// A CSV file, read line by line for `N` of its columns.
pub struct CsvTable<const N: usize> {
    file: String,
    source: Box<dyn BufRead>,
    /// Whether the source is decompressed.
    zstd: bool,
    header: Vec<String>,
    /// Where in a row each column stands, in the order in which columns were asked for.
    positions: [usize; N],
    /// The line that was read last.
    line: u64,
    /// The last line, if no line break is behind it.
    cut: Option<u64>,
}

/// What a row has in the columns that were asked for, in that order.
pub struct CsvRow<const N: usize> {
    /// Its line, as an editor counts: the header is line 1.
    pub line: u64,
    /// SHA-256 of all its fields, also of columns that were not asked for: equal only for exact
    /// duplicates.
    pub digest: [u8; 32],
    /// The fields, without space around them.
    pub fields: [String; N],
}

/// What a line is.
pub enum CsvLine<const N: usize> {
    /// A row.
    Row(CsvRow<N>),
    /// No row: it is set aside.
    SetAside(SetAside),
}

/// Whether the system could not read the file, or its decompression found it wrong.
fn read_fault(file: &str, zstd: bool, error: io::Error) -> CsvTableError {
    let changed = error
        .get_ref()
        .is_some_and(|inner| inner.is::<FileChanged>());
    if zstd && error.raw_os_error().is_none() && !changed {
        CsvTableError::Compressed(file.to_owned(), error)
    } else {
        CsvTableError::Io(file.to_owned(), error)
    }
}

/// Why a line is no row: a stable name, and words.
type LineFault = (&'static str, String);

impl<const N: usize> CsvTable<N> {
    /// Opens a file; one that ends in `.zst` is decompressed as it is read.
    ///
    /// # Errors
    /// [`CsvTableError`].
    pub fn open(path: &Path, columns: &[&'static str; N]) -> Result<Self, CsvTableError> {
        let file = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned();
        let source = SteadyFile::open(path)
            .map_err(|error| CsvTableError::Io(path.display().to_string(), error))?;
        let zstd = path.extension().is_some_and(|extension| extension == "zst");
        Self::read(file, Box::new(source), zstd, columns)
    }

    /// Reads CSV from anywhere; `file` is what errors call it.
    ///
    /// # Errors
    /// [`CsvTableError`].
    pub fn read(
        file: String,
        source: Box<dyn Read>,
        zstd: bool,
        columns: &[&'static str; N],
    ) -> Result<Self, CsvTableError> {
        let io = |error| read_fault(&file, zstd, error);
        let mut source: Box<dyn BufRead> = if zstd {
            let decoder = zstd::Decoder::new(source).map_err(io)?;
            Box::new(BufReader::new(decoder))
        } else {
            Box::new(BufReader::new(source))
        };
        let first = read_line(&mut source).map_err(io)?;
        let header = read_header(&file, first, columns)?;
        let mut positions = [0; N];
        for (position, column) in positions.iter_mut().zip(columns) {
            let mut found = (0..).zip(&header).filter(|(_, name)| name == column);
            *position = match (found.next(), found.next()) {
                (Some((place, _)), None) => place,
                (Some(_), Some(_)) => return Err(CsvTableError::ColumnTwice { file, column }),
                (None, _) => {
                    let found = header.join(", ");
                    return Err(CsvTableError::Column {
                        file,
                        column,
                        found,
                    });
                }
            };
        }
        Ok(Self {
            file,
            source,
            zstd,
            header,
            positions,
            line: 1,
            cut: None,
        })
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The last line, once it was read, if no line break is behind it: the file may have been cut
    /// there, even within a number, and lines behind it are then missing too.
    pub fn cut_line(&self) -> Option<u64> {
        self.cut
    }

    /// The next line that is not empty; none at the end of the file.
    ///
    /// # Errors
    /// [`CsvTableError::Io`] and [`CsvTableError::Compressed`].
    pub fn next_line(&mut self) -> Result<Option<CsvLine<N>>, CsvTableError> {
        loop {
            let bytes = read_line(&mut self.source)
                .map_err(|error| read_fault(&self.file, self.zstd, error))?;
            let bytes = match bytes {
                ReadLine::End => return Ok(None),
                ReadLine::Whole(bytes) => Ok(bytes),
                ReadLine::TooLong => {
                    let detail = format!("it has over {LINE_BYTES_MAX} bytes");
                    Err(("line_too_long", detail))
                }
                ReadLine::Cut(bytes) if is_blank(&bytes) => Ok(bytes),
                ReadLine::Cut(_) => {
                    self.cut = Some(self.line + 1);
                    let detail = "the file ends in this line, which may be cut: if it is whole, add a line break behind it";
                    Err(("line_cut", detail.to_owned()))
                }
            };
            self.line += 1;
            if bytes.as_ref().is_ok_and(|bytes| is_blank(bytes)) {
                continue;
            }
            return Ok(Some(match bytes.and_then(|bytes| self.row(&bytes)) {
                Ok(row) => CsvLine::Row(row),
                Err((reason, detail)) => CsvLine::SetAside(SetAside {
                    file: self.file.clone(),
                    line: self.line,
                    id: String::new(),
                    reason,
                    detail,
                    other_line: None,
                }),
            }));
        }
    }

    fn row(&self, bytes: &[u8]) -> Result<CsvRow<N>, LineFault> {
        let fields = fields_of_line(bytes)?;
        if fields == self.header {
            let detail = "the header stands here again".to_owned();
            return Err(("header_repeated", detail));
        }
        let (found, expected) = (fields.len(), self.header.len());
        if found != expected {
            let reason = if found < expected {
                "fields_missing"
            } else {
                "fields_too_many"
            };
            let detail = format!("it has {found} fields, and the header {expected}");
            return Err((reason, detail));
        }
        let mut hasher = Sha256::new();
        for field in &fields {
            hasher.update((field.len() as u64).to_be_bytes());
            hasher.update(field);
        }
        let field = |position: usize| fields.get(position).map_or("", String::as_str).to_owned();
        Ok(CsvRow {
            line: self.line,
            digest: hasher.finalize().into(),
            fields: self.positions.map(field),
        })
    }
}

/// What was read up to a line break or the end.
enum ReadLine {
    Whole(Vec<u8>),
    /// Up to the end, without a line break.
    Cut(Vec<u8>),
    /// Over [`LINE_BYTES_MAX`], passed over.
    TooLong,
    /// Nothing more.
    End,
}

/// Reads a line; what breaks it is not a part of it.
fn read_line(source: &mut dyn BufRead) -> io::Result<ReadLine> {
    let mut line = Vec::new();
    let (mut begun, mut ended, mut too_long) = (false, false, false);
    loop {
        let bytes = match source.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if bytes.is_empty() {
            break;
        }
        begun = true;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (part, used) = match end {
            Some(end) => (bytes.get(..end).unwrap_or(bytes), end + 1),
            None => (bytes, bytes.len()),
        };
        too_long |= line.len() + part.len() > LINE_BYTES_MAX;
        if !too_long {
            line.extend_from_slice(part);
        }
        source.consume(used);
        if end.is_some() {
            ended = true;
            break;
        }
    }
    if !begun {
        return Ok(ReadLine::End);
    }
    if too_long {
        return Ok(ReadLine::TooLong);
    }
    while line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(if ended {
        ReadLine::Whole(line)
    } else {
        ReadLine::Cut(line)
    })
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_whitespace)
}

/// The names of a header, if the first line is one; else what the file is instead, as far as its
/// first line shows it.
fn read_header(
    file: &str,
    first: ReadLine,
    columns: &[&'static str],
) -> Result<Vec<String>, CsvTableError> {
    let wrong = |what: &str| CsvTableError::Header {
        file: file.to_owned(),
        what: what.to_owned(),
    };
    let other = |found, advice| CsvTableError::OtherKind {
        file: file.to_owned(),
        found,
        advice,
    };
    const SAVE_AS_UTF8: &str = "save it as CSV in UTF-8, with commas";
    let bytes = match first {
        // A header has no numbers that a cut could change, and its columns are looked for.
        ReadLine::Whole(bytes) | ReadLine::Cut(bytes) => bytes,
        ReadLine::TooLong => return Err(wrong("it has over a million bytes")),
        ReadLine::End => return Err(wrong("the file is empty")),
    };
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    if begins(b"\xff\xfe") || begins(b"\xfe\xff") || bytes.contains(&0) {
        return Err(other("text in UTF-16, or no text", SAVE_AS_UTF8));
    }
    if begins(b"PK\x03\x04") {
        return Err(other("a workbook or a ZIP archive", SAVE_AS_UTF8));
    }
    if begins(b"\x1f\x8b") {
        return Err(other(
            "compressed with gzip",
            "decompress it, or compress it with zstd as .csv.zst",
        ));
    }
    if begins(b"\x28\xb5\x2f\xfd") {
        return Err(other(
            "compressed with zstd",
            "give it a name that ends in .csv.zst",
        ));
    }
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
    if is_blank(bytes) {
        return Err(wrong("it is empty"));
    }
    if bytes.contains(&b'\r') {
        return Err(other(
            "a text whose lines end with carriage returns alone",
            SAVE_AS_UTF8,
        ));
    }
    // Quotation marks may stand around names whatever is between them.
    let text = String::from_utf8_lossy(bytes);
    for (separator, found) in [
        (';', "separated by semicolons"),
        ('\t', "separated by tabs"),
        ('|', "separated by bars"),
    ] {
        let is_there = |column: &&str| {
            let mut names = text.split(separator);
            names.any(|name| name.trim().trim_matches('"') == *column)
        };
        if text.contains(separator) && columns.iter().all(is_there) {
            return Err(other(found, "save it with commas between the fields"));
        }
    }
    fields_of_line(bytes).map_err(|(_, detail)| wrong(&detail))
}

/// The fields of a line, without space around them.
fn fields_of_line(bytes: &[u8]) -> Result<Vec<String>, LineFault> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        let detail = "it is not in UTF-8: save the file in UTF-8".to_owned();
        return Err(("not_utf8", detail));
    };
    if text.contains('\0') {
        return Err(("not_text", "it has a zero byte".to_owned()));
    }
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let (field, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                let (field, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
                if field.contains('"') {
                    let detail = format!(
                        "a quotation mark stands in field {}, which does not begin with one",
                        fields.len() + 1
                    );
                    return Err(("quote_stray", detail));
                }
                (field.to_owned(), behind)
            }
        };
        fields.push(field.trim().to_owned());
        match behind.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Ok(fields),
        }
    }
}

/// A field behind its first quotation mark, and what follows the last.
fn quoted_field(mut rest: &str) -> Result<(String, &str), LineFault> {
    let mut field = String::new();
    loop {
        let Some((part, behind)) = rest.split_once('"') else {
            let detail =
                "a quotation mark that is not closed on this line: a row may not span lines";
            return Err(("quote_unclosed", detail.to_owned()));
        };
        field.push_str(part);
        match behind.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                rest = more;
            }
            None if behind.is_empty() || behind.starts_with(',') => return Ok((field, behind)),
            None => {
                let detail = "text follows the quotation mark that closes a field".to_owned();
                return Err(("quote_stray", detail));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<Result<[String; 2], &'static str>> {
        let source = Box::new(io::Cursor::new(text.to_vec()));
        let mut table = CsvTable::read("t.csv".to_owned(), source, false, &["a", "b"]).unwrap();
        let mut read = Vec::new();
        while let Some(line) = table.next_line().unwrap() {
            read.push(match line {
                CsvLine::Row(row) => Ok(row.fields),
                CsvLine::SetAside(row) => Err(row.reason),
            });
        }
        read
    }

    fn refusal(text: &[u8]) -> String {
        let source = Box::new(io::Cursor::new(text.to_vec()));
        let table = CsvTable::read("t.csv".to_owned(), source, false, &["a", "b"]);
        table.err().unwrap().to_string()
    }

    fn row(a: &str, b: &str) -> Result<[String; 2], &'static str> {
        Ok([a.to_owned(), b.to_owned()])
    }

    #[test]
    fn a_line_that_is_no_row_is_set_aside_alone() {
        let text = b"\xef\xbb\xbfb,c,a\r\n1,2,3\n4,\"5,\"\"6\",7\n8,\"9,10\n11\",12,13\n14,1\"5,16\n\n17,18\n19,20,21,22\n\
            b,c,a\n23,caf\xe9,24\n25,\"26\"x,27\n28, 29 ,30\n\n";
        let expected = [
            row("3", "1"),
            row("7", "4"),
            Err("quote_unclosed"),
            Err("quote_stray"),
            Err("quote_stray"),
            Err("fields_missing"),
            Err("fields_too_many"),
            Err("header_repeated"),
            Err("not_utf8"),
            Err("quote_stray"),
            row("30", "28"),
        ];
        assert_eq!(lines(text), expected);
    }

    /// Each cut of a file is shorter by what was cut, and never another row.
    #[test]
    fn a_last_line_without_a_line_break_is_set_aside() {
        let whole = b"a,b\n1,37.7751\n2,37.7752\n";
        let rows = [row("1", "37.7751"), row("2", "37.7752")];
        assert_eq!(lines(whole), rows);
        for length in 4..whole.len() {
            let read = lines(&whole[..length]);
            for line in &read {
                assert!(rows.contains(line) || *line == Err("line_cut"), "{read:?}");
            }
        }
        assert_eq!(
            lines(&whole[..whole.len() - 2]),
            [row("1", "37.7751"), Err("line_cut")]
        );
    }

    #[test]
    fn a_line_without_end_is_passed_over() {
        let long = format!("a,b\n1,\"{}\n2,3\n", "x".repeat(3 << 20));
        assert_eq!(
            lines(long.as_bytes()),
            [Err("line_too_long"), row("2", "3")]
        );
    }

    #[test]
    fn a_file_of_another_kind_is_named() {
        let wide: Vec<u8> = "a,b\n1,2\n".bytes().flat_map(|byte| [byte, 0]).collect();
        assert!(refusal(&wide).contains("UTF-16"));
        assert!(refusal(&[b"\xff\xfe".as_slice(), &wide].concat()).contains("UTF-16"));
        assert!(refusal(b"a;b\n1;2\n").contains("semicolons"));
        assert!(refusal(b"\"a\";\"b\"\n1;2\n").contains("semicolons"));
        assert!(refusal(b"a\tb\n").contains("tabs"));
        assert!(refusal(b"a,b\r1,2\r3,4\r").contains("carriage returns"));
        assert!(refusal(b"PK\x03\x04and more").contains("workbook"));
        assert!(refusal(b"\x1f\x8b\x08").contains("gzip"));
        assert!(refusal(b"").contains("empty"));
        assert!(refusal(b"a,c\n").contains("no column \"b\""));
        assert!(refusal(b"a,b,a\n").contains("twice"));
        assert!(refusal(b"a,\"b\n").contains("not closed"));
    }
}
