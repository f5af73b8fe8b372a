//! A client that does as little as it can: what is measured is the server.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Fields of a response's head, at most.
const FIELDS_MAX: usize = 32;
/// The longest answer: a bundle's.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A request as it goes over the wire.
pub struct Request {
    bytes: Vec<u8>,
    body_at: usize,
}

impl Request {
    /// Asks for a path.
    pub fn get(path: &str) -> Self {
        let bytes = format!("GET /{path} HTTP/1.1\r\nHost: bench\r\n\r\n").into_bytes();
        let body_at = bytes.len();
        Self { bytes, body_at }
    }

    /// Sends a body to a path.
    pub fn post(path: &str, media_type: &str, body: &[u8]) -> Self {
        let mut bytes = format!(
            "POST /{path} HTTP/1.1\r\nHost: bench\r\n\
             Content-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        let body_at = bytes.len();
        bytes.extend_from_slice(body);
        Self { bytes, body_at }
    }

    /// The body, behind the head.
    pub fn body(&self) -> &[u8] {
        self.bytes.split_at(self.body_at).1
    }
}

/// One connection, one request at a time.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects to a server.
    pub async fn open(server: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
        })
    }

    /// The status and the body of the answer.
    pub async fn ask(&mut self, request: &Request) -> anyhow::Result<(u16, &[u8])> {
        self.stream.write_all(&request.bytes).await?;
        self.buffer.clear();
        let (status, body_at, end) = loop {
            self.read().await?;
            if let Some((status, body_at, length)) = head(&self.buffer)? {
                break (status, body_at, body_at + length);
            }
        };
        while self.buffer.len() < end {
            self.read().await?;
        }
        let body = self.buffer.get(body_at..end);
        Ok((
            status,
            body.context("an answer that is shorter than its head")?,
        ))
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        let read = self.stream.read_buf(&mut self.buffer).await?;
        anyhow::ensure!(read > 0, "the server closed the connection");
        anyhow::ensure!(self.buffer.len() <= ANSWER_BYTES_MAX, "an endless answer");
        Ok(())
    }
}

/// The status, the length of the head and that of the body; `None` until the head is whole.
fn head(bytes: &[u8]) -> anyhow::Result<Option<(u16, usize, usize)>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(length) = response.parse(bytes)? else {
        return Ok(None);
    };
    let status = response.code.context("a response without a status")?;
    let named = |name: &str| {
        let mut fields = response.headers.iter();
        fields.find(|field| field.name.eq_ignore_ascii_case(name))
    };
    let Some(body) = named("content-length") else {
        bail!("a response without Content-Length");
    };
    let body = std::str::from_utf8(body.value)?.trim().parse()?;
    Ok(Some((status, length, body)))
}
