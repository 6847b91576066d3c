//! Sockets that were open before this process began: whoever has started it (systemd, or the
//! process that it succeeds) has opened them and handed them over, each with a name.
//!
//! Asked when listeners are opened, on the thread that starts the server or makes a change.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;

use parking_lot::Mutex;
use rustix::net::{AddressFamily, SocketType, sockopt};
use slimhttp_site::listener::Endpoint;

use crate::net::listener::ListeningSocket;
use crate::net::socket_file::{Identity, identity};
use crate::net::unix_listener::SocketPath;

/// A socket that listens, with the name by which a configuration or a predecessor knows it:
/// `web`, or where it was opened for an endpoint that one's text (`:80`, `unix:/run/site.sock`).
#[derive(Debug)]
pub struct InheritedSocket {
    /// The name.
    pub name: String,
    /// The socket.
    pub socket: OwnedFd,
}

impl InheritedSocket {
    /// Whether it was opened for an endpoint of a configuration: names of systemd have no colon.
    fn is_of_endpoint(&self) -> bool {
        self.name.contains(':')
    }

    /// By which a socket is known, however many descriptors it has.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn identity(&self) -> io::Result<Identity> {
        Ok(identity(&rustix::fs::fstat(&self.socket)?))
    }

    fn duplicate(&self) -> io::Result<Self> {
        Ok(Self { name: self.name.clone(), socket: self.socket.try_clone()? })
    }
}

/// Where the sockets of a listener come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// It has opened them.
    Ours,
    /// The process before this one, which may go on to listen there until it lets go of them.
    Predecessor,
    /// Whoever manages both, as systemd does, under these names: one for each. They stay open there.
    Manager(Vec<String>),
}

/// The sockets of a predecessor that no listener has taken yet, and all that a manager has opened.
#[derive(Debug, Default)]
pub(super) struct Inherited(Mutex<Vec<InheritedSocket>>);

impl Inherited {
    /// # Errors
    /// One of them is no stream socket that listens.
    pub(super) fn new(sockets: Vec<InheritedSocket>) -> io::Result<Self> {
        for InheritedSocket { name, socket } in &sockets {
            if !listens(socket)? {
                let why = format!("`{name}`, which was handed over, is no socket that listens");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
        }
        Ok(Self(Mutex::new(sockets)))
    }

    /// The sockets that were opened for this endpoint, if there are any: by that name, by a name
    /// that the endpoint itself has, or at exactly its address. And where they come from.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn take(&self, endpoint: &Endpoint) -> io::Result<(Vec<ListeningSocket>, Source)> {
        let mut sockets = self.0.lock();
        if let Endpoint::Inherited(name) = endpoint {
            // They stay here: a listener that is taken out of the configuration may come back.
            let named = sockets.iter().filter(|socket| *socket.name == **name);
            let duplicates = named.map(|socket| socket.socket.as_fd().try_clone_to_owned());
            let adopted = duplicates.map(|socket| adopt(socket?, SocketPath::none()));
            let adopted: Vec<_> = adopted.collect::<io::Result<_>>()?;
            let names = vec![name.to_string(); adopted.len()];
            return Ok((adopted, Source::Manager(names)));
        }
        let text = endpoint.to_string();
        let mut taken: Vec<_> = sockets.extract_if(.., |socket| socket.name == text).collect();
        if taken.is_empty() {
            // They stay here, as above: the listener may be one of a change that fails.
            let bound = sockets
                .iter()
                .filter(|socket| !socket.is_of_endpoint() && is_bound_to(&socket.socket, endpoint));
            taken = bound.map(InheritedSocket::duplicate).collect::<io::Result<_>>()?;
        }
        drop(sockets);
        let adopt = |inherited: InheritedSocket| {
            let path = match endpoint {
                // What a predecessor has bound is ours to take away; what systemd has is not.
                Endpoint::Unix(path) if inherited.is_of_endpoint() => SocketPath::of(path),
                _ => SocketPath::none(),
            };
            adopt(inherited.socket, path)
        };
        let source = match taken.iter().any(InheritedSocket::is_of_endpoint) {
            true => Source::Predecessor,
            false => Source::Manager(taken.iter().map(|socket| socket.name.clone()).collect()),
        };
        let adopted = taken.into_iter().map(adopt).collect::<io::Result<_>>()?;
        Ok((adopted, source))
    }

    /// Closes what a predecessor has had open and no listener has taken: its successor listens
    /// there no more. Gives the files of such sockets, which may go once the predecessor has let go.
    pub(super) fn discard(&self) -> Vec<SocketPath> {
        let mut sockets = self.0.lock();
        let discarded = sockets.extract_if(.., |socket| socket.is_of_endpoint());
        let file = |socket: InheritedSocket| {
            Some(SocketPath::of(Path::new(socket.name.strip_prefix("unix:")?)))
        };
        discarded.filter_map(file).collect()
    }

    /// The names of those that are left.
    pub(super) fn names(&self) -> Vec<String> {
        self.0.lock().iter().map(|socket| socket.name.clone()).collect()
    }

    /// Other descriptors of those that are left, for a successor.
    ///
    /// # Errors
    /// The system's, where it gives no more descriptors.
    pub(super) fn duplicates(&self) -> io::Result<Vec<InheritedSocket>> {
        self.0.lock().iter().map(InheritedSocket::duplicate).collect()
    }
}

/// Whether clients can connect to a socket.
fn listens(socket: &OwnedFd) -> io::Result<bool> {
    if sockopt::socket_type(socket)? != SocketType::STREAM {
        return Ok(false);
    }
    // The systems of Apple do not tell; one that does not listen fails when it accepts.
    #[cfg(not(target_vendor = "apple"))]
    return Ok(sockopt::socket_acceptconn(socket)?);
    #[cfg(target_vendor = "apple")]
    Ok(true)
}

fn adopt(socket: OwnedFd, path: SocketPath) -> io::Result<ListeningSocket> {
    rustix::io::ioctl_fionbio(&socket, true)?;
    let family = rustix::net::getsockname(&socket)?.address_family();
    if family == AddressFamily::UNIX {
        return Ok(ListeningSocket::Unix(UnixListener::from(socket), path));
    }
    Ok(ListeningSocket::Tcp(TcpListener::from(socket)))
}

/// Whether a socket is where an endpoint would be bound. A name is looked up nowhere for that.
fn is_bound_to(socket: &OwnedFd, endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::Tcp { address, port } => {
            let Ok(socket) = socket.try_clone() else { return false };
            let Ok(bound) = TcpListener::from(socket).local_addr() else { return false };
            let wanted = address.parse::<IpAddr>();
            let is_address = match bound.ip() {
                IpAddr::V6(Ipv6Addr::UNSPECIFIED) | IpAddr::V4(Ipv4Addr::UNSPECIFIED)
                    if address.is_empty() =>
                {
                    true
                }
                bound => wanted.is_ok_and(|wanted| wanted == bound),
            };
            is_address && bound.port() == *port && *port != 0
        }
        Endpoint::Unix(path) => {
            let Ok(socket) = socket.try_clone() else { return false };
            let bound = UnixListener::from(socket).local_addr();
            bound.is_ok_and(|bound| bound.as_pathname() == Some(path))
        }
        Endpoint::Inherited(_) => false,
    }
}

#[cfg(test)]
mod tests;
