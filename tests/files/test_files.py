"""C5.1 and C5.2: files by their names and nothing else, by every entry point."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from support import at_once, serving, tree, unix_socket

SECRET = 'the secret outside'
LONG = 'n' * 251 + '.txt'

#: Names as they are on disk; each holds its own name.
NAMES = [
    'plain.txt',
    'two words.txt',
    ' leading and trailing ',
    'caf\u00e9.txt',
    '\u65e5\u672c\u8a9e.txt',
    '\U0001f600.txt',
    '100%.txt',
    '%41.txt',
    '%2e%2e',
    'a+b.txt',
    'a&b=c;d.txt',
    'question?mark.txt',
    'number#sign.txt',
    'quote"s\'.txt',
    'back\\slash.txt',
    '<tag>.txt',
    '[brackets]{braces}.txt',
    'semi;colon:at@.txt',
    'comma,dollar$.txt',
    'tilde~caret^`.txt',
    'pipe|star*.txt',
    'no-extension',
    'dots..',
    LONG,
    '\u00e9' * 127,
    'deep/er/and deeper/f\u00fcr.txt',
]

FILES = {
    'outside.txt': SECRET,
    'root2': {'secret.txt': SECRET},
    'root': {
        **{name: name for name in NAMES},
        'index.html': '<p>front',
        'folder': {'index.html': '<p>folder', 'other.txt': 'other'},
        'nothing.bin': b'',
        'digits.txt': '0123456789',
        'big.bin': bytes(range(256)) * 4096,
    },
}
CONFIG = {'web_root': 'root'}
of = pytest.mark.parametrize


@pytest.fixture
def files(site):
    return site(CONFIG, FILES)


# C5.1


@of('name', NAMES, ids=lambda name: ascii(name[:30]))
def test_c5_1_any_name_is_served(files, name: str) -> None:
    with files.client() as client:
        target = '/' + quote(name)
        response = client.get(target)
        assert response.status == 200, response
        assert response.body == name.encode()
        assert client.get(target + '?query=1').body == name.encode()


def test_c5_1_the_encoding_of_a_name_does_not_matter(files) -> None:
    with files.client() as client:
        every_byte = ''.join(f'%{byte:02x}' for byte in b'plain.txt')
        assert client.get('/' + every_byte).text == 'plain.txt'
        assert client.get('/' + every_byte.upper()).text == 'plain.txt'
        assert client.get('/caf%c3%a9.txt').text == 'caf\u00e9.txt'
        assert client.get('/caf%C3%A9.txt').text == 'caf\u00e9.txt'
        assert client.get('/a+b.txt').text == 'a+b.txt', 'a plus is a plus'
        assert client.get('/%2541.txt').text == '%41.txt', 'decoded once'


def test_c5_1_a_name_longer_than_any_file_is_404(files) -> None:
    with files.client() as client:
        for length in (256, 1000, 4000):
            assert client.get('/' + 'n' * length).status == 404
        assert client.get('/' + 'd/' * 3000).status == 404


@of(
    'target',
    ['/missing', '/missing/', '/folder/missing', '/digits.txt/', '/digits.txt/x', '/Plain.txt'],
)
def test_c5_1_what_is_not_there_is_404(files, target: str) -> None:
    response = files.get(target)
    assert response.status == 404
    assert 'location' not in response.headers


@of('target', ['/%', '/%4', '/%zz', '/a%2', '/%%41'])
def test_c5_1_a_broken_encoding_is_refused(files, target: str) -> None:
    assert files.get(target).status == 400


def test_c5_1_bytes_that_are_no_utf8_are_served_by_their_bytes(tmp_path: Path) -> None:
    name = b'\xff\xfe.txt'
    with open(os.path.join(os.fsencode(tmp_path), name), 'w') as file:
        file.write('raw')
    with serving(web_root=os.fspath(tmp_path)) as site:
        assert site.get('/%ff%fe.txt').text == 'raw'


@of('target', ['/digits.txt', '/', '/folder/', '/missing'])
@of('method', ['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'BREW', 'get'])
def test_c5_1_other_methods_are_405_with_allow(files, method: str, target: str) -> None:
    with files.client() as client:
        response = client.request(method, target, body=b'x' if method in ('POST', 'PUT') else None)
        assert response.status == 405, response
        allowed = {word.strip() for word in response.headers['Allow'].split(',')}
        assert allowed >= {'GET', 'HEAD'}
        assert client.get('/digits.txt').text == '0123456789', 'and the connection goes on'


def test_c5_1_a_file_of_nothing_and_one_of_a_mebibyte(files) -> None:
    with files.client() as client:
        empty = client.get('/nothing.bin')
        assert (empty.status, empty.body, empty.headers['Content-Length']) == (200, b'', '0')
        big = client.get('/big.bin')
        assert big.body == bytes(range(256)) * 4096
        assert big.headers['Content-Length'] == str(256 * 4096)


def test_c5_1_many_clients_at_once(files) -> None:
    def load() -> None:
        with files.client() as client:
            for name in NAMES * 3:
                assert client.get('/' + quote(name)).body == name.encode()

    at_once([load] * 8)


def test_c5_1_an_edit_of_a_file_shows_at_once(site) -> None:
    edited = site(CONFIG, {'root': {'file.txt': 'first'}}, fresh=True)
    with edited.client() as client:
        assert client.get('/file.txt').text == 'first'
        for text in ('other', 'third', 'longer than before', ''):
            (edited.folder / 'root' / 'file.txt').write_text(text)
            assert client.get('/file.txt').text == text
        (edited.folder / 'root' / 'file.txt').unlink()
        assert client.get('/file.txt').status == 404


# C5.2

#: Targets that must never be answered by a file outside of `web_root`; `{}` is a way out.
WAYS_OUT = [
    '..', '%2e%2e', '%2E%2E', '.%2e', '%2e.', '%252e%252e', '%25252e%25252e', '..%00', '..%20',
    '..;', '..;a=b', '...', '....', '..%09', '%c0%ae%c0%ae', '%e0%80%ae%e0%80%ae', '%u002e%u002e',
    '%uff0e%uff0e', '%ef%bc%8e%ef%bc%8e', '..%c0%af', '..%ff', '%2e%2e%5c', '..%5c', '..\\', './..',
    '.%2f..', './/..', 'folder/../..', 'folder/%2e%2e/..', 'missing/../..', 'folder/..%2f..',
    'folder%2f..%2f..', '..%2f', '..%252f', '%2e%2e%2f', '/..', '//..', '/%2e%2e', '%2f..', '..//',
]  # fmt: skip
GOALS = ['outside.txt', 'root2/secret.txt', 'etc/passwd']
TRAVERSALS = [
    *(
        f'{start}{way}{end}{goal}'
        for way in WAYS_OUT
        for goal in GOALS
        for start in ('/', '/folder/', '//')
        for end in ('/', '%2f', '\\', '%5c')
    ),
    *(f'/{"../" * depth}{goal}' for depth in range(1, 12) for goal in GOALS),
    *(f'/{"%2e%2e%2f" * depth}{goal}' for depth in range(1, 12) for goal in GOALS),
    *(f'/{"..%5c" * depth}{goal}' for depth in range(1, 12) for goal in GOALS),
]


def absolute_targets(folder: Path) -> list[str]:
    """Targets made of absolute paths of files outside."""
    paths = ['/etc/passwd', os.fspath(folder / 'outside.txt')]
    return [
        start + (quote(path, safe='') if encoded else path)
        for path in paths
        for start in (
            '',
            '/',
            '//',
            '/.',
            '/./',
            '/%2f',
            '/folder/',
            '/folder//',
            '/file:',
            '/file://',
        )
        for encoded in (False, True)
        if not (encoded and not start)
    ]


def leaks(body: bytes) -> bool:
    return SECRET.encode() in body or b'root:' in body


def test_c5_2_no_target_leads_out(files) -> None:
    targets = [*TRAVERSALS, *absolute_targets(files.folder)]
    assert len(targets) > 500
    with files.client() as client:
        for target in targets:
            response = client.request('GET', target, host='a.example')
            assert not leaks(response.body), target
            assert response.status in (400, 404), (target, response)


@of('target', ['/outside.txt%00', '/%00', '/digits.txt%00', '/digits.txt%00.html', '/folder%00/'])
def test_c5_2_nul_is_refused(files, target: str) -> None:
    assert files.get(target).status == 400


def test_c5_2_dots_within_the_root_are_removed(files) -> None:
    with files.client() as client:
        for target in ('/folder/../digits.txt', '/./digits.txt', '/folder/./../digits.txt'):
            response = client.get(target)
            assert (response.status, response.text) == (200, '0123456789')


@pytest.fixture
def linked(site):
    """A root with links in it, made before the server starts."""
    outside = {'outside.txt': SECRET, 'outside': {'secret.txt': SECRET}}
    inside = {'file.txt': 'inside', 'folder': {'index.html': 'index', 'file.txt': 'deeper'}}
    running = site(CONFIG, {**outside, 'root': inside, 'mark': 'linked'})
    root = running.folder / 'root'
    links = {
        'in': 'file.txt',
        'in folder': 'folder',
        'folder/up': '../file.txt',
        'out': '../outside.txt',
        'out folder': '../outside',
        'out absolute': running.folder / 'outside.txt',
        'out and in': '../root/file.txt',
        'chain': 'out',
        'etc': '/etc',
        'dangling': 'missing',
        'self': 'self',
        'slash': '/',
    }
    for name, target in links.items():
        if not os.path.lexists(root / name):
            os.symlink(target, root / name)
    return running


@of(
    ('target', 'body'),
    [
        ('/in', 'inside'),
        ('/in%20folder/file.txt', 'deeper'),
        ('/folder/up', 'inside'),
        ('/in%20folder/', 'index'),
    ],
)
def test_c5_2_a_link_that_stays_inside_is_followed(linked, target: str, body: str) -> None:
    assert linked.get(target).text == body


@of(
    'target',
    ['/out', '/out%20folder/secret.txt', '/out%20absolute', '/chain', '/etc/passwd', '/dangling', '/self',
     '/slash/etc/passwd', '/out%20folder/', '/out%20folder', '/etc', '/out/'],
)  # fmt: skip
def test_c5_2_a_link_that_leads_out_is_404(linked, target: str) -> None:
    response = linked.get(target)
    assert not leaks(response.body)
    assert response.status == 404, response


def test_c5_2_what_is_no_file_cannot_hang_the_server(site) -> None:
    odd = site(CONFIG, {'root': {'file.txt': 'file', 'mark': 'odd'}})
    root = odd.folder / 'root'
    if not (root / 'fifo').exists():
        os.mkfifo(root / 'fifo')
        unix_socket(root, 'socket').close()
    for target in ('/fifo', '/socket'):
        assert odd.get(target).status == 404
    assert odd.get('/file.txt').text == 'file'


def test_c5_2_a_file_that_may_not_be_read_is_no_500(site) -> None:
    closed = site(CONFIG, {'root': {'closed.txt': SECRET, 'open.txt': 'open', 'mark': 'closed'}})
    os.chmod(closed.folder / 'root' / 'closed.txt', 0)
    if os.geteuid() != 0:  # The superuser may read it.
        assert closed.get('/closed.txt').status in (403, 404)
    assert closed.get('/open.txt').text == 'open'


def test_c5_2_no_race_between_check_and_open_leads_out(tmp_path: Path) -> None:
    """A name that is now a file inside, now a link outside: the inside, or nothing."""
    tree(
        tmp_path,
        {
            'outside.txt': SECRET,
            'out': {'file.txt': SECRET},
            'root': {'real': {'file.txt': 'inside'}},
        },
    )
    root = tmp_path / 'root'
    stop = threading.Event()

    def swap() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            inside, outside = (('real/file.txt', '../outside.txt'), ('real', '../out'))[turn % 2]
            name = ('file', 'folder')[turn % 2]
            target = outside if turn % 4 < 2 else inside
            fresh = root / f'.{name}'
            os.symlink(target, fresh)
            os.replace(fresh, root / name)

    swapper = threading.Thread(target=swap, daemon=True)
    with serving(web_root=os.fspath(root)) as site:
        swapper.start()
        try:
            inside = 0
            ends = time.monotonic() + 2
            with site.client() as client:
                while time.monotonic() < ends:
                    for target in ('/file', '/folder/file.txt'):
                        response = client.get(target)
                        assert not leaks(response.body)
                        assert response.status in (200, 404)
                        inside += response.status == 200
            assert inside, 'the inside was seen at times'
        finally:
            stop.set()
            swapper.join(10)
