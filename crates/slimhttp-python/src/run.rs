//! A job on its way through Python: a thread's turn (`turn`) or the event loop's (`event_loop`)
//! takes it, `call` calls the handler, `response` reads what it returned, `settle` answers. The only
//! folder in which the program's handlers run, and always on a thread of Python's own. `dispatcher`
//! is what the others share.

pub(crate) mod acme;
pub(crate) mod add_route;
pub(crate) mod answering_coroutine;
pub(crate) mod applications;
pub(crate) mod asgi;
pub(crate) mod call;
pub(crate) mod channel;
pub(crate) mod connection_hooks;
pub(crate) mod dispatcher;
pub(crate) mod event_loop;
pub(crate) mod handlers;
pub(crate) mod http_error;
pub(crate) mod iterators;
pub(crate) mod response;
pub(crate) mod retained;
pub(crate) mod settle;
pub(crate) mod turn;
pub(crate) mod websocket;
pub(crate) mod websocket_threads;
pub(crate) mod wsgi;
