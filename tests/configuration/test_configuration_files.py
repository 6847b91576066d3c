"""C2 by configuration files: the same keys, the same errors, with file, line and column."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
import slimHTTP
from support import Cli, Program, launch, tree, unused_port


def check(folder, name, text, python=False, command='check'):
    """Have `text` checked as the file `name`: exit status and what was said."""
    tree(folder, {name: text})
    with Cli(command, name, python=python, cwd=folder) as cli:
        status = cli.wait()
    return status, cli.stdout, cli.stderr


def faults(stderr, name):
    """What is said of each place: {(line, column): message}, hints left out."""
    found = {}
    for line in stderr.splitlines():
        if line.startswith(f'{name}:'):
            _, row, column, message = line.split(':', 3)
            found[int(row), int(column)] = message.strip()
    return found


TOML = """\
web_root = "www"
index = ["index.html", 5]

[vhosts."example.com"]
proxy = "10.0.0.1"

[vhosts."b.example"]
web_rot = "www"
debug = 'yes'
"""

JSON = """\
{
  "web_root": "www",
  "index": ["index.html", 5],
  "vhosts": {
    "example.com": {"proxy": "10.0.0.1"},
    "b.example": {
      "web_rot": "www",
      "debug": "yes"
    }
  }
}
"""

PLACES = {
    'site.toml': (
        TOML,
        {
            (2, 24): 'index[1]',
            (5, 9): 'vhosts."example.com".proxy',
            (8, 1): 'vhosts."b.example".web_rot',
            (9, 9): 'vhosts."b.example".debug',
        },
    ),
    'site.json': (
        JSON,
        {
            (3, 27): 'index[1]',
            (5, 30): 'vhosts."example.com".proxy',
            (7, 7): 'vhosts."b.example".web_rot',
            (8, 16): 'vhosts."b.example".debug',
        },
    ),
}


@pytest.mark.parametrize('python', [False, True], ids=['slimhttp', 'python -m slimHTTP'])
@pytest.mark.parametrize('command', ['check', 'run'])
@pytest.mark.parametrize('name', PLACES)
def test_c2_6_every_fault_has_file_line_and_column(tmp_path, name, command, python):
    text, places = PLACES[name]
    status, stdout, stderr = check(tmp_path, name, text, python, command)
    assert status == 1
    assert stdout == ''
    found = faults(stderr, name)
    assert set(found) == set(places), stderr
    for position, place in places.items():
        assert found[position].startswith(f'{place}: expected '), stderr
    assert 'expected `host:port`, found `10.0.0.1`' in stderr
    assert '`web_root`' in stderr, 'the suggestion'


def test_c2_6_the_example_to_the_letter_with_its_place(tmp_path):
    text = '[vhosts."example.com"]\nproxy = "10.0.0.1"\n'
    _, _, stderr = check(tmp_path, 'site.toml', text)
    line = 'site.toml:2:9: vhosts."example.com".proxy: expected `host:port`, found `10.0.0.1`'
    assert stderr.splitlines()[0] == line


@pytest.mark.parametrize(
    ('name', 'text', 'position'),
    [
        ('site.toml', 'web_root = "www\n', (1, 12)),
        ('site.toml', "web_root = 'a'\n\nindex = \n", (3, None)),
        ('site.toml', "web_root = 'a'\nweb_root = 'b'\n", (2, None)),
        ('site.json', '{"web_root": "www",}', (1, None)),
        ('site.json', '{\n  "web_root": "www"\n  "index": "x"\n}', (None, None)),
        ('site.json', '[]', (1, 1)),
        ('site.json', '', (1, None)),
    ],
)
def test_c2_6_a_file_that_does_not_parse_has_a_place_too(tmp_path, name, text, position):
    status, _, stderr = check(tmp_path, name, text)
    assert status == 1
    found = faults(stderr, name)
    assert found, stderr
    for got in found:
        assert position[0] in (None, got[0]), stderr
        if position[1] is not None and name.endswith('json'):
            assert got[1] == position[1], stderr
    assert 'panicked' not in stderr


def test_c2_6_a_file_that_is_not_there_is_named(tmp_path):
    for command in ('run', 'check'):
        with Cli(command, 'missing.toml', cwd=tmp_path) as cli:
            assert cli.wait() == 1
        assert 'missing.toml' in cli.stderr


def test_c2_1_toml_and_json_say_the_same(tmp_path):
    config = {
        'web_root': 'www',
        'index': ['a.html', 'index.html'],
        'vhosts': {'a.example': {'web_root': 'a'}, 'b.example': {'proxy': '127.0.0.1:9'}},
    }
    toml = """
