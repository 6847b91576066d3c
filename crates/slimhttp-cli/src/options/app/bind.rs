//! `--bind`: an address and a port as one word, as gunicorn takes it.

/// Where to listen; an empty address is every interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bind {
    pub(super) address: String,
    pub(super) port: Option<u16>,
}

/// `A:P`, `A`, `:P`; an IPv6 address stands in brackets.
///
/// # Errors
/// What was expected.
pub(super) fn read(text: &str) -> Result<Bind, String> {
    if text.is_empty() || text.starts_with("[]") {
        return Err("expected an address and a port such as `127.0.0.1:8000`".into());
    }
    for scheme in ["unix:", "fd:"] {
        if text.starts_with(scheme) {
            return Err(
                "expected an address and a port; a proxy reaches it at `127.0.0.1:8000`".into()
            );
        }
    }
    let (address, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, rest)) => (address, Some(rest.strip_prefix(':').unwrap_or(rest))),
            None => return Err("expected `]` behind the IPv6 address".into()),
        },
        None => match text.split_once(':') {
            Some((_, rest)) if rest.contains(':') => {
                return Err("expected an IPv6 address in brackets, such as `[::1]:8000`".into());
            }
            Some((address, port)) => (address, Some(port)),
            None => (text, None),
        },
    };
    let port = match port.filter(|port| !port.is_empty()) {
        None => None,
        Some(port) => Some(port.parse().map_err(|_| {
            format!("expected a port from 0 to 65535 behind the address, found `{port}`")
        })?),
    };
    Ok(Bind { address: address.to_owned(), port })
}
