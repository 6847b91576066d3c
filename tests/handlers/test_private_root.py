"""C8.3: files that handlers answer with and no URL reaches (`private_root`)."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator
from typing import Any, Callable

import pytest
import slimHTTP
from support import Program, Serving, serving, tree
from support.sites import ask_handler as ask

of = pytest.mark.parametrize

FILES = {
    'outside.txt': 'outside',
    'public': {'index.html': 'front', 'both.txt': 'public'},
    'private': {'report.txt': 'the report', 'both.txt': 'private', 'tool.py': 'print(1)'},
}


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tree(tmp_path_factory.mktemp('site'), FILES)
    (folder / 'private' / 'out.txt').symlink_to(folder / 'outside.txt')
    (folder / 'public' / 'in.txt').symlink_to(folder / 'private' / 'report.txt')
    return folder


@pytest.fixture(scope='module')
def site(folder: pathlib.Path) -> Iterator[Serving]:
    config = {
        'web_root': os.fspath(folder / 'public'),
        'private_root': os.fspath(folder / 'private'),
        'cache_control': 'public, max-age=3600',
        'immutable': True,
        'file_headers': {'*': {'X-Public': 'yes'}},
    }
    with serving(**config) as site:
        yield site


WAYS: dict[str, Callable[[Any], Any]] = {
    'Path': lambda request: pathlib.Path(request.private_root, 'report.txt'),
    'FILE': lambda request: slimHTTP.FILE(request, f'{request.private_root}/report.txt'),
    'STREAM_CHUNKED': lambda request: slimHTTP.STREAM_CHUNKED(
        request, f'{request.private_root}/report.txt'
    ),
}


@of('way', WAYS)
def test_c8_3_a_private_file_is_sent_as_a_file(site: Serving, way: str) -> None:
    make = WAYS[way]
    answer = ask(site, make)
    assert (answer.status, answer.text) == (200, 'the report')
    assert answer.headers['Content-Type'] == 'text/plain; charset=utf-8'
    etag = answer.headers['ETag']
    assert ask(site, make, fields={'If-None-Match': etag}).status == 304
    part = ask(site, make, fields={'Range': 'bytes=-6'})
    assert (part.status, part.text) == (206, 'report')
    assert ask(site, make, 'HEAD').headers['Content-Length'] == '10'


def test_c8_3_a_private_file_is_for_who_asks_alone(site: Serving) -> None:
    """What the scope says of its public files does not hold for it."""
    answer = ask(site, WAYS['Path'])
    assert answer.headers['Cache-Control'] == 'private, no-cache'
    assert 'X-Public' not in answer.headers
    again = ask(site, WAYS['Path'], fields={'If-None-Match': answer.headers['ETag']})
    assert (again.status, again.headers['Cache-Control']) == (304, 'private, no-cache')

    def with_fields(request):
        request.response_headers['Cache-Control'] = 'private, max-age=60'
        request.response_headers['Content-Disposition'] = 'attachment'
        return WAYS['Path'](request)

    answer = ask(site, with_fields)
    assert answer.headers.all('Cache-Control') == ['private, max-age=60']
    assert answer.headers['Content-Disposition'] == 'attachment'
    public = site.get('/both.txt')
    assert (public.text, public.headers['Cache-Control']) == ('public', 'public, max-age=3600')


def test_c5_2_no_url_reaches_it(site: Serving) -> None:
    for target, status in (
        ('/report.txt', 404),
        ('/private/report.txt', 404),
        ('/in.txt', 404),
        ('/../private/report.txt', 400),
        ('/%2e%2e/private/report.txt', 400),
        ('/..%2fprivate/report.txt', 404),
    ):
        answer = site.get(target)
        assert answer.status == status, target
        assert b'report' not in answer.body


@of(
    ('make', 'status', 'text'),
    [
        # A relative one is public or nothing.
        (lambda request: pathlib.Path('report.txt'), 404, None),
        (lambda request: pathlib.Path('both.txt'), 200, 'public'),
        (lambda request: pathlib.Path(request.private_root, 'both.txt'), 200, 'private'),
        (lambda request: slimHTTP.FILE(request, 'both.txt'), 200, 'public'),
        (lambda request: pathlib.Path(request.private_root, 'missing.txt'), 404, None),
        (lambda request: pathlib.Path(request.private_root), 404, None),
        (lambda request: pathlib.Path(request.private_root, 'x' * 256), 404, None),
        (lambda request: pathlib.Path(request.private_root, 'x/' * 2100), 404, None),
        (lambda request: pathlib.Path(request.private_root, 'out.txt'), 404, None),
        (lambda request: pathlib.Path(request.private_root, '../outside.txt'), 404, None),
        (lambda request: pathlib.Path(request.private_root + '2', 'x.txt'), 404, None),
        (lambda request: pathlib.Path(request.private_root, '/etc/passwd'), 404, None),
        (lambda request: pathlib.Path(request.private_root, 'a\0b'), 404, None),
        (lambda request: pathlib.Path(request.private_root, '\udcff'), 404, None),
        # A handler may send what a URL would run.
        (lambda request: pathlib.Path(request.private_root, 'tool.py'), 200, 'print(1)'),
    ],
)
def test_c8_3_which_file_a_path_names(site: Serving, make, status: int, text: str) -> None:
    answer = ask(site, make)
    assert answer.status == status
    assert b'outside' not in answer.body
    if text is not None:
        assert answer.text == text


def test_c8_3_a_path_that_leads_out_is_not_there_and_fills_no_log(folder: pathlib.Path) -> None:
    """It may be a client's: whoever writes `..` gets no 500, and the log no line for each."""
    source = (
        'import pathlib, slimHTTP\n'
        "http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, private_root='private')\n"
        "@http.route('/get/<path:name>')\n"
        'def get(request):\n'
        "    return pathlib.Path(request.private_root, request.params['name'])\n"
        'http.run()\n'
    )
    with Program(source, cwd=folder) as program:
        assert program.get('/get/report.txt').text == 'the report'
        with program.client() as client:
            for name in ('..%2foutside.txt', '/etc/passwd', 'a/..%2f..%2foutside.txt') * 20:
                answer = client.get(f'/get/{name}')
                assert (answer.status, b'outside' in answer.body) == (404, False)
        program.wait_for(
            'GET /get/..%2foutside.txt: a handler named a file, and .*/outside.txt is '
        )
        assert program.stop() == 0
    # A run of the test may take longer than the ten seconds for which nothing more is said.
    assert program.stderr.count('is below neither') <= 3
    assert 'ERROR' not in program.stderr


