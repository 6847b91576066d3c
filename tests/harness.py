"""What whole-server tests are made of; tests import it from here.

Everything talks over real sockets on the loopback interface, takes a free port,
waits for events rather than for time to pass, and gives up after a bounded while
with what it has seen.
"""

from __future__ import annotations

from client import (
    CERTIFICATE,
    CERTIFICATE_KEY,
    Address,
    Client,
    Closed,
    Headers,
    ProtocolError,
    Response,
    exchange,
    get,
    is_refused,
    lenient_tls,
    trusting_tls,
)
from servers import DOORS, Cli, Process, Program, Serving, open_door, resident_memory, serving, tree
from upstreams import (
    Exchange,
    Upstream,
    drip,
    echo,
    events,
    garbage,
    hang_up,
    read_websocket_frame,
    reset,
    says,
    sends,
    stall,
    unused_port,
    websocket_accept,
    websocket_echo,
    websocket_frame,
)
from waiting import PATIENCE, START_PATIENCE, Deadline, wait_until

__all__ = [
    'CERTIFICATE',
    'CERTIFICATE_KEY',
    'DOORS',
    'PATIENCE',
    'START_PATIENCE',
    'Address',
    'Cli',
    'Client',
    'Closed',
    'Deadline',
    'Exchange',
    'Headers',
    'Process',
    'Program',
    'ProtocolError',
    'Response',
    'Serving',
    'Upstream',
    'drip',
    'echo',
    'events',
    'exchange',
    'garbage',
    'get',
    'hang_up',
    'is_refused',
    'lenient_tls',
    'open_door',
    'read_websocket_frame',
    'reset',
    'resident_memory',
    'says',
    'sends',
    'serving',
    'stall',
    'tree',
    'trusting_tls',
    'unused_port',
    'wait_until',
    'websocket_accept',
    'websocket_echo',
    'websocket_frame',
]
