//! The head of a request as it goes to an upstream, and the head of the response that comes
//! back. RFC 9110 sections 7.6 (intermediaries) and 7.8 (upgrade), RFC 9112. The server's
//! proxy calls this once for each direction.
//!
//! Fields of a single connection (hop by hop) are removed; who the client is is added and
//! cannot be forged; every other field passes as it came.
//!
//! `Proxy-Authenticate` and `Proxy-Authorization` pass: RFC 9110 does not tie them to a
//! connection (section 11.7), and half of a challenge would be worse than none. `Expect` does
//! not: this server has met the expectation itself, and no upstream is to ask for content that
//! is on its way.
//!
//! Trailers pass both ways, but for those that mean something only ahead of the content
//! ([`trailers`]).

use std::net::IpAddr;

use http::header::{self, Entry, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Version};
use smallvec::SmallVec;

use crate::protocol::list_field::{list, members, names};
use crate::protocol::max_forwards;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// Whether a field is known to belong to a single connection. `name` is lower case.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection" | "keep-alive" | "proxy-connection" | "te" | "transfer-encoding" | "upgrade"
    )
}

/// The hop from a client to us.
#[derive(Clone, Copy, Debug)]
pub struct Hop<'h> {
    /// The method of the request.
    pub method: &'h Method,
    /// The address of the peer of the connection.
    pub client: IpAddr,
    /// Whether the connection is TLS.
    pub tls: bool,
    /// The host as the client sent it (`Host` or `:authority`), port included;
    /// empty where an HTTP/1.0 client sent none.
    pub host: &'h str,
    /// What is taken from the path of the target, as a URL has it; empty where nothing is.
    pub prefix: &'h str,
    /// Whether the peer is a trusted proxy, whose fields about its own client are kept.
    pub trusted: bool,
    /// The version of the request.
    pub received_version: Version,
    /// Our pseudonym in `Via`; the same for every hop through us and different from any other
    /// server's, see [`loop_chain`].
    pub pseudonym: &'h Pseudonym,
    /// Whether an upgrade that the client asks for may be asked of the upstream.
    pub upgrade: bool,
}

/// Our name in `Via` (RFC 9110 section 7.6.3), and the members that have it.
#[derive(Clone, Debug)]
pub struct Pseudonym {
    name: String,
    /// `1.0 name` and its like, by versions.
    members: [HeaderValue; 4],
}

impl Pseudonym {
    /// That of this name, a token.
    ///
    /// # Panics
    /// It is none, and no value of a field either.
    pub fn new(name: String) -> Self {
        let member = |version| HeaderValue::try_from([version, " ", &name].concat());
        let members = ["1.0", "1.1", "2", "3"]
            .map(|version| member(version).expect("a token is a value of a field"));
        Self { name, members }
    }

    /// As it is read in `Via`.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The member that says in which version a message was received.
    fn member(&self, received: Version) -> HeaderValue {
        let [http_10, http_11, http_2, http_3] = &self.members;
        let member = match received {
            Version::HTTP_09 | Version::HTTP_10 => http_10,
            Version::HTTP_2 => http_2,
            Version::HTTP_3 => http_3,
            _ => http_11,
        };
        member.clone()
    }
}

/// One member of a `Via` field (RFC 9110 section 7.6.3).
#[derive(Clone, Copy, Debug)]
pub struct Via<'m> {
    /// The version in which the message was received.
    pub received_version: Version,
    /// Our pseudonym, as in [`Hop::pseudonym`].
    pub pseudonym: &'m Pseudonym,
}

impl Via<'_> {
    fn append_to(&self, headers: &mut HeaderMap) {
        headers.append(header::VIA, self.pseudonym.member(self.received_version));
    }
}

