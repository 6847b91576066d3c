"""What is handed to others: symbols are taken out and kept apart, and `tools/shipped` sees to it."""

from __future__ import annotations

import base64
import hashlib
import importlib.machinery
import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
import slimHTTP
from support import REPOSITORY, tree

TOOLS = REPOSITORY / 'tools'
EXTENSION = 'slimHTTP/_slimhttp.abi3.so'

needs_objcopy = pytest.mark.skipif(shutil.which('objcopy') is None, reason='skipped: no objcopy')


def run(tool: str, *arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, TOOLS / tool, *arguments], capture_output=True, text=True, timeout=120
    )


@pytest.fixture(scope='module')
def shipped() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader('shipped', str(TOOLS / 'shipped'))
    spec = importlib.util.spec_from_loader('shipped', loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    """A program of some lines of C, with symbols and line tables."""
    compiler = shutil.which('cc')
    if compiler is None:
        pytest.skip('skipped: no C compiler')
    tree(tmp_path, {'a.c': '#include <math.h>\nint main(int n, char **a) { return sin(n) > 2; }\n'})
    built = tmp_path / 'program'
    flags = ['-g', '-pie', '-fPIE']
    subprocess.run([compiler, *flags, tmp_path / 'a.c', '-o', built, '-lm'], check=True, timeout=60)
    return built


def test_what_is_wrong_with_a_binary(shipped: ModuleType, binary: Path) -> None:
    wrong = list(shipped.complaints(binary.read_bytes(), alone=True))
    assert wrong[0].startswith('holds symbols: .debug_')
    assert '.symtab' in wrong[0]
    assert wrong[1] == 'does not say where its symbols are'
    assert any('libc.so.6' in line for line in wrong)
    # As the extension of a wheel it may need the C library.
    wrong = list(shipped.complaints(binary.read_bytes(), alone=False))
    assert not any('libc.so.6' in line for line in wrong)


def test_a_fixed_address_is_wrong(shipped: ModuleType, binary: Path) -> None:
    """A program of the type EXEC cannot be put where an attacker does not expect it."""
    elf = bytearray(binary.read_bytes())
    assert 'has a fixed address in memory' not in shipped.complaints(bytes(elf), alone=False)
    elf[0x10] = 2
    assert 'has a fixed address in memory' in shipped.complaints(bytes(elf), alone=False)


def test_which_glibc_a_binary_needs(shipped: ModuleType, binary: Path) -> None:
    found = shipped.sections(binary.read_bytes())
    assert any(name.startswith('libc.so.') for name in shipped.libraries(found))
    assert any(version.startswith('GLIBC_2.') for version in shipped.versions(found))
    for version, newer in [
        ('GLIBC_2.2.5', False),
        ('GLIBC_2.17', False),
        ('GLIBC_2.18', True),
        ('GLIBC_2.34', True),
        ('GLIBC_PRIVATE', True),
        ('GCC_3.3', False),
    ]:
        assert shipped.newer(version) is newer, version


@needs_objcopy
def test_symbols_lie_apart(shipped: ModuleType, binary: Path, tmp_path: Path) -> None:
    whole = binary.stat().st_size
    done = run('split_symbols', binary, tmp_path / 'symbols')
    assert done.returncode == 0, done.stderr
    assert binary.stat().st_size < whole
    found = shipped.sections(binary.read_bytes())
    (link,) = (section.content for section in found if section.name == '.gnu_debuglink')
    assert link.startswith(b'program.debug\0')
    symbols = shipped.sections((tmp_path / 'symbols' / 'program.debug').read_bytes())
    names = {section.name for section in symbols}
    assert {'.symtab', '.debug_line'} <= names
    assert not any('symbols' in line for line in shipped.complaints(binary.read_bytes(), False))
    assert subprocess.run([binary], timeout=60).returncode == 0, 'it still runs'


@needs_objcopy
def test_the_extension_of_a_wheel_is_stripped_within_it(binary: Path, tmp_path: Path) -> None:
    """The list of the wheel's files stays true: pip refuses one that is not."""
    wheel, old = tmp_path / 'a-1-py3-none-any.whl', binary.read_bytes()
    with zipfile.ZipFile(wheel, 'w') as archive:
        archive.writestr(EXTENSION, old)
        archive.writestr('slimHTTP/__init__.py', 'pass\n')
        archive.writestr(
            'a-1.dist-info/RECORD', f'{EXTENSION},sha256=x,1\na-1.dist-info/RECORD,,\n'
        )
    done = run('split_symbols', wheel, tmp_path / 'symbols')
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(wheel) as archive:
        new = archive.read(EXTENSION)
        assert archive.read('slimHTTP/__init__.py') == b'pass\n'
        record = archive.read('a-1.dist-info/RECORD').decode().splitlines()
    digest = base64.urlsafe_b64encode(hashlib.sha256(new).digest()).decode().rstrip('=')
    assert len(new) < len(old)
    assert record == [f'{EXTENSION},sha256={digest},{len(new)}', 'a-1.dist-info/RECORD,,']
    assert (tmp_path / 'symbols' / '_slimhttp.abi3.so.debug').is_file()
    assert [path.name for path in tmp_path.glob('*.whl')] == [wheel.name]


def test_a_binary_that_may_not_be_shipped_fails(binary: Path) -> None:
    done = run('shipped', binary)
    assert done.returncode == 1
    assert done.stdout.endswith('test result: 0 passed; 1 failed\n')


def test_the_extension_that_is_tested_is_a_file_that_the_tools_can_read(
    shipped: ModuleType,
) -> None:
    extension = Path(slimHTTP.__file__).parent / '_slimhttp.abi3.so'
    names = {section.name for section in shipped.sections(extension.read_bytes())}
    assert {'.text', '.dynsym'} <= names
