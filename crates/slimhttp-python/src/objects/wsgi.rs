//! What a WSGI application is given (PEP 3333): `start_response` and its `write`, `wsgi.input`,
//! `wsgi.errors`, `wsgi.file_wrapper`. Made by `run::wsgi` for each request, but for those of
//! which one serves all; used on the thread that answers, or on whichever the application has
//! handed them to.

pub(crate) mod errors;
pub(crate) mod file_wrapper;
pub(crate) mod head;
pub(crate) mod input;
pub(crate) mod start_response;