/// The header of a request as it goes upstream over HTTP/1.1: that of the client, changed.
///
/// `Host` stays as the client sent it. A client that is not trusted cannot say
/// anything about where the request came from: its `X-Forwarded-*`, `Forwarded`
/// and `X-Real-IP` are dropped. Those of a trusted proxy are kept; to its
/// `X-Forwarded-For` its own address is appended, to its `X-Forwarded-Prefix` what
/// is taken away here.
pub fn request_headers(headers: HeaderMap, hop: &Hop<'_>) -> HeaderMap {
    let mut sent = headers;
    sent.reserve(7);

    // RFC 9110 section 7.8: HTTP/1.0 knows no upgrade. `h2c` is never passed on:
    // behind it, requests would travel that nobody here looks at.
    let upgrade = hop.upgrade
        && hop.received_version == Version::HTTP_11
        && !names(&sent, &header::UPGRADE, "h2c");
    // Section 10.1.4: of `TE`, only `trailers` is not about the connection's
    // codings, and it has to be listed in `Connection` again. HTTP/1.0 knows no trailers.
    let trailers = hop.received_version >= Version::HTTP_11
        && members(&sent, &header::TE).any(|member| {
            let coding = member.split(|&byte| byte == b';').next().unwrap_or_default();
            coding.trim_ascii().eq_ignore_ascii_case(b"trailers")
        });
    remove_hop_by_hop(&mut sent, upgrade);
    sent.remove(header::EXPECT);
    if trailers {
        sent.insert(header::TE, HeaderValue::from_static("trailers"));
        let options = if sent.contains_key(header::UPGRADE) { "upgrade, te" } else { "te" };
        sent.insert(header::CONNECTION, HeaderValue::from_static(options));
    }

    max_forwards::decrement(hop.method, &mut sent);
    remove_lookalikes(&mut sent);
    join_cookies(&mut sent);
    if let (Entry::Vacant(host), Some(value)) = (sent.entry(header::HOST), host_value(hop)) {
        host.insert(value);
    }
    add_forwarding_fields(&mut sent, hop);
    Via { received_version: hop.received_version, pseudonym: hop.pseudonym }.append_to(&mut sent);
    sent
}

/// The header of a response as it goes back to the client. `keep_upgrade` is for
/// 101 and 426, whose `Upgrade` is meant for the client (RFC 9110 section 7.8).
pub fn response_headers(headers: &mut HeaderMap, keep_upgrade: bool, via: &Via<'_>) {
    // RFC 9112 section 6.3: the coding overrides the length, which must not go on.
    if headers.contains_key(header::TRANSFER_ENCODING) {
        headers.remove(header::CONTENT_LENGTH);
    }
    remove_hop_by_hop(headers, keep_upgrade);
    via.append_to(headers);
}

/// The trailer section of a request or a response as it goes on. Fields that mean something only
/// ahead of the content are removed (RFC 9110 section 6.5.1: framing, routing, modifiers of the
/// request, control of the response, authentication, the format of the content, the connection),
/// since whoever merges trailers into the header would act on them; and so is who the client is,
/// which is said in the header alone. `_` counts as `-`, as in `remove_lookalikes`.
///
/// `Trailer`, which announces them, stays in the header in both directions.
pub fn trailers(fields: HeaderMap) -> HeaderMap {
    let may_trail = |name: &HeaderName| may_trail(&name.as_str().replace('_', "-"));
    if fields.keys().all(may_trail) {
        return fields;
    }
    // Anew, for whatever is removed from a map changes the order of what stays.
    let mut kept = HeaderMap::new();
    for (name, value) in fields.iter().filter(|(name, _)| may_trail(name)) {
        kept.append(name, value.clone());
    }
    kept
}

/// Whether a field may stand in a trailer section. `name` is lower case.
fn may_trail(name: &str) -> bool {
    // Their definitions allow it: RFC 9530 section 2, RFC 9110 sections 8.8.3, 11.6.3 and 14.3.
    const DEFINED: &[&str] = &["accept-ranges", "authentication-info", "content-digest", "etag"];
    const PREFIXES: &[&str] = &["accept", "proxy-", "www-"];
    const NAMES: &[&str] = &[
        "age",
        "allow",
        "alt-svc",
        "clear-site-data",
        "connection",
        "http2-settings",
        "keep-alive",
        "max-forwards",
        "pragma",
        "refresh",
        "retry-after",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "warning",
    ];
    DEFINED.contains(&name)
        || !(NAMES.contains(&name)
            || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || is_end_to_end(name)
            || is_forwarding_field(name))
}

/// Whether every protocol that a 101 switches to was offered in the request to the upstream, and
/// there is one: no server may switch to another (RFC 9110 section 7.8).
pub fn is_offered(sent: &HeaderMap, answered: &HeaderMap) -> bool {
    let is_one = |protocol: &[u8]| {
        members(sent, &header::UPGRADE).any(|offered| offered.eq_ignore_ascii_case(protocol))
    };
    let mut protocols = members(answered, &header::UPGRADE).peekable();
    protocols.peek().is_some() && protocols.all(is_one)
}

