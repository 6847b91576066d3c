"""C11.4: files that a WSGI application answers with: `wsgi.file_wrapper`, and by a header field."""

from __future__ import annotations

import gzip
import io
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
import slimHTTP
from support import Log, narrow_client, tree, wait_until
from support.http2_client import Http2
from support.tls import lenient_tls
from support.waiting import settles
from support.wsgi import PLAIN, WsgiSite, says, wsgi_site

of = pytest.mark.parametrize

TEXT = bytes(range(256)) * 1000


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {'text': TEXT, 'private': {'a.txt': b'0123456789', 'a b.txt': b'spaced'}}
    return tree(tmp_path_factory.mktemp('files'), files)


@pytest.fixture(scope='module')
def site(folder: Path) -> Iterator[WsgiSite]:
    with wsgi_site(private_root=os.fspath(folder / 'private')) as site:
        yield site


@pytest.fixture(scope='module')
def tls_site() -> Iterator[WsgiSite]:
    with wsgi_site(mode=slimHTTP.HTTPS) as site:
        yield site


class Closes:
    """A file object of a program: all of a file, and how often it was closed."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.closed_times = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def close(self) -> None:
        self.closed_times += 1
        self._file.close()


def sends(
    file: Any,
    status: str = '200 OK',
    headers: Any = PLAIN,
) -> Any:
    """An application that answers with a file object."""

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response(status, list(headers))
        return environ['wsgi.file_wrapper'](file() if callable(file) else file, 4096)

    return application


def pipe() -> Any:
    """A pipe, from which `TEXT` can be read in part."""
    reads, writes = os.pipe()
    os.write(writes, TEXT[:1000])
    os.close(writes)
    return os.fdopen(reads, 'rb')


def opened(path: Any, buffering: int = -1) -> Any:
    """A file that whoever gets it closes."""
    return os.fdopen(os.open(path, os.O_RDONLY), 'rb', buffering)


def temporary() -> Any:
    file = tempfile.NamedTemporaryFile()  # noqa: SIM115, the server closes it.
    file.write(TEXT)
    file.seek(10)
    return file


def moved(path: Path, buffering: int) -> Any:
    file = opened(path, buffering)
    file.read(10)
    return file


#: A file object, what is sent of it, and whether the length is known.
KINDS: dict[str, tuple[Callable[[Path], Any], bytes, bool]] = {
    'a file': (lambda path: opened(path), TEXT, True),
    'a file without a buffer': (lambda path: opened(path, 0), TEXT, True),
    'a file from its position': (lambda path: moved(path, -1), TEXT[10:], True),
    'the same without a buffer': (lambda path: moved(path, 0), TEXT[10:], True),
    'a file of tempfile': (lambda path: temporary(), TEXT[10:], True),
    'bytes': (lambda path: io.BytesIO(TEXT), TEXT, False),
    'a pipe': (lambda path: pipe(), TEXT[:1000], False),
    'a file that is unpacked': (
        lambda path: gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(TEXT))),
        TEXT,
        False,
    ),
    'a file on disk that is unpacked': (lambda path: packed(path), TEXT, False),
}


def packed(path: Path) -> Any:
    target = path.with_suffix('.gz')
    target.write_bytes(gzip.compress(TEXT))
    return gzip.open(target)


@of('kind', KINDS)
def test_c11_4_a_file_object_is_sent(site: WsgiSite, folder: Path, kind: str) -> None:
    make, expected, is_measured = KINDS[kind]
    file = Closes(make(folder / 'text'))
    if 'unpacked' in kind or kind == 'bytes':
        file = make(folder / 'text')
    answer = site.ask(sends(file), valid=False)
    assert (answer.status, answer.body) == (200, expected)
    assert ('content-length' in answer.headers) == is_measured
    wait_until(lambda: file.closed, 'the close')


@of('protocol', ['TLS', 'HTTP/2'])
def test_c11_4_a_file_object_is_sent_over_every_protocol(
    tls_site: WsgiSite, folder: Path, protocol: str
) -> None:
    file = Closes(opened(folder / 'text'))
    application = sends(file)
    if protocol == 'HTTP/2':
        with Http2(tls_site.address[1]) as connection:
            fields = ('x-app', tls_site.name(application, valid=False))
            said = connection.get('/', fields)
            assert (said.status, said.headers['content-length']) == (200, str(len(TEXT)))
            assert said.body == TEXT
    else:
        with tls_site.serving.client(tls=lenient_tls()) as client:
            assert tls_site.ask(application, client=client, valid=False).body == TEXT
    wait_until(lambda: file.closed_times, 'the close')
    assert file.closed_times == 1


@of(
    ('start', 'given', 'expected'),
    [(0, 10, TEXT[:10]), (100, 50, TEXT[100:150]), (len(TEXT) - 5, 5, TEXT[-5:]), (0, 0, b'')],
)
def test_c11_4_an_application_may_send_a_range_of_a_file(
    site: WsgiSite, folder: Path, start: int, given: int, expected: bytes
) -> None:
    file = Closes(opened(folder / 'text'))
    file.seek(start)
    headers = [
        *PLAIN,
        ('Content-Length', str(given)),
        ('Content-Range', f'bytes {start}-{start + given - 1}/{len(TEXT)}'),
    ]
    answer = site.ask(sends(file, '206 Partial Content', headers), valid=False)
    assert (answer.status, answer.body) == (206, expected)
    assert answer.headers['content-range'] == headers[-1][1]
    wait_until(lambda: file.closed_times, 'the close')


def test_c11_4_a_file_that_is_shorter_than_it_is_announced_is_a_500(
    site: WsgiSite, folder: Path
) -> None:
    file = Closes(opened(folder / 'text'))
    headers = [*PLAIN, ('Content-Length', str(len(TEXT) + 1))]
    with Log() as log:
        assert site.ask(sends(file, headers=headers), valid=False).status == 500
        log.wait_for('ValueError: the body has 256000 bytes, its Content-Length is 256001')
    assert file.closed_times == 1


@of('how', ['HEAD', '304 Not Modified', 'an empty file', 'an empty device'])
def test_c11_4_a_file_of_which_nothing_is_sent_is_closed(
    site: WsgiSite, folder: Path, tmp_path: Path, how: str
) -> None:
    (tmp_path / 'empty').write_bytes(b'')
    paths = {'an empty file': tmp_path / 'empty', 'an empty device': os.devnull}
    file = Closes(opened(paths.get(how, folder / 'text')))
    status = how if how.startswith('304') else '200 OK'
    method = 'HEAD' if how == 'HEAD' else 'GET'
    answer = site.ask(sends(file, status), method=method, valid=False)
    assert (answer.status, answer.body) == (int(status[:3]), b'')
    if how == 'HEAD':
        assert answer.headers['content-length'] == str(len(TEXT))
    wait_until(lambda: file.closed_times, 'the close')
    assert file.closed_times == 1


def test_c11_4_a_file_is_closed_when_its_client_leaves(site: WsgiSite, tmp_path: Path) -> None:
    path = tmp_path / 'long'
    with open(path, 'wb') as long:
        long.truncate(1 << 28)
    file = Closes(opened(path))
    name = site.name(sends(file), valid=False)
    with narrow_client(site.address) as client:
        client.send('GET', '/', [('X-App', name)])
        assert client.read_head().headers['content-length'] == str(1 << 28)
        assert settles(lambda: file.closed_times) == 0
        client.reset()
    wait_until(lambda: file.closed_times, 'the close')
    assert file.closed_times == 1


def test_c11_4_a_middleware_may_iterate_over_a_wrapped_file(site: WsgiSite, folder: Path) -> None:
    file = Closes(opened(folder / 'text'))
    sizes: list[int] = []

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        wrapped = sends(file)(environ, start_response)
        try:
            for block in wrapped:
                sizes.append(len(block))
                yield block.upper()
        finally:
            wrapped.close()

    assert site.ask(application, valid=False).body == TEXT.upper()
    assert set(sizes[:-1]) == {4096}
    wait_until(lambda: file.closed_times, 'the close')


def test_c11_4_what_is_in_memory_is_read_in_few_blocks(site: WsgiSite) -> None:
    sizes: list[int] = []

    class Counted(io.BytesIO):
        def read(self, size: Any = -1) -> bytes:
            sizes.append(size)
            return super().read(size)

    assert site.ask(sends(Counted(TEXT)), valid=False).body == TEXT
    assert sizes == [65536] * 5


# X-Sendfile and X-Accel-Redirect.


@of(
    ('field', 'value'),
    [
        ('X-Sendfile', '{root}/a.txt'),
        ('X-Sendfile', 'a.txt'),
        ('X-Accel-Redirect', '/a.txt'),
        ('X-Accel-Redirect', '{root}/a.txt'),
    ],
)
@of('how', ['list', 'iterator', 'write'])
def test_c11_4_a_header_field_names_the_file_that_is_sent(
    site: WsgiSite, folder: Path, field: str, value: str, how: str
) -> None:
    from support.wsgi import Closable

    result = Closable([b'dropped', b'too'])
    headers = [(field, value.format(root=folder / 'private')), ('X-Other', 'kept')]

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        write = start_response('200 OK', list(headers))
        if how == 'write':
            write(b'dropped')
        return [b'dropped'] if how == 'list' else result

    with site.serving.client() as client:
        answer = site.ask(application, client=client, valid=False)
        assert (answer.status, answer.text) == (200, '0123456789')
        assert answer.headers['content-type'] == 'text/plain; charset=utf-8'
        assert (answer.headers['x-other'], field in answer.headers) == ('kept', False)
        etag = answer.headers['etag']
        part = site.ask(application, client=client, fields=[('Range', 'bytes=2-4')], valid=False)
        assert (part.status, part.text) == (206, '234')
        same = [('If-None-Match', etag)]
        assert site.ask(application, client=client, fields=same, valid=False).status == 304
        head = site.ask(application, method='HEAD', client=client, valid=False)
        assert (head.status, head.headers['content-length']) == (200, '10')
    if how != 'list':
        wait_until(lambda: result.closed, 'the close')


def test_c11_4_the_type_that_the_application_gives_is_kept(site: WsgiSite) -> None:
    headers = [('X-Accel-Redirect', '/a%20b.txt'), ('Content-Type', 'text/x-own')]
    answer = site.ask(says(b'', headers=headers))
    assert (answer.text, answer.headers['content-type']) == ('spaced', 'text/x-own')


def test_c11_4_a_range_that_an_application_has_looked_at_is_that_of_the_file(
    site: WsgiSite,
) -> None:
    # As Flask's `send_file` answers with `USE_X_SENDFILE`.
    headers = [
        ('X-Sendfile', 'a.txt'),
        ('Content-Range', 'bytes 2-4/10'),
        ('Content-Length', '3'),
        ('Accept-Ranges', 'bytes'),
    ]
    application = says(status='206 Partial Content', headers=headers)
    answer = site.ask(application, fields=[('Range', 'bytes=2-4')], valid=False)
    assert (answer.status, answer.text) == (206, '234')
    assert answer.headers.all('content-range') == ['bytes 2-4/10']


@of('path', ['{folder}/text', '../text', '/etc/passwd'])
def test_c11_4_a_file_outside_of_the_private_root_is_a_500(
    site: WsgiSite, folder: Path, path: str
) -> None:
    headers = [*PLAIN, ('X-Sendfile', path.format(folder=folder))]
    with Log() as log:
        assert site.ask(says(b'secret', headers=headers)).status == 500
        log.wait_for('`x-sendfile` names .*, which is not below `private_root`')


def test_c11_4_a_file_that_is_not_there_is_a_404_and_told_in_the_log(folder: Path) -> None:
    with Log() as log, wsgi_site(private_root=os.fspath(folder / 'private')) as site:
        # As for a location of nginx called `/protected/`, whose prefix stands for no folder.
        headers = [*PLAIN, ('X-Accel-Redirect', '/protected/a.txt')]
        assert site.ask(says(b'', headers=headers)).status == 404
        missing = re.escape(os.fspath(folder / 'private/protected/a.txt'))
        log.wait_for(f'GET /: an application named a file, and there is no file {missing}: 404')
        assert log.records[-1].levelname == 'WARNING'


def test_c11_4_without_a_private_root_the_field_has_no_effect(folder: Path) -> None:
    headers = [*PLAIN, ('X-Sendfile', os.fspath(folder / 'text'))]
    with wsgi_site() as site:
        answer = site.ask(says(b'the body', headers=headers))
    assert (answer.status, answer.text, 'x-sendfile' in answer.headers) == (200, 'the body', False)
