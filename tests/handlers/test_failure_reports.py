"""What a failure tells: one record in the log, a page with `debug`, nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from slimHTTP._callbacks import Callbacks
from slimHTTP._debug._failure import headline


def request(**more: Any) -> Any:
    attributes = {
        'method': 'GET',
        'url': '/a/<script>',
        'query': {'q': '<b>'},
        'vhost': 'a.example',
        'web_root': None,
        'headers': {b'user-agent': b'<i>agent</i>', b'METHOD': b'GET'},
        'CLIENT_IDENTITY': SimpleNamespace(address='192.0.2.1'),
    }
    return SimpleNamespace(**{**attributes, **more})


def failure(source: str, path: Path, of: Any = None) -> BaseException:
    path.write_text(source)
    try:
        Callbacks().run_module(of or request(params={}), str(path), 'always')
    except BaseException as error:
        frames = error.__traceback__
        # The extension calls it without a frame of its own; this test has one.
        return error.with_traceback(frames and frames.tb_next)
    raise AssertionError('it did not fail')


def page_of(error: BaseException, of: Any, what: str) -> str:
    told = Callbacks().failed(error, of, what, True)
    assert told is not None
    return told[0]


RAISES = "def on_request(request):\n    text = '<secret>'\n    raise ValueError('<b>bad</b>')\n"


def test_c6_6_one_record_tells_request_place_and_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / 'vhost.py'
    error = failure(RAISES, path)
    assert Callbacks().failed(error, request(), str(path), False) is None
    (record,) = caplog.records
    assert (record.name, record.levelname) == ('slimHTTP', 'ERROR')
    assert record.getMessage() == (
        f'GET /a/<script> failed in {path} (vhost a.example, client 192.0.2.1):'
        ' ValueError: <b>bad</b>'
    )
    assert f'File "{path}", line 3, in on_request' in caplog.text
    assert '_modules.py' not in caplog.text


def test_c6_6_the_page_tells_all_and_escapes_it(tmp_path: Path) -> None:
    path = tmp_path / 'vhost.py'
    page = page_of(failure(RAISES, path), request(), str(path))
    assert page.startswith('<!DOCTYPE html>')
    for part in (
        'ValueError',
        str(path),
        '&lt;secret&gt;',
        '192.0.2.1',
        'color-scheme: light dark',
    ):
        assert part in page
    assert page.count('<script') == 1, 'its own'
    for raw in ('<b>', '<i>', '<secret>', '_modules.py'):
        assert raw not in page
    assert re.search(r'<span class="here"><small>3  </small>.*raise ValueError', page)


def test_c6_6_a_file_that_does_not_parse(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / 'vhost.py'
    error = failure('def on_request(:\n', path)
    page = page_of(error, request(), str(path))
    assert f'{path}, line 1' in page
    assert 'def on_request(:' in page
    assert f'({path}, line 1)' in caplog.records[0].getMessage()


def test_c6_6_the_page_tells_what_led_to_it(tmp_path: Path) -> None:
    source = (
        "try:\n    1/0\nexcept ZeroDivisionError as error:\n    raise KeyError('k') from error\n"
    )
    path = tmp_path / 'vhost.py'
    page = page_of(failure(source, path), request(), str(path))
    first, second = page.index('ZeroDivisionError'), page.rindex('KeyError')
    assert first < page.index('which was the direct cause of') < second


def test_c6_6_deep_recursion_stays_readable(tmp_path: Path) -> None:
    path = tmp_path / 'vhost.py'
    error = failure('def on_request(request): return on_request(request)', path)
    page = page_of(error, request(), str(path))
    assert 'more frames' in page
    assert len(page) < 200_000


class Unspeakable(Exception):
    """An exception that cannot be told."""

    def __str__(self) -> str:
        raise RuntimeError('no')

    __repr__ = __str__


class Hostile:
    """A request of which nothing can be read."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


@pytest.mark.parametrize('of', [type(None), Hostile, SimpleNamespace])
@pytest.mark.parametrize(
    'error',
    [Unspeakable(), SyntaxError(), SystemExit(3), ValueError('')],
    ids=lambda error: type(error).__name__,
)
def test_c6_6_telling_never_raises(of: Any, error: BaseException) -> None:
    page = page_of(error, of(), 'somewhere')
    assert type(error).__name__ in page


@pytest.mark.parametrize('char', ['\n', '\r', '\x1b', '\u2028', '\0'])
def test_nobody_writes_lines_into_the_log(char: str) -> None:
    line = headline(ValueError(f'a{char}b'), request(url=f'/{char}ERROR fake'), 'handler')
    assert line.isprintable()
