//! The header with which a proxy begins a connection, to tell whose it is: the PROXY protocol,
//! version 1 (a line of text) and version 2 (binary), as HAProxy specifies it
//! (<https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>).
//!
//! `serve/proxied.rs` reads it before anything else of the connection, on its I/O thread. Where it
//! ends is found here, within the bounds of the specification, and `ppp` is given exactly that; what
//! it takes more leniently is refused before. What follows the header stays in the socket, for
//! whoever speaks TLS or HTTP there.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use ppp::{v1, v2};
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::TcpStream;

/// What the line of version 1 begins with (section 2.1).
const LINE: &[u8] = b"PROXY ";

/// The longest line, with the CRLF at its end.
const LONGEST_LINE: usize = 107;

/// What a header of version 2 begins with (section 2.2).
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The signature, the version and the family, and how much follows.
const FIXED: usize = 16;

/// Version 2 and the command by which a proxy speaks for itself, to see whether we are there.
const LOCAL: u8 = 0x20;

/// The longest header of version 2 that is taken: what every receiver has to take (section 2.2).
const LONGEST: usize = 536;

/// A header that has come whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProxyHeader {
    /// How many bytes it has.
    length: usize,
    /// What it tells; `None` where the connection is the proxy's own, or where its client has come
    /// by something else than TCP.
    pub(crate) proxied: Option<Proxied>,
}

/// The two ends of a connection to a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proxied {
    /// The client.
    pub(crate) client: SocketAddr,
    /// What the client has connected to.
    pub(crate) local: SocketAddr,
}

/// Why a connection does not begin as it is to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// It begins with something else.
    Absent,
    /// It is longer than it may be.
    TooLong,
    /// It is broken off.
    Incomplete,
    /// It is none that the protocol has.
    Malformed(String),
}

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("there is none"),
            Self::TooLong => f.write_str("it is too long"),
            Self::Incomplete => f.write_str("it is broken off"),
            Self::Malformed(why) => f.write_str(why.trim_end_matches('.')),
        }
    }
}

/// Reads the header of a connection, and nothing behind it; `None` where the client has left
/// before its first byte. Dropped before, it has read nothing.
///
/// # Errors
/// Of the socket; of the header, as [`HeaderFault`].
pub(crate) async fn read(
    socket: &mut TcpStream,
) -> io::Result<Option<Result<ProxyHeader, HeaderFault>>> {
    let mut bytes = [0; LONGEST];
    let mut length = 0;
    loop {
        let Some(more) = peek_more(socket, &mut bytes, length).await? else {
            return Ok((length > 0).then_some(Err(HeaderFault::Incomplete)));
        };
        length = more;
        match parse(&bytes[..length]) {
            Ok(None) => {}
            Err(fault) => return Ok(Some(Err(fault))),
            Ok(Some(header)) => {
                // It has come, so that nothing is waited for.
                socket.read_exact(&mut bytes[..header.length]).await?;
                return Ok(Some(Ok(header)));
            }
        }
    }
}

/// Waits until more than `known` bytes can be read, and copies what there is of them, as far as
/// there is room; they stay where they are. `None` where the other end has sent all.
pub(crate) async fn peek_more(
    socket: &TcpStream,
    bytes: &mut [u8],
    known: usize,
) -> io::Result<Option<usize>> {
    loop {
        let ready = socket.ready(Interest::READABLE).await?;
        // To the runtime the socket is ready for as long as there is something to read; by this
        // error it learns that there is nothing new, and tells of the next packet.
        let peeked = socket.try_io(Interest::READABLE, || {
            let (length, _) = recv(socket, &mut *bytes, RecvFlags::PEEK)?;
            if length > known { Ok(length) } else { Err(io::ErrorKind::WouldBlock.into()) }
        });
        match peeked {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if ready.is_read_closed() {
                    return Ok(None);
                }
            }
            peeked => return peeked.map(Some),
        }
    }
}

/// The header with which `bytes` begin; `None` where more of it is to come.
///
/// # Errors
/// They begin with none.
fn parse(bytes: &[u8]) -> Result<Option<ProxyHeader>, HeaderFault> {
    let begins_with = |start: &[u8]| {
        let common = start.len().min(bytes.len());
        bytes[..common] == start[..common]
    };
    if begins_with(LINE) {
        line(bytes)
    } else if begins_with(SIGNATURE) {
        binary(bytes)
    } else {
        Err(HeaderFault::Absent)
    }
}

/// Reads a header of version 1.
fn line(bytes: &[u8]) -> Result<Option<ProxyHeader>, HeaderFault> {
    let within = &bytes[..bytes.len().min(LONGEST_LINE)];
    let Some(end) = memchr::memchr(b'\n', within) else {
        return if within.len() < LONGEST_LINE { Ok(None) } else { Err(HeaderFault::TooLong) };
    };
    let line = &bytes[..=end];
    let malformed = |why: &str| HeaderFault::Malformed(why.to_owned());
    let bare = line.strip_suffix(b"\r\n").ok_or_else(|| malformed("its line ends without CRLF"))?;
    let length = line.len();
    // Whatever else stands there is nobody's address.
    if bare == b"PROXY UNKNOWN" || bare.starts_with(b"PROXY UNKNOWN ") {
        return Ok(Some(ProxyHeader { length, proxied: None }));
    }
    // `ppp` reads ports as Rust does, which takes a sign.
    if bare.contains(&b'+') {
        return Err(malformed("its ports are no numbers"));
    }
    let header = v1::Header::try_from(line).map_err(|error| malformed(&error.to_string()))?;
    let (client, local): (SocketAddr, SocketAddr) = match header.addresses {
        v1::Addresses::Tcp4(it) => (
            (it.source_address, it.source_port).into(),
            (it.destination_address, it.destination_port).into(),
        ),
        v1::Addresses::Tcp6(it) => (
            (it.source_address, it.source_port).into(),
            (it.destination_address, it.destination_port).into(),
        ),
        v1::Addresses::Unknown => return Ok(Some(ProxyHeader { length, proxied: None })),
    };
    Ok(Some(ProxyHeader { length, proxied: Some(Proxied { client, local }) }))
}

/// Reads a header of version 2.
fn binary(bytes: &[u8]) -> Result<Option<ProxyHeader>, HeaderFault> {
    let Some(&[.., high, low]) = bytes.get(..FIXED) else { return Ok(None) };
    let length = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST {
        return Err(HeaderFault::TooLong);
    }
    let Some(whole) = bytes.get(..length) else { return Ok(None) };
    // Of a connection of the proxy's own, all else is to be ignored (section 2.2).
    if whole[SIGNATURE.len()] == LOCAL {
        return Ok(Some(ProxyHeader { length, proxied: None }));
    }
    let header =
        v2::Header::try_from(whole).map_err(|error| HeaderFault::Malformed(error.to_string()))?;
    let is_stream = header.protocol == v2::Protocol::Stream;
    let proxied = match header.addresses {
        v2::Addresses::IPv4(it) => Some(Proxied {
            client: (it.source_address, it.source_port).into(),
            local: (it.destination_address, it.destination_port).into(),
        }),
        v2::Addresses::IPv6(it) => Some(Proxied {
            client: (it.source_address, it.source_port).into(),
            local: (it.destination_address, it.destination_port).into(),
        }),
        v2::Addresses::Unix(_) | v2::Addresses::Unspecified => None,
    };
    Ok(Some(ProxyHeader { length, proxied: proxied.filter(|_| is_stream) }))
}

#[cfg(test)]
mod tests;
