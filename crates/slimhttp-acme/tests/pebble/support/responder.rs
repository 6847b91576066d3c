//! Who answers challenges: what the server does with `Challenges`, in a few lines.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

type Answer = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;
type Present = Arc<dyn Fn(&str) -> Option<Arc<CertifiedKey>> + Send + Sync>;

/// Answers http-01 and tls-alpn-01 on ports of its own.
pub(crate) struct Responder {
    pub(crate) http: u16,
    pub(crate) tls: u16,
    /// How often it was asked over HTTP, and over TLS.
    pub(crate) asked: Arc<[AtomicUsize; 2]>,
    stopped: Arc<AtomicBool>,
}

impl Responder {
    pub(crate) fn start(answer: Answer, present: Present) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let asked: Arc<[AtomicUsize; 2]> = Arc::default();
        let count = Arc::clone(&asked);
        let http = listen(&stopped, move |stream| {
            count[0].fetch_add(1, Ordering::Relaxed);
            answer_http(stream, &*answer);
        });
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap();
        let mut config =
            config.with_no_client_auth().with_cert_resolver(Arc::new(Resolver(present)));
        config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
        let (config, count) = (Arc::new(config), Arc::clone(&asked));
        let tls = listen(&stopped, move |stream| {
            count[1].fetch_add(1, Ordering::Relaxed);
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            // A handshake is all there is.
            let _ = stream.read(&mut [0; 16]);
        });
        Self { http, tls, asked, stopped }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        for port in [self.http, self.tls] {
            let _ = TcpStream::connect(("127.0.0.1", port));
        }
    }
}

struct Resolver(Present);

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resolver")
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        (self.0)(hello.server_name()?)
    }
}

fn answer_http(mut stream: TcpStream, answer: &(dyn Fn(&str) -> Option<String> + Send + Sync)) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut line = String::new();
    if BufReader::new(&stream).read_line(&mut line).is_err() {
        return;
    }
    let target = line.split(' ').nth(1).unwrap_or_default();
    let token = target.strip_prefix("/.well-known/acme-challenge/").unwrap_or_default();
    let (status, content) = match answer(token) {
        Some(content) => ("200 OK", content),
        None => ("404 Not Found", "nothing".to_owned()),
    };
    let length = content.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(format!("{head}{content}").as_bytes());
}

/// Serves each connection on a thread of its own: the port.
pub(crate) fn listen(
    stopped: &Arc<AtomicBool>,
    serve: impl Fn(TcpStream) + Send + Sync + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (stopped, serve) = (Arc::clone(stopped), Arc::new(serve));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if stopped.load(Ordering::Relaxed) {
                return;
            }
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(stream));
        }
    });
    port
}
