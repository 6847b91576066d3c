//! Prefixes on the way to an upstream and back.

use std::net::Ipv4Addr;

use bytes::Bytes;
use http::header::{LOCATION, SET_COOKIE};
use slimhttp_site::upstream_prefix::PrefixRule;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::context::testing;

/// What an upstream gets that knows its paths by another prefix, and what the client gets of it.
#[tokio::test]
async fn paths_lose_their_prefix_and_get_it_back() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let upstream = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        let mut asked = vec![0; 4096];
        let length = socket.read(&mut asked).await.expect("a request");
        let response = format!(
            "HTTP/1.1 302 Found\r\nLocation: http://{address}/v2/login\r\n\
             Set-Cookie: a=1; Path=/v2\r\nContent-Length: 0\r\n\r\n"
        );
        socket.write_all(response.as_bytes()).await.expect("it is read");
        String::from_utf8_lossy(&asked[..length]).into_owned()
    });

    let shared = testing::server([("proxy", address.to_string().as_str().into())]);
    let scope = shared.live.current().site.global.clone();
    let prefix = Some(PrefixRule::new("/api", "/v2"));
    let proxy = scope.options.proxy.as_deref().expect("there is one").clone();
    let proxy = Arc::new(Proxy { prefix, ..proxy });
    let group = shared.live.upstream_groups().of(&scope, &proxy);
    let forwarded = Forwarded {
        connection: testing::connection(&shared),
        scope,
        method: Method::GET,
        uri: "/api/users?q=1".parse().expect("a target"),
        version: Version::HTTP_11,
        headers: HeaderMap::from_iter([(HOST, HeaderValue::from_static("a.example"))]),
        body: RequestBody::Collected(Bytes::new()),
        body_timeout: Duration::from_secs(20),
        upgrade: None,
    };
    let response = forward(&proxy, &group, forwarded).await.expect("a response");
    assert_eq!(response.headers()[LOCATION], "/api/login");
    assert_eq!(response.headers()[SET_COOKIE], "a=1; Path=/api");
    let asked = upstream.await.expect("it ends");
    assert!(asked.starts_with("GET /v2/users?q=1 HTTP/1.1\r\n"), "{asked}");
}