web_root = 'www'
index = ['a.html', 'index.html']
[vhosts.'a.example']
web_root = 'a'
[vhosts]
'b.example' = { proxy = '127.0.0.1:9' }
"""
    tree(tmp_path, {'www/a.html': 'www', 'a/index.html': 'a'})
    for name, text in (('site.json', json.dumps(config)), ('site.toml', toml)):
        tree(tmp_path, {name: text})
        with Cli('run', name, '--addr', '127.0.0.1', '--port', '0', cwd=tmp_path) as server:
            assert server.get('/').body == b'www', name
            assert server.get('/', 'a.example').body == b'a', name
            assert server.get('/', 'b.example').status == 502, name


@pytest.mark.parametrize('python', [False, True], ids=['slimhttp', 'python -m slimHTTP'])
def test_c2_6_a_good_file_is_said_to_be_so(tmp_path, python):
    tree(tmp_path, {'www/index.html': ''})
    status, stdout, stderr = check(tmp_path, 'site.toml', "web_root = 'www'\n", python)
    assert status == 0
    assert 'site.toml' in stdout
    assert stderr == ''


def test_c2_6_check_tells_a_web_root_that_is_not_there_as_a_warning(tmp_path):
    status, stdout, stderr = check(tmp_path, 'site.toml', "web_root = 'not-there-yet'\n")
    assert status == 0
    assert 'not-there-yet' in stdout + stderr
    assert 'warning' in (stdout + stderr).lower()


def test_c2_6_a_module_without_python_is_a_fault_that_says_what_to_run(tmp_path):
    tree(tmp_path, {'vhost.py': "def on_request(request): return 'module'"})
    text = "[vhosts.'a.example']\nmodule = 'vhost.py'\n"
    status, _, stderr = check(tmp_path, 'site.toml', text)
    assert status == 1
    assert (2, 10) in faults(stderr, 'site.toml'), stderr
    assert 'python -m slimHTTP' in stderr
    # And that is right.
    assert check(tmp_path, 'site.toml', text, python=True)[0] == 0
    arguments = ('run', 'site.toml', '--addr', '127.0.0.1', '--port', '0')
    with Cli(*arguments, python=True, cwd=tmp_path) as server:
        assert server.get('/', 'a.example').body == b'module'


@pytest.mark.parametrize('python', [False, True], ids=['slimhttp', 'python -m slimHTTP'])
def test_serve_serves_a_folder(tmp_path, python):
    tree(
        tmp_path, {'public/index.html': 'index', 'public/home.html': 'home', 'public/x y.txt': 'x'}
    )
    with Cli('serve', tmp_path / 'public', python=python) as server:
        assert server.url.startswith('http://')
        assert server.get('/').body == b'index'
        assert server.get('/x%20y.txt').body == b'x'
        assert server.get('/none').status == 404
        assert server.stop() == 0
    arguments = ('serve', 'public', '--index', 'none.html', '--index', 'home.html')
    with Cli(*arguments, python=python, cwd=tmp_path) as server:
        assert server.get('/').body == b'home'


def test_c1_3_the_cli_names_address_port_and_reason_of_a_taken_port(tmp_path):
    tree(tmp_path, {'index.html': ''})
    with Cli('serve', tmp_path) as first:
        port = first.port
        with Cli('serve', tmp_path, '--addr', '127.0.0.1', '--port', str(port)) as second:
            assert second.wait() == 1
        assert f'127.0.0.1:{port}' in second.stderr
        assert 'in use' in second.stderr.lower()
        assert first.get('/').status == 200


def test_flags_win_over_the_file(tmp_path):
    tree(
        tmp_path,
        {
            'www/index.html': 'by flags',
            'site.toml': "addr = '192.0.2.1'\nport = 1\nweb_root = 'www'\n",
        },
    )
    with Cli('run', tmp_path / 'site.toml', '--addr', '127.0.0.1', '--port', '0') as server:
        assert server.get('/').body == b'by flags'


# Flags by the environment


@pytest.mark.parametrize('python', [False, True], ids=['slimhttp', 'python -m slimHTTP'])
def test_the_environment_says_what_flags_say(tmp_path, python):
    tree(
        tmp_path,
        {'home.html': 'home', 'site.toml': 'addr = "127.0.0.1"\nport = 0\nweb_root = "."\n'},
    )

    def port_of(*args, **env):
        env = {'SLIMHTTP_ADDR': '127.0.0.1', **env}
        with Cli(*args, python=python, cwd=tmp_path, env=env) as running:
            port = running.port
            assert running.stop() == 0
        return port

    one, two, three = unused_port(), unused_port(), unused_port()
    serve, run = ('serve', '.'), ('run', 'site.toml')
    assert port_of('serve', '.', '-p', str(one), SLIMHTTP_PORT=str(two), PORT=str(three)) == one
    for command in (serve, run):
        args = (*command, '--addr', '127.0.0.1')
        assert port_of(*args, SLIMHTTP_PORT=str(two), PORT=str(three)) == two
        assert port_of(*args, PORT=str(three)) == three
    assert port_of(*run, SLIMHTTP_PORT='', PORT='') not in (80, 8080)

    flags = {'SLIMHTTP_INDEX': 'home.html', 'SLIMHTTP_ACCESS_LOG': 'json', 'SLIMHTTP_DEBUG': '1'}
    with Cli('serve', '.', '--port', '0', python=python, cwd=tmp_path, env=flags) as running:
        assert running.get('/').text == 'home'
        assert 'entity not found' in running.get('/none').text
        running.wait_for('"target":"/"')


@pytest.mark.parametrize(
    ('env', 'said'),
    [
        ({'PORT': 'http'}, 'PORT: expected a number from 0 to 65535, found `http`'),
        ({'SLIMHTTP_PORT': '65536'}, "invalid value '65536' for 'SLIMHTTP_PORT'"),
        ({'SLIMHTTP_ACCESS_LOG': 'xml'}, "invalid value 'xml' for 'SLIMHTTP_ACCESS_LOG'"),
        ({'SLIMHTTP_DEBUG': 'none'}, "invalid value 'none' for 'SLIMHTTP_DEBUG'"),
        ({'SLIMHTTP_IO_THREADS': '0'}, '0 is not in 1..=1024'),
    ],
)
def test_a_variable_that_is_wrong_is_an_error(tmp_path, env, said):
    with Cli('serve', '.', '--addr', '127.0.0.1', cwd=tmp_path, env=env) as running:
        assert running.wait() == 2
        assert said in running.stderr


def test_a_flag_that_is_wrong_is_named_beside_a_variable(tmp_path):
    with Cli('serve', '.', '-p', 'x', cwd=tmp_path, env={'SLIMHTTP_PORT': '1'}) as running:
        assert running.wait() == 2
        assert "invalid value 'x' for '--port <P>'" in running.stderr


def test_the_help_says_the_name_by_which_it_was_called(tmp_path):
    program = tmp_path / 'slimhttp'
    program.write_text(f'#!{sys.executable}\nfrom slimHTTP.__main__ import main\nmain()\n')
    program.chmod(0o755)
    for command, name in (
        ([str(program)], 'slimhttp'),
        ([sys.executable, '-m', 'slimHTTP'], 'python -m slimHTTP'),
    ):
        said = subprocess.run(
            [*command, 'run', '--help'], capture_output=True, text=True, timeout=20, check=True
        ).stdout
        assert f'Usage: {name} run' in said


def test_a_memory_that_cannot_be_kept_is_told_in_a_line(tmp_path):
    (tmp_path / 'site.toml').write_text('addr = "127.0.0.1"\nport = 0\npersist = "x.db"\n')
    (tmp_path / 'x.db').write_text('this is no database at all, and long enough to be none')
    with Cli('run', 'site.toml', python=True, cwd=tmp_path) as running:
        assert running.wait() == 1
        assert re.fullmatch(r'slimhttp: memory: `.*/x\.db`: .*\n', running.stderr)


@pytest.mark.parametrize('python', [False, True], ids=['slimhttp', 'python -m slimHTTP'])
@pytest.mark.parametrize(
    ('said', 'fault'),
    [
        ('cert = "typo.pem"', 'cert: expected a PEM file that exists, found `{}/typo.pem`'),
        ('cert = "cert.pem"', 'key: expected a private key in PEM form, found `{}/cert.pem`'),
    ],
)
def test_c2_6_check_finds_what_run_stumbles_over(tmp_path, said, fault, python):
    slimHTTP.CertManager.generate_key_and_cert(
        tmp_path / 'key.pem', cert_file=tmp_path / 'cert.pem'
    )
    (tmp_path / 'site.toml').write_text(f'addr = "127.0.0.1"\nport = 0\n{said}\n')
    for command in ('check', 'run'):
        with Cli(command, 'site.toml', python=python, cwd=tmp_path) as running:
            assert running.wait() == 1
            assert fault.replace('{}', str(tmp_path)) in running.stderr
            assert re.search(r'^site\.toml:\d+:\d+: ', running.stderr, re.MULTILINE)


@pytest.mark.parametrize('python', [False, True], ids=['slimhttp', 'python -m slimHTTP'])
def test_c5_3_a_listing_shows_no_script_where_none_runs(tmp_path, python):
    tree(tmp_path, {'web/x.py': '', 'web/a.txt': ''})
    config = {'web_root': 'web', 'listing': True}
    with launch('python-m' if python else 'cli', tmp_path, config) as running:
        assert ('x.py' in running.get('/').text) == python
        assert 'a.txt' in running.get('/').text


@pytest.mark.parametrize('python', [False, True], ids=['slimhttp', 'python -m slimHTTP'])
def test_completion_and_the_page_for_man(tmp_path, python):
    for args, word in (
        (('completion', 'bash'), 'complete -F _slimhttp'),
        (('completion', 'fish'), 'complete -c slimhttp'),
        (('man',), '.TH slimhttp 1'),
    ):
        with Cli(*args, python=python, cwd=tmp_path) as cli:
            assert cli.wait() == 0
            assert word in cli.stdout
            assert cli.stderr == ''
    with Cli('completion', 'none', python=python) as cli:
        assert cli.wait() == 2


def test_bash_reads_the_completion(tmp_path):
    with Cli('completion', 'bash', cwd=tmp_path) as cli:
        assert cli.wait() == 0
    words = 'source /dev/stdin; COMP_WORDS=(slimhttp serve --io); COMP_CWORD=2; _slimhttp slimhttp --io serve; echo "${COMPREPLY[@]}"'
    bash = subprocess.run(
        ['bash', '-c', words],
        input=cli.stdout,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert bash.stdout.split() == ['--io-threads']


KEPT = """
import slimHTTP
fixed = {'io_threads': 1, 'python_threads': 2, 'log': 'warn'}
http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True, **fixed)
http.configuration({'index': 'a.html'})
kept = http.config.to_dict()
assert {key: kept.get(key) for key in fixed} == fixed, kept
"""


def test_c3_4_what_is_fixed_at_start_is_kept_by_a_configuration_without_it():
    """In a process of its own: `log` holds for all of it."""
    with Program(KEPT) as program:
        assert program.wait() == 0, program.stderr