/// Whether a message has come through the server with this pseudonym before: one of
/// the members of `Via` has it as its received-by. Then the chain, in the order
/// of the hops and cut to some hundred printable characters, for a person to
/// read (the caller escapes it for HTML).
pub fn loop_chain(headers: &HeaderMap, pseudonym: &str) -> Option<String> {
    const BOUND: usize = 400;
    let hops = || {
        let lines = headers.get_all(header::VIA).iter();
        lines.flat_map(|line| via_members(line.as_bytes())).filter_map(received_by)
    };
    // A host in the place of a pseudonym is case-insensitive, so all are.
    if !hops().any(|by| by.eq_ignore_ascii_case(pseudonym.as_bytes())) {
        return None;
    }
    let mut chain = String::new();
    for (place, by) in hops().enumerate() {
        if place > 0 {
            chain.push_str(" → ");
        }
        if chain.len() + by.len() > BOUND {
            chain.push('…');
            break;
        }
        chain.extend(by.iter().map(
            |&byte| {
                if byte.is_ascii_graphic() { byte as char } else { '?' }
            },
        ));
    }
    Some(chain)
}

/// Removes what belongs to a single connection (RFC 9110 section 7.6.1): the
/// fields that `Connection` names, `Connection`, and those that are known to.
/// With `keep_upgrade`, an `Upgrade` stays and `Connection: upgrade` with it.
///
/// A `Connection` cannot take away what is meant for the recipient: the section
/// forbids senders to name such a field, and a sender that does so wants us to
/// strip what someone relies on (`Connection: Authorization`). Such an option is
/// passed over, see [`is_end_to_end`].
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap, keep_upgrade: bool) {
    let known = |name: &&HeaderName| is_hop_by_hop(name.as_str());
    let known: SmallVec<[HeaderName; 4]> = headers.keys().filter(known).cloned().collect();
    let upgrade: SmallVec<[HeaderValue; 1]> = if keep_upgrade {
        headers.get_all(header::UPGRADE).iter().cloned().collect()
    } else {
        SmallVec::new()
    };
    if known.contains(&header::CONNECTION) {
        let connection: SmallVec<[HeaderValue; 1]> =
            headers.get_all(header::CONNECTION).iter().cloned().collect();
        for option in connection.iter().flat_map(|line| list(line.as_bytes())) {
            if let Ok(name) = HeaderName::from_bytes(option)
                && !is_hop_by_hop(name.as_str())
                && !is_end_to_end(name.as_str())
            {
                headers.remove(name);
            }
        }
    }
    for name in known {
        headers.remove(name);
    }
    if !upgrade.is_empty() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    for protocol in upgrade {
        headers.append(header::UPGRADE, protocol);
    }
}

