//! What one engine writes the other one reads, and both know when the exchange is complete. What is
//! no valid request is not written.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use slimhttp_http1::{
    Client, DataFrame, Framing, Limits, Request, RequestEvent, Response, ResponseEvent, Scratch,
    SendError, Server, State,
};

const LIMITS: Limits = Limits { max_head: 8192, max_fields: 100, max_target: 1000 };

/// Choices that an input makes, 0 for ever behind its end.
struct Choices<'i>(std::slice::Iter<'i, u8>);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }

    fn of<T: Copy>(&mut self, options: &[T]) -> T {
        options[usize::from(self.byte()) % options.len()]
    }

    fn bytes(&mut self, most: u8) -> Vec<u8> {
        (0..self.byte() % most).map(|_| self.byte()).collect()
    }
}

/// An exchange: what the owners of both sides send.
struct Exchange {
    method: Method,
    target: String,
    asked: HeaderMap,
    asked_framing: Framing,
    request: Vec<Vec<u8>>,
    interim: usize,
    status: StatusCode,
    fields: HeaderMap,
    length: Option<u64>,
    response: Vec<Vec<u8>>,
    trailers: HeaderMap,
}

impl Exchange {
    fn of(choices: &mut Choices<'_>) -> Self {
        let method =
            choices.of(&["GET", "HEAD", "POST", "PUT", "OPTIONS", "x-y", "CONNECT", "TRACE"]);
        let is_connect = method == "CONNECT";
        let path = choices
            .bytes(20)
            .into_iter()
            .filter(|&byte| byte.is_ascii_graphic() && !b"#<>`?\"".contains(&byte));
        let target = match choices.byte() % 8 {
            _ if is_connect => "a:1".to_owned(),
            0 => "http://a/x".to_owned(),
            1 => "/?q".to_owned(),
            2 => "*".to_owned(),
            _ => format!("/{}", path.map(char::from).collect::<String>()),
        };
        let mut asked = fields(choices);
        asked.remove(header::UPGRADE);
        asked.insert(header::HOST, HeaderValue::from_static("a"));
        if choices.byte() % 16 == 1 {
            asked.append(header::HOST, HeaderValue::from_static("a"));
        }
        let request = pieces(choices);
        let asked_framing = match choices.byte() % 16 {
            _ if request.is_empty() => Framing::None,
            1 => Framing::UntilClose,
            other if other % 2 == 0 => Framing::Length(total(&request)),
            _ => Framing::Chunked,
        };
        let response = pieces(choices);
        Self {
            method: method.parse().expect("a method"),
            target,
            asked,
            asked_framing,
            request,
            interim: usize::from(choices.byte() % 3),
            status: StatusCode::from_u16(choices.of(&[200, 204, 304, 404, 426, 599, 205]))
                .expect("one"),
            fields: fields(choices),
            length: choices.byte().is_multiple_of(2).then(|| total(&response)),
            response,
            trailers: fields(choices),
        }
    }

    /// Whether its request may be sent.
    fn is_valid(&self) -> bool {
        let has_content = self.asked_framing != Framing::None;
        (self.target != "*" || self.method == Method::OPTIONS)
            && self.asked.get_all(header::HOST).iter().count() == 1
            && !(has_content && matches!(self.method, Method::CONNECT | Method::TRACE))
            && self.asked_framing != Framing::UntilClose
    }
}

fn total(pieces: &[Vec<u8>]) -> u64 {
    pieces.iter().map(|piece| piece.len() as u64).sum()
}

fn pieces(choices: &mut Choices<'_>) -> Vec<Vec<u8>> {
    let pieces = (0..choices.byte() % 4).map(|_| choices.bytes(40));
    pieces.filter(|piece| !piece.is_empty()).collect()
}

fn fields(choices: &mut Choices<'_>) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for _ in 0..choices.byte() % 5 {
        let name = choices.of(&[
            "x",
            "date",
            "content-length",
            "transfer-encoding",
            "connection",
            "upgrade",
            "expect",
            "set-cookie",
            "keep-alive",
            "proxy-connection",
        ]);
        let value = match choices.byte() % 4 {
            0 => HeaderValue::from_static("close"),
            1 => HeaderValue::from_static("x, keep-alive"),
            _ => {
                HeaderValue::from_bytes(&choices.bytes(20)).unwrap_or(HeaderValue::from_static(""))
            }
        };
        fields.append(HeaderName::from_static(name), value);
    }
    fields
}

/// What of an owner's fields the other side reads.
fn kept(fields: &HeaderMap, keeps_connection: bool) -> Vec<(String, Vec<u8>)> {
    let is_kept = |name: &HeaderName| match name.as_str() {
        "content-length" | "transfer-encoding" | "keep-alive" | "proxy-connection" => false,
        "connection" | "upgrade" => keeps_connection,
        _ => true,
    };
    let fields = fields.iter().filter(|(name, _)| is_kept(name));
    fields.map(|(name, value)| (name.to_string(), trimmed(value.as_bytes()))).collect()
}

fn trimmed(mut value: &[u8]) -> Vec<u8> {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value.to_vec()
}

pub(crate) fn check(input: &[u8]) {
    let mut choices = Choices(input.iter());
    let (mut client, mut server) = (Client::new(LIMITS), Server::new(LIMITS));
    for _ in 0..2 {
        let exchange = Exchange::of(&mut choices);
        if !ask(&exchange, &mut client, &mut server) {
            return;
        }
        answer(&exchange, &mut client, &mut server);
        let is_switched = server.server_state() == State::Switched;
        assert_eq!(client.client_state() == State::Switched, is_switched);
        assert_eq!(client.is_reusable(), server.is_ready_for_next());
        if !client.is_reusable() {
            return;
        }
    }
}

