//! The authority of a request target, as far as framing needs it: that the `http` crate
//! accepts it, and that it is the same as `Host` (RFC 9112 section 3.2.2).

use http::uri;

/// Whether `raw` is `uri-host [ ":" [ port ] ]`.
pub(crate) fn is_valid(raw: &[u8]) -> bool {
    uri::Authority::try_from(raw).is_ok() && split(raw).is_some()
}

/// Whether `raw` is `uri-host ":" port`, which is what `CONNECT` takes.
pub(crate) fn has_port(raw: &[u8]) -> bool {
    is_valid(raw) && matches!(split(raw), Some((_, Some(_))))
}

/// Whether two authorities name the same host and port, where `default` is the
/// port of one that names none.
pub(crate) fn same(one: &[u8], other: &[u8], default: u16) -> bool {
    let (Some((host, port)), Some((other_host, other_port))) = (split(one), split(other)) else {
        return false;
    };
    host.eq_ignore_ascii_case(other_host)
        && port.unwrap_or(default) == other_port.unwrap_or(default)
}

/// Host and port. `None` where the host is empty or the port is no number.
fn split(raw: &[u8]) -> Option<(&[u8], Option<u16>)> {
    // The last colon, unless it stands within the brackets of an IPv6 address.
    let colon = raw.iter().rposition(|byte| matches!(byte, b':' | b']'));
    let (host, port) = match colon {
        Some(colon) if raw[colon] == b':' => (&raw[..colon], &raw[colon + 1..]),
        _ => (raw, &raw[..0]),
    };
    if host.is_empty() {
        return None;
    }
    if port.is_empty() {
        return Some((host, None));
    }
    if !port.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let port = std::str::from_utf8(port).ok()?.parse().ok()?;
    Some((host, Some(port)))
}
