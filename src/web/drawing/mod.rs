//! What pages draw: maps and charts as SVG within the page, by geometry of their own and templates. Colours, the width of
//! lines and the size of letters are the style's (`pages/style.css`), so that they follow the reader's theme and a phone's
//! width; what a drawing shows stands in a table behind it.

pub(super) mod chart;
mod land;
pub(super) mod map;
mod path;
mod view;
