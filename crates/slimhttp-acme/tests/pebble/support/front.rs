//! A front of the authority: everything passes through it, so that a test sees what is asked and
//! can have it go wrong. It adds what Pebble does not have: when to renew (RFC 9773), limits, an
//! authority that is down, answers that are lost.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::pki::pki;
use super::responder::listen;

pub(crate) struct Front {
    pub(crate) directory: String,
    pub(crate) state: Arc<Mutex<FrontState>>,
    stopped: Arc<AtomicBool>,
    port: u16,
}

/// What a test says, and sees.
#[derive(Default)]
pub(crate) struct FrontState {
    /// The authority behind.
    pub(crate) behind: Option<SocketAddr>,
    /// Nobody is there.
    pub(crate) is_down: bool,
    /// The next answers to this path that are lost on the way back, and their number.
    pub(crate) lost: Option<(&'static str, usize)>,
    /// Where a request is held: before it is passed on, or before its answer is.
    pub(crate) trap: Option<(&'static str, Moment)>,
    /// Whether one is.
    pub(crate) is_trapped: bool,
    /// A refusal in place of what is behind: path, status, problem, `Retry-After`, how often.
    pub(crate) refusal: Option<(&'static str, u16, Value, Option<u64>, usize)>,
    /// When certificates are to be renewed: start, end, `Retry-After`.
    pub(crate) renewal: Option<(String, String, u64)>,
    /// How often that was asked.
    pub(crate) renewals_asked: usize,
    /// Profiles that the directory names.
    pub(crate) profiles: Option<Value>,
    /// How often each path was asked.
    pub(crate) requests: HashMap<String, usize>,
    /// Every order that was made.
    pub(crate) orders: Vec<OrderSeen>,
    /// The payload of every request for an order.
    pub(crate) asked: Vec<Value>,
    /// Accounts that were made, not found.
    pub(crate) accounts: usize,
    /// What must not happen.
    pub(crate) violations: Vec<String>,
}

/// A moment of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Before,
    After,
}

/// An order as it passed by.
#[derive(Clone, Debug)]
pub(crate) struct OrderSeen {
    pub(crate) url: String,
    pub(crate) names: Vec<String>,
    pub(crate) status: String,
    authorizations: Vec<String>,
}

/// A request or a response, whole.
#[derive(Clone, Default)]
struct Message {
    /// The first line.
    line: String,
    fields: Vec<(String, String)>,
    content: Vec<u8>,
}

impl Front {
    pub(crate) fn start() -> Self {
        let state: Arc<Mutex<FrontState>> = Arc::default();
        let stopped = Arc::new(AtomicBool::new(false));
        let (shared, config) = (Arc::clone(&state), pki().server());
        let port = listen(&stopped, move |stream| {
            if shared.lock().is_down {
                return;
            }
            let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = BufReader::new(StreamOwned::new(connection, stream));
            while let Some(request) = Message::read(&mut stream) {
                let Some(response) = answer(&shared, &request) else { return };
                if stream.get_mut().write_all(&response.bytes()).is_err() {
                    return;
                }
                let _ = stream.get_mut().flush();
            }
        });
        Self { directory: format!("https://127.0.0.1:{port}/dir"), state, stopped, port }
    }

    /// How many orders there are whose names are these.
    pub(crate) fn orders_for(&self, names: &[&str]) -> usize {
        self.state.lock().orders.iter().filter(|order| order.names == names).count()
    }

    #[track_caller]
    pub(crate) fn assert_no_violations(&self) {
        assert_eq!(self.state.lock().violations, Vec::<String>::new());
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// What is answered; `None`: the connection ends.
fn answer(state: &Mutex<FrontState>, request: &Message) -> Option<Message> {
    let path = request.path().to_owned();
    let kind = kind(&path);
    {
        let mut state = state.lock();
        *state.requests.entry(kind.to_owned()).or_default() += 1;
        if state.is_down {
            return None;
        }
        if kind == "renewal-info" {
            state.renewals_asked += 1;
            let (start, end, later) = state.renewal.clone()?;
            let window = json!({"suggestedWindow": {"start": start, "end": end},
                                "explanationURL": "https://ca.example/why"});
            return Some(Message::json(200, &window).with("Retry-After", &later.to_string()));
        }
        if let Some((of, status, problem, later, times)) = &mut state.refusal
            && *of == kind
            && *times > 0
        {
            *times -= 1;
            let mut message = Message::json(*status, problem);
            if let Some(later) = later {
                message = message.with("Retry-After", &later.to_string());
            }
            return Some(message);
        }
        if kind == "new-order" {
            let payload = request.payload();
            state.note_request(&payload);
        }
    }
    if is_held(state, kind, Moment::Before) {
        return None;
    }
    let behind = state.lock().behind?;
    let mut response = forward(behind, request)?;
    state.lock().note(kind, &path, request, &mut response);
    if is_held(state, kind, Moment::After) {
        return None;
    }
    let mut state = state.lock();
    if let Some((of, times)) = &mut state.lost
        && *of == kind
        && *times > 0
    {
        *times -= 1;
        return None;
    }
    Some(response)
}

/// Holds a request in the trap; its connection ends without an answer.
fn is_held(state: &Mutex<FrontState>, kind: &'static str, moment: Moment) -> bool {
    if state.lock().trap != Some((kind, moment)) {
        return false;
    }
    state.lock().is_trapped = true;
    while state.lock().trap.is_some() {
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// What a path of Pebble is for.
fn kind(path: &str) -> &'static str {
    match path.split('/').nth(1).unwrap_or_default() {
        "dir" => "directory",
        "nonce-plz" => "new-nonce",
        "sign-me-up" => "new-account",
        "order-plz" => "new-order",
        "my-order" => "order",
        "authZ" => "authorization",
        "chalZ" => "challenge",
        "finalize-order" => "finalize",
        "certZ" => "certificate",
        "rollover-account-key" => "key-change",
        "my-account" => "account",
        "list-orderz" => "orders",
        "renewal-info" => "renewal-info",
        _ => "other",
    }
}

impl FrontState {
    fn note_request(&mut self, payload: &Value) {
        let names = names_of(payload);
        let open = |status: &str| !matches!(status, "valid" | "invalid");
        for order in self.orders.iter().filter(|order| open(&order.status)) {
            if order.names.iter().any(|name| names.contains(name)) {
                self.violations.push(format!("an order for {names:?} beside {order:?}"));
            }
        }
        self.asked.push(payload.clone());
    }

    fn note(&mut self, kind: &str, path: &str, request: &Message, response: &mut Message) {
        let Ok(mut object) = serde_json::from_slice::<Value>(&response.content) else { return };
        let url = match response.field("location") {
            Some(url) => url.to_owned(),
            None => format!("https://{}{path}", request.field("host").unwrap_or_default()),
        };
        match kind {
            "directory" => {
                if self.renewal.is_some() {
                    let host = request.field("host").unwrap_or_default();
                    object["renewalInfo"] = json!(format!("https://{host}/renewal-info"));
                }
                if let Some(profiles) = &self.profiles {
                    object["meta"]["profiles"] = profiles.clone();
                }
                response.content = object.to_string().into_bytes();
            }
            "new-account" if response.status() == 201 => self.accounts += 1,
            "new-order" if response.status() == 201 => {
                let texts = |key: &str| {
                    let list = object[key].as_array().cloned().unwrap_or_default();
                    list.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect()
                };
                self.orders.push(OrderSeen {
                    url,
                    names: names_of(&object),
                    status: object["status"].as_str().unwrap_or_default().to_owned(),
                    authorizations: texts("authorizations"),
                });
            }
            "order" | "finalize" => {
                let is_it = |order: &&mut OrderSeen| match kind {
                    "order" => order.url == url,
                    _ => order.url.rsplit('/').next() == path.rsplit('/').next(),
                };
                if let Some(order) = self.orders.iter_mut().find(is_it)
                    && let Some(status) = object["status"].as_str()
                {
                    status.clone_into(&mut order.status);
                }
            }
            "authorization" if object["status"] == "invalid" => {
                for order in &mut self.orders {
                    if order.authorizations.contains(&url) {
                        "invalid".clone_into(&mut order.status);
                    }
                }
            }
            _ => {}
        }
    }
}

fn names_of(object: &Value) -> Vec<String> {
    let identifiers = object["identifiers"].as_array().cloned().unwrap_or_default();
    let mut names: Vec<_> =
        identifiers.iter().filter_map(|it| it["value"].as_str().map(str::to_owned)).collect();
    names.sort();
    names
}

/// Asks the authority behind, over a connection of its own.
fn forward(behind: SocketAddr, request: &Message) -> Option<Message> {
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connection = ClientConnection::new(pki().client(), name).unwrap();
    let stream = TcpStream::connect(behind).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut forwarded = request.clone();
    // A server of HTTP/1.0 frames its answer by the end of the connection, or its length.
    forwarded.line = request.line.replace("HTTP/1.1", "HTTP/1.0");
    stream.write_all(&forwarded.bytes()).ok()?;
    stream.flush().ok()?;
    let mut bytes = Vec::new();
    // It may end without saying so.
    let _ = stream.read_to_end(&mut bytes);
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let mut response = Message::read(&mut BufReader::new(&bytes[..head]))?;
    response.content = bytes[head..].to_vec();
    response.line = response.line.replace("HTTP/1.0", "HTTP/1.1");
    Some(response)
}

impl Message {
    fn read(stream: &mut impl BufRead) -> Option<Self> {
        let mut message = Self::default();
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|length| *length > 0)?;
        line.trim_end().clone_into(&mut message.line);
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok().filter(|length| *length > 0)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            message.fields.push((name.to_owned(), value.trim().to_owned()));
        }
        let is_request = !message.line.starts_with("HTTP/");
        if let Some(length) = message.field("content-length").filter(|_| is_request) {
            message.content = vec![0; length.parse().ok()?];
            stream.read_exact(&mut message.content).ok()?;
        }
        Some(message)
    }

    fn json(status: u16, value: &Value) -> Self {
        let kind = if status < 400 { "application/json" } else { "application/problem+json" };
        let message = Self { line: format!("HTTP/1.1 {status} Said"), ..Self::default() };
        Self { content: value.to_string().into_bytes(), ..message.with("Content-Type", kind) }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| &**value)
    }

    fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    fn status(&self) -> u16 {
        self.line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    /// What was signed.
    fn payload(&self) -> Value {
        let decode = || {
            let jws: Value = serde_json::from_slice(&self.content).ok()?;
            let payload = BASE64URL_NOPAD.decode(jws["payload"].as_str()?.as_bytes()).ok()?;
            serde_json::from_slice(&payload).ok()
        };
        decode().unwrap_or(Value::Null)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{}\r\n", self.line).into_bytes();
        let is_framing = |name: &str| {
            ["content-length", "transfer-encoding", "connection"]
                .iter()
                .any(|framing| name.eq_ignore_ascii_case(framing))
        };
        for (name, value) in self.fields.iter().filter(|(name, _)| !is_framing(name)) {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        let length = self.content.len();
        bytes.extend_from_slice(format!("Content-Length: {length}\r\n\r\n").as_bytes());
        bytes.extend_from_slice(&self.content);
        bytes
    }
}
