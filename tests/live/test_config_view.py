"""`http.config`: a mapping that edits the site in place."""

from __future__ import annotations

import copy
import json
import os
import pickle
from collections import ChainMap, UserDict
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import slimHTTP
from support import in_threads

BASE = {
    'web_root': './a',
    'index': ['index.html', 'index.htm'],
    'vhosts': {'a.example': {'web_root': './b'}, 'b.example': {'web_root': './c'}},
}


@pytest.fixture
def http() -> Iterator[slimHTTP.HTTP_SERVER]:
    server = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)
    server.configuration(BASE)
    yield server
    server.close()


def runtime(http: slimHTTP.HTTP_SERVER) -> dict[str, Any]:
    """What is configured, but for the options that are fixed at start."""
    fixed = ('addr', 'port', 'io_threads', 'python_threads')
    return {key: value for key, value in http.config.to_dict().items() if key not in fixed}


def test_c3_1_it_reads_as_a_mapping(http: slimHTTP.HTTP_SERVER) -> None:
    config = http.config
    assert runtime(http) == BASE
    assert config['vhosts'] == BASE['vhosts']
    assert config['vhosts']['a.example']['web_root'] == './b'
    assert config['index'] == ['index.html', 'index.htm']
    assert set(config['vhosts']) == {'a.example', 'b.example'}
    assert len(config['vhosts']) == 2
    assert 'web_root' in config
    assert 'proxy' not in config
    assert 5 not in config  # type: ignore[comparison-overlap]
    assert config.get('proxy', 'none') == 'none'
    assert repr(config['vhosts']['a.example']) == "{'web_root': './b'}"
    with pytest.raises(KeyError, match='proxy'):
        config['proxy']


def edited(change: Any) -> dict[str, Any]:
    expected: dict[str, Any] = copy.deepcopy(BASE)
    change(expected)
    return expected


def set_item(config: Any) -> None:
    config['web_root'] = './z'


def set_vhost(config: Any) -> None:
    config['vhosts']['c.example'] = {'web_root': './d', 'index': ('x.html',)}
    config['vhosts']['c.example']['index'] = ['y.html']


def set_below(config: Any) -> None:
    config['vhosts']['a.example']['index'] = 'home.html'


def delete(config: Any) -> None:
    del config['vhosts']['a.example']
    del config['index']


def update(config: Any) -> None:
    config['vhosts'].update({'a.example': {'web_root': './n'}, 'n.example': {}})


def list_edits(config: Any) -> None:
    config['index'].append('z.html')
    config['index'][0] = 'y.html'
    config['index'].insert(1, 'x.html')
    del config['index'][-1]
    config['index'] += ['a.html']


def clear(config: Any) -> None:
    config['vhosts'].clear()


def pop(config: Any) -> None:
    assert config['vhosts'].pop('a.example') == {'web_root': './b'}
    assert config['vhosts'].pop('a.example', None) is None


def default(config: Any) -> None:
    config['vhosts'].setdefault('d.example', {})['web_root'] = './d'


def copy_vhost(config: Any) -> None:
    config['vhosts']['d.example'] = config['vhosts']['a.example']


def remove_and_set_again(config: Any) -> None:
    del config['vhosts']
    config['vhosts'] = {'x.example': {'web_root': './x'}}
    config['vhosts']['x.example']['index'] = 'i.html'
    del config['vhosts']['x.example']['web_root']


EDITS = [
    set_item,
    set_vhost,
    set_below,
    delete,
    update,
    list_edits,
    clear,
    pop,
    default,
    copy_vhost,
    remove_and_set_again,
]


@pytest.mark.parametrize('change', EDITS)
def test_c3_1_an_edit_does_to_the_site_what_it_does_to_a_dict(
    http: slimHTTP.HTTP_SERVER, change: Any
) -> None:
    change(http.config)
    assert http.config['vhosts'] == edited(change).get('vhosts', {})
    assert {**runtime(http), 'vhosts': 0} == {**_listed(edited(change)), 'vhosts': 0}


@pytest.mark.parametrize('change', EDITS)
def test_c3_1_a_draft_reads_as_edited_and_is_applied_once(
    http: slimHTTP.HTTP_SERVER, change: Any
) -> None:
    before = runtime(http)
    with http.config.edit() as draft:
        change(draft)
        assert draft['vhosts'] == _listed(edited(change))['vhosts']
        assert set(draft['vhosts']) == set(edited(change)['vhosts'])
        assert runtime(http) == before
    assert runtime(http) == _listed(edited(change))


def _listed(value: Any) -> Any:
    """The same with tuples as lists, which is how a configuration gives them back."""
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def test_c3_1_a_draft_that_raises_changes_nothing(http: slimHTTP.HTTP_SERVER) -> None:
    before = runtime(http)

    def fail_halfway() -> None:
        with http.config.edit() as draft:
            draft['web_root'] = './z'
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert runtime(http) == before


