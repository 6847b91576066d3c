"""A limit that is hit is named by its option: in the log, and on the page with `debug`."""

from __future__ import annotations

from pathlib import Path

from support import Program, launch


def head(target: str = '/', *fields: str) -> bytes:
    lines = [f'GET {target} HTTP/1.1', 'Host: a.example', *fields, '', '']
    return '\r\n'.join(lines).encode()


def test_a_limit_that_is_hit_is_named(tmp_path: Path) -> None:
    limits = {'max_uri': 64, 'max_head': 2048, 'max_body': 1, 'header_timeout': 0.5}
    with launch('cli', tmp_path, {'debug': True, 'web_root': '.', **limits}) as running:
        for status, request, option in [
            (414, head('/' + 'a' * 100), 'max_uri'),
            (431, head('/', 'X: ' + 'y' * 3000), 'max_head'),
            (413, head('/', 'Content-Length: 2').replace(b'GET', b'POST'), 'max_body'),
            (408, b'GET / HTTP/1.1\r\nHost: a\r\nX:', 'header_timeout'),
        ]:
            for _ in range(3):
                with running.client() as client:
                    client.send_raw(request)
                    refusal = client.read_response()
                    assert refusal.status == status
                    assert f'see `{option}`' in refusal.text
            running.wait_for(f'INFO.* a request was answered {status}: .*see `{option}`')
            # Who can send requests cannot fill the log.
            assert running.stderr.count(f'answered {status}') == 1


NO_ROOM = """
import slimHTTP
http = slimHTTP.server(
    slimHTTP.HTTP, addr='127.0.0.1', port=0, max_websocket_threads=0, log='info')
@http.websocket('/')
def socket(websocket):
    pass
http.run()
"""


def test_a_websocket_for_which_there_is_no_thread_is_told() -> None:
    with Program(NO_ROOM) as running, running.client() as client:
        fields = (
            'Connection: upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13',
            'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
        )  # fmt: skip
        client.send_raw(head('/', *fields))
        assert client.read_response().status == 503
        running.wait_for('answered 503: .*see `max_websocket_threads`')
