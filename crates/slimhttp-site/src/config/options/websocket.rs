//! The options about WebSockets: they stand at the global level and in any
//! virtual host. One uniform list.

use super::{MANY, OptionSpec, Shape, TIMEOUT, YEAR, everywhere};

pub(super) const WEBSOCKETS: &[OptionSpec] = &[
    OptionSpec {
        default: "`1MiB`",
        doc: "The longest message that a client may send, unpacked; a longer one ends the \
              WebSocket with 1009.",
        aliases: &["ws_max_size", "max_message_size", "websocket_max_size"],
        ..everywhere("websocket_max_message", Shape::Bytes { least: 125, most: 1 << 30 })
    },
    OptionSpec {
        default: "`32`",
        doc: "Messages of one WebSocket that may wait in each direction; behind that its client is \
              not read, and `send` waits.",
        aliases: &["ws_max_queue", "websocket_max_queue"],
        ..everywhere("websocket_queue", Shape::WholeNumber { least: 1, most: MANY })
    },
    OptionSpec {
        default: "`20`",
        doc: "Seconds of silence after which the client of a WebSocket is pinged; `0` is never.",
        aliases: &["ws_ping_interval"],
        ..everywhere("websocket_ping_interval", Shape::SecondsOrOff { most: YEAR })
    },
    OptionSpec {
        default: "`20`",
        doc: "Seconds of further silence after which it is taken for dead.",
        aliases: &["ws_ping_timeout"],
        ..everywhere("websocket_ping_timeout", TIMEOUT)
    },
    OptionSpec {
        default: "`0`",
        doc: "Seconds without a message in either direction after which a WebSocket is closed; `0` \
              is never.",
        aliases: &["ws_idle_timeout"],
        ..everywhere("websocket_idle_timeout", Shape::SecondsOrOff { most: YEAR })
    },
    OptionSpec {
        default: "`true`",
        doc: "Whether messages are compressed for clients that can unpack them \
              (`permessage-deflate`).",
        aliases: &["ws_per_message_deflate", "per_message_deflate", "permessage_deflate"],
        ..everywhere("websocket_compress", Shape::Switch(&[]))
    },
];