def test_c3_1_a_draft_leaves_what_it_does_not_name(http: slimHTTP.HTTP_SERVER) -> None:
    with http.config['vhosts'].edit() as draft:
        draft['a.example']['index'] = 'x.html'
        http.config['vhosts']['b.example']['index'] = 'y.html'
    assert http.config['vhosts'] == {
        'a.example': {'web_root': './b', 'index': 'x.html'},
        'b.example': {'web_root': './c', 'index': 'y.html'},
    }


def invalid_key(http: slimHTTP.HTTP_SERVER) -> None:
    http.config['web_roof'] = './x'


def invalid_in_draft(http: slimHTTP.HTTP_SERVER) -> None:
    with http.config.edit() as draft:
        draft['index'] = 'fine.html'
        draft['vhosts']['a.example']['web_root'] = 5


def invalid_update(http: slimHTTP.HTTP_SERVER) -> None:
    http.config.update(index='fine.html', web_root=5)


def invalid_whole(http: slimHTTP.HTTP_SERVER) -> None:
    http.configuration({'web_root': './fine', 'vhosts': {'a.example': 5}})


def no_dict(http: slimHTTP.HTTP_SERVER) -> None:
    http.configuration(['web_root'])


def contains_itself(http: slimHTTP.HTTP_SERVER) -> None:
    loop: dict[str, Any] = {}
    loop['vhosts'] = loop
    http.configuration(loop)


def key_is_no_text(http: slimHTTP.HTTP_SERVER) -> None:
    http.config[5] = 'x'  # type: ignore[index]


@pytest.mark.parametrize(
    'change',
    [
        invalid_key,
        invalid_in_draft,
        invalid_update,
        invalid_whole,
        no_dict,
        contains_itself,
        key_is_no_text,
    ],
)
def test_c3_2_an_invalid_change_keeps_the_old_site(http: slimHTTP.HTTP_SERVER, change: Any) -> None:
    before = http.config.to_dict()
    with pytest.raises(slimHTTP.ConfError):
        change(http)
    assert http.config == before


def test_c3_1_missing_keys_and_stale_views(http: slimHTTP.HTTP_SERVER) -> None:
    vhost = http.config['vhosts']['a.example']
    for remove in (http.config.__delitem__, http.config.pop):
        with pytest.raises(KeyError):
            remove('nothing')
    with http.config.edit() as draft, pytest.raises(KeyError):
        del draft['vhosts']['nothing']
    del http.config['vhosts']['a.example']
    with pytest.raises(KeyError):
        vhost['index'] = 'x.html'
    with pytest.raises(KeyError):
        list(vhost)
    assert 'no longer there' in repr(vhost)


def test_c3_1_vhosts_can_be_added_where_none_is(http: slimHTTP.HTTP_SERVER) -> None:
    http.configuration({'web_root': './a'})
    assert list(http.config['vhosts']) == []
    http.config['vhosts']['a.example'] = {'web_root': './b'}
    http.configuration({})
    with http.config.edit() as draft:
        draft['vhosts']['b.example'] = {'web_root': './b'}
    assert http.config['vhosts'] == {'b.example': {'web_root': './b'}}


def test_c3_2_an_edit_that_would_be_lost_raises(http: slimHTTP.HTTP_SERVER) -> None:
    plain = http.config.to_dict()
    plain['web_root'] = './lost, as with any copy'
    assert http.config['web_root'] == './a'
    from slimHTTP._state._config import ConfigList

    class Store:
        def get(self, path: object) -> list[object]:
            return [{'to': '/'}, [1]]

    inner = ConfigList(Store(), ('redirects',))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        inner[0]['to'] = '/x'
    with pytest.raises(AttributeError):
        inner[1].append(2)


def test_c2_3_paths_may_be_path_objects(http: slimHTTP.HTTP_SERVER, tmp_path: Path) -> None:
    http.config['web_root'] = tmp_path
    assert http.config['web_root'] == os.fspath(tmp_path)


def by_keyword(*, instance: Any) -> dict[str, Any]:
    return answer(instance)


def by_any_keyword(**kwargs: Any) -> dict[str, Any]:
    return answer(kwargs['instance'])


def by_name(instance: Any) -> dict[str, Any]:
    return answer(instance)


def by_position(server: Any) -> dict[str, Any]:
    return answer(server)


def by_nothing() -> dict[str, Any]:
    return {'web_root': './asked'}


def by_default(folder: str = './asked') -> dict[str, Any]:
    return {'web_root': folder}


def answer(instance: Any) -> dict[str, Any]:
    assert isinstance(instance, slimHTTP.HTTP_SERVER)
    return {'web_root': './asked'}


@pytest.mark.parametrize(
    'function', [by_keyword, by_any_keyword, by_name, by_position, by_nothing, by_default]
)
def test_c3_1_a_configuration_function_gets_what_it_takes(
    http: slimHTTP.HTTP_SERVER, function: Any
) -> None:
    assert http.configuration(function) is function
    assert runtime(http) == {'web_root': './asked'}


