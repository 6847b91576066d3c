"""Each rule can fail: for every rule, text that breaks it and text beside it that does not."""

from __future__ import annotations

import pytest
import rust
from rules import RULES

SITE, SERVER = 'crates/slimhttp-site/src/x.rs', 'crates/slimhttp-server/src/x.rs'
HOME_OF_SERVER = 'crates/slimhttp-server/src/'
PYTHON, MANIFEST = 'crates/slimhttp-python/src/x.rs', 'crates/slimhttp-cli/Cargo.toml'
# Spelled in parts, because this file keeps the rules too.
REMINDER, HOME, INDEX = 'TO' + 'DO', '/' + 'root', 'pypi' + '.org'

# rule, file, text, the words that are found
CASES = [
    ('opening', SITE, 'use x;\n', ['//!']),
    ('opening', SITE, '//! A rule.\nuse x;\n', []),
    ('opening', SITE, '', ['//!']),
    ('opening', 'x.py', 'import x\n', ['"""']),
    ('opening', 'x.py', '', ['"""']),
    ('opening', 'x.py', '#!/usr/bin/env python3\n"""Says."""\n', []),
    ('opening', 'x.pyi', 'x: int\n', ['"""']),
    ('opening', 'x.pyi', '"""Says."""\n', []),
    ('opening', 'run', '#!/bin/sh\nset -eu\n', ['#']),
    ('opening', 'run', '#!/bin/sh\n# Says.\n', []),
    ('opening', 'run', '#!/usr/bin/env python3\nimport x\n', ['"""']),
    ('opening', 'x.toml', 'x = 1\n', []),
    ('length', 'x.rs', '\n' * 501, ['501']),
    ('length', 'x.rs', '\n' * 500, []),
    ('length', 'x.md', '\n' * 501, []),
    ('unfinished', 'x.rs', 'fn f() { todo!() }', ['todo!']),
    ('unfinished', 'x.rs', '#[ignore]\nfn f() { dbg!(1); unimplemented!() }', ['#[ignore', 'dbg!', 'unimplemented!']),
    ('unfinished', 'x.rs', '// as with todo!\nlet s = "dbg!"; my_todo();', []),
    ('unfinished', 'x.rs', f'// {REMINDER}: later', [REMINDER]),
    ('unfinished', 'x.py', f'x = 1  # {REMINDER}', [REMINDER]),
    ('unfinished', 'x.py', '@pytest.mark.skip\ndef f(): pass', ['pytest.mark.skip']),
    ('unfinished', 'x.py', '@pytest.mark.xfail(x)\ndef f(): breakpoint()', ['pytest.mark.xfail', 'breakpoint(']),
    ('unfinished', 'x.py', '@pytest.mark.skipif(x)\ndef f(): "breakpoint()"', []),
    ('sleeping', 'tests/x.py', 'time.sleep(1)', ['time.sleep(']),
    ('sleeping', 'tests/x.py', 'from time import monotonic, sleep', ['from time import monotonic, sleep']),
    ('sleeping', 'tests/x.py', 'x = "time.sleep(60)"\nevent.wait(1)', []),
    ('sleeping', 'tests/x.py', 'await asyncio.sleep(0.5)', ['asyncio.sleep(0.5)']),
    ('sleeping', 'tests/x.py', 'await asyncio.sleep(10)', ['asyncio.sleep(10)']),
    ('sleeping', 'tests/x.py', 'threading.Event().wait(0.5)', ['Event().wait(']),
    ('sleeping', 'tests/x.py', 'await asyncio.sleep(0)\nawait asyncio.sleep(3600)\nawait asyncio.Event().wait()', []),
    ('sleeping', 'tests/x.py', 'x = "await asyncio.sleep(1)"', []),
    ('sleeping', 'examples/x.py', 'time.sleep(1)', []),
    ('naming', 'tests/test_c3_x.py', '', ['test_c3_x.py']),
    ('naming', 'tests/x.py', 'def test_c3_x(): pass', ['def test_c3_x']),
    ('naming', 'tests/x.py', 'def test_c12_x(): pass', ['def test_c12_x']),
    ('naming', 'tests/test_x.py', 'def test_c3_12_x(): pass\ndef test_c9_x(): pass', []),
    ('naming', 'tests/test_x.py', 'def test_certain(): pass\ndef test_x_c3(): pass', []),
    ('unsafe', 'x.rs', 'unsafe { f() }', ['unsafe']),
    ('unsafe', 'x.rs', '#![deny(unsafe_code)] // unsafe\nlet s = "unsafe";', []),
    ('places', 'x.md', f'see {HOME}/x and ({HOME})', [HOME, HOME]),
    ('places', 'x.md', f'a{HOME}, .{HOME}, {HOME}-x, {HOME}.html, web{HOME}', []),
    ('places', 'x.toml', f'index = "https://{INDEX}/simple"', [INDEX]),
    ('places', 'x.md', 'https://docs.example.org/', []),
    ('pure_crates', SITE, 'use std::fs;', ['std::fs']),
    ('pure_crates', SITE, 'use std::{fmt, net::{IpAddr, TcpStream}, time::Instant as I};',
     ['std::net::TcpStream', 'std::time::Instant']),
    ('pure_crates', SITE, 'fn f() { std::thread::spawn(g); }', ['std::thread::spawn']),
    ('pure_crates', SITE, 'let t = SystemTime::now();', ['SystemTime::now']),
    ('pure_crates', SITE, 'use tokio::net;\nasync fn f() { g().await }', ['tokio::net', 'async', '.await']),
    ('pure_crates', SITE, 'use std::os::unix::{ffi::OsStrExt, net::UnixStream};', ['std::os::unix::net::UnixStream']),
    ('pure_crates', SITE, 'if path.exists() {}', ['.exists()']),
    ('pure_crates', SITE, '// std::fs\nuse std::net::IpAddr; use std::time::SystemTime; let s = "std::fs";', []),
    ('pure_crates', SITE, '#[cfg(test)]\nmod tests { use std::fs; fn f() { if x {} } }', []),
    ('pure_crates', SITE, '#[cfg(test)]\nmod tests { }\nuse std::fs;', ['std::fs']),
    ('pure_crates', 'crates/slimhttp-site/src/x/tests.rs', 'use std::fs;', []),
    ('pure_crates', 'crates/slimhttp-http1/src/x.rs', 'use std::fs;', ['std::fs']),
    ('pure_crates', SERVER, 'use std::fs;', []),
    ('entering_python', PYTHON, 'Python::attach(|py| x)', ['Python::attach']),
    ('entering_python', PYTHON, 'pyo3::Python::with_gil(|py| x)', ['Python::with_gil']),
    ('entering_python', PYTHON, 'fn f(py: Python<\'_>) { py.detach(g) } // Python::attach', []),
    ('pyo3_elsewhere', SERVER, 'use pyo3::prelude::*;', ['pyo3']),
    ('pyo3_elsewhere', MANIFEST, 'pyo3.workspace = true', ['pyo3']),
    ('pyo3_elsewhere', SERVER, '//! No pyo3 here.', []),
    ('pyo3_elsewhere', PYTHON, 'use pyo3::prelude::*;', []),
    ('hyper_elsewhere', f'{HOME_OF_SERVER}x/y.rs', 'use hyper::{body::Incoming, server::conn};',
     ['hyper::body::Incoming', 'hyper::server::conn']),
    ('hyper_elsewhere', f'{HOME_OF_SERVER}upstream/x.rs', 'use hyper_util::client::C; use crate::http2::x;',
     ['hyper_util::client::C']),
    ('hyper_elsewhere', f'{HOME_OF_SERVER}http2/x.rs', 'use hyper::server::conn;', []),
    ('hyper_elsewhere', f'{HOME_OF_SERVER}x/tests.rs', 'use hyper::server::conn;', []),
    ('hyper_elsewhere', SITE, 'use http2::x; // hyper::server', []),
    ('reading_elsewhere', SERVER, 'let b = std::fs::read(p)?; let f = File::open(p)?; f.read_at(b, 0)',
     ['fs::read(', 'File::open(', '.read_at(']),
    ('reading_elsewhere', SERVER, 'use crate::fs::read; read::read_whole(&f, 1); s.read(b)', []),
    ('reading_elsewhere', f'{HOME_OF_SERVER}fs/read.rs', 'f.read_at(b, 0)', []),
    ('failure_statuses', SERVER, 'StatusCode::NOT_FOUND', ['NOT_FOUND']),
    ('failure_statuses', SERVER, 'StatusCode::from_u16(503)', ['503']),
    ('failure_statuses', SERVER, 'StatusCode::from_u16(502_u16)', ['502']),
    ('failure_statuses', SERVER, 'StatusCode::OK, StatusCode::NOT_MODIFIED, StatusCode::from_u16(200)', []),
    ('failure_statuses', SERVER, 'StatusCode::from_u16(status) // StatusCode::NOT_FOUND', []),
    ('failure_statuses', 'crates/slimhttp-server/tests/x.rs', 'StatusCode::NOT_FOUND', []),
]  # fmt: skip


