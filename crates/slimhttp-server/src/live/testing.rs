//! A site in force for unit tests, of a server that listens nowhere.

use std::net::Ipv4Addr;
use std::sync::Arc;

use slimhttp_site::config::Config;
use slimhttp_site::listener::{Endpoint, FirstListener, Listener};

use crate::live::{Draft, Live};
use crate::net::listeners::Listeners;

/// Port 1 of this machine.
pub(crate) fn listener(tls: bool) -> FirstListener {
    FirstListener {
        endpoint: Endpoint::tcp("", 0),
        tls,
        is_listed: false,
        bound: vec![Ipv4Addr::LOCALHOST.into()],
        port: 1,
    }
}

/// A listener of no socket.
pub(crate) fn listeners(tls: bool) -> Arc<Listeners> {
    let listeners = Listeners::new(Vec::new()).expect("there is nothing to look at");
    listeners.pretend(Listener::new(Endpoint::tcp("", 0), tls));
    Arc::new(listeners)
}

/// What a valid configuration says, whose relative paths begin at the root of the disk.
pub(crate) fn live(tls: bool, config: Config) -> Live {
    let draft = Draft::new(config, "/".into());
    Live::new(listener(tls), listeners(tls), false, draft).expect("it is valid")
}