def test_c3_2_a_configuration_function_that_returns_no_dict(http: slimHTTP.HTTP_SERVER) -> None:
    before = http.config.to_dict()

    async def asynchronous() -> dict[str, Any]:
        return {}

    for function in (lambda: None, lambda: './x', asynchronous):
        with pytest.raises(slimHTTP.ConfError, match=r'expected a dict of options, .* returned `'):
            http.configuration(function)
    assert http.config == before


def test_c2_6_check_config_gives_the_error(http: slimHTTP.HTTP_SERVER) -> None:
    assert http.check_config({'web_root': './x'}) is True
    assert isinstance(http.check_config({'web_roof': './x'}), slimHTTP.ConfError)
    assert runtime(http) == BASE


def test_c3_6_no_edit_of_a_list_is_lost_between_threads(http: slimHTTP.HTTP_SERVER) -> None:
    http.config['exclude'] = ['first']

    def edit(number: int) -> None:
        for turn in range(30):
            http.config['exclude'].append(f'{number}-{turn}')
            http.config['exclude'].insert(0, f'gone-{number}')
            http.config['exclude'].remove(f'gone-{number}')

    in_threads(4, edit)
    assert sorted(http.config['exclude']) == sorted(
        ['first', *(f'{number}-{turn}' for number in range(4) for turn in range(30))]
    )


def test_c3_6_keys_come_and_go_between_threads(http: slimHTTP.HTTP_SERVER) -> None:
    vhosts = http.config['vhosts']
    vhosts.clear()

    def edit(number: int) -> None:
        for _ in range(50):
            vhosts.setdefault('x.example', {})
            vhosts.pop('x.example', None)
            vhosts.to_dict()

    in_threads(4, edit)
    assert vhosts == {}


def test_c3_1_a_draft_takes_no_edits_after_its_block(http: slimHTTP.HTTP_SERVER) -> None:
    with http.config.edit() as draft:
        draft['index'] = ['a.html']
        vhost = draft['vhosts']['a.example']
    for late in (
        lambda: draft.update(index='b.html'),
        lambda: draft['index'].append('b.html'),
        lambda: vhost.update(index='b.html'),
    ):
        with pytest.raises(slimHTTP.slimHTTP_Error, match='begin another draft'):
            late()
    assert http.config['index'] == ['a.html']


@pytest.mark.parametrize(
    'wrap', [UserDict, MappingProxyType, ChainMap, lambda config: lambda: UserDict(config)]
)
def test_c3_1_a_configuration_is_any_mapping(http: slimHTTP.HTTP_SERVER, wrap: Any) -> None:
    http.configuration(wrap({'index': 'mapped.html'}))
    assert http.config['index'] == 'mapped.html'


def test_c3_1_what_is_made_of_a_view_is_plain(http: slimHTTP.HTTP_SERVER) -> None:
    vhosts, index = http.config['vhosts'], http.config['index']
    for value in (copy.copy(vhosts), copy.deepcopy(vhosts), pickle.loads(pickle.dumps(vhosts))):
        assert type(value) is dict
        assert value == BASE['vhosts']
    for value in (
        copy.copy(index),
        copy.deepcopy(index),
        pickle.loads(pickle.dumps(index)),
        index.copy(),
    ):
        assert type(value) is list
        assert value == BASE['index']
    assert vhosts | {'c.example': {}} == {**vhosts.to_dict(), 'c.example': {}}
    assert {'c.example': {}} | vhosts == {'c.example': {}, **vhosts.to_dict()}
    assert type(vhosts | {}) is type({} | vhosts) is dict
    assert index.__add__(['z']) == ['index.html', 'index.htm', 'z']
    assert index.__radd__(['z']) == ['z', 'index.html', 'index.htm']
    assert index + index == [*index, *index]
    assert json.loads(json.dumps(http.config.to_dict())) == http.config
    for wrong in (lambda: vhosts | 5, lambda: 5 | vhosts, lambda: index + 'x', lambda: 'x' + index):
        with pytest.raises(TypeError):
            wrong()
    assert runtime(http) == BASE


def test_c3_1_in_place_operators_edit(http: slimHTTP.HTTP_SERVER) -> None:
    http.config |= {'web_root': './z'}
    http.config['vhosts'] |= {'c.example': {}}
    http.config['index'].sort()
    assert http.config['index'].pop() == 'index.html'
    http.config['index'] += ['y.html']
    assert http.config['web_root'] == './z'
    assert set(http.config['vhosts']) == {'a.example', 'b.example', 'c.example'}
    assert http.config['index'] == ['index.htm', 'y.html']
    with pytest.raises(AttributeError, match=r'http\.configuration'):
        http.config = {}  # type: ignore[assignment]
