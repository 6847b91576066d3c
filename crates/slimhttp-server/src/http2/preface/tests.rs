//! Beginnings of connections, whole and in pieces, and how long they are waited for.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A client that is connected, and our end.
async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("is bound"));
    let (client, accepted) = tokio::join!(client, listener.accept());
    let (client, (socket, _)) = (client.expect("is there"), accepted.expect("is there"));
    client.set_nodelay(true).expect("a socket");
    (client, socket)
}

/// What a connection is taken for whose client sends these pieces; all of them stay to be read.
async fn taken_for(pieces: &[&[u8]]) -> Option<bool> {
    let (mut client, mut socket) = connected().await;
    let state = ConnectionState::new();
    let sending = async {
        for piece in pieces {
            client.write_all(piece).await.expect("it is taken");
            tokio::task::yield_now().await;
        }
        client.shutdown().await.expect("a socket");
    };
    let ((), is_http2) = tokio::join!(sending, is_http2(&socket, &state));
    let mut unread = Vec::new();
    socket.read_to_end(&mut unread).await.expect("it is read");
    assert_eq!(unread, pieces.concat());
    is_http2
}

#[tokio::test]
async fn c10_7_what_begins_with_the_preface_is_http_2() {
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    assert_eq!(taken_for(&[PREFACE]).await, Some(true));
    assert_eq!(taken_for(&[PREFACE, &settings]).await, Some(true));
    let each: Vec<&[u8]> = PREFACE.chunks(1).collect();
    assert_eq!(taken_for(&each).await, Some(true));
    for cut in 1..PREFACE.len() {
        let (begun, rest) = PREFACE.split_at(cut);
        assert_eq!(taken_for(&[begun, rest]).await, Some(true), "{cut}");
        let mut other = PREFACE.to_vec();
        other[cut] ^= 1;
        assert_eq!(taken_for(&[&other]).await, Some(false), "{cut}");
        assert_eq!(taken_for(&[begun, &other[cut..]]).await, Some(false), "{cut}");
        // Nothing further comes.
        assert_eq!(taken_for(&[begun]).await, Some(false), "{cut}");
    }
    for request in
        [&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], b"POST", b"PRI / HTTP/1.1\r\n\r\n", b""]
    {
        assert_eq!(taken_for(&[request]).await, Some(false), "{request:?}");
    }
}

/// Asks the connection to end once it waits: whether that ends the wait. The clock goes on when
/// nothing else does.
async fn ends(sent: &[u8], mode: CloseMode) -> bool {
    let (mut client, socket) = connected().await;
    client.write_all(sent).await.expect("it is taken");
    let state = ConnectionState::new();
    let asking = async {
        // What was sent has been looked at, as its phase tells.
        while !sent.is_empty() && state.idle_since().is_some() {
            tokio::task::yield_now().await;
        }
        state.request_close(mode);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = asking => unreachable!("it waits for ever"),
        is_http2 = is_http2(&socket, &state) => {
            assert_eq!(is_http2, None);
            true
        }
        () = tokio::time::sleep(Duration::from_secs(60)) => false,
    }
}

#[tokio::test(start_paused = true)]
async fn c10_7_one_that_waits_may_be_asked_to_end() {
    for (sent, mode, expected) in [
        (&b""[..], CloseMode::Gracefully, true),
        (b"", CloseMode::Cut, true),
        (b"", CloseMode::AfterRequest, false),
        (b"PRI * ", CloseMode::AfterRequest, false),
        (b"PRI * ", CloseMode::Gracefully, false),
        // Another process has the clients, and this one may send its one request.
        (b"", CloseMode::AfterRequest, false),
        (b"PRI * ", CloseMode::AfterRequest, false),
        (b"PRI * ", CloseMode::HeadTimeout, true),
        (b"PRI * ", CloseMode::Cut, true),
    ] {
        assert_eq!(ends(sent, mode).await, expected, "{sent:?} {mode:?}");
    }
}
