//! Who sent a batch, and what memory it counts for.

use std::sync::Arc;

use crate::shares::{ClientNet, Share};

/// Who sent a batch. A clone goes with the records wherever they are.
#[derive(Clone)]
pub struct Sender {
    /// The network that the work on the batch counts for.
    pub net: ClientNet,
    /// The memory that the batch counts for, if anybody counts it: taken until the last clone of this
    /// is gone, though whoever sent the batch may be gone before.
    pub memory: Option<Arc<Share>>,
}

impl Sender {
    /// The program that holds the log.
    pub const LOCAL: Self = Self {
        net: ClientNet::LOCAL,
        memory: None,
    };
}
