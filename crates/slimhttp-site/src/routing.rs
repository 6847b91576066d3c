//! From a request's target to who answers it: host names, paths, the patterns of
//! routes, and redirects, which use the same patterns.

pub mod host;
pub mod path;
pub mod redirect;
pub mod route;
