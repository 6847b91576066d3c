//! The question behind `serve/threads.rs`, to be asked again on any machine: one
//! work-stealing runtime, one runtime per core with `SO_REUSEPORT`, or one
//! runtime per core with a listener that deals connections out?
//!
//! `cargo run --release -p slimhttp-server --example runtimes -- stealing|reuseport|dealing
//! WORKERS PORT`; `benches/runtimes` measures the three side by side.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    static PAGE: [u8; 1024] = [b'x'; 1024];
    Ok(Response::new(Full::new(Bytes::from_static(&PAGE))))
}

async fn serve(socket: TcpStream) {
    let _ = socket.set_nodelay(true);
    let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service_fn(hello)).await;
}

fn listen(port: u16, shared: bool) -> std::io::Result<std::net::TcpListener> {
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
