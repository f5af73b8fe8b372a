//! What every handler, of the API or of a page, reads of a request and answers with: places of a
//! path and a query, entity tags, problem documents (RFC 9457), places in lists that are given page by
//! page, the client that asks, what readers share and whose turn is next, memory of answers in flight, and the sign that the server stops.

mod client;
mod closing;
pub(crate) mod etag;
pub(crate) mod extract;
mod in_flight;
mod page_routes;
mod peer;
pub(crate) mod places;
mod problem;
mod problem_code;
pub(crate) mod reader_limits;
mod turn;

pub(crate) use client::Client;
pub use closing::Closing;
pub(crate) use in_flight::{AnswerBudget, hold_answer};
pub use page_routes::PageRoutes;
pub(crate) use peer::Peer;
pub(crate) use problem::Problem;
pub(crate) use problem_code::ProblemCode;
pub(crate) use turn::{ReadTurns, take_turn};
