//! A site in force for unit tests, of a server that listens nowhere.

use std::net::Ipv4Addr;

use slimhttp_site::config::Config;
use slimhttp_site::site::Listener;

use crate::live::{Draft, Live};

/// Port 1 of this machine.
pub(crate) fn listener(tls: bool) -> Listener {
    Listener {
        tls,
        address: String::new(),
        bound: vec![Ipv4Addr::LOCALHOST.into()],
        configured_port: 0,
        port: 1,
    }
}

/// What a valid configuration says, whose relative paths begin at the root of the disk.
pub(crate) fn live(tls: bool, config: Config) -> Live {
    Live::new(listener(tls), false, Draft::new(config, "/".into())).expect("it is valid")
}
