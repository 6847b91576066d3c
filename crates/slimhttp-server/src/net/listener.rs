//! The listening sockets: bound by the program's thread, before root gives up its rights, or
//! adopted from whoever has bound them for this process; then moved to the first I/O thread, which
//! accepts from them. To look up a name may block.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};

/// How many connections wait in the system until they are accepted; the
/// system's own bound (`somaxconn`) may be lower.
const BACKLOG: i32 = 4096;

/// Binds and listens on every address that `address` stands for: `''` is every
/// interface, IPv4 and IPv6; a name, an address with or without brackets.
///
/// # Errors
/// The system's: taken, forbidden, unknown.
pub(crate) fn bind(address: &str, port: u16) -> io::Result<Vec<TcpListener>> {
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    if bare.is_empty() {
        return bind_everywhere(port);
    }
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(vec![listen(SocketAddr::new(ip, port), true)?]);
    }
    let mut sockets: Vec<TcpListener> = Vec::new();
    for resolved in (bare, port).to_socket_addrs()? {
        // A free port, once taken, is the same for every address of the name.
        let port =
            sockets.first().map_or(Ok(port), |socket| socket.local_addr().map(|at| at.port()))?;
        let wanted = SocketAddr::new(resolved.ip(), port);
        if sockets.iter().any(|socket| socket.local_addr().is_ok_and(|at| at == wanted)) {
            continue;
        }
        match listen(wanted, true) {
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

/// Prepares sockets that somebody else has bound, and listens on (a supervisor, systemd): clients
/// that have connected there wait for us as they would on our own.
///
/// # Errors
/// There is none, or one of them does not listen.
pub(crate) fn adopt(sockets: Vec<TcpListener>) -> io::Result<Vec<TcpListener>> {
    let refused = |why| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    if sockets.is_empty() {
        return refused("no socket was handed over");
    }
    for socket in &sockets {
        let is_ip = socket.local_addr().is_ok();
        if !is_ip || !listens(socket)? {
            return refused("what was handed over is no socket that listens");
        }
        socket.set_nonblocking(true)?;
    }
    Ok(sockets)
}

/// Whether clients can connect to a socket.
#[cfg(not(target_vendor = "apple"))]
fn listens(socket: &TcpListener) -> io::Result<bool> {
    Ok(rustix::net::sockopt::socket_acceptconn(socket)?)
}

/// The systems of Apple do not tell; one that does not listen fails when it accepts.
#[cfg(target_vendor = "apple")]
fn listens(_: &TcpListener) -> io::Result<bool> {
    Ok(true)
}

/// One socket for both families where the system has IPv6, else IPv4 alone.
fn bind_everywhere(port: u16) -> io::Result<Vec<TcpListener>> {
    match listen(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port), false) {
        Ok(socket) => Ok(vec![socket]),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        Err(_) => Ok(vec![listen(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port), true)?]),
    }
}

fn listen(address: SocketAddr, one_family: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(one_family)?;
    }
    // A restarted server must not wait for the connections of the last one to
    // time out. This does not let two servers share a port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests;
