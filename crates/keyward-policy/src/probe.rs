//! Peepholes for fuzz targets, which see a crate from outside: the parts of a document, each by itself.
//! Not for the product.

use crate::{
    json::Json,
    pattern::{Pattern, Syntax},
};

/// Whether a text is JSON for us.
pub fn is_json(text: &str) -> bool {
    Json::parse(text).is_ok()
}

/// Whether the whole of `text` fits a pattern of a policy; `None` for what is no pattern.
pub fn fits(pattern: &str, text: &str) -> Option<bool> {
    let syntax = Syntax { variables: true, wildcards: true };
    Pattern::parse(pattern, syntax).ok().map(|pattern| pattern.fits(text))
}