/// Fields that no `Connection` may name: they are for the recipient, and either
/// security or the meaning of the message hangs on them. `name` is lower case.
fn is_end_to_end(name: &str) -> bool {
    const PREFIXES: &[&str] = &[
        "x-forwarded",
        "if-",
        "sec-",
        "access-control-",
        "content-",
        "cross-origin-",
        "proxy-auth",
    ];
    const NAMES: &[&str] = &[
        "authorization",
        "cache-control",
        "cookie",
        "date",
        "etag",
        "expect",
        "expires",
        "forwarded",
        "host",
        "location",
        "origin",
        "range",
        "referer",
        "set-cookie",
        "strict-transport-security",
        "vary",
        "via",
        "www-authenticate",
        "x-content-type-options",
        "x-frame-options",
        "x-real-ip",
    ];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Removes what a CGI or WSGI upstream, which cannot tell `_` from `-`, would
/// take for a field that frames the message or names its host.
fn remove_lookalikes(headers: &mut HeaderMap) {
    let is_one =
        |name: &&HeaderName| matches!(name.as_str(), "content_length" | "transfer_encoding");
    let lookalikes: SmallVec<[HeaderName; 2]> = headers.keys().filter(is_one).cloned().collect();
    for name in lookalikes {
        headers.remove(name);
    }
}

/// Whether upstreams take this field as telling who the client is. `_` counts as `-`: a CGI or
/// WSGI upstream cannot tell `X_Forwarded_For` from `X-Forwarded-For`.
fn is_forwarding_field(name: &str) -> bool {
    let fold = |byte: u8| if byte == b'_' { b'-' } else { byte };
    let begins = |with: &str| {
        name.len() >= with.len() && name.bytes().map(fold).zip(with.bytes()).all(|(a, b)| a == b)
    };
    begins("x-forwarded") || (begins("x-real-ip") && name.len() == 9) || name == "forwarded"
}

/// `X-Forwarded-For`, `-Proto` and `-Host`, and `-Prefix` where a path loses one.
fn add_forwarding_fields(headers: &mut HeaderMap, hop: &Hop<'_>) {
    // A proxy that is trusted writes the usual spelling; the others come from
    // its client.
    let forged = |name: &&HeaderName| {
        is_forwarding_field(name.as_str()) && (!hop.trusted || name.as_str().contains('_'))
    };
    let forged: SmallVec<[HeaderName; 4]> = headers.keys().filter(forged).cloned().collect();
    for name in forged {
        headers.remove(name);
    }

    // One line: many a program reads only the first.
    let mut chain = Vec::with_capacity(64);
    for line in headers.get_all(FORWARDED_FOR) {
        chain.extend_from_slice(line.as_bytes());
        chain.extend_from_slice(b", ");
    }
    push_address(&mut chain, hop.client.to_canonical());
    let chain = HeaderValue::try_from(chain).expect("fields and an address, joined by commas");
    headers.insert(FORWARDED_FOR, chain);

    if let Entry::Vacant(proto) = headers.entry(FORWARDED_PROTO) {
        proto.insert(HeaderValue::from_static(if hop.tls { "https" } else { "http" }));
    }
    if let (Entry::Vacant(host), Some(value)) = (headers.entry(FORWARDED_HOST), host_value(hop)) {
        host.insert(value);
    }
    if !hop.prefix.is_empty() {
        add_prefix(headers, hop.prefix);
    }
}

/// Says what is taken from the path, behind what a trusted proxy has taken from it before: one
/// path, for of a list many a program reads only the last member.
fn add_prefix(headers: &mut HeaderMap, prefix: &str) {
    let mut path = Vec::new();
    for outer in members(headers, &FORWARDED_PREFIX).filter(|outer| outer.starts_with(b"/")) {
        let end = outer.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
        path.extend_from_slice(&outer[..end]);
    }
    path.extend_from_slice(prefix.as_bytes());
    if let Ok(path) = HeaderValue::try_from(path) {
        headers.insert(FORWARDED_PREFIX, path);
    }
}

/// Writes an address as text. Those of IPv4, which are most, without the formatting machinery.
fn push_address(text: &mut Vec<u8>, address: IpAddr) {
    let IpAddr::V4(address) = address else {
        return text.extend_from_slice(address.to_string().as_bytes());
    };
    for (place, octet) in address.octets().into_iter().enumerate() {
        if place > 0 {
            text.push(b'.');
        }
        let digits = [octet / 100, octet / 10 % 10, octet % 10];
        let zeros = digits.iter().take(2).take_while(|&&digit| digit == 0).count();
        text.extend(digits[zeros..].iter().map(|digit| b'0' + digit));
    }
}

fn host_value(hop: &Hop<'_>) -> Option<HeaderValue> {
    HeaderValue::from_str(hop.host).ok().filter(|host| !host.is_empty())
}

/// HTTP/2 may split `Cookie`; HTTP/1.1 has one line (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut lines = headers.get_all(header::COOKIE).iter();
    if let (Some(_), Some(_)) = (lines.next(), lines.next()) {
        let lines = headers.get_all(header::COOKIE).iter();
        let joined = lines.map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b"; "[..]);
        let joined = HeaderValue::try_from(joined).expect("cookies, joined by semicolons");
        headers.insert(header::COOKIE, joined);
    }
}

/// The second word of a member of `Via`: `received-protocol RWS received-by`.
fn received_by(member: &[u8]) -> Option<&[u8]> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let mut words = member.split(blank).filter(|word| !word.is_empty());
    words.next()?;
    let by = words.next()?;
    let end = memchr::memchr(b'(', by).unwrap_or(by.len());
    Some(&by[..end])
}

/// Splits a line of `Via` at the commas outside its comments (RFC 9110 section
/// 5.6.5: they nest, and a backslash quotes).
///
/// A comment that is never closed is no comment: otherwise a client could hide
/// our pseudonym, and with it the loop, behind a single parenthesis.
fn via_members(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    let mut comments = true;
    std::iter::from_fn(move || {
        let line = rest?;
        let mut at = 0;
        while let Some(&byte) = line.get(at) {
            match byte {
                b',' => {
                    rest = Some(&line[at + 1..]);
                    return Some(&line[..at]);
                }
                b'(' if comments => match comment_length(&line[at..]) {
                    Some(length) => at += length,
                    // What is open once is open to the end of the line.
                    None => comments = false,
                },
                _ => at += 1,
            }
        }
        rest = None;
        Some(line)
    })
}

/// The length of the comment that `text` begins with.
fn comment_length(text: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'\\' => at += 1,
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
