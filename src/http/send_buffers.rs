//! What the system holds of answers, made and not taken yet. Left to itself it takes in 4 MiB for a
//! client that reads nothing, beyond every budget. So a connection has a buffer of a size, and few have
//! a large one: enough for a client far away to read quickly, and a share of them for each network.

use std::io;
use std::net::TcpStream;

use rustix::net::sockopt;

use crate::shares::{ClientNet, Share, Shares};

/// The large buffer. The system takes in twice as much as is asked for, to count its own needs too.
const LARGE_BYTES: usize = 128 << 10;
/// The buffer of a connection that finds no large one.
const SMALL_BYTES: usize = 16 << 10;
/// Connections with a large buffer, for all networks together.
const LARGE: usize = 512;
/// Connections of one network with a large buffer.
const LARGE_EACH: usize = 128;

/// The buffers for answers of all connections.
pub(super) struct SendBuffers(Shares);

impl SendBuffers {
    pub(super) fn new() -> Self {
        Self(Shares::new(LARGE, LARGE_EACH))
    }

    /// Gives a connection its buffer; a large one is the network's until the share is dropped.
    ///
    /// # Errors
    /// The connection has ended.
    pub(super) fn give(&self, stream: &TcpStream, net: ClientNet) -> io::Result<Option<Share>> {
        let share = self.0.try_take(net, 1);
        let bytes = match share {
            Some(_) => LARGE_BYTES,
            None => SMALL_BYTES,
        };
        sockopt::set_socket_send_buffer_size(stream, bytes)?;
        Ok(share)
    }
}
