"""The names that programs use: events, exceptions, old spellings, logging."""

from __future__ import annotations

import json
import logging
import pickle

import pytest
import slimHTTP
from slimHTTP import Events, _log
from slimHTTP._log import _records

EVENTS = {
    'SERVER_ACCEPT': 0x80,
    'SERVER_CLOSE': 0x81,
    'SERVER_RESTART': 0x02,
    'CLIENT_DATA': 0x40,
    'CLIENT_REQUEST': 0x41,
    'CLIENT_RESPONSE_DATA': 0x42,
    'CLIENT_UPGRADED': 0x43,
    'CLIENT_UPGRADE_ISSUE': 0x44,
    'CLIENT_URL_ROUTED': 0x45,
    'CLIENT_DATA_FRAGMENTED': 0x46,
    'CLIENT_RESPONSE_PROXY_DATA': 0x47,
    'WS_CLIENT_DATA': 0xC0,
    'WS_CLIENT_REQUEST': 0xC1,
    'WS_CLIENT_COMPLETE_FRAME': 0xC2,
    'WS_CLIENT_INCOMPLETE_FRAME': 0xC3,
    'WS_CLIENT_ROUTED': 0xC4,
    'WS_CLIENT_RESPONSE': 0xC6,
    'PROXY_EMPTY_RESPONSE': 0xE0,
    'NOT_YET_IMPLEMENTED': 0x00,
    'INVALID_DATA': 0x01,
}


@pytest.mark.parametrize(('name', 'number'), EVENTS.items())
def test_c9_events_have_their_numbers_and_names(name: str, number: int) -> None:
    assert getattr(Events, name) == number
    assert Events.convert(number) == name


def test_c9_data_events_and_unknown_numbers() -> None:
    assert Events.DATA_EVENTS == (0x42, 0x45, 0x47, 0xC6)
    assert Events.convert(0x7F) is None


def test_c9_every_public_name_is_there() -> None:
    for name in slimHTTP.__all__:
        assert getattr(slimHTTP, name) is not None
    assert (slimHTTP.HTTP, slimHTTP.HTTPS) == (1, 2)
    assert issubclass(slimHTTP.HTTPS_SERVER, slimHTTP.HTTP_SERVER)


@pytest.mark.parametrize(
    'error',
    [
        slimHTTP.slimHTTP_Error('m'),
        slimHTTP.ConfError('m'),
        slimHTTP.ModuleError('m', '/path.py'),
        slimHTTP.NotYetImplemented('m'),
        slimHTTP.UpgradeIssue('m'),
        slimHTTP.InvalidFrame('m'),
        slimHTTP.LoggerError('m'),
    ],
    ids=lambda error: type(error).__name__,
)
def test_c9_exceptions_are_exceptions_that_keep_what_they_say(error: Exception) -> None:
    assert isinstance(error, slimHTTP.slimHTTP_Error)
    assert str(error) == 'm'
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.__dict__) == (type(error), error.__dict__)


@pytest.mark.parametrize(
    ('level', 'number'),
    [('info', 20), ('INFO', 20), ('warn', 30), ('Warning', 30), ('CRITICAL', 50), (35, 35)],
)
def test_c9_levels_by_name_and_number(level: int | str, number: int) -> None:
    assert _log.level_number(level) == number


def test_c9_a_level_that_is_none() -> None:
    with pytest.raises(slimHTTP.LoggerError, match='found `loud`'):
        _log.level_number('loud')


@pytest.mark.parametrize(
    ('wish', 'level'),
    [('info', 20), ('slimhttp_server=debug,warn', 10), ('error', 40), ('off', 51), ('json', 20)],
)
def test_slimhttp_log_sets_the_level(
    wish: str, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('SLIMHTTP_LOG', wish)
    monkeypatch.setattr(_records, 'logger', logging.Logger('a logger of this test'))
    _log.configure('error')  # The option, which the environment wins over.
    assert _records.logger.level == level
    assert len(_records.logger.handlers) == 1
    _log.configure()
    assert len(_records.logger.handlers) == 1


def test_a_word_that_slimhttp_log_does_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('SLIMHTTP_LOG', 'verbose')
    with pytest.raises(slimHTTP.LoggerError, match=r'SLIMHTTP_LOG: expected .*, found `verbose`'):
        _log.configure()


def test_the_log_as_json_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv('SLIMHTTP_LOG', 'json')
    monkeypatch.setattr(_records, 'logger', logging.Logger('slimHTTP'))
    _log.configure()
    _records.logger.warning('a "warning"\nof %d lines', 2)
    try:
        raise ValueError('x')
    except ValueError:
        _records.logger.exception('it failed')
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first['level'], first['message']) == ('warn', 'a "warning"\nof 2 lines')
    assert first['ts'].endswith('Z')
    assert (second['level'], second['exception'].splitlines()[-1]) == ('error', 'ValueError: x')


def test_c9_virtual_storage_and_route_handler() -> None:
    storage = slimHTTP.VirtualStorage()
    assert (storage.sys.modules, storage.sys.specs, storage.storage) == ({}, {}, {})
    route = slimHTTP.ROUTE_HANDLER('/x')
    assert (route.route, route.parser) == ('/x', None)
    assert route.gateway(len) is len
    assert route.parser is len
