//! Programs that are not the server: they use the commands and the library as anybody could, and
//! neither knows of them.

pub mod auditor;
pub mod bench;
pub mod demo;
pub mod import;
pub mod witness;