@pytest.mark.parametrize(('rule', 'name', 'text', 'words'), CASES)
def test_a_rule_finds_what_breaks_it(rule: str, name: str, text: str, words: list[str]) -> None:
    assert [finding.word for finding in RULES[rule](name, text)] == words


def test_every_rule_is_shown_to_find_something() -> None:
    assert {rule for rule, _, _, words in CASES if words} == set(RULES)


# Rust text, and what is left as code
LEXED = [
    ('a /* b /* c */ d */ e', 'a' + 19 * ' ' + 'e'),
    ('a // b\nc', 'a     \nc'),
    ('f("x // y", b)', 'f(        , b)'),
    (r'f("\"", b)', 'f(    , b)'),
    ('f(r#"x"y"#, b)', 'f(        , b)'),
    ("f('\"', b)", 'f(   , b)'),
    (r"f('\'', b)", 'f(    , b)'),
    ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
]


@pytest.mark.parametrize(('source', 'left'), LEXED)
def test_comments_and_literals_are_no_code(source: str, left: str) -> None:
    assert rust.blank(source) == left


def test_a_use_tree_is_read_as_its_paths() -> None:
    tree = 'use a::{b, c::{self, d}, e as f};\nuse ::g::h;'
    assert rust.paths(tree) == [
        (1, 'a::b'), (1, 'a::c::self'), (1, 'a::c::d'), (1, 'a::e'), (2, 'g::h')
    ]  # fmt: skip
