//! The pages that a server shows beside the log.

use axum::Router;

use super::Problem;

/// The routes of pages for a browser, made by [`crate::web::pages`], and the answer at every path that nothing has: a
/// server has them beside the log's own routes.
pub struct PageRoutes(pub(crate) Router);

impl PageRoutes {
    /// No pages: a server for machines alone.
    pub fn none() -> Self {
        let nothing = || async { Problem::not_found("there is nothing at this path") };
        Self(Router::new().fallback(nothing))
    }
}
