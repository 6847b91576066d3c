"""The rules that a single file keeps or breaks. Each is a function of its name and text alone.

A rule yields findings: the line, the word that breaks it, and what to do. Where a rule names
an exception, the exception stands in allowed.toml with its reason, never here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import NamedTuple

import rust


class Finding(NamedTuple):
    """A place where a rule is broken."""

    line: int
    word: str
    advice: str


Rule = Callable[[str, str], Iterator[Finding]]
RULES: dict[str, Rule] = {}


def rule(check: Rule) -> Rule:
    """Registers a rule under the name of its function."""
    RULES[check.__name__] = check
    return check


def is_python(name: str, text: str) -> bool:
    first = text.split('\n', 1)[0]
    return name.endswith('.py') or (first.startswith('#!') and 'python' in first)


def is_shell(text: str) -> bool:
    first = text.split('\n', 1)[0]
    return first.startswith('#!') and first.endswith('sh')


def matches(pattern: re.Pattern[str], text: str, advice: str) -> Iterator[Finding]:
    for found in pattern.finditer(text):
        yield Finding(text.count('\n', 0, found.start()) + 1, found.group().strip(), advice)


@rule
def opening(name: str, text: str) -> Iterator[Finding]:
    """A file opens with its rule: what stands in it, and what never does."""
    if name.endswith('.rs') and not text.startswith('//!'):
        yield Finding(1, '//!', 'open the file with `//!` and its rule')
    elif name.endswith('.pyi') and not text.startswith(('"""', '# ')):
        yield Finding(1, '"""', 'open the stub with a docstring')
    elif is_python(name, text) and not ast.get_docstring(ast.parse(text)):
        yield Finding(1, '"""', 'open the file with a docstring')
    elif is_shell(text) and not text.split('\n')[1].startswith('# '):
        yield Finding(2, '#', 'open the script with a comment that says what it does')


@rule
def length(name: str, text: str) -> Iterator[Finding]:
    """A file has one reason to change; past 500 lines it rarely has."""
    lines = text.count('\n')
    if name.endswith(('.rs', '.py', '.pyi')) and lines > 500:
        yield Finding(lines, str(lines), 'divide the file by its reasons to change')


UNFINISHED_RUST = re.compile(r'\b(?:todo|unimplemented|dbg)!|#\[ignore\b')
UNFINISHED_PYTHON = re.compile(r'\bpytest\.mark\.(?:skip|xfail)\b|\bbreakpoint\(')
REMINDER = re.compile(r'\b(?:TO[D]O|FIX[M]E)\b')


@rule
def unfinished(name: str, text: str) -> Iterator[Finding]:
    """Nothing stands here half done: no stub, no test that is switched off, no reminder."""
    if name.endswith('.rs'):
        yield from matches(UNFINISHED_RUST, rust.blank(text), 'finish it')
    elif is_python(name, text):
        yield from matches(UNFINISHED_PYTHON, without_strings(text), 'finish it')
    if name.endswith(('.rs', '.pyi')) or is_python(name, text):
        yield from matches(REMINDER, text, 'finish it')


def without_strings(text: str) -> str:
    """Python source with its string literals blanked."""
    # As bytes: that is what columns are counted in, and blanking keeps their number.
    lines = text.encode().split(b'\n')
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)):
            assert node.end_lineno is not None
            assert node.end_col_offset is not None
            for line in range(node.lineno, node.end_lineno + 1):
                whole = lines[line - 1]
                start = node.col_offset if line == node.lineno else 0
                end = node.end_col_offset if line == node.end_lineno else len(whole)
                lines[line - 1] = whole[:start] + b' ' * (end - start) + whole[end:]
    return b'\n'.join(lines).decode(errors='replace')


# A task that sleeps for a minute or more is one that nobody waits for: it is cancelled.
SLEEPING = re.compile(
    r'\btime\.sleep\(|\bfrom time import [^\n]*\bsleep\b|\bfrom asyncio import [^\n]*\bsleep\b'
    r'|\basyncio\.sleep\((?!(?:0|[6-9]\d|\d{3,})\))[\d.]+\)|\bEvent\(\)\.wait\((?!\))'
)


@rule
def sleeping(name: str, text: str) -> Iterator[Finding]:
    """A test waits for what happens, never for time to pass."""
    if name.startswith('tests/') and is_python(name, text):
        yield from matches(
            SLEEPING, without_strings(text), 'wait for what happens: support.waiting'
        )


# C9 is one paragraph; every other rule of the contract has a number within its chapter.
HALF_NUMBER = re.compile(r'^ *(?:async )?def test_c(?!9_)\d+_(?!\d+_)\w*', re.M)
NUMBERED_FILE = re.compile(r'test_c\d+_\w*\.py$')


@rule
def naming(name: str, text: str) -> Iterator[Finding]:
    """A file of tests is named by its subject, a test by the rule that it proves, in full."""
    if name.startswith('tests/') and is_python(name, text):
        if found := NUMBERED_FILE.search(name):
            yield Finding(1, found.group(), 'name the file by its subject')
        yield from matches(HALF_NUMBER, text, 'name the rule in full: test_c3_2_…')


@rule
def unsafe(name: str, text: str) -> Iterator[Finding]:
    """`unsafe` stands in a room of its own, with its reason."""
    if name.endswith('.rs'):
        yield from matches(re.compile(r'\bunsafe\b'), rust.blank(text), 'find a safe way')


