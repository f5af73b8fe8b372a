//! Requests and answers of HTTP as they come over a connection, whole.

use std::io::{BufRead, Read as _};

/// A request or an answer.
pub struct Message {
    /// Its first line.
    pub first: String,
    /// Its fields as they came, each with its line's end.
    pub fields: Vec<String>,
    /// Its body as it came: in chunks, if it came so.
    pub body: Vec<u8>,
}

impl Message {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn bytes(&self) -> Vec<u8> {
        let head = format!("{}\r\n{}\r\n", self.first, self.fields.concat());
        [head.as_bytes(), &self.body].concat()
    }
}

/// The next one of a connection; none at its end, or where it breaks off.
pub fn read_message(from: &mut impl BufRead) -> Option<Message> {
    read(from, false)
}

/// As above, of an answer to a request for a head alone, if it is one.
pub fn read_answer(from: &mut impl BufRead, to: &Message) -> Option<Message> {
    read(from, to.first.starts_with("HEAD "))
}

fn read(from: &mut impl BufRead, head_alone: bool) -> Option<Message> {
    let first = line(from)?.trim_end().to_owned();
    let mut fields = Vec::new();
    loop {
        let field = line(from)?;
        if field.trim().is_empty() {
            break;
        }
        fields.push(field);
    }
    let mut message = Message {
        first,
        fields,
        body: Vec::new(),
    };
    if head_alone {
        return Some(message);
    }
    if let Some(length) = message.field("content-length") {
        let mut body = vec![0; length.parse().ok()?];
        from.read_exact(&mut body).ok()?;
        message.body = body;
    } else if message.field("transfer-encoding").is_some() {
        loop {
            let size = line(from)?;
            let length = usize::from_str_radix(size.trim(), 16).ok()?;
            // The line's end too; behind the last one nothing else is said.
            let mut chunk = vec![0; length + 2];
            from.read_exact(&mut chunk).ok()?;
            message.body.extend_from_slice(size.as_bytes());
            message.body.extend_from_slice(&chunk);
            if length == 0 {
                break;
            }
        }
    }
    Some(message)
}

fn line(from: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    let read = from.take(65_536).read_line(&mut line).ok()?;
    (read > 0).then_some(line)
}