def test_c8_3_debug_tells_of_a_path_that_leads_out(site: Serving) -> None:
    site.http.config['debug'] = True
    try:
        answer = ask(site, lambda request: pathlib.Path(request.private_root, '../outside.txt'))
        assert (answer.status, 'outside.txt is below neither' in answer.text) == (404, True)
    finally:
        site.http.config['debug'] = False


def test_c8_3_file_objects_read_private_files(site: Serving, folder: pathlib.Path) -> None:
    def look(request):
        inside = slimHTTP.FILE(request, f'{request.private_root}/report.txt')
        out = slimHTTP.FILE(request, f'{request.private_root}/out.txt')
        seen.append((inside.path, inside.size, inside.data, out.size))
        with pytest.raises(PermissionError):
            _ = out.data
        return 'seen'

    seen: list[Any] = []
    assert ask(site, look).text == 'seen'
    assert seen == [(os.fspath(folder / 'private' / 'report.txt'), 10, b'the report', -1)]


def test_c8_3_without_a_public_folder_a_relative_path_is_private(tmp_path) -> None:
    module = (
        'import pathlib, slimHTTP\n'
        'def on_request(request):\n'
        '    if request.url == "/path": return pathlib.Path("report.txt")\n'
        '    return slimHTTP.FILE(request, "report.txt")\n'
    )
    folder = tree(tmp_path, {**FILES, 'app.py': module})
    with serving(module=str(folder / 'app.py'), private_root=str(folder / 'private')) as site:
        assert [site.get(url).text for url in ('/path', '/file')] == ['the report'] * 2


def test_c2_6_it_lies_outside_of_the_public_folder(folder: pathlib.Path) -> None:
    with serving(web_root=os.fspath(folder)) as site:
        with pytest.raises(slimHTTP.ConfError, match='outside of `web_root`'):
            site.http.config['private_root'] = os.fspath(folder / 'private')
        assert ask(site, lambda request: repr(request.private_root)).text == 'None'
