//! From a request's host and target to who answers it: virtual hosts, paths, the patterns
//! of routes, and redirects, which use the same patterns.

pub mod host;
pub mod path;
pub mod redirect;
pub mod route;
