//! What every handler, of the API or of a page, reads of a request and answers with: places of a
//! path and a query, entity tags, problem documents (RFC 9457), and the sign that the server stops.

mod client;
mod closing;
pub(crate) mod etag;
pub(crate) mod extract;
mod page_routes;
pub(crate) mod places;
mod problem;

pub use closing::Closing;
pub use page_routes::PageRoutes;
pub(crate) use problem::Problem;
