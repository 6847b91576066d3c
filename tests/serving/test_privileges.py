"""Serving as another user: by the option `user`, by `drop_privileges()`, by the command line."""

from __future__ import annotations

import ast
import json
import os
import pwd
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import REPOSITORY, Cli, get, tree, wait_until

root_only = pytest.mark.skipif(os.geteuid() != 0, reason='only root can become another user')
NOBODY = pwd.getpwnam('nobody')

#: Tells who every thread of this process is: users, groups and further groups.
WHO = """
import json, os, pathlib
def who():
    found = set()
    for task in pathlib.Path('/proc/self/task').iterdir():
        fields = dict(line.split(':', 1) for line in (task / 'status').read_text().splitlines())
        found.add(' / '.join(fields[name].strip() for name in ('Uid', 'Gid', 'Groups')))
    return sorted(found)
"""
START = f"""
import encodings.idna  # Where Python itself is root's alone nothing can be imported later.
import os, slimHTTP, socket, sys, threading, time
{WHO}
def opened(**config):
    return slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', quiet=True, **config)
"""


def said(program: str, *arguments: str) -> Any:
    run = subprocess.run(
        [sys.executable, '-c', START + program, *arguments],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def ids(user: int, group: int) -> str:
    """What the system says of a process that is this user altogether."""
    return f'{user}\t{user}\t{user}\t{user} / {group}\t{group}\t{group}\t{group} / '


def low_port() -> int:
    """A port that only root may bind, and that nobody has bound."""
    for port in range(1023, 900, -1):
        with socket.socket() as probe:
            try:
                probe.bind(('127.0.0.1', port))
            except OSError:
                continue
        return port
    raise AssertionError('every port from 900 to 1023 is taken')


@root_only
def test_every_thread_is_another_user_and_a_low_port_stays_bound() -> None:
    program = """
http = opened(port=int(sys.argv[1]), user='nobody')
with opened(port=0) as other:  # Threads of ours that are there before.
    threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
    before = who()
    dropped = [slimHTTP.drop_privileges(), slimHTTP.drop_privileges()]
    after = who()
    try:
        os.setuid(0)
        back = True
    except PermissionError:
        back = False
    with http:
        client = socket.create_connection(('127.0.0.1', http.port))
        client.sendall(b'GET /none HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n')
        answer = client.recv(1000)[:12].decode()
print(json.dumps([len(before), dropped, after, back, answer]))
"""
    before, dropped, after, back, answer = said(program, str(low_port()))
    assert (before, dropped, back) == (1, [True, True], False)
    assert len(after) == 1
    assert after[0].startswith(ids(NOBODY.pw_uid, NOBODY.pw_gid).rstrip())
    assert '\t0' not in after[0]
    assert answer == 'HTTP/1.1 404'


@root_only
@pytest.mark.parametrize('how', ['with', 'poll'])
def test_the_option_user_holds_as_soon_as_it_serves(how: str) -> None:
    program = """
http = opened(port=0, user='nobody', group='daemon')
before = who()
if sys.argv[1] == 'with':
    http.__enter__()
else:
    http.poll()
print(json.dumps([before, who()]))
http.close()
"""
    before, after = said(program, how)
    assert before[0].startswith('0\t0\t0\t0 / 0')
    assert len(after) == 1
    assert after[0].startswith(f'{NOBODY.pw_uid}\t')
    assert ' / 1\t1\t1\t1 / ' in after[0]


#: Serves where nothing can be imported any more, as in an interpreter of root's alone.
CLOSED = """
import json
http = opened(port=0, **({'user': 'nobody'} if sys.argv[1] == 'option' else {}))

@http.route('/log')
def log(request):
    http.log('told', level='warning')
    return {'moment': str(request.json) + request.text}

@http.route('/raise')
def fail(request):
    raise ValueError('on purpose\\x1b')

@http.route('/file')
def file(request):
    return request.files['f'].safe_filename

@http.route('/async')
async def later(request):
    return 'async'

def ask(path, body=b'[]', kind='application/json'):
    client = socket.create_connection(('127.0.0.1', http.port), timeout=20)
    client.sendall(f'POST {path} HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n'
        f'Content-Type: {kind}\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n'.encode() + body)
    return client.makefile('rb').read()[9:12].decode()

upload = (b'--b\\r\\nContent-Disposition: form-data; name=f; filename="\\xc3\\xa4.txt"'
    b'\\r\\n\\r\\nx\\r\\n--b--\\r\\n')
if sys.argv[1] != 'option':
    slimHTTP.drop_privileges('nobody')
else:
    http.__enter__()
before = set(sys.modules)
class Closed:
    def find_spec(self, name, path=None, target=None):
        raise ModuleNotFoundError(name)
sys.meta_path[:] = [Closed()]
if sys.argv[1] != 'option':
    http.__enter__()
answers = [ask('/log', b'[1]', 'application/json; charset=iso-8859-1'), ask('/raise'),
    ask('/file', upload, 'multipart/form-data; boundary=b'), ask('/async')]
http.close()
print(json.dumps([answers, sorted(set(sys.modules) - before)]))
"""


@root_only
@pytest.mark.parametrize('how', ['option', 'call'])
def test_where_nothing_can_be_imported_any_more_all_goes_on(how: str) -> None:
    answers, imported = said(CLOSED, how)
    assert answers == ['200', '500', '200', '200']
    assert imported == []


def test_what_is_imported_late_is_imported_before_the_user_changes() -> None:
    from slimHTTP._serve import _preload

    package = REPOSITORY / 'python/slimHTTP'
    found = {
        name
        for path in package.rglob('*.py')
        for function in ast.walk(ast.parse(path.read_text(encoding='utf-8')))
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
        for name in imported_by(node)
    }
    extension = REPOSITORY / 'crates/slimhttp-python/src'
    in_rust = re.compile(r'\.import\(\s*(?:intern!\()?[\w.()]+, (?:intern!\([\w.()]+, )?"([\w.]+)"')
    for path in extension.rglob('*.rs'):
        found.update(in_rust.findall(path.read_text(encoding='utf-8')))
    assert {'slimHTTP._message._forms', 'slimHTTP._log._records', 'unicodedata', 'types'} <= found
    assert found == set(_preload.LAZY_IMPORTS)


def imported_by(node: ast.AST) -> list[str]:
    """Give the modules that a statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        module = str(node.module)
        if module.startswith('slimHTTP') and all(alias.name[0] == '_' for alias in node.names):
            return [f'{module}.{alias.name}' for alias in node.names]
        return [module]
    if isinstance(node, ast.Call) and ast.unparse(node.func) == 'importlib.import_module':
        return [str(one.value) for one in node.args if isinstance(one, ast.Constant)]
    return []


@root_only
def test_who_is_not_root_is_told_and_stays_who_it_is() -> None:
    program = """
import logging
import slimHTTP._log._records  # It changes its user by itself, so nobody has imported for it.
lines = []
logging.getLogger('slimHTTP').addHandler(type('', (logging.Handler,), {
    'emit': lambda self, record: lines.append(record.getMessage())})())
http = opened(port=0, user='nobody')
os.setgroups([]); os.setgid(1); os.setuid(1)
dropped = slimHTTP.drop_privileges()
with http:
    print(json.dumps([dropped, who(), lines]))
"""
    dropped, after, lines = said(program)
    assert dropped is False
    assert len(after) == 1
    assert after[0].startswith(ids(1, 1).rstrip())
    assert any('only root can become the user `nobody`' in line for line in lines)


def test_without_a_configured_user_nothing_is_dropped() -> None:
    program = """
http = opened(port=0)
before = who()
print(json.dumps([slimHTTP.drop_privileges(), slimHTTP.drop_privileges('no-such-user'),
    who() == before]))
http.close()
"""
    assert said(program) == [False, False, True]


@pytest.mark.parametrize(
    ('config', 'fault'),
    [
        ({'user': 'no-such-user'}, 'user: expected a user that the system knows, found `no-such-user`'),
        ({'user': 'nobody', 'group': 'no-such-group'}, 'group: expected a group that the system knows'),
        ({'group': 'daemon'}, "user: expected a name of the system's accounts"),
        ({'user': 65534}, "user: expected a name of the system's accounts, found the number `65534`"),
        ({'vhosts': {'a': {'user': 'nobody'}}}, 'move it out of `vhosts`'),
    ],
)  # fmt: skip
def test_c2_6_a_user_that_cannot_be_is_a_fault(config: dict, fault: str) -> None:
    import slimHTTP

    with pytest.raises(slimHTTP.ConfError) as refused:
        slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, **config)
    assert fault in refused.value.message


@root_only
@pytest.mark.parametrize('python', [False, True])
def test_the_command_line_heeds_the_option(python: bool, tmp_path: Path) -> None:
    tree(tmp_path, {
        'site/a.txt': 'a',
        'site.toml': f"addr = '127.0.0.1'\nport = {low_port()}\nuser = 'nobody'\nweb_root = 'site'\n",
    })  # fmt: skip
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        if folder.stat().st_uid == 0 and str(folder) != '/tmp':
            folder.chmod(folder.stat().st_mode | 0o055)
    with Cli('run', tmp_path / 'site.toml', python=python) as served:
        assert get(served.address, '/a.txt').text == 'a'
        tasks = Path(f'/proc/{served.pid}/task').iterdir()
        users = {line for task in tasks for line in (task / 'status').read_text().splitlines()
                 if line.startswith('Uid:')}  # fmt: skip
        assert users == {'Uid:' + f'\t{NOBODY.pw_uid}' * 4}
        assert served.stop() == 0


@root_only
def test_an_application_is_imported_as_the_user_also_where_it_is_waited_for(tmp_path: Path) -> None:
    folder = reachable(tmp_path)
    tree(folder, {
        'who.py': 'import os\nwho = str(os.geteuid())\n'
                  'def app(environ, start_response):\n'
                  "    start_response('200 OK', [])\n"
                  '    return [who.encode()]\n',
        'site.toml': "addr = '127.0.0.1'\nport = 0\nuser = 'nobody'\napp = 'who:app'\n",
    })  # fmt: skip
    with Cli('run', folder / 'site.toml', '--reload', python=True) as served:
        assert get(served.address, '/').text == str(NOBODY.pw_uid)


# What root opens before it is somebody else.


def reachable(folder: Path) -> Path:
    """Let everybody pass through the folders of a test."""
    for above in (folder, *folder.parents[:-1]):
        if above.stat().st_uid == 0 and str(above) != '/tmp':
            above.chmod(above.stat().st_mode | 0o055)
    return folder


OPENS = """
name, what = sys.argv[1:]
option = {'log': {'access_log': {'format': 'common', 'file': name}}, 'memory': {'persist': name}}
try:
    http = opened(port=0, user='nobody', **option[what])
except slimHTTP.slimHTTP_Error as error:
    print(json.dumps(str(error)))
    raise SystemExit
with http:
    client = socket.create_connection(('127.0.0.1', http.port))
    client.sendall(b'GET /none HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n')
    while client.recv(1000):
        pass
    if what == 'memory':
        slimHTTP.memory['a'] = 1
print(json.dumps(None))
"""

both = pytest.mark.parametrize('what', ['log', 'memory'])


@root_only
@both
def test_in_the_folder_of_that_user_root_follows_no_link(what: str, tmp_path: Path) -> None:
    precious = tmp_path / 'precious'
    precious.write_bytes(b'')
    precious.chmod(0o600)
    folder = reachable(tmp_path) / 'own'
    folder.mkdir()
    os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
    (folder / 'file').symlink_to(precious)
    refused = said(OPENS, str(folder / 'file'), what)
    assert '`nobody` may not open it, and root does not' in refused
    assert f'{folder} (owner {NOBODY.pw_uid}, mode 0755)' in refused
    assert precious.read_bytes() == b''


@root_only
@both
def test_in_the_folder_of_that_user_files_are_its_own(what: str, tmp_path: Path) -> None:
    folder = reachable(tmp_path) / 'own'
    folder.mkdir()
    os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
    assert said(OPENS, str(folder / 'file'), what) is None
    facts = (folder / 'file').stat()
    assert (facts.st_uid, facts.st_gid) == (NOBODY.pw_uid, NOBODY.pw_gid)
    assert facts.st_size > 0


@root_only
@both
def test_in_a_folder_of_root_it_may_stay_a_file_of_root(what: str, tmp_path: Path) -> None:
    folder = tmp_path / 'private'
    folder.mkdir(mode=0o700)
    assert said(OPENS, str(folder / 'file'), what) is None
    facts = (folder / 'file').stat()
    assert (facts.st_uid, facts.st_size > 0) == (0, True)
    (folder / 'link').symlink_to(tmp_path / 'elsewhere')
    assert 'is a link, and root follows none' in said(OPENS, str(folder / 'link'), what)
    assert not (tmp_path / 'elsewhere').exists()


@root_only
@pytest.mark.parametrize('own', [True, False], ids=['its own folder', 'a folder of root'])
def test_a_rotated_log_is_opened_as_that_user_or_it_is_said_why_not(
    own: bool, tmp_path: Path
) -> None:
    folder = reachable(tmp_path) / 'logs'
    folder.mkdir(mode=0o755 if own else 0o700)
    if own:
        os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
    log, moved = folder / 'access.log', folder / 'access.log.1'
    tree(tmp_path, {
        'site/a.txt': 'a',
        'site.toml': f"addr = '127.0.0.1'\nport = 0\nuser = 'nobody'\nweb_root = 'site'\n"
                     f"access_log = {{file = '{log}'}}\n",
    })  # fmt: skip
    with Cli('run', tmp_path / 'site.toml') as served:
        assert get(served.address, '/a.txt').text == 'a'
        wait_until(lambda: log.stat().st_size > 0)
        log.rename(moved)
        served.send_signal(signal.SIGUSR1)
        if own:
            wait_until(log.exists)
            assert log.stat().st_uid == NOBODY.pw_uid
        else:
            assert 'once moved away it cannot be opened anew' in served.stderr
            served.wait_for('cannot be opened anew, so the file before goes on: Permission denied')
        assert get(served.address, '/again').status == 404
        wait_until(lambda: '/again' in (log if own else moved).read_text())
        assert served.stop() == 0
