use clap::Args;

use super::Done;
use super::out;
use arborlog::web::check_page;

/// Print the page that checks any log, as one HTML file: it verifies in a browser, by an address and a key that the reader
/// gives, from disk or from any site. What a server gives at /check.html of the same release has the same bytes.
#[derive(Args)]
pub struct PageArgs {}

pub fn run(_: &PageArgs) -> Done {
    out::write(format_args!("{}", check_page()));
    Ok(())
}
