"""Error pages say nothing of the inside, or with `debug` everything; logs say what happened."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import (
    Cli,
    Log,
    Program,
    Serving,
    Upstream,
    at_once,
    garbage,
    get,
    serving,
    tree,
    unused_port,
    wait_until,
)

of = pytest.mark.parametrize

# Error pages


@pytest.fixture(scope='module')
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Serving, Path]]:
    folder = tmp_path_factory.mktemp('secret-folder')
    tree(folder, {'secret-root': {'file.txt': 'file', 'bad.py': 'secret_word =\n'}})
    with Upstream(garbage) as upstream:
        hosts = {
            'down.example': {'proxy': f'127.0.0.1:{unused_port()}'},
            'garbage.example': {'proxy': upstream.name},
        }
        with serving(web_root=os.fspath(folder / 'secret-root'), vhosts=hosts, max_body=10) as site:

            @site.http.route('/raises')
            def secret_handler(request):
                raise RuntimeError('secret_word')

            site.http.route('/nonsense')(lambda request: {1})
            yield site, folder


#: Method, target, host, body, and the status.
REFUSED = [
    ('GET', '/missing', 'a.example', None, 404),
    ('GET', '/missing/<script>alert(1)</script>', 'a.example', None, 400),
    ('GET', '/missing/%3Cscript%3Ealert(1)%3C/script%3E', 'a.example', None, 404),
    ('POST', '/file.txt', 'a.example', b'x', 405),
    ('POST', '/raises', 'a.example', b'x' * 11, 413),
    ('GET', '/' + 'a' * 9000, 'a.example', None, 414),
    ('GET', '/raises', 'a.example', None, 500),
    ('GET', '/nonsense', 'a.example', None, 500),
    ('GET', '/bad.py', 'a.example', None, 500),
    ('GET', '/', 'down.example', None, 502),
    ('GET', '/', 'garbage.example', None, 502),
    ('GET', '/', 'a b', None, 400),
]


@of(
    ('method', 'target', 'host', 'body', 'status'),
    REFUSED,
    ids=[f'{one[4]} {one[1][:30]}' for one in REFUSED],
)
def test_c6_6_an_error_page_is_small_and_says_nothing_of_the_inside(
    failing, method, target, host, body, status
) -> None:
    site, folder = failing
    with site.client() as client:
        response = client.request(method, target, body=body, host=host)
    assert response.status == status, response
    assert len(response.body) < 2048
    assert response.headers['Content-Type'].startswith(('text/html', 'text/plain'))
    assert str(status) in response.text
    everything = response.raw.decode('latin-1') + response.text
    for word in (
        'secret', os.fspath(folder), 'Traceback', 'RuntimeError', 'SyntaxError', '.rs', 'hyper', 'tokio', 'panicked',
        '127.0.0.1:', 'site-packages', 'python', '<script>', 'alert(1)',
    ):  # fmt: skip
        assert word not in everything, word


def test_an_error_page_names_no_version(failing) -> None:
    site, _ = failing
    assert not re.search(r'\d+\.\d+\.\d+', site.get('/missing').raw.decode('latin-1'))


def test_a_refusal_to_head_has_no_body(failing) -> None:
    site, _ = failing
    with site.client() as client:
        for target, status in (('/missing', 404), ('/raises', 500)):
            response = client.request('HEAD', target)
            assert response.status == status
            assert response.body == b''
        assert client.get('/file.txt').text == 'file'


def test_c6_6_debug_says_everything_and_escapes_it() -> None:
    with serving(debug=True) as site:

        @site.http.route('/raises')
        def secret_handler(request):
            secret_local = '<script>alert(1)</script>'
            raise RuntimeError(secret_local)

        response = site.get('/raises?%3Ci%3E')
        assert response.status == 500
        assert response.headers['Content-Type'] == 'text/html; charset=utf-8'
        for word in ('RuntimeError', 'secret_handler', 'test_errors_and_logs.py', '/raises'):
            assert word in response.text, word
        assert '<script>alert' not in response.text


#: Method, target, the status, and what the page says with `debug`.
TOLD = [
    ('GET', '/forgets', 404, 'returned None'),
    ('POST', '/forgets', 405, 'returned None'),
    ('GET', '/other', 404, ''),
    ('PUT', '/long', 413, 'longer than 5 bytes: see `max_body`'),
]


@of('debug', [True, False])
@of(('method', 'target', 'status', 'said'), TOLD)
def test_debug_says_why_nobody_answers(
    tmp_path: Path, method: str, target: str, status: int, said: str, debug: bool
) -> None:
    (tmp_path / 'forgets').touch()
    with serving(vhosts={'a.example': {'web_root': os.fspath(tmp_path)}}, max_body=5) as site:
        site.http.config['debug'] = debug
        for host in (None, 'a.example'):
            site.http.route('/forgets', host)(lambda request: None)
        site.http.route('/long')(lambda request: 'short')
        with site.client() as client:
            body = b'123456' if status == 413 else None
            host = 'a.example' if status == 405 else 'other.example'
            response = client.request(method, target, body=body, host=host)
    assert response.status == status
    assert (said in response.text) == (debug or not said)
    assert ('returned None' in response.text) == (debug and said == 'returned None')


def test_c6_6_debug_of_one_host_is_of_that_host() -> None:
    def raises(request):
        raise RuntimeError('secret_word')

    with serving(vhosts={'debug.example': {'debug': True}, 'plain.example': {}}) as site:
        for host in ('debug.example', 'plain.example', None):
            site.http.route('/', vhost=host)(raises)
        assert 'secret_word' in site.get('/', host='debug.example').text
        assert 'secret_word' not in site.get('/', host='plain.example').text
        assert 'secret_word' not in site.get('/', host='other.example').text
        site.http.config['vhosts']['debug.example']['debug'] = False
        assert 'secret_word' not in site.get('/', host='debug.example').text


# Access logs

COMMON = r'127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "(?P<line>(?:[^"\\]|\\.)*)" (?P<status>\d{3}) (?P<size>\d+|-)'
COMBINED = COMMON + r' "(?P<referrer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)"'
FILES = {'root': {'file.txt': 'a file'}}


def lines_of(path: Path, count: int) -> list[str]:
    """Wait until the log has so many lines; give them."""
    wait_until(
        lambda: path.exists() and path.read_text().count('\n') >= count,
        f'{count} lines in {path.name}',
    )
    return path.read_text().splitlines()


@of(('form', 'pattern'), [('common', COMMON), ('combined', COMBINED)])
def test_access_log_to_a_file_by_every_entry_point(site, form: str, pattern: str) -> None:
    config = {'web_root': 'root', 'access_log': {'format': form, 'file': 'access.log'}}
    running = site(config, FILES, fresh=True)
    with running.client() as client:
        client.get('/file.txt?x=y', Referer='http://b.example/', User_Agent='test/1.0')
        client.get('/missing')
        client.request('HEAD', '/file.txt')
        client.request('POST', '/file.txt', body=b'x')
    lines = lines_of(running.folder / 'access.log', 4)
    matches = [re.fullmatch(pattern, line) for line in lines]
    assert all(matches), lines
    assert [match['line'] for match in matches] == [
        'GET /file.txt?x=y HTTP/1.1',
        'GET /missing HTTP/1.1',
        'HEAD /file.txt HTTP/1.1',
        'POST /file.txt HTTP/1.1',
    ]
    assert [match['status'] for match in matches] == ['200', '404', '200', '405']
    assert matches[0]['size'] == '6'
    if form == 'combined':
        assert (matches[0]['referrer'], matches[0]['agent']) == ('http://b.example/', 'test/1.0')
        assert (matches[1]['referrer'], matches[1]['agent']) == ('-', '-')


def test_access_log_as_json_by_every_entry_point(site) -> None:
    running = site(
        {'web_root': 'root', 'access_log': {'format': 'json', 'file': 'access.log'}},
        FILES,
        fresh=True,
    )
    running.get('/file.txt?x=y', User_Agent='quote" back\\slash \xe9')
    running.get('/missing')
    first, second = (json.loads(line) for line in lines_of(running.folder / 'access.log', 2))
    text = json.dumps(first)
    for word in ('GET', '/file.txt', '127.0.0.1', 'quote'):
        assert word in text
    assert 200 in first.values()
    assert 404 in second.values()


@of(('access_log', 'pattern'), [(True, COMBINED), ('common', COMMON), ('combined', COMBINED)])
def test_access_log_to_standard_error(site, access_log, pattern: str) -> None:
    running = site({'web_root': 'root', 'access_log': access_log}, FILES, fresh=True)
    running.get('/file.txt')
    found = running.wait_for(r'(?m)^.*GET /file\.txt.*$')[0]
    assert re.fullmatch(pattern, found), found


def test_access_log_is_off_unless_asked_for(site) -> None:
    running = site({'web_root': 'root'}, FILES, fresh=True)
    for _ in range(3):
        running.get('/file.txt')
    assert running.stop() == 0
    assert '/file.txt' not in running.stderr + running.stdout


def test_access_log_names_the_client_behind_trusted_proxies(tmp_path: Path) -> None:
    log = tmp_path / 'access.log'
    vhosts = {'believes.example': {'trusted_proxies': '127.0.0.1'}}
    access_log = {'format': 'json', 'file': os.fspath(log)}
    with serving(vhosts=vhosts, access_log=access_log) as site:
        for host in ('believes.example', 'not.example'):
            site.get('/', host=host, X_Forwarded_For='198.51.100.9, 203.0.113.7')
    told = [json.loads(line) for line in lines_of(log, 2)]
    assert [line['client'] for line in told] == ['203.0.113.7', '127.0.0.1']


def test_access_log_cannot_be_forged(tmp_path: Path) -> None:
    """Quotes and control bytes of a client do not end a field or a line."""
    log = tmp_path / 'access.log'
    with serving(access_log={'format': 'combined', 'file': os.fspath(log)}) as site:
        site.http.route('/', prefix=True)(lambda request: 'x')
        site.get('/%0a%22', User_Agent='a" 200 "b\\', Referer='\tx\t')
        site.get('/"', User_Agent='caf\xe9')
        site.get('/next')
    lines = lines_of(log, 2)
    assert all(re.fullmatch(COMBINED, line) for line in lines), lines
    assert len(lines) in (2, 3), 'a quote in a target may be refused before it is logged'


def test_access_log_of_a_virtual_host_is_its_own(tmp_path: Path) -> None:
    paths = {name: tmp_path / f'{name}.log' for name in ('global', 'own')}
    hosts = {
        'own.example': {'access_log': {'format': 'common', 'file': os.fspath(paths['own'])}},
        'off.example': {'access_log': False},
    }
    with serving(
        vhosts=hosts, access_log={'format': 'common', 'file': os.fspath(paths['global'])}
    ) as site:
        site.get('/own', host='own.example')
        site.get('/off', host='off.example')
        site.get('/global', host='other.example')
    assert [re.search(r'GET (\S+)', line)[1] for line in lines_of(paths['own'], 1)] == ['/own']
    assert [re.search(r'GET (\S+)', line)[1] for line in lines_of(paths['global'], 1)] == [
        '/global'
    ]


def test_access_log_has_a_line_for_every_request_under_load_and_at_the_end(tmp_path: Path) -> None:
    log = tmp_path / 'access.log'
    log.write_text('kept\n')
    with serving(access_log={'format': 'common', 'file': os.fspath(log)}) as site:

        def load() -> None:
            with site.client() as client:
                for n in range(100):
                    client.get(f'/{n}')

        at_once([load] * 8)
    lines = log.read_text().splitlines()
    assert lines[0] == 'kept', 'it is appended to'
    assert len(lines) == 801, 'all of it is there when the server has ended'
    assert all(re.fullmatch(COMMON, line) for line in lines[1:])


def test_c3_3_access_log_can_be_switched_while_running(tmp_path: Path) -> None:
    log = tmp_path / 'access.log'
    with serving() as site, site.client() as client:
        client.get('/before')
        site.http.config['access_log'] = {'format': 'common', 'file': os.fspath(log)}
        client.get('/during')
        site.http.config['access_log'] = False
        client.get('/after')
    assert [re.search(r'GET (\S+)', line)[1] for line in lines_of(log, 1)] == ['/during']


def test_access_log_notes_what_was_refused(tmp_path: Path) -> None:
    log = tmp_path / 'access.log'
    with serving(access_log={'format': 'common', 'file': os.fspath(log)}) as site:
        with site.client() as client:
            client.send_raw(b'GET /a b HTTP/1.1\r\nHost: a.example\r\n\r\n')
            client.expect_close()
        get(site.address, '/x', 'b c')
    lines = lines_of(log, 2)
    assert [' 400 ' in line for line in lines] == [True, True], lines
    assert all(re.fullmatch(COMMON, line) for line in lines), lines


# Logs


def test_log_lines_reach_pythons_logging_with_their_levels() -> None:
    def raises(request):
        raise RuntimeError('secret_word')

    with Log() as log:
        with serving(
            web_root='/no/such/folder',
            vhosts={'down.example': {'proxy': f'127.0.0.1:{unused_port()}'}},
        ) as site:
            site.http.route('/raises')(raises)
            site.get('/raises')
            site.get('/', host='down.example')
            log.wait_for('secret_word')
            log.wait_for('down.example|127.0.0.1')
            log.wait_for('/no/such/folder')
    assert {record.name for record in log.records} == {'slimHTTP'}
    by_text = {record.getMessage(): record.levelno for record in log.records}
    assert any(
        '/no/such/folder' in text and level == logging.WARNING for text, level in by_text.items()
    ), by_text
    assert any('/raises' in text and level == logging.ERROR for text, level in by_text.items()), (
        by_text
    )


@of('level', ['info', 'INFO', logging.INFO])
def test_c9_http_log_speaks_to_the_same_logger(level) -> None:
    with Log() as log, serving() as site:
        site.http.log('two', 'words', level=level)
        record = next(record for record in log.records if record.getMessage() == 'two words')
        assert (record.levelno, record.name) == (logging.INFO, 'slimHTTP')


def test_c9_http_log_takes_whatever_a_program_says_of_a_line() -> None:
    with Log() as log, serving() as site:
        site.http.log('slow', level=30, source='db', seconds=1.5, args='reserved', name='too')
        record = next(record for record in log.records if record.levelno == logging.WARNING)
        assert record.getMessage() == 'slow source=db seconds=1.5 args=reserved name=too'
        assert (vars(record)['source'], vars(record)['seconds']) == ('db', 1.5)
        assert (record.name, record.pathname) == ('slimHTTP', __file__), 'the line that says it'
        try:
            raise OSError('the reason')
        except OSError:
            site.http.log('failed', exc_info=True)
        log.wait_for('failed\n  Traceback.*OSError: the reason')
        # A level below those of `logging`, as plugins for slimHTTP 1.0 give it.
        site.http.log('x', level=5, source='y')
        assert 'x source=y' not in log.text
        logging.getLogger('slimHTTP').setLevel(1)
        logging.getLogger('slimHTTP').handlers[-1].setLevel(1)
        site.http.log('x', level=5, source='y')
        assert 'x source=y' in log.text


def test_a_program_that_configures_logging_gets_the_lines_once() -> None:
    source = (
        'import logging, slimHTTP\n'
        "logging.basicConfig(format='%(name)s %(levelname)s %(message)s', level=logging.INFO)\n"
        "http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)\n"
        "@http.route('/raises')\n"
        'def raises(request):\n'
        "    raise RuntimeError('the word')\n"
        'http.run()\n'
    )
    with Program(source) as program:
        assert program.get('/raises').status == 500
        program.wait_for(r'slimHTTP ERROR .*/raises')
        assert program.stop() == 0
        assert len(re.findall('slimHTTP ERROR', program.stderr)) == 1


@of('python', [False, True], ids=['program', 'python -m'])
@of(
    ('level', 'warns'),
    [
        ('', True),
        ('trace', True),
        ('debug', True),
        ('info', True),
        ('warn', True),
        ('error', False),
        ('off', False),
    ],
)
def test_slimhttp_log_sets_how_much_is_said(
    tmp_path: Path, python: bool, level: str, warns: bool
) -> None:
    tree(tmp_path, {'site.json': '{"addr": "127.0.0.1", "port": 0, "web_root": "no-such-folder"}'})
    env = {'SLIMHTTP_LOG': level} if level else None
    with Cli('run', tmp_path / 'site.json', python=python, env=env) as running:
        assert running.get('/file.txt').status == 404
        assert running.stop() == 0
        # The greeting names the folder too, and is said whatever the level.
        said = [
            line
            for line in running.stderr.splitlines()
            if 'no-such-folder' in line and 'http://' not in line
        ]
        assert bool(said) == warns, running.stderr


@of('python', [False, True], ids=['program', 'python -m'])
def test_directives_choose_what_is_logged_of_proxies_alone(tmp_path: Path, python: bool) -> None:
    config = {'addr': '127.0.0.1', 'port': 0, 'proxy': f'127.0.0.1:{unused_port()}'}
    tree(tmp_path, {'site.json': json.dumps(config)})
    env = {'SLIMHTTP_LOG': 'json,slimhttp_server::proxy=trace,hyper=debug'}
    with Cli('run', tmp_path / 'site.json', python=python, env=env) as running:
        assert running.get('/').status == 502
        assert running.stop() == 0
    lines = [json.loads(line) for line in running.stderr.splitlines() if line.startswith('{')]
    connecting, failure = lines
    assert connecting['message'] == f'connecting to {config["proxy"]}'
    assert failure['message'].startswith(f'upstream {config["proxy"]}: ')
    # In Python it is the name of the logger.
    assert failure['target'] == ('slimHTTP' if python else 'slimhttp_server::proxy')


@of('python', [False, True], ids=['program', 'python -m'])
@of('wish', ['verbose', 'slimhttp_server=loud', '=,,=[['])
def test_a_word_that_slimhttp_log_does_not_take_is_an_error(
    tmp_path: Path, python: bool, wish: str
) -> None:
    with Cli('serve', tmp_path, python=python, env={'SLIMHTTP_LOG': wish}) as running:
        assert running.wait() == 2
        assert 'SLIMHTTP_LOG: expected `error`, `warn`' in running.stderr
        assert f'found `{wish.split(",")[0]}`' in running.stderr


@of('python', [False, True], ids=['program', 'python -m'])
@of('where', ['environment', 'file'])
def test_the_log_as_json_lines(tmp_path: Path, python: bool, where: str) -> None:
    config = {'addr': '127.0.0.1', 'port': 0, 'web_root': 'no-such-folder'}
    config.update({'log': 'json,debug'} if where == 'file' else {'log': 'off'})
    tree(tmp_path, {'site.json': json.dumps(config)})
    env = {'SLIMHTTP_LOG': 'json,debug'} if where == 'environment' else None
    with Cli('run', tmp_path / 'site.json', python=python, env=env) as running:
        assert running.get('/file.txt').status == 404
        assert running.stop() == 0
    lines = [json.loads(line) for line in running.stderr.splitlines() if line.startswith('{')]
    (warning,) = [line for line in lines if 'no-such-folder' in line['message']]
    assert warning['level'] == 'warn'
    assert warning['ts'].endswith('Z')
    assert len(lines) + 1 == len(running.stderr.splitlines()), 'all but the greeting'


def test_the_access_log_on_standard_output(site) -> None:
    config = {'web_root': 'root', 'access_log': {'format': 'common', 'file': '-'}}
    running = site(config, FILES, fresh=True)
    assert running.get('/file.txt').status == 200
    running.wait_for(r'"GET /file\.txt HTTP/1\.1" 200', 'stdout')
    assert running.stop() == 0


def test_by_default_a_fault_is_said_and_a_request_is_not(site) -> None:
    running = site({'web_root': 'missing-folder'}, FILES, fresh=True)
    running.wait_for('missing-folder')
    running.get('/file.txt')
    assert running.stop() == 0
    assert 'GET' not in running.stderr