# A folder of somebody's machine, and the hosts from which packages come. Where packages come
# from is the machine's affair: its own settings say so.
MACHINE = re.compile(r'(?<![\w./~<>-])/(?:root|work|tmp/h|home/\w+)\b(?![-.\w])')
REGISTRY = re.compile(
    r'\b(?:index\.crates|static\.crates|(?:files|test)\.pythonhosted|pypi|registry\.npmjs|ghcr|docker'
    r'|deb\.debian|archive\.ubuntu)\.(?:io|org|com)\b|\bcrates\.io-index\b|\bgithub\.com/\S*/releases/'
)


@rule
def places(name: str, text: str) -> Iterator[Finding]:
    """The project works on any machine: no file names a folder of one, nor a package registry."""
    yield from matches(MACHINE, text, 'name no folder of one machine')
    yield from matches(
        REGISTRY, text, 'name no registry: the machine knows where packages come from'
    )


PURE = ('crates/slimhttp-http1/', 'crates/slimhttp-site/')
OUTSIDE = (
    'tokio', 'hyper', 'hyper_util', 'pyo3', 'rustls', 'rustix', 'socket2', 'mio', 'tracing',
    'std::fs', 'std::thread', 'std::process', 'std::env', 'std::io', 'std::os::fd', 'std::os::linux',
    'std::os::unix::fs', 'std::os::unix::io', 'std::os::unix::net', 'std::os::unix::process',
    'std::net::TcpListener', 'std::net::TcpStream', 'std::net::UdpSocket', 'std::net::ToSocketAddrs',
    'std::time::Instant', 'SystemTime::now', 'Instant::now', 'std::future', 'std::task',
)  # fmt: skip
ASYNC = re.compile(r'\basync\b|\.await\b')
TOUCHING = re.compile(
    r'\.(?:canonicalize|exists|try_exists|is_file|is_dir|is_symlink|metadata|symlink_metadata'
    r'|read_dir|read_link|to_socket_addrs|elapsed)\(\)'
)


@rule
def pure_crates(name: str, text: str) -> Iterator[Finding]:
    """The site decides, an engine translates: no socket, file, clock, thread, environment, async or
    Python."""
    if not name.startswith(PURE) or not name.endswith('.rs') or rust.is_test(name):
        return
    code = rust.code(text)
    for line, path in rust.paths(code):
        for banned in OUTSIDE:
            if path == banned or path.startswith(banned + '::') or path.endswith('::' + banned):
                yield Finding(line, path, 'make it an argument, or move it to slimhttp-server')
    yield from matches(ASYNC, code, 'a pure crate waits for nothing')
    yield from matches(TOUCHING, code, 'facts about a file are an argument')


ENTERING = re.compile(
    r'\bPython\s*::\s*(?:attach|try_attach|with_gil|attach_unchecked|with_gil_unchecked'
    r'|assume_attached|assume_gil_acquired)\b'
)


@rule
def entering_python(name: str, text: str) -> Iterator[Finding]:
    """No thread of ours enters Python: Python's own threads take jobs from a queue."""
    if name.startswith('crates/') and name.endswith('.rs') and not rust.is_test(name):
        yield from matches(
            ENTERING, rust.code(text), "take `py: Python<'_>` from the caller, or send a job"
        )


NAMES_PYO3 = re.compile(r'\bpyo3\b')


@rule
def pyo3_elsewhere(name: str, text: str) -> Iterator[Finding]:
    """Only slimhttp-python names PyO3."""
    if name.startswith('crates/') and not name.startswith('crates/slimhttp-python/'):
        if name.endswith('.rs'):
            yield from matches(NAMES_PYO3, rust.blank(text), 'stay behind the `Handler` trait')
        elif name.endswith('Cargo.toml'):
            yield from matches(NAMES_PYO3, text, 'stay behind the `Handler` trait')


SERVER = 'crates/slimhttp-server/src/'
OF_HYPER = 'http2'


@rule
def hyper_elsewhere(name: str, text: str) -> Iterator[Finding]:
    """Hyper stays in one folder, so that it can be replaced as one folder."""
    if not name.startswith(SERVER) or not name.endswith('.rs') or rust.is_test(name):
        return
    room = name[len(SERVER) :].removesuffix('.rs').partition('/')[0]
    for line, path in rust.paths(rust.code(text)):
        if room != OF_HYPER and path.split('::')[0] in ('hyper', 'hyper_util'):
            yield Finding(line, path, 'take a type of `message` or `net`')


READING = re.compile(
    r'\bfs::read(?:_to_string)?\(|\bFile::open\(|\.read_(?:exact_)?at\(|\bp?readv2?\(|\bpread\('
)


@rule
def reading_elsewhere(name: str, text: str) -> Iterator[Finding]:
    """One room reads files, and decides which read may wait for a disk on which thread."""
    if not name.startswith(SERVER) or not name.endswith('.rs') or rust.is_test(name):
        return
    if not name.startswith(f'{SERVER}fs/'):
        yield from matches(READING, rust.code(text), 'read by `fs::read`')


# What `http::StatusCode` calls the statuses below 400.
FINE = {status.name for status in HTTPStatus if status < 400}
FINE |= {'NON_AUTHORITATIVE_INFORMATION', 'EARLY_HINTS'}
STATUS = re.compile(r'\bStatusCode\s*::\s*([A-Z][A-Z_]+)\b')
NUMBER = re.compile(r'\bfrom_u16\(\s*([45]\d\d)\w*\s*\)')


@rule
def failure_statuses(name: str, text: str) -> Iterator[Finding]:
    """Every way to say no, and its status, stands in `refusal`."""
    if not name.startswith('crates/') or not name.endswith('.rs') or rust.is_test(name):
        return
    code = rust.code(text)
    for pattern in (STATUS, NUMBER):
        for found in pattern.finditer(code):
            if found.group(1) not in FINE:
                line = code.count('\n', 0, found.start()) + 1
                yield Finding(line, found.group(1), 'say it with a `Refusal`')
