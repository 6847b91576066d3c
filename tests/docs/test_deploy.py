"""The files of examples/deploy, each tried by what can try it."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import REPOSITORY, START_PATIENCE, Cli, Process, get

DEPLOY = REPOSITORY / 'examples' / 'deploy'

#: Becomes a user who has no rights, and starts the rest of its arguments.
AS_NOBODY = """
import os, sys
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65532)
    os.setuid(65532)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody may read, with the program in it."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    shutil.copy2(Cli.binary(), folder / 'slimhttp')
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(shutil.which('systemd-analyze') is None, reason='there is no systemd-analyze')
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    units = [unit for unit in DEPLOY.iterdir() if unit.suffix in ('.service', '.socket')]
    assert sorted({unit.suffix for unit in units}) == ['.service', '.socket']
    copies = [tmp_path / unit.name for unit in units]
    for unit, copy in zip(units, copies):
        # The programs need not be installed here.
        programs = r'(?m)^ExecStart=(/usr/local/bin/slimhttp|/srv/shop/venv/bin/python) '
        copy.write_text(re.sub(programs, 'ExecStart=/bin/true ', unit.read_text()))
    verified = subprocess.run(
        ['systemd-analyze', 'verify', '--man=no', *copies],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=START_PATIENCE,
    )
    # What is wrong with units that happen to be installed here is not ours.
    names = [copy.name for copy in copies]
    said = verified.stdout.decode().splitlines()
    assert [line for line in said if any(name in line for name in names)] == []


def instructions() -> dict[str, str]:
    """The last instruction of each kind in the Containerfile."""
    lines = (DEPLOY / 'Containerfile').read_text().splitlines()
    return dict(line.split(' ', 1) for line in lines if line and not line.startswith('#'))


def test_what_a_container_is_made_of_is_here() -> None:
    lines = (DEPLOY / 'Containerfile').read_text().splitlines()
    copied = [line.split()[1] for line in lines if line.startswith('COPY ')]
    # The first one is what `make program` makes.
    assert copied[0] == 'dist/slimhttp'
    assert all((REPOSITORY / name).exists() for name in copied[1:])
    assert instructions()['USER'] == '65532:65532'


def test_what_a_container_starts_serves_as_a_plain_user(public: Path) -> None:
    command = json.loads(instructions()['ENTRYPOINT']) + json.loads(instructions()['CMD'])
    assert command == ['/slimhttp', 'run', '/etc/slimhttp/site.toml']
    shutil.copytree(REPOSITORY / 'examples' / 'site', public / 'www')
    text = (DEPLOY / 'site.toml').read_text()
    assert Cli('check', DEPLOY / 'site.toml').wait() == 0
    text = text.replace('http://:8080', 'http://127.0.0.1:0').replace('/srv/www', f'{public}/www')
    (public / 'site.toml').write_text(text)
    starts = [sys.executable, '-c', AS_NOBODY, public / 'slimhttp', 'run', public / 'site.toml']
    with Process(starts, public, {'HOME': '/'}) as running:
        assert get(running.address, '/').status == 200
        owner = Path(f'/proc/{running.pid}').stat().st_uid
        assert owner == (65532 if os.geteuid() == 0 else os.geteuid())
        # The line of the access log, which somebody collects.
        line = running.wait_for(r'\{.*"status":200.*\}')[0]
        assert json.loads(line)['status'] == 200
        assert running.stop() == 0


def test_no_file_is_a_program() -> None:
    assert not any(file.stat().st_mode & stat.S_IXUSR for file in DEPLOY.iterdir())
