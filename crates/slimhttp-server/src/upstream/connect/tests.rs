//! Which address is tried when, and TLS with a server of these tests.

use std::net::{Ipv4Addr, TcpListener as StdListener};

use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::HandshakeKind;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::upstream::testing::group;

#[test]
fn the_families_take_turns() {
    let sorted = |addresses: &[&str]| {
        let parse = |address: &&str| format!("{address}:1").parse().expect("is an address");
        let sorted = families_in_turn(addresses.iter().map(parse).collect());
        sorted.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(sorted(&["[::1]", "[::2]", "1.1.1.1"]), ["::1", "1.1.1.1", "::2"]);
    assert_eq!(sorted(&["1.1.1.1", "2.2.2.2", "[::1]"]), ["1.1.1.1", "::1", "2.2.2.2"]);
    assert_eq!(sorted(&["1.1.1.1", "2.2.2.2"]), ["1.1.1.1", "2.2.2.2"]);
    assert_eq!(sorted(&[]), [""; 0]);
}

/// A port of this machine at which nobody is.
fn refusing() -> SocketAddr {
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("has ports");
    listener.local_addr().expect("is bound")
}

#[tokio::test]
async fn the_first_address_that_takes_a_connection_is_used() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("has ports");
    let alive = listener.local_addr().expect("is bound");
    let socket = connect_to_first(vec![refusing(), refusing(), alive]).await;
    assert_eq!(socket.expect("one is alive").peer_addr().expect("is open"), alive);

    let error = connect_to_first(vec![refusing(), refusing()]).await.expect_err("nobody is there");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    assert!(connect_to_first(Vec::new()).await.is_err());
}

/// A port that takes no more connections, and those that fill it.
async fn full() -> (SocketAddr, socket2::Socket, Vec<TcpStream>) {
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("opens");
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("has ports");
    socket.listen(0).expect("listens");
    let address = socket.local_addr().expect("is bound").as_socket().expect("is of IP");
    let mut filling = Vec::new();
    while let Ok(Ok(one)) =
        tokio::time::timeout(Duration::from_millis(50), TcpStream::connect(address)).await
    {
        filling.push(one);
    }
    (address, socket, filling)
}

#[tokio::test]
async fn an_address_that_says_nothing_keeps_the_next_waiting_for_a_moment_only() {
    let (silent, _socket, _filling) = full().await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("has ports");
    let alive = listener.local_addr().expect("is bound");
    let begun = std::time::Instant::now();
    let socket = connect_to_first(vec![silent, alive]).await.expect("one is alive");
    assert_eq!(socket.peer_addr().expect("is open"), alive);
    assert!(begun.elapsed() >= ATTEMPT_DELAY);
}

#[tokio::test]
async fn a_connection_that_takes_too_long_is_given_up() {
    let (silent, _socket, _filling) = full().await;
    let upstream = Upstream { tls: false, host: "127.0.0.1".into(), port: silent.port() };
    let limit = Duration::from_millis(100);
    let error = connect(&upstream, limit, Place::new(&group(), 0)).await.expect_err("is full");
    assert_eq!((error.fault, error.progress), (UpstreamFault::TimedOut, Progress::NotConnected));
    assert_eq!(error.to_string(), "no connection within 100ms: see `proxy_connect_timeout`");
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_not_connected() {
    let upstream = Upstream { tls: false, host: "127.0.0.1".into(), port: refusing().port() };
    let place = Place::new(&group(), 0);
    let error = connect(&upstream, Duration::from_secs(5), place).await.expect_err("is not there");
    assert_eq!((error.fault, error.progress), (UpstreamFault::Failed, Progress::NotConnected));
    assert!(error.to_string().starts_with("cannot connect: Connection refused"), "{error}");
}

#[test]
fn the_system_says_that_no_descriptor_is_left() {
    let of = |number: Errno| io::Error::from(number);
    for (error, expected) in [
        (of(Errno::MFILE), true),
        (of(Errno::NFILE), true),
        (of(Errno::CONNREFUSED), false),
        (io::ErrorKind::TimedOut.into(), false),
    ] {
        assert_eq!(is_exhausted(&error), expected, "{error:?}");
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A server of TLS for `name`, at a port of this machine, which answers a byte with a byte; and
/// what a client has to know to trust it.
async fn tls_server(name: &str) -> (SocketAddr, Arc<rustls::ClientConfig>) {
    let authority_key = KeyPair::generate().expect("makes keys");
    let mut authority = CertificateParams::new(Vec::new()).expect("no names");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = authority.self_signed(&authority_key).expect("signs").der().clone();
    let key = KeyPair::generate().expect("makes keys");
    let certificate = CertificateParams::new([name.to_owned()]).expect("is a name");
    let certificate = certificate
        .signed_by(&key, &Issuer::from_params(&authority, &authority_key))
        .expect("signs");
    let config = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("has versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .expect("fit together");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("has ports");
    let address = listener.local_addr().expect("is bound");
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(socket).await?;
                let byte = stream.read_u8().await?;
                stream.write_u8(byte).await
            });
        }
    });
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root).expect("is a certificate");
    let config = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("has versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (address, Arc::new(config))
}

/// Connects, has a byte answered, and says how the handshake went.
async fn handshake_kind(
    config: &Arc<rustls::ClientConfig>,
    host: &str,
    address: SocketAddr,
) -> io::Result<HandshakeKind> {
    let socket = TcpStream::connect(address).await?;
    let UpstreamSocket::Tls(mut stream) = handshake(config.clone(), host, socket).await? else {
        unreachable!("a handshake was made")
    };
    stream.write_u8(7).await?;
    stream.flush().await?;
    assert_eq!(stream.read_u8().await?, 7);
    Ok(stream.get_ref().1.handshake_kind().expect("it is done"))
}

#[tokio::test]
async fn the_next_connection_resumes_the_session_of_the_last_one() {
    for name in ["localhost", "127.0.0.1"] {
        let (address, config) = tls_server(name).await;
        let kind = handshake_kind(&config, name, address).await.expect("is trusted");
        assert_eq!(kind, HandshakeKind::Full);
        let kind = handshake_kind(&config, name, address).await.expect("is trusted");
        assert_eq!(kind, HandshakeKind::Resumed);
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (address, config) = tls_server("other.example").await;
    let error = handshake_kind(&config, "localhost", address).await.expect_err("is another");
    assert!(error.to_string().contains("certificate"), "{error}");
}
