//! A server for unit tests: what its threads and connections share, without a listener, a
//! thread or a socket. A test drives a connection over `tokio::io::duplex`, which is a
//! [`Stream`](crate::net::stream::Stream) in tests, on the runtime of `#[tokio::test]`.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};

use parking_lot::Mutex;
use slimhttp_site::compile::Routes;
use slimhttp_site::config::Config;
use slimhttp_site::methods::Methods;
use slimhttp_site::plan::Security;
use slimhttp_site::route::{HandlerId, Route, RouteKind};
use slimhttp_site::value::{Table, Value};

use crate::api::handler::Handler;
use crate::context::connection::ConnectionContext;
use crate::context::failed_start::ShownFailure;
use crate::context::server::ServerContext;
use crate::fs::watcher::FileWatcher;
use crate::live::testing::{listener, listeners};
use crate::live::{Draft, Live};
use crate::net::admission::{AddressPermit, ConnectionCount};
use crate::net::connection_state::ConnectionState;
use crate::net::shutdown::Shutdown;
use crate::observe::event::Events;

/// The options of a configuration, as `[("debug", true.into())]`.
pub(crate) fn config(options: impl IntoIterator<Item = (&'static str, Value)>) -> Config {
    let options = options.into_iter().map(|(key, value)| (Arc::from(key), value));
    Config::new(options.collect::<Table>())
}

/// A server of plain HTTP with these options, and no handlers.
pub(crate) fn server(
    options: impl IntoIterator<Item = (&'static str, Value)>,
) -> Arc<ServerContext> {
    shared(config(options), Routes::default(), None)
}

/// The same, whose handler is asked for what is at `/handled` and below, of every method.
pub(crate) fn server_with_handler(
    options: impl IntoIterator<Item = (&'static str, Value)>,
    kind: RouteKind,
    handler: impl Handler,
) -> Arc<ServerContext> {
    let route = Route {
        pattern: "/handled".into(),
        methods: Methods::Any,
        prefix: true,
        kind,
        handler: HandlerId(1),
    };
    let mut routes = Routes::default();
    routes.register(None, route).expect("a valid pattern");
    shared(config(options), routes, Some(Arc::new(handler)))
}

fn shared(config: Config, routes: Routes, handler: Option<Arc<dyn Handler>>) -> Arc<ServerContext> {
    let draft = Draft { routes, ..Draft::new(config, "/".into()) };
    let listeners = listeners(false);
    let live = Live::new(listener(false), listeners.clone(), handler.is_some(), draft);
    let live = live.expect("a valid configuration");
    Arc::new(ServerContext {
        live: Arc::new(live),
        listeners,
        last_local: Mutex::default(),
        handler,
        events: Events::default(),
        admission: Arc::default(),
        shutdown: Shutdown::default(),
        watcher: FileWatcher::default(),
        encoders: Arc::default(),
        failed_start: ShownFailure::default(),
        id: 1,
    })
}

/// A plain connection of a client on this machine, whose permit is its own.
pub(crate) fn connection(shared: &Arc<ServerContext>) -> Arc<ConnectionContext> {
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 2));
    let address = AddressPermit::acquire(&shared.admission, peer.ip(), usize::MAX);
    let permit = address.expect("no bound").permit(&Arc::new(ConnectionCount::default()));
    Arc::new(ConnectionContext {
        shared: shared.clone(),
        state: Arc::new(ConnectionState::new()),
        peer,
        local: shared.local_address(SocketAddr::from((Ipv4Addr::LOCALHOST, 1))),
        security: Security::Plain,
        descriptor: -1,
        data: OnceLock::new(),
        _permit: permit,
    })
}

/// A task that is polled by hand: counts how often it is woken.
#[derive(Default)]
pub(crate) struct Task(AtomicUsize);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Task {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let task = Arc::<Self>::default();
        (task.clone(), task.into())
    }

    pub(crate) fn wakes(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}
