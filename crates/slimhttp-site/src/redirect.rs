//! Paths that are sent elsewhere, and paths that are answered in place of others.

/// Where paths are sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Redirects;

/// Which path is answered in place of another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rewrites;
