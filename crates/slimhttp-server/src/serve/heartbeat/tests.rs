//! Hearts that beat, have stopped, or have not begun; and those of a server whose handler hangs.

use std::io::Write as _;
use std::sync::mpsc;

use parking_lot::Mutex;
use slimhttp_site::config::Config;
use slimhttp_site::methods::Methods;
use slimhttp_site::route::{HandlerId, Route, RouteKind};

use super::*;
use crate::api::handler::{AnswerFuture, Callee, Handler, HandlerFault, Request};
use crate::server::{Server, ServerConfig};

#[test]
fn a_thread_goes_on_for_a_while_after_it_has_looked() {
    let heartbeat = Heartbeat::default();
    let second = Duration::from_secs(1);
    heartbeat.0.store(5_000, Ordering::Relaxed);
    for (now, expected) in [(5_000, true), (6_000, true), (6_001, false), (4_000, true)] {
        assert_eq!(heartbeat.is_within(second, now), expected, "{now}");
    }
    assert!(!Heartbeat::default().is_within(second, 5_000), "it has never looked");
    heartbeat.beat();
    assert!(heartbeat.is_within(second, clock::milliseconds()));
}

/// Blocks the I/O thread that calls it until the other end of the channel is dropped.
struct Hangs(Mutex<mpsc::Receiver<()>>);

impl Handler for Hangs {
    fn call(&self, _callee: Callee, _request: Arc<Request>) -> AnswerFuture {
        let _ = self.0.lock().recv();
        Box::pin(std::future::ready(Err(HandlerFault::Stopped)))
    }
}

fn eventually(is_so: impl Fn() -> bool) {
    let begin = std::time::Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(30), "it does not come about");
        std::thread::yield_now();
    }
}

#[test]
fn an_io_thread_that_hangs_is_felt() {
    let (release, hangs) = mpsc::channel();
    let server = Server::bind(ServerConfig {
        tls: false,
        address: Some("127.0.0.1".into()),
        port: Some(0),
        config: Config::default(),
        base: std::env::temp_dir(),
        handler: Some(Arc::new(Hangs(Mutex::new(hangs)))),
        inherited: Vec::new(),
    })
    .expect("a free port");
    let route = Route {
        pattern: "/".into(),
        methods: Methods::Any,
        prefix: false,
        kind: RouteKind::Whole,
        handler: HandlerId(1),
    };
    let registered = server.live().update(|draft| draft.routes.register(None, route));
    registered.expect("no fault").expect("a route");
    assert!(server.pulse().is_none());
    server.start().expect("threads");
    let pulse = server.pulse().expect("it has started");
    let moment = Duration::from_secs(1);
    eventually(|| pulse.is_felt_within(moment));
    let address = server.address().expect("a TCP port");
    let mut client = std::net::TcpStream::connect(address).expect("it listens");
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("it reads");
    eventually(|| !pulse.is_felt_within(moment));
    drop(release);
    eventually(|| pulse.is_felt_within(moment));
    server.close();
}
