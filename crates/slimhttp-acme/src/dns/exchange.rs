//! One message to a server of the DNS, and its answer (RFC 1035, RFC 7766).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// How long a server may take over UDP, and over TCP.
const TIMEOUT: Duration = Duration::from_secs(3);
/// How often a datagram is sent: any may be lost.
const ATTEMPTS: usize = 2;
/// The largest datagram.
const LARGEST_DATAGRAM: usize = 4096;

/// Whether a server is to ask others for what it does not know itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recursion {
    Desired,
    None,
}

/// Asks a server for records.
///
/// # Errors
/// It does not answer, or something else.
pub(super) async fn query(
    server: SocketAddr,
    name: &Name,
    kind: RecordType,
    recursion: Recursion,
) -> Result<Message, String> {
    let mut request = Message::new(id(), MessageType::Query, OpCode::Query);
    request.metadata.recursion_desired = recursion == Recursion::Desired;
    request.add_query(Query::query(name.clone(), kind));
    let bytes = request.to_vec().map_err(|error| error.to_string())?;
    let answer = over_udp(server, &bytes).await.map_err(|error| format!("{server}: {error}"))?;
    let answer = read(server, &request, &answer)?;
    if !answer.metadata.truncation {
        return Ok(answer);
    }
    let answer = over_tcp(server, &bytes).await.map_err(|error| format!("{server}: {error}"))?;
    read(server, &request, &answer)
}

/// The number of a message. Nobody who does not see it can answer in the server's name.
pub(super) fn id() -> u16 {
    let mut bytes = [0; 2];
    // Without chance it is a number like another.
    aws_lc_rs::rand::fill(&mut bytes).unwrap_or_default();
    u16::from_le_bytes(bytes)
}

/// The answer to `request`.
fn read(server: SocketAddr, request: &Message, answer: &[u8]) -> Result<Message, String> {
    let answer = Message::from_vec(answer).map_err(|error| format!("{server}: {error}"))?;
    let belongs = answer.metadata.message_type == MessageType::Response
        && answer.metadata.id == request.metadata.id
        && answer.queries == request.queries;
    if belongs { Ok(answer) } else { Err(format!("{server} answered another question")) }
}

async fn over_udp(server: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    let mut answer = vec![0; LARGEST_DATAGRAM];
    for _ in 0..ATTEMPTS {
        socket.send(request).await?;
        let received = tokio::time::timeout(TIMEOUT, receive(&socket, &mut answer, request)).await;
        if let Ok(received) = received {
            answer.truncate(received?);
            return Ok(answer);
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Receives until something comes that has the number of `request`.
async fn receive(socket: &UdpSocket, answer: &mut [u8], request: &[u8]) -> io::Result<usize> {
    loop {
        let length = socket.recv(answer).await?;
        if length >= 2 && answer[..2] == request[..2] {
            return Ok(length);
        }
    }
}

/// Sends a message over TCP, and receives the answer.
///
/// # Errors
/// The server does not answer.
pub(super) async fn over_tcp(server: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let exchange = async {
        let mut stream = TcpStream::connect(server).await?;
        let length = u16::try_from(request.len());
        let length = length.map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        stream.write_all(&[&length.to_be_bytes()[..], request].concat()).await?;
        let mut answer = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    };
    match tokio::time::timeout(TIMEOUT * 2, exchange).await {
        Ok(answer) => answer,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
