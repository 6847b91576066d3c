//! Opening what clients connect to: TCP ports, sockets in the file system, and sockets that
//! whoever has started the process has opened for it.
//!
//! On the thread that starts the server or makes a change, which may wait: for the disk, and for
//! the look-up of a name.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;

use slimhttp_site::listener::{Endpoint, Listener};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::net::unix_listener::{self, SocketPath};

/// How many connections wait in the system until they are accepted; the
/// system's own bound (`somaxconn`) may be lower.
pub(crate) const BACKLOG: i32 = 4096;

/// Where clients of a socket in the file system count as coming from, and where they come to: this
/// machine, and no port.
pub(crate) const THIS_MACHINE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A socket that listens.
#[derive(Debug)]
pub(crate) enum ListeningSocket {
    /// On a TCP port.
    Tcp(TcpListener),
    /// In the file system, at that path.
    Unix(UnixListener, SocketPath),
}

impl ListeningSocket {
    /// The address, of a TCP port.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(socket) => socket.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    /// Its file, where that is ours.
    pub(super) fn file(&self) -> Option<SocketPath> {
        match self {
            Self::Unix(_, file) if file.is_known() => Some(file.clone()),
            _ => None,
        }
    }

    /// Another descriptor of the same socket.
    ///
    /// # Errors
    /// The system's, where it gives no more descriptors.
    pub(crate) fn duplicate(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Tcp(socket) => socket.as_fd().try_clone_to_owned(),
            Self::Unix(socket, _) => socket.as_fd().try_clone_to_owned(),
        }
    }
}

/// Opens what a listener names. `ours` are the sockets that the server has open: the new one may
/// overlap with these, as `:80` does with `127.0.0.1:80`, and then the more specific one takes what
/// it names.
///
/// # Errors
/// The system's: taken, forbidden, unknown.
pub(crate) fn open<'s>(
    listener: &Listener,
    ours: impl Iterator<Item = &'s TcpListener> + Clone,
) -> io::Result<Vec<ListeningSocket>> {
    match &listener.endpoint {
        Endpoint::Tcp { address, port } => {
            let sockets = Port { ours, is_shared: listener.reuse_port }.bind(address, *port)?;
            Ok(sockets.into_iter().map(ListeningSocket::Tcp).collect())
        }
        Endpoint::Unix(path) => {
            let (socket, path) = unix_listener::bind(path, &listener.socket_file)?;
            Ok(vec![ListeningSocket::Unix(socket, path)])
        }
        Endpoint::Inherited(name) => Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("no socket of the name `{name}` was handed over"),
        )),
    }
}

/// What to do about an endpoint that cannot be opened, where that is likely.
pub(crate) fn hint(endpoint: &Endpoint, cause: &io::Error) -> Option<String> {
    let said = match (endpoint, cause.kind()) {
        (Endpoint::Tcp { .. }, io::ErrorKind::AddrInUse) => {
            "another program has this port; stop it or choose another one"
        }
        (Endpoint::Tcp { port: 1..1024, .. }, io::ErrorKind::PermissionDenied) => {
            "ports below 1024 belong to the administrator; 8080 does not"
        }
        _ => return None,
    };
    Some(said.to_owned())
}

/// How TCP ports are bound.
struct Port<O> {
    ours: O,
    /// Whether other processes may bind them too.
    is_shared: bool,
}

impl<'s, O: Iterator<Item = &'s TcpListener> + Clone> Port<O> {
    /// Binds and listens on every address that `address` stands for: an empty one is every
    /// interface, IPv4 and IPv6.
    fn bind(&self, address: &str, port: u16) -> io::Result<Vec<TcpListener>> {
        if address.is_empty() {
            return self.bind_everywhere(port);
        }
        if let Ok(ip) = address.parse::<IpAddr>() {
            return Ok(vec![self.listen(SocketAddr::new(ip, port), true)?]);
        }
        let mut sockets: Vec<TcpListener> = Vec::new();
        for resolved in (address, port).to_socket_addrs()? {
            // A free port, once taken, is the same for every address of the name.
            let port = sockets
                .first()
                .map_or(Ok(port), |socket| socket.local_addr().map(|at| at.port()))?;
            let wanted = SocketAddr::new(resolved.ip(), port);
            if sockets.iter().any(|socket| socket.local_addr().is_ok_and(|at| at == wanted)) {
                continue;
            }
            match self.listen(wanted, true) {
                Ok(socket) => sockets.push(socket),
                // A name such as `localhost` has an IPv6 address even where the
                // machine has no IPv6.
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {}
                Err(error) => return Err(error),
            }
        }
        if sockets.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                "the name has no address here",
            ));
        }
        Ok(sockets)
    }

    /// One socket for both families where the system has IPv6, else IPv4 alone.
    fn bind_everywhere(&self, port: u16) -> io::Result<Vec<TcpListener>> {
        match self.listen(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port), false) {
            Ok(socket) => Ok(vec![socket]),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
            Err(_) => {
                Ok(vec![self.listen(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port), true)?])
            }
        }
    }

    fn listen(&self, address: SocketAddr, one_family: bool) -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(one_family)?;
        }
        // A restarted server must not wait for the connections of the last one to
        // time out. This does not let two servers share a port.
        socket.set_reuse_address(true)?;
        if self.is_shared {
            socket.set_reuse_port(true)?;
        }
        match socket.bind(&address.into()) {
            Ok(()) => socket.listen(BACKLOG)?,
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && !self.is_shared => {
                self.listen_beside_ours(&socket, address, error)?;
            }
            Err(error) => return Err(error),
        }
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    }

    /// Binds and listens where the address overlaps with one of ours: for a moment these share their
    /// port (`SO_REUSEPORT`). The system looks twice whether it is free, when a socket is bound and
    /// when it is to listen. Linux remembers for as long as the port is used that it was shared once:
    /// a program of the same user may share it too, if it asks to.
    fn listen_beside_ours(
        &self,
        socket: &Socket,
        address: SocketAddr,
        taken: io::Error,
    ) -> io::Result<()> {
        let overlaps = |ours: &&TcpListener| {
            ours.local_addr().is_ok_and(|at| at.port() == address.port() && at != address)
        };
        let ours: Vec<_> = self.ours.clone().filter(overlaps).map(SockRef::from).collect();
        if ours.is_empty() {
            return Err(taken);
        }
        let share = |is_shared: bool| -> io::Result<()> {
            ours.iter().try_for_each(|socket| socket.set_reuse_port(is_shared))
        };
        share(true)?;
        socket.set_reuse_port(true)?;
        let listening = socket.bind(&address.into()).and_then(|()| socket.listen(BACKLOG));
        socket.set_reuse_port(false)?;
        share(false)?;
        listening
    }
}

#[cfg(test)]
mod tests;
