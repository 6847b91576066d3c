"""What tests are made of: servers, clients, upstreams, and ways to wait. Tests import it from here.

Everything talks over real sockets on the loopback interface, takes a free port,
waits for events rather than for time to pass, and gives up after a bounded while
with what it has seen. What only some tests need (HTTP/2, WebSockets, a browser, …)
they import from its own module.
"""

from __future__ import annotations

from support.client import (
    PART_OF_A_BODY,
    Address,
    Client,
    answer,
    check_not_whole,
    ended,
    exchange,
    get,
    is_refused,
    narrow_client,
    outlast,
)
from support.log import Log
from support.measuring import connections_at_rest, quantile, resident_memory
from support.paths import DATA, REPOSITORY
from support.response import Closed, Headers, ProtocolError, Response
from support.servers import (
    ENTRY_POINTS,
    Cli,
    Process,
    Program,
    Serving,
    launch,
    serving,
    settle,
    tree,
    unix_socket,
)
from support.threads import at_once, in_background, in_threads
from support.tls import CERTIFICATE, CERTIFICATE_KEY, lenient_tls, trusting_tls
from support.upstreams import (
    BlackHole,
    Exchange,
    TlsUpstream,
    Upstream,
    drip,
    echo,
    events,
    garbage,
    hang_up,
    reset,
    says,
    sends,
    stall,
    unused_port,
    websocket_echo,
)
from support.waiting import (
    PATIENCE,
    START_PATIENCE,
    Deadline,
    settles,
    tick,
    tick_async,
    wait_until,
    wait_until_async,
)

__all__ = [
    'CERTIFICATE',
    'CERTIFICATE_KEY',
    'DATA',
    'ENTRY_POINTS',
    'PART_OF_A_BODY',
    'PATIENCE',
    'REPOSITORY',
    'START_PATIENCE',
    'Address',
    'BlackHole',
    'Cli',
    'Client',
    'Closed',
    'Deadline',
    'Exchange',
    'Headers',
    'Log',
    'Process',
    'Program',
    'ProtocolError',
    'Response',
    'Serving',
    'TlsUpstream',
    'Upstream',
    'answer',
    'at_once',
    'check_not_whole',
    'connections_at_rest',
    'drip',
    'echo',
    'ended',
    'events',
    'exchange',
    'garbage',
    'get',
    'hang_up',
    'in_background',
    'in_threads',
    'is_refused',
    'launch',
    'lenient_tls',
    'narrow_client',
    'outlast',
    'quantile',
    'reset',
    'resident_memory',
    'says',
    'sends',
    'serving',
    'settle',
    'settles',
    'stall',
    'tick',
    'tick_async',
    'tree',
    'trusting_tls',
    'unix_socket',
    'unused_port',
    'wait_until',
    'wait_until_async',
    'websocket_echo',
]
