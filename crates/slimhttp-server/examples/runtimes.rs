//! The question behind `serve/threads.rs`, to be asked again on any machine: one
//! work-stealing runtime, one runtime per core with `SO_REUSEPORT`, or one
//! runtime per core with a listener that deals connections out?
//!
//! `cargo run --release -p slimhttp-server --example runtimes -- stealing|reuseport|dealing
//! WORKERS PORT`; `benches/runtimes` measures the three side by side.

use std::error::Error;
use std::io;
use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use http::{HeaderMap, StatusCode};
use slimhttp_http1::{Framing, Limits, RequestEvent, Response, Scratch, Server};
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};

static PAGE: [u8; 1024] = [b'x'; 1024];
const LIMITS: Limits = Limits { max_head: 64 * 1024, max_fields: 100, max_target: 8 * 1024 };

async fn serve(socket: TcpStream) {
    let _ = socket.set_nodelay(true);
    let _ = hello(socket).await;
}

/// Answers each request without content with a page, and ends the connection with any other.
async fn hello(mut socket: TcpStream) -> io::Result<()> {
    let (mut engine, mut scratch) = (Server::new(LIMITS), Scratch::default());
    let (mut received, mut out) = (BytesMut::with_capacity(4096), Vec::with_capacity(2048));
    loop {
        let read = engine.read(&received, &mut scratch).map_err(io::Error::other)?;
        let (consumed, is_head) = match read.event {
            RequestEvent::Head(head) if head.framing() == Framing::None => (read.consumed, true),
            RequestEvent::Incomplete => (read.consumed, false),
            _ => return Ok(()),
        };
        received.advance(consumed);
        if !is_head {
            if socket.read_buf(&mut received).await? == 0 {
                return Ok(());
            }
            continue;
        }
        out.clear();
        let (fields, length) = (HeaderMap::new(), Some(PAGE.len() as u64));
        let head = Response { status: StatusCode::OK, fields: &fields, length, date: None };
        if engine.send_response(&mut out, &head).map_err(io::Error::other)? != Framing::None {
            engine.send_data(PAGE.len() as u64).map_err(io::Error::other)?;
            out.extend_from_slice(&PAGE);
            engine.send_end(&mut out, None).map_err(io::Error::other)?;
        }
        socket.write_all(&out).await?;
    }
}

fn listen(port: u16, shared: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], port)).into())?;
    socket.listen(4096)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Accepts on this runtime; `place` says on which one a connection is served.
async fn accept(listener: std::net::TcpListener, mut place: impl FnMut() -> Option<Handle>) {
    let listener = TcpListener::from_std(listener).expect("a listening socket");
    while let Ok((socket, _)) = listener.accept().await {
        match place() {
            None => drop(tokio::spawn(serve(socket))),
            Some(elsewhere) => {
                let Ok(socket) = socket.into_std() else { continue };
                elsewhere.spawn(async move {
                    if let Ok(socket) = TcpStream::from_std(socket) {
                        serve(socket).await;
                    }
                });
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [way, workers, port] = &arguments[..] else {
        return Err("expected: stealing|reuseport|dealing WORKERS PORT".into());
    };
    let (workers, port) = (workers.parse::<usize>()?, port.parse::<u16>()?);
    if way == "stealing" {
        let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
        let listener = listen(port, false)?;
        runtime.block_on(async { tokio::spawn(accept(listener, || None)).await })?;
        return Ok(());
    }
    let mut runtimes = Vec::new();
    for _ in 0..workers {
        runtimes.push(Builder::new_current_thread().enable_all().build()?);
    }
    let handles: Vec<Handle> = runtimes.iter().map(|runtime| runtime.handle().clone()).collect();
    let mut threads = Vec::new();
    for (index, runtime) in runtimes.into_iter().enumerate() {
        let listener = match way.as_str() {
            "reuseport" => Some(listen(port, true)?),
            "dealing" if index == 0 => Some(listen(port, false)?),
            _ => None,
        };
        let (handles, deals) = (handles.clone(), way == "dealing");
        threads.push(std::thread::spawn(move || {
            let mut turn = 0;
            let place = move || {
                turn = (turn + 1) % handles.len();
                (deals && turn != 0).then(|| handles[turn].clone())
            };
            runtime.block_on(async {
                match listener {
                    Some(listener) => accept(listener, place).await,
                    None => std::future::pending().await,
                }
            });
        }));
    }
    for thread in threads {
        thread.join().map_err(|_| "a worker panicked")?;
    }
    Ok(())
}
