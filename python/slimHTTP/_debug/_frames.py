"""A handler's failure as data: the chain of exceptions, their frames, sources and variables.

`_traceback_page` makes HTML of it. All of it is plain text and numbers, bounded in length and
in number, and without secrets. Reading never raises, whatever the exception is made of.
"""

from __future__ import annotations

import linecache
import os
import site
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from types import FrameType, ModuleType, TracebackType
from typing import Final, NamedTuple

from slimHTTP._debug import _redact, _safe_repr
from slimHTTP._debug._failure import safe_getattr, trim
from slimHTTP._package import is_ours

#: How many source lines are shown on each side of the one that failed.
_AROUND: Final = 5
#: How many frames of one traceback are shown: the outermost and the innermost.
_OUTER, _INNER = 10, 30
#: How many exceptions of a chain, or of a group, are shown.
_MAX_EXCEPTIONS: Final = 10
#: How many names of one frame are shown.
_MAX_NAMES: Final = 40
#: How long a message may be.
_MAX_LENGTH: Final = 4000


class Line(NamedTuple):
    """A line of source; `marked` are the columns that failed, if it is the one."""

    number: int
    text: str
    here: bool
    marked: tuple[int, int] | None


class Frame(NamedTuple):
    """A place that an exception came by; `own` tells it from a library's."""

    function: str
    filename: str
    line: int
    own: bool
    source: list[Line]
    names: list[tuple[str, str]]


class Raised(NamedTuple):
    """One exception of a chain."""

    #: How it led to the next one; '' for the last.
    relation: str
    message: str
    frames: list[Frame]
    #: How many frames are left out, and how many stand before them.
    left_out: int
    outer: int
    #: The members of an exception group, each with its own chain.
    members: list[list[Raised]]


def message_of(error: BaseException) -> str:
    """Give what an exception says, notes included, as Python prints it."""
    try:
        if isinstance(error, SyntaxError):  # Its place is shown as a frame.
            return f'{type(error).__name__}: {error.msg}'
        text = ''.join(traceback.format_exception_only(type(error), error)).strip()
        text = _redact.redact(text)
    except Exception:
        return type(error).__name__
    return text if len(text) <= _MAX_LENGTH else text[:_MAX_LENGTH] + ' …'


def chain_of(error: BaseException, depth: int = 0) -> list[Raised]:
    """Read an exception and what led to it, the first one first."""
    chain: list[tuple[str, BaseException]] = [('', error)]
    seen = {id(error)}
    while len(chain) < _MAX_EXCEPTIONS:
        latest = chain[-1][1]
        if latest.__cause__ is not None:
            step = ('which was the direct cause of', latest.__cause__)
        elif latest.__context__ is not None and not latest.__suppress_context__:
            step = ('and while that was handled,', latest.__context__)
        else:
            break
        if id(step[1]) in seen:
            break
        seen.add(id(step[1]))
        chain.append(step)
    return [_raised(relation, one, depth) for relation, one in reversed(chain)]


def sources(chain: list[Raised]) -> list[str]:
    """Give the files that a chain came by and that a person may edit."""
    found: dict[str, None] = {}
    for raised in chain:
        found.update((frame.filename, None) for frame in raised.frames if frame.own)
        for member in raised.members:
            found.update(dict.fromkeys(sources(member)))
    return list(found)


def _raised(relation: str, error: BaseException, depth: int) -> Raised:
    try:
        places = list(traceback.walk_tb(trim(error)))
    except Exception:
        places = []
    left_out = max(len(places) - _OUTER - _INNER, 0)
    if left_out:
        del places[_OUTER : _OUTER + left_out]
    columns = _columns(error, len(places), left_out)
    frames = [_frame(frame, line, marked) for (frame, line), marked in zip(places, columns)]
    if isinstance(error, SyntaxError):
        frames.extend(_unparsed(error))
    members = safe_getattr(error, 'exceptions') if depth < 2 else None
    if type(members) is not tuple:
        members = ()
    chains = [
        chain_of(one, depth + 1)
        for one in members[:_MAX_EXCEPTIONS]
        if isinstance(one, BaseException)
    ]
    return Raised(relation, message_of(error), frames, left_out, _OUTER, chains)


