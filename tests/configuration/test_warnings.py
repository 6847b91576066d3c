"""What is odd but not wrong is said once, with the place and the remedy."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from support import Log, serving, tree
from support.sites import HOST, ask

of = pytest.mark.parametrize


def warnings(log: Log) -> list[str]:
    return [record.getMessage() for record in log.records if record.levelname == 'WARNING']


@of(
    ('url', 'methods', 'said'),
    [
        ('/users/<id>', None, None),
        ('/users/{id}', None, 'the route `/users/{id}` has no variables, `{` is a letter; write `/users/<id>`'),
        ('/users/{id:int}', None, '`{` is a letter; write `/users/<int:id>`'),
        ('/files/{rest:path}', None, '`{` is a letter; write `/files/<path:rest>`'),
        ('/by/{day:date}/x', None, '`{` is a letter; write `/by/<day>/x`'),
        ('/a{b', None, None),
        ('/a', ['get', 'POST', 'PROPFIND'], None),
        ('/a', ['GTE'], 'methods: `GTE` is no method that HTTP knows; is `GET` meant?'),
        ('/a', ['PSOT'], 'is `POST` meant?'),
        ('/a', ['DELTE'], 'is `DELETE` meant?'),
        ('/a', ['BREW', 'PURGE', 'X-OWN'], None),
    ],
)  # fmt: skip
def test_c8_1_an_odd_route_is_told_with_what_was_meant(url, methods, said) -> None:
    with serving() as site, Log() as log:
        for _ in range(3):
            site.http.route(url, methods=methods)(lambda request: 'answers all the same')
            line = sys._getframe().f_lineno - 1
        told = warnings(log)
        if said is None:
            assert told == []
        else:
            assert len(told) == 1, 'once for a place'
            assert told[0].startswith(f'{__file__}, line {line}: ')
            assert told[0].endswith(said)
        assert len(site.http.routes[None]) == 1


def takes_none(): ...
def takes_two(request, name): ...
def takes_a_keyword(request, *, name): ...
def takes_one(request, name=None, *, more=None): ...
def takes_any(*requests): ...


class Handlers:
    def method(self, request): ...


MORE = 'this one needs more; what the path holds is in `params` of that argument'


@of(
    ('handler', 'said'),
    [
        (takes_one, None),
        (takes_any, None),
        (Handlers().method, None),
        (takes_none, '`takes_none`: a handler is given one argument, and this one takes none'),
        (takes_two, f'`takes_two`: a handler is given one argument, and {MORE}'),
        (takes_a_keyword, MORE),
    ],
)
def test_c8_1_a_handler_that_takes_other_arguments_is_told(handler, said) -> None:
    with serving() as site, Log() as log:
        for register in (site.http.route, site.http.websocket):
            register('/a/<name>')(handler)
        told = warnings(log)
        if said is None:
            assert told == []
        else:
            assert told, 'one line of the program, one warning'
            assert all(one.endswith(said) for one in told)
            assert told[0].startswith(f'{__file__}, line ')


MODULE = """\
import slimHTTP
http = slimHTTP.instances['127.0.0.1:{port}']

@http.route('/mine', vhost='a.example')
def mine(request):
    return 'mine'

@http.route('/theirs'{vhost})
def theirs(request):
    return 'theirs'
"""


@of(('vhost', 'name'), [('', 'the global level'), (", vhost='b.example'", '`b.example`')])
def test_c6_3_a_route_for_another_scope_is_told_once(tmp_path: Path, vhost: str, name: str) -> None:
    path = tmp_path / 'vhost.py'
    tree(tmp_path, {'vhost.py': ''})
    hosts = {HOST: {'module': os.fspath(path)}, 'b.example': {}}
    with serving(vhosts=hosts) as site, Log() as log:
        path.write_text(MODULE.format(port=site.http.port, vhost=vhost))
        assert [ask(site, '/mine').text for _ in range(3)] == ['mine'] * 3
        assert warnings(log) == [
            f'{path}, line 8: the route `/theirs` for {name} is registered by the module of'
            ' `a.example`: it belongs to the server and stays; to let it end with this run of the'
            " module, register it with `vhost='a.example'`"
        ]
        other = 'b.example' if vhost else 'c.example'
        assert site.get('/theirs', host=other).text == 'theirs', 'it does belong there'


def test_c1_4_a_server_that_is_not_there_is_told_with_those_that_are() -> None:
    import slimHTTP

    assert 'x' not in slimHTTP.instances
    assert slimHTTP.instances.get('x') is None
    with pytest.raises(KeyError, match="no server is open, so none is called 'x'"):
        slimHTTP.instances['x']
    with serving() as site:
        with pytest.raises(KeyError) as raised:
            slimHTTP.instances[':8080']
        assert "no server is called ':8080'; there is: '127.0.0.1:0'" in str(raised.value)
        assert f"'127.0.0.1:{site.http.port}'" in str(raised.value)
