//! The options of the server as a whole, which stand at the global level only.

use super::{EVENT_LOOPS, MANY, OptionSpec, Shape, TIMEOUT, YEAR, global};

/// The server as a whole.
pub(super) const SERVER: &[OptionSpec] = &[
    OptionSpec {
        default: "none",
        doc: "The virtual hosts: a table of options for each host name.",
        aliases: &["hosts", "virtual_hosts", "virtualhosts", "servers", "sites", "server_name"],
        ..global("vhosts", Shape::Hosts)
    },
    OptionSpec {
        default: "every interface",
        doc: "The address to listen on. Fixed at start.",
        aliases: &["host", "bind", "address"],
        ..global("addr", Shape::Address)
    },
    OptionSpec {
        default: "80, or 443 for HTTPS",
        doc: "The port to listen on; `0` takes a free one. Fixed at start.",
        aliases: &["listen_port"],
        ..global("port", Shape::WholeNumber { least: 0, most: 65_535 })
    },
    OptionSpec {
        default: "what `addr` and `port` say",
        doc: "Where else it listens: a list of `http://ADDR:PORT`, `https://ADDR:PORT`, `unix:PATH`, \
              `fd:NAME`, or tables of `address` and more. Without `addr` and `port` the first of them \
              is the one that is fixed at start. See [listeners.md](listeners.md).",
        aliases: &["listeners", "listen_on", "binds", "sockets"],
        ..global("listen", Shape::Listen)
    },
    OptionSpec {
        default: "everybody",
        doc: "Addresses and networks that may connect; all others are cut off at once.",
        aliases: &["allow_list", "allowed_ips", "allow_from", "whitelist"],
        ..global("allow", Shape::Networks)
    },
    OptionSpec {
        default: "the number of processors",
        doc: "Threads that read, write and answer. Fixed at start.",
        aliases: &["workers", "worker_processes", "processes"],
        ..global("io_threads", Shape::WholeNumber { least: 1, most: 1024 })
    },
    OptionSpec {
        default: "`1`",
        doc: "Python handlers that may run at once. Fixed at start.",
        aliases: &["threads", "worker_threads"],
        ..global("python_threads", Shape::WholeNumber { least: 1, most: 1024 })
    },
    OptionSpec {
        default: "`asyncio`",
        doc: "The event loop of `async def` handlers and ASGI applications: `asyncio`, `uvloop`, or \
              `auto`, which is `uvloop` where it is installed. One for the whole process. Fixed at start.",
        aliases: &["loop"],
        ..global("event_loop", Shape::OneOf(EVENT_LOOPS))
    },
    OptionSpec {
        default: "`10000`",
        doc: "Connections at once. For one more, the one that has been idle longest is closed; where \
              none is idle it waits to be accepted.",
        aliases: &["worker_connections", "limit_concurrency", "maxconn"],
        ..global("max_connections", Shape::WholeNumber { least: 1, most: MANY })
    },
    OptionSpec {
        default: "a tenth of `max_connections`, at least 50",
        doc: "Connections of one client at once: of an IPv4 address, or of a /64 of IPv6. More are \
              closed at once. Not of `trusted_proxies`, nor, by default, of this machine.",
        aliases: &["limit_conn", "max_connections_per_ip", "per_ip", "client_ip_max_connections"],
        ..global("max_connections_per_address", Shape::WholeNumber { least: 1, most: MANY })
    },
    OptionSpec {
        default: "`32KiB`",
        doc: "The longest request line and header section together; a longer one is answered 431.",
        aliases: &["large_client_header_buffers", "max_header_size", "limit_request_field_size"],
        ..global("max_head", Shape::Bytes { least: 1024, most: 16 << 20 })
    },
    OptionSpec {
        default: "`100`",
        doc: "Header fields of a request; more are answered 431.",
        aliases: &["limit_request_fields", "max_header_count"],
        ..global("max_headers", Shape::WholeNumber { least: 8, most: 10_000 })
    },
    OptionSpec {
        default: "`8KiB`",
        doc: "The longest request target; a longer one is answered 414.",
        aliases: &["limit_request_line", "max_url"],
        // 65,534 bytes is what `http::Uri` can hold.
        ..global("max_uri", Shape::Bytes { least: 64, most: 65_534 })
    },
    OptionSpec {
        default: "`128`",
        doc: "Requests at once on one HTTP/2 connection; more are refused. It holds for \
              connections that come.",
        aliases: &["http2_max_concurrent_streams", "h2_max_concurrent_streams"],
        ..global("max_streams", Shape::WholeNumber { least: 1, most: 10_000 })
    },
    OptionSpec {
        default: "`512KiB`",
        doc: "What may wait to be sent on one HTTP/2 connection, of files, streams and \
              upstreams together; and four times as much of what handlers return whole. It \
              holds for connections that come.",
        aliases: &["http2_send_buffer"],
        ..global("max_unsent", Shape::Bytes { least: 1024, most: 1 << 30 })
    },
    OptionSpec {
        default: "`1024`",
        doc: "Requests that may wait for Python; more are answered 503.",
        aliases: &["backlog", "queue"],
        ..global("max_queue", Shape::WholeNumber { least: 1, most: MANY })
    },
    OptionSpec {
        default: "a quarter of the memory",
        doc: "What request bodies that are held whole take together, in all of the process; others are \
              answered 503. The memory is that of the machine, or of its container.",
        aliases: &["body_memory", "max_request_memory"],
        ..global("max_body_memory", Shape::Bytes { least: 1024, most: i64::MAX as u64 })
    },
    OptionSpec {
        default: "`64`",
        doc: "WebSockets whose handlers are not `async`, at once: each has a Python thread of its \
              own. More are answered 503.",
        aliases: &["websocket_threads"],
        ..global("max_websocket_threads", Shape::WholeNumber { least: 0, most: 10_000 })
    },
    OptionSpec {
        default: "`20`",
        doc: "Seconds that a request's head may take, from its first byte.",
        aliases: &["client_header_timeout", "read_header_timeout"],
        ..global("header_timeout", TIMEOUT)
    },
    OptionSpec {
        default: "`60`",
        doc: "Seconds that a request's body may pause.",
        aliases: &["client_body_timeout"],
        ..global("body_timeout", TIMEOUT)
    },
    OptionSpec {
        default: "`60`",
        doc: "Seconds that a client may take no byte of a response.",
        aliases: &["write_timeout"],
        ..global("send_timeout", TIMEOUT)
    },
    OptionSpec {
        default: "`75`",
        doc: "Seconds that a connection may stay without a request.",
        aliases: &["keepalive_timeout", "timeout_keep_alive", "keep_alive", "keepalive"],
        ..global("idle_timeout", TIMEOUT)
    },
    OptionSpec {
        default: "`10`",
        doc: "Seconds that requests in flight may take to finish when the server stops.",
        aliases: &["graceful_timeout", "shutdown_timeout", "timeout_graceful_shutdown"],
        ..global("grace_period", Shape::Seconds { least: 0.0, most: YEAR })
    },
    OptionSpec {
        default: "info",
        doc: "What the server itself logs, in the words of `SLIMHTTP_LOG`, which wins: a level, `json`, \
              directives; see [logs-and-errors.md](logs-and-errors.md). Fixed at start.",
        aliases: &["log_level", "loglevel", "verbosity", "error_log"],
        ..global("log", Shape::Logging)
    },
    OptionSpec {
        default: "`false`",
        doc: "Whether the line at start is left out.",
        aliases: &["silent"],
        ..global("quiet", Shape::Bool)
    },
    OptionSpec {
        default: "cert.pem, if it and key.pem are there",
        doc: "The certificate chain of an HTTPS server, a PEM file; its key may stand in it too. \
              See [https.md](https.md).",
        aliases: &["certfile", "ssl_certificate", "ssl_certfile", "certificate"],
        ..global("cert", Shape::Path)
    },
    OptionSpec {
        default: "the file of `cert`",
        doc: "The private key of that certificate, a PEM file without a passphrase.",
        aliases: &["keyfile", "ssl_certificate_key", "ssl_keyfile", "private_key"],
        ..global("key", Shape::Path)
    },
    OptionSpec {
        default: "none",
        doc: "How certificates are obtained and renewed by themselves (ACME): a table, of whom, in whose \
              name, how a name is proven, and where they are kept.",
        aliases: &["letsencrypt", "lets_encrypt", "certbot", "autocert", "certificates_resolvers"],
        ..global("acme", Shape::Acme)
    },
    OptionSpec {
        default: "none",
        doc: "The file in which `slimHTTP.memory` is kept; made if it is not there. Fixed at start.",
        aliases: &["memory", "persistence", "state_file", "database"],
        ..global("persist", Shape::Path)
    },
    OptionSpec {
        default: "whoever starts it",
        doc: "As whom a server that root starts serves, once it listens; it holds for the whole \
              process. Fixed at start.",
        aliases: &["run_as", "runas", "setuid", "uid", "username"],
        ..global("user", Shape::Account)
    },
    OptionSpec {
        default: "the user's own",
        doc: "With which group it serves then. Fixed at start.",
        aliases: &["setgid", "gid"],
        ..global("group", Shape::Account)
    },
];
