//! From a request's host and target to who answers it: virtual hosts, paths, the patterns
//! of routes, applications, and redirects, which use the same patterns. And the paths as upstreams
//! know them.

pub mod application;
pub mod host;
pub mod mount;
pub mod path;
pub mod redirect;
pub mod route;
pub mod upstream_prefix;