def _columns(error: BaseException, count: int, left_out: int) -> list[tuple[int, int, int] | None]:
    """Give for each frame the line and the columns (in bytes) that failed, where known."""
    columns: list[tuple[int, int, int] | None] = []
    step = trim(error)
    while step is not None:
        columns.append(_position(step))
        step = step.tb_next
    if left_out:
        del columns[_OUTER : _OUTER + left_out]
    return (columns + [None] * count)[:count]


def _position(step: TracebackType) -> tuple[int, int, int] | None:
    positions = getattr(step.tb_frame.f_code, 'co_positions', None)  # From Python 3.11 on.
    if positions is None:
        return None
    for index, (line, end, first, behind) in enumerate(positions()):
        if index == step.tb_lasti // 2:
            if line is None or line != end or first is None or behind is None:
                return None
            return line, first, behind
    return None


def _frame(frame: FrameType, line: int, marked: tuple[int, int, int] | None) -> Frame:
    code = frame.f_code
    columns = None
    if marked is not None and marked[0] == line:
        columns = marked[1:]
    return Frame(
        getattr(code, 'co_qualname', code.co_name),
        code.co_filename,
        line,
        is_of_program(code.co_filename),
        _around(code.co_filename, line, columns),
        list(_names(frame)),
    )


def _unparsed(error: SyntaxError) -> Iterator[Frame]:
    """Give the place of a `SyntaxError`, which no frame has: nothing ran."""
    filename, line = error.filename, error.lineno
    if type(filename) is not str or type(line) is not int:
        return
    columns = None
    if type(error.offset) is int and error.offset > 0 and type(error.text) is str:
        first = error.offset - 1
        end = safe_getattr(error, 'end_offset')
        same = safe_getattr(error, 'end_lineno') in (None, line)
        behind = end - 1 if type(end) is int and same and end > error.offset else first + 1
        # Characters here, bytes elsewhere.
        columns = len(error.text[:first].encode()), len(error.text[:behind].encode())
    yield Frame('', filename, line, True, _around(filename, line, columns), [])


def _around(filename: str, failed: int, columns: tuple[int, int] | None) -> list[Line]:
    try:
        linecache.checkcache(filename)
        lines = linecache.getlines(filename)
    except Exception:  # Not of this encoding, or of no file.
        return []
    first = max(failed - _AROUND, 1)
    lines_around = []
    for number, line in enumerate(lines[first - 1 : failed + _AROUND], first):
        text = line.rstrip()[:_MAX_LENGTH]
        marked = None
        if number == failed and columns is not None:
            raw = text.encode()
            begin, behind = (len(raw[:column].decode(errors='ignore')) for column in columns)
            # All of a line is marked by its colour.
            if begin < behind and (text[:begin].strip() or text[behind:].strip()):
                marked = (begin, behind)
        lines_around.append(Line(number, text, number == failed, marked))
    while lines_around and not lines_around[-1].text:
        lines_around.pop()
    while lines_around and not lines_around[0].text:
        del lines_around[0]
    return lines_around


def _names(frame: FrameType) -> Iterator[tuple[str, str]]:
    """Give the names of a frame with their values; of a module's, what is data."""
    try:
        names = dict(frame.f_locals)
    except Exception:
        return
    at_top = frame.f_code.co_name == '<module>'
    count = 0
    for name, value in names.items():
        if type(name) is not str or (name.startswith('__') and name.endswith('__')):
            continue
        if at_top and type(value) in (ModuleType, type, type(_names), type(print)):
            continue
        if count == _MAX_NAMES:
            yield '…', f'{len(names) - count} more'
            return
        count += 1
        yield name, _safe_repr.safe_repr(value, name)


def _library_folders() -> tuple[str, ...]:
    folders = {*sysconfig.get_paths().values(), *site.getsitepackages()}
    folders.add(site.getusersitepackages())
    # The folder of programs is no library's, and `/usr` is above people's files.
    for name in ('scripts', 'data'):
        folders.discard(sysconfig.get_path(name))
    return tuple(os.path.join(folder, '') for folder in folders)


_LIBRARIES: Final = _library_folders()


def is_of_program(filename: str) -> bool:
    """Tell whether a file is the program's: not Python's, not an installed package's."""
    if filename.startswith('<') or filename.startswith(_LIBRARIES):
        return False
    at_base = os.path.join(sys.base_prefix, 'lib', 'python')
    return not (is_ours(filename) or filename.startswith(at_base))