/// Writes content as `frame` and `end` have it.
fn write_content(
    out: &mut Vec<u8>,
    pieces: &[Vec<u8>],
    mut frame: impl FnMut(u64, &mut Vec<u8>) -> Result<DataFrame, SendError>,
) {
    for piece in pieces {
        let frame = frame(piece.len() as u64, out).expect("as was announced");
        out.extend_from_slice(frame.before());
        out.extend_from_slice(piece);
        out.extend_from_slice(frame.behind());
    }
}

/// Has the client ask and the server read; whether a response is due.
fn ask(exchange: &Exchange, client: &mut Client, server: &mut Server) -> bool {
    let Exchange { method, target, asked, asked_framing: framing, request, trailers, .. } =
        exchange;
    let mut bytes = Vec::new();
    let head = Request { method, target, fields: asked, framing: *framing };
    let sent = client.send_request(&mut bytes, &head);
    assert_eq!(sent.is_ok(), exchange.is_valid(), "{method} {target}: {sent:?}");
    if sent.is_err() {
        assert_eq!((&*bytes, client.client_state()), (&b""[..], State::Idle));
        return false;
    }
    if *framing != Framing::None {
        write_content(&mut bytes, request, |length, _| client.send_data(length));
        client.send_end(&mut bytes, Some(trailers)).expect("as was announced");
    }

    let (mut scratch, mut content) = (Scratch::default(), Vec::new());
    while !bytes.is_empty() || server.client_state() == State::SendBody {
        let received =
            server.read(&bytes, &mut scratch).expect("what a client writes is a request");
        let consumed = received.consumed;
        match received.event {
            RequestEvent::Head(read) => {
                assert_eq!((read.method(), read.target()), (method.as_str(), target.as_str()));
                assert_eq!(read.framing(), *framing);
                let shown = read.fields();
                let lines = shown.iter().map(|field| (field.name.to_owned(), field.value.to_vec()));
                let is_own = |(name, _): &(String, Vec<u8>)| {
                    name != "content-length" && name != "transfer-encoding"
                };
                assert_eq!(lines.filter(is_own).collect::<Vec<_>>(), kept(asked, true));
            }
            RequestEvent::Data(data) => content.extend_from_slice(data),
            RequestEvent::End(read) => {
                let lines = read.iter().map(|field| (field.name.to_owned(), field.value.to_vec()));
                let sent = if *framing == Framing::Chunked { kept(trailers, true) } else { vec![] };
                assert_eq!(lines.collect::<Vec<_>>(), sent);
            }
            other => panic!("{other:?} of {}", bytes.escape_ascii()),
        }
        bytes.drain(..consumed);
    }
    assert_eq!(content, request.concat());
    server.server_state() == State::SendResponse
}

/// Has the server answer and the client read.
fn answer(exchange: &Exchange, client: &mut Client, server: &mut Server) {
    let Exchange { interim, status, fields, length, response, trailers, .. } = exchange;
    let mut bytes = Vec::new();
    for count in 0..*interim {
        for _ in 0..=count {
            server.send_probe(&mut bytes);
        }
        server.send_interim(&mut bytes, StatusCode::EARLY_HINTS, fields).expect("in turn");
    }
    let head = Response { status: *status, fields, length: *length, date: None };
    let framing = server.send_response(&mut bytes, &head).expect("a response is due");
    if framing != Framing::None {
        write_content(&mut bytes, response, |length, out| {
            server.send_probe(out);
            server.send_data(length)
        });
        server.send_end(&mut bytes, Some(trailers)).expect("as was announced");
    }

    let (mut scratch, mut content, mut heads) = (Scratch::default(), Vec::new(), 0);
    while !bytes.is_empty() || client.server_state() == State::SendBody {
        let received =
            client.read(&bytes, &mut scratch).expect("what a server writes is a response");
        let consumed = received.consumed;
        match received.event {
            ResponseEvent::Interim(read) => {
                assert_eq!((read.status(), heads < *interim), (StatusCode::EARLY_HINTS, true));
                let shown = read.fields();
                let lines = shown.iter().map(|field| (field.name.to_owned(), field.value.to_vec()));
                assert_eq!(lines.collect::<Vec<_>>(), kept(fields, false));
                heads += 1;
            }
            ResponseEvent::Head(read) => {
                assert_eq!((read.status(), read.framing()), (*status, framing));
                let shown = read.fields();
                let lines = shown.iter().map(|field| (field.name.to_owned(), field.value.to_vec()));
                let is_own = |(name, _): &(String, Vec<u8>)| {
                    !matches!(&**name, "content-length" | "transfer-encoding" | "connection")
                };
                let mut kept = kept(fields, *status == StatusCode::UPGRADE_REQUIRED);
                kept.retain(is_own);
                assert_eq!(lines.filter(is_own).collect::<Vec<_>>(), kept);
            }
            ResponseEvent::Data(data) => content.extend_from_slice(data),
            ResponseEvent::End(read) => {
                let lines = read.iter().map(|field| (field.name.to_owned(), field.value.to_vec()));
                let sent = if framing == Framing::Chunked { kept(trailers, true) } else { vec![] };
                assert_eq!(lines.collect::<Vec<_>>(), sent);
            }
            other => panic!("{other:?} of {}", bytes.escape_ascii()),
        }
        bytes.drain(..consumed);
    }
    assert_eq!(heads, *interim);
    let sent = if framing == Framing::None { Vec::new() } else { response.concat() };
    assert_eq!(content, sent);
}
