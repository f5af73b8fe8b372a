//! The pages that a server shows beside the log.

use axum::Router;

/// The routes of pages for a browser, made by [`crate::web::pages`]: a server has them beside the
/// log's own routes.
pub struct PageRoutes(pub(crate) Router);

impl PageRoutes {
    /// No pages: a server for machines alone.
    pub fn none() -> Self {
        Self(Router::new())
    }
}
