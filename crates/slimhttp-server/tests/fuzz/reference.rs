//! A naive reader of what a client of a WebSocket sends: all of a stream at once,
//! and what is compressed by another implementation. RFC 6455 section 5, RFC 7692.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::{CloseFrame, Event, Message, in_words, may_be_sent};

/// What is wrong: the protocol, or what was sent by it. Which of the two kinds of
/// the latter is found first, too long or not what it says, is open.
pub(super) const PROTOCOL: &str = "protocol";
pub(super) const CONTENT: &str = "content";

/// The kind of a fault by the code that tells it.
pub(super) fn kind(code: u16) -> &'static str {
    if code == 1002 { PROTOCOL } else { CONTENT }
}

/// What comes of a stream.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Outcome {
    pub(super) events: Vec<String>,
    pub(super) fault: Option<&'static str>,
    /// Whether a compressed message is not complete; of ours that is not known.
    pub(super) is_open: bool,
    /// Whether the fault is one of a compressed message.
    pub(super) was_open: bool,
}

struct Frame<'s> {
    first: u8,
    payload: Vec<u8>,
    is_whole: bool,
    rest: &'s [u8],
}

pub(super) fn outcome(stream: &[u8], limit: usize, compressed: bool) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.fault = read(stream, limit, compressed, &mut outcome).err();
    outcome
}

fn read(
    mut stream: &[u8],
    limit: usize,
    compressed: bool,
    outcome: &mut Outcome,
) -> Result<(), &'static str> {
    // Whether it is text, whether it is compressed, and what has come of it.
    let mut message: Option<(bool, bool, Vec<u8>)> = None;
    while let Some(frame) = next(stream, limit, compressed, &message)? {
        stream = frame.rest;
        let (opcode, is_final) = (frame.first & 0x0f, frame.first & 0x80 != 0);
        if opcode > 7 {
            if frame.is_whole {
                outcome.events.push(in_words(&control(opcode, frame.payload)?));
            }
            continue;
        }
        let is_compressed = frame.first & 0x40 != 0;
        let (is_text, is_compressed, bytes) =
            message.get_or_insert_with(|| (opcode == 1, is_compressed, Vec::new()));
        bytes.extend_from_slice(&frame.payload);
        let (is_text, is_compressed, is_last) =
            (*is_text, *is_compressed, frame.is_whole && is_final);
        outcome.is_open = is_compressed && !is_last;
        if is_last && is_compressed {
            outcome.was_open = true;
            *bytes = unpacked(bytes, limit).ok_or(CONTENT)?;
            outcome.was_open = is_text && std::str::from_utf8(bytes).is_err();
        }
        if is_text && (is_last || !is_compressed) {
            match std::str::from_utf8(bytes) {
                Err(error) if is_last || error.error_len().is_some() => return Err(CONTENT),
                _ => {}
            }
        }
        if let (true, Some((.., bytes))) = (is_last, message.take_if(|_| is_last)) {
            let event = match String::from_utf8(bytes) {
                Ok(text) if is_text => Message::Text(text.into()),
                Ok(text) => Message::Binary(text.into_bytes().into()),
                Err(error) => Message::Binary(error.into_bytes().into()),
            };
            outcome.events.push(in_words(&Event::Message(event)));
        }
    }
    Ok(())
}

/// The frame that a stream begins with; `None` where its head is not complete.
fn next<'s>(
    stream: &'s [u8],
    limit: usize,
    compressed: bool,
    message: &Option<(bool, bool, Vec<u8>)>,
) -> Result<Option<Frame<'s>>, &'static str> {
    let [first, second, rest @ ..] = stream else { return Ok(None) };
    let wide = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let is_masked = second & 0x80 != 0;
    let Some((head, rest)) = rest.split_at_checked(wide + if is_masked { 4 } else { 0 }) else {
        return Ok(None);
    };
    let (wide, mask) = head.split_at(wide);
    let number = wide.iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    let length = if wide.is_empty() { u64::from(second & 0x7f) } else { number };
    let least = [0, 126, 65_536][[0, 2, 8].iter().position(|it| *it == wide.len()).unwrap_or(0)];
    let (opcode, is_final, rsv1) = (first & 0x0f, first & 0x80 != 0, first & 0x40 != 0);
    let is_fine = is_masked
        && (least..1 << 63).contains(&length)
        && first & 0x30 == 0
        && match (opcode, message) {
            (0, Some(_)) => !rsv1,
            (1 | 2, None) => !rsv1 || compressed,
            (8..=10, _) => !rsv1 && is_final && length <= 125,
            _ => false,
        };
    if !is_fine {
        return Err(PROTOCOL);
    }
    if opcode < 8 {
        let (is_compressed, had) = message
            .as_ref()
            .map_or((rsv1, 0), |(_, compressed, bytes)| (*compressed, bytes.len() as u64));
        let limit = limit as u64;
        let most = if is_compressed { limit + limit / 8 + 1024 } else { limit };
        if length > most - had {
            return Err(CONTENT);
        }
    }
    let here = usize::try_from(length).unwrap_or(usize::MAX).min(rest.len());
    let (payload, rest) = rest.split_at(here);
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    Ok(Some(Frame { first: *first, payload, is_whole: here as u64 == length, rest }))
}

fn control(opcode: u8, payload: Vec<u8>) -> Result<Event, &'static str> {
    match (opcode, payload.as_slice()) {
        (9, _) => Ok(Event::Ping(payload.into())),
        (10, _) => Ok(Event::Pong(payload.into())),
        (_, []) => Ok(Event::Close(None)),
        (_, [_]) => Err(PROTOCOL),
        (_, [high, low, reason @ ..]) => {
            let code = u16::from_be_bytes([*high, *low]);
            if !may_be_sent(code) {
                return Err(PROTOCOL);
            }
            let reason = std::str::from_utf8(reason).map_err(|_| CONTENT)?.into();
            Ok(Event::Close(Some(CloseFrame { code, reason })))
        }
    }
}

/// A message of at most `limit` bytes out of its compressed form. Streams follow each
/// other where a block says that it is the last one.
fn unpacked(compressed: &[u8], limit: usize) -> Option<Vec<u8>> {
    let tail: &[u8] = &[0, 0, 0xff, 0xff];
    let tail = if compressed.ends_with(tail) { &[] } else { tail };
    let whole = [compressed, tail, &[3, 0]].concat();
    let (mut message, mut read) = (Vec::new(), 0);
    while read != compressed.len() && read != whole.len() {
        let mut room = vec![0; limit + 1 - message.len()];
        let mut machine = DecompressorOxide::new();
        let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let (status, count, made) = decompress(&mut machine, &whole[read..], &mut room, 0, flags);
        message.extend_from_slice(&room[..made]);
        if status != TINFLStatus::Done || message.len() > limit {
            return None;
        }
        read += count;
    }
    Some(message)
}
