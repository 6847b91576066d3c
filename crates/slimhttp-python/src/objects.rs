//! The objects that programs and the Python half hold, and the callbacks of the Python half: requests
//! and their content, what a WSGI application is given, connections and identities, routes, the ends
//! of WebSockets, what TLS has negotiated, and what makes tasks of an event loop. They are made by `run`, `server` and the
//! Python half, and used on whichever thread of Python has them.

pub(crate) mod callbacks;
pub(crate) mod content;
pub(crate) mod content_reader;
pub(crate) mod contexts;
pub(crate) mod eager_tasks;
pub(crate) mod identity;
pub(crate) mod request;
pub(crate) mod routes;
pub(crate) mod script;
pub(crate) mod socket;
pub(crate) mod tls;
pub(crate) mod unwanted;
pub(crate) mod upgrade_answer;
pub(crate) mod waiting;
pub(crate) mod websocket_end;
pub(crate) mod websocket_route;
pub(crate) mod wsgi;
