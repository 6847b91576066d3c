"""What a client sends forges no line of the log, and gives no orders to a terminal: neither
in Python's logging nor in the log of the program."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
import urllib.parse
from pathlib import Path

import pytest
from support import DATA, Cli, Log, Program, Serving, tree
from support.sites import site_fixture

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

of = pytest.mark.parametrize

#: The rule of the Rust side too, see the file.
TABLE = tomllib.loads((DATA / 'harmless.toml').read_text(encoding='utf-8'))

#: What would begin a line of its own, or colour the terminal, or turn the writing.
HOSTILE = 'x\n2026-01-01 ERROR forged\r\n\x1b[31mred\x9b31m\u202egnp.exe\x07\u2028forged\x85forged'
ASKED = urllib.parse.quote(HOSTILE)


site = site_fixture()


def check(text: str) -> None:
    """Every line but those that begin a record is indented, and all of it is harmless."""
    assert 'forged' in text, text
    for line in text.split('\n'):
        assert line.isprintable() or line.replace('\t', '').isprintable(), ascii(line)
        assert not line.startswith(('2026', 'forged', 'ERROR', 'Traceback')), ascii(line)


def told(log: Log) -> str:
    return '\n'.join(logging.Formatter().format(record) for record in log.records)


def test_a_traceback_holds_what_an_exception_says(site: Serving) -> None:
    @site.http.route('/')
    def handler(request):
        try:
            raise KeyError(request.query['q'])
        except KeyError as error:
            raise RuntimeError(request.query['q']) from error

    with Log() as log:
        assert site.get(f'/?q={ASKED}').status == 500
        log.wait_for('RuntimeError')
        check(told(log))
        record = next(record for record in log.records if record.exc_info)
    assert 'direct cause' in told(log)
    # What others make of a record has the exception as it is.
    assert isinstance(record.exc_info[1], RuntimeError)
    assert HOSTILE in str(record.exc_info[1])


@of('how', ['path', 'note', 'syntax', 'upgrade', 'own', 'own logger', 'repr'])
def test_whatever_is_logged_is_contained(site: Serving, how: str) -> None:
    logger = logging.getLogger('slimHTTP')

    @site.http.route('/', prefix=True)
    def handler(request):
        said = urllib.parse.unquote(request.headers[b'x-said'].decode())
        if how == 'own':
            site.http.log(said, level='error')
        elif how == 'own logger':
            logger.error('of %s', said)
        elif how == 'syntax':
            compile(f'"""{said}"""\n)', said, 'exec')
        elif how == 'repr':
            return type(said, (), {})()
        elif how == 'note':
            error = RuntimeError('noted')
            error.__notes__ = [said]  # type: ignore[attr-defined]
            error.args = ('noted', said)
            raise error
        else:
            raise RuntimeError(request.url)
        return 'done'

    if how == 'upgrade':
        import slimHTTP

        @site.http.on_upgrade
        def upgrade(request):
            raise slimHTTP.UpgradeIssue(urllib.parse.unquote(request.headers[b'x-said'].decode()))

    fields = {'X-Said': ASKED}
    if how == 'upgrade':
        fields.update(Connection='upgrade', Upgrade='x')
    with Log() as log:
        site.get(f'/{ASKED}', **fields)
        log.wait_for('forged')
        check(told(log))


@of(('said', 'shown'), TABLE['escaped'] + TABLE['indented'] + [[x, x] for x in TABLE['kept']])
def test_text_is_shown_as_the_table_says(site: Serving, said: str, shown: str) -> None:
    with Log() as log:
        site.http.log(said)
        assert log.records[-1].getMessage() == shown


def test_every_character_is_judged_as_the_table_says() -> None:
    from slimHTTP._log._escape import escaped

    harmful = {
        code for first, last in TABLE['ranges'] for code in range(int(first, 16), int(last, 16) + 1)
    }
    found = {code for code in range(sys.maxunicode + 1) if escaped(chr(code)) != chr(code)}
    assert found == harmful


def test_a_value_forges_no_line_of_a_formatter_and_no_further_value(site: Serving) -> None:
    said = 'bob admin=true\r\n2026-11-29 ERROR "forged"\x1b[31m\u2028'
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter('[%(user)s] %(message)s'))
    logger = logging.getLogger('slimHTTP')
    logger.addHandler(handler)
    try:
        site.http.log('in', user=said, level='error')
        site.http.log('in', user='a\\b', n=1, empty='', path='a\\"b', level='error')
    finally:
        logger.removeHandler(handler)
    first, second = stream.getvalue().splitlines()
    escaped = 'bob admin=true\\r\\n2026-11-29 ERROR "forged"\\x1b[31m\\u2028'
    quoted = escaped.replace('"', '\\"')
    assert first == f'[{escaped}] in user="{quoted}"'
    assert second == r'[a\b] in user=a\b n=1 empty="" path="a\\\"b"'


def test_lines_of_ones_own_stay_lines(site: Serving) -> None:
    with Log() as log:
        site.http.log('a table:\n  one\n  two\tthree\nfour')
        message = next(r.getMessage() for r in log.records if 'table' in r.getMessage())
    assert message == 'a table:\n  one\n  two\tthree\n  four'


def test_a_record_that_cannot_be_formatted_is_reported_as_ever(
    capsys: pytest.CaptureFixture[str],
) -> None:
    handler = logging.StreamHandler()
    logger = logging.getLogger('slimHTTP')
    logger.addHandler(handler)
    # The tests' own handlers raise what they cannot format.
    logger.propagate = False
    try:
        logger.error('%d', 'text')
    finally:
        logger.propagate = True
        logger.removeHandler(handler)
    assert 'Logging error' in capsys.readouterr().err


def test_standard_error_of_a_python_program(tmp_path: Path) -> None:
    source = (
        'import slimHTTP\n'
        "http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)\n"
        "@http.route('/')\n"
        'def fails(request):\n'
        "    raise RuntimeError(request.query['q'])\n"
        'http.run()\n'
    )
    with Program(source, env={'SLIMHTTP_LOG': 'debug'}) as program:
        assert program.get(f'/?q={ASKED}').status == 500
        program.wait_for('RuntimeError')
        assert program.stop() == 0
        lines = [line for line in program.stderr.split('\n') if 'forged' in line]
    assert lines
    for line in lines:
        assert re.match(r'\d{4}-\d\d-\d\d \d\d:|  ', line), ascii(line)
        assert line.isprintable(), ascii(line)


#: As it is in a configuration and in a handler: JSON shall give it back as it was.
SAID = 'x\x1b[2J\n  forged \r\x7f \x9b31m \u202e \u2028 \U000e0041 \\x1b " 日本語'


def objects(text: str) -> list[dict[str, str]]:
    """The log as JSON: each line but the greeting is an object, and all of it is harmless."""
    lines = text.split('\n')[:-1]
    assert all(line.isprintable() for line in lines), ascii(lines)
    return [json.loads(line) for line in lines if not line.startswith('slimHTTP serves ')]


def test_json_lines_of_a_python_program_hold_what_was_said() -> None:
    source = (
        'import slimHTTP\n'
        "http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)\n"
        "@http.route('/')\n"
        'def fails(request):\n'
        f'    http.log({SAID!a})\n'
        f'    raise RuntimeError({SAID!a})\n'
        'http.run()\n'
    )
    with Program(source, env={'SLIMHTTP_LOG': 'json'}) as program:
        assert program.get('/').status == 500
        program.wait_for('RuntimeError')
        assert program.stop() == 0
        told = objects(program.stderr)
    assert SAID in [record['message'] for record in told]
    failed = next(record for record in told if 'exception' in record)
    assert failed['exception'].endswith(f'RuntimeError: {SAID}')


def test_json_lines_of_the_program_hold_what_was_said(tmp_path: Path) -> None:
    missing = '日本\x1b[31m\x9b \u202e\nforged'
    document = {'web_root': 'root', 'vhosts': {'a.example': {'web_root': missing}}}
    document.update(addr='127.0.0.1', port=0)
    tree(tmp_path, {'root': {}, 'site.json': json.dumps(document)})
    with Cli('run', tmp_path / 'site.json', env={**os.environ, 'SLIMHTTP_LOG': 'json'}) as program:
        program.wait_for('forged')
        assert program.stop() == 0
        told = objects(program.stderr)
    assert any(f'{missing}` does not exist' in record['message'] for record in told), told


def test_standard_error_of_the_program(tmp_path: Path) -> None:
    """A path is a name that somebody has given a file, line ends and all."""
    document = (
        '{"addr": "127.0.0.1", "port": 0, "web_root": "root",'
        ' "vhosts": {"a.example": {"web_root": "missing\\nforged \\u001b[31m"}}}'
    )
    tree(tmp_path, {'root': {}, 'site.json': document})
    with Cli('run', tmp_path / 'site.json') as program:
        assert program.get('/').status == 404
        program.wait_for('forged')
        assert program.stop() == 0
        lines = [line for line in program.stderr.split('\n') if 'forged' in line]
    for line in lines:
        assert not line.startswith('forged'), ascii(line)
        assert line.isprintable(), ascii(line)
