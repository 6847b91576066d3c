"""From what a configuration names to the application: `shop.wsgi:application`, `./main.py`.

Called on a thread that nobody waits for (see `_hosting`), for applications run code when they are
imported: it may take long, change the configuration, or end in any exception. What can be told
better than by that exception is an ApplicationFault; all else is let through.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import CoroutineType, ModuleType
from typing import Any, Final

from slimHTTP import _callables
from slimHTTP._applications._fault import ApplicationFault
from slimHTTP._applications._interface import interface_of

#: What is looked for where only a module is named, in this order.
_USUAL_NAMES: Final = ('app', 'application', 'asgi', 'wsgi', 'create_app()', 'make_app()')
#: How many names a message lists.
_MAX_LISTED: Final = 8


def load(reference: str, folder: str) -> Any:
    """Import what `reference` names, from `folder`.

    Raises ApplicationFault, and whatever the application's own code raises.
    """
    module_name, name, folder = _split(reference, folder)
    is_new = module_name not in sys.modules
    module = _import(module_name, folder)
    try:
        return _find(module, module_name, name)
    except BaseException:
        # Another attempt reads the file anew, as it does behind an import that has failed.
        if is_new:
            sys.modules.pop(module_name, None)
        raise


def _split(reference: str, folder: str) -> tuple[str, str | None, str]:
    """Give the module, the name in it if one is said, and where the module is imported from."""
    target, name = reference, None
    if not reference.endswith('.py'):
        before, colon, behind = reference.rpartition(':')
        if colon:
            target, name = before, behind
    if '/' not in target:
        return target, name, folder
    path = os.path.normpath(os.path.join(folder, target))
    if not os.path.isfile(path):
        raise ApplicationFault('a Python file', f'nothing at `{path}`', _looked_in(folder))
    folder, file = os.path.split(path)
    parts = [os.path.splitext(file)[0]]
    # A module of a package is imported by its whole name.
    while os.path.isfile(os.path.join(folder, '__init__.py')) and os.path.dirname(folder) != folder:
        folder, package = os.path.split(folder)
        parts.insert(0, package)
    if parts[-1] == '__init__' and len(parts) > 1:
        parts.pop()
    return '.'.join(parts), name, folder


def _import(name: str, folder: str) -> ModuleType:
    program = sys.modules.get('__main__')
    if program is not None and _is_program(program, name, folder):
        return program
    if folder not in sys.path:
        sys.path.insert(0, folder)
    # Files may have come since Python has looked for the last time.
    importlib.invalidate_caches()
    _check_place(name, folder)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f'{error.name}.')):
            raise _not_found(name, error.name, folder) from None
        raise
    _check_place(name, folder)
    return module


def _is_program(program: ModuleType, name: str, folder: str) -> bool:
    """Tell whether the program that runs is the module `name`, which would run once more."""
    spec = getattr(program, '__spec__', None)
    if spec is not None:
        return bool(spec.name == name)
    file = getattr(program, '__file__', None)
    path = os.path.join(folder, *name.split('.'))
    return file is not None and os.path.realpath(file) == os.path.realpath(f'{path}.py')


def _check_place(name: str, folder: str) -> None:
    """Raise ApplicationFault where `folder` has a module that another one has taken the name of."""
    top = name.partition('.')[0]
    module = sys.modules.get(top)
    own = os.path.join(folder, top)
    if module is None or not (os.path.isfile(f'{own}.py') or os.path.isdir(own)):
        return
    places = [getattr(module, '__file__', None), *(getattr(module, '__path__', None) or ())]
    places = [place for place in places if place is not None]
    own = os.path.realpath(own)
    if any(
        os.path.realpath(place) == f'{own}.py'
        or f'{os.path.realpath(place)}/'.startswith(f'{own}/')
        for place in places
    ):
        return
    # A folder without a module in it is none: `static` of one that is a package elsewhere.
    if not os.path.isfile(f'{own}.py') and not os.path.isfile(os.path.join(own, '__init__.py')):
        return
    found = f'the one of `{places[0]}`' if places else 'one that is built in'
    raise ApplicationFault(
        f'the module `{top}` of `{folder}`',
        f'{found}, which has this name already',
        'a process has one module of a name: rename it, put it into a package with a name of'
        ' its own, or serve it by a process of its own',
    )


def _not_found(name: str, missing: str, folder: str) -> ApplicationFault:
    if not os.path.isdir(folder):
        return ApplicationFault(
            f'the module `{name}`', f'no folder `{folder}`', 'is `app_dir` right?'
        )
    expected = f'the module `{name}`'
    if name.endswith('.py'):
        file = name[: -len('.py')]
        return ApplicationFault(
            expected, 'none', f'a file is written `./{name}`, and a module `{file}`'
        )
    if missing != name:
        parent = sys.modules.get(missing.rpartition('.')[0])
        parts = missing.split('.')
        if parent is not None and not hasattr(parent, '__path__'):
            return ApplicationFault(expected, f'`{".".join(parts[:-1])}`, which is no package')
    near = _near(missing, folder)
    found = 'none' if missing == name else f'no `{missing}`'
    return ApplicationFault(expected, found, near or _looked_in(folder))


def _looked_in(folder: str) -> str:
    return f'looked in `{folder}`: is `app_dir` right?'


def _near(missing: str, folder: str) -> str | None:
    import difflib

    try:
        names = [os.path.splitext(name)[0] for name in os.listdir(folder)]
    except OSError:
        return None
    near = difflib.get_close_matches(missing, names, n=1, cutoff=0.7)
    return f'looked in `{folder}`: is `{near[0]}` meant?' if near else None


def _find(module: ModuleType, module_name: str, name: str | None) -> Any:
    if name is not None:
        return _called(_attribute(module, module_name, name), module_name, name)
    for usual in _USUAL_NAMES:
        found = getattr(module, usual[:-2] if usual.endswith('()') else usual, None)
        if callable(found):
            return _called(found, module_name, usual)
    listed = ', '.join(f'`{usual}`' for usual in _USUAL_NAMES)
    raise ApplicationFault(
        f'an application in the module `{module_name}`, called one of {listed}',
        _candidates(module),
        _of_missing(module, f'name it: `{module_name}:name`'),
    )


def _attribute(module: ModuleType, module_name: str, name: str) -> Any:
    """Give what `a.b` or `a.b()` names in `module`, before it is called."""
    found: Any = module
    way = name[:-2] if name.endswith('()') else name
    for position, part in enumerate(way.split('.')):
        try:
            found = getattr(found, part)
        except AttributeError:
            if position == 0:
                found = _candidates(module)
                hint = _of_missing(module, None)
                raise ApplicationFault(
                    f'`{way}` in the module `{module_name}`', found, hint
                ) from None
            of = '.'.join(way.split('.')[:position])
            raise ApplicationFault(
                f'`{way}` in the module `{module_name}`', f'no `{part}` in `{of}`'
            ) from None
    return found


def _of_missing(module: ModuleType, otherwise: str | None) -> str | None:
    if getattr(getattr(module, '__spec__', None), '_initializing', False):
        return (
            'it is being imported at this moment: does it import what makes this server, or'
            ' begin to serve? Let it do so below `if __name__ == "__main__":`'
        )
    return otherwise


def _called(found: Any, module_name: str, name: str) -> Any:
    """Give the application that `found` is or, where it is a factory, makes."""
    what = f'{module_name}:{name}'
    if not name.endswith('()'):
        if not callable(found):
            raise ApplicationFault(
                f'an application at `{what}`', f'`{type(found).__name__}`, which is not callable'
            )
        return found
    if not callable(found):
        raise ApplicationFault(f'a factory at `{what}`', f'`{type(found).__name__}`')
    if _callables.is_async(found):
        raise ApplicationFault(
            f'a factory at `{what}` that gives the application',
            'one that is `async`',
            'what has to be awaited belongs into the lifespan of the application',
        )
    made = found()
    if isinstance(made, CoroutineType):
        made.close()
        raise ApplicationFault(f'an application from the factory `{what}`', 'a coroutine')
    if not callable(made):
        raise ApplicationFault(
            f'an application from the factory `{what}`', f'`{type(made).__name__}`'
        )
    return made


def _candidates(module: ModuleType) -> str:
    """Say what in a module looks like an application."""
    names = [name for name, value in vars(module).items() if _looks_right(name, value, module)]
    if not names:
        return 'nothing that looks like one'
    listed = ', '.join(f'`{name}`' for name in names[:_MAX_LISTED])
    return f'{listed}{" and more" if len(names) > _MAX_LISTED else ""}'


def _looks_right(name: str, value: Any, module: ModuleType) -> bool:
    if name.startswith('_') or not callable(value) or isinstance(value, type):
        return False
    # A function that it has imported is not its own; an object of a class that it has may be.
    elsewhere = getattr(value, '__module__', None) != module.__name__
    if elsewhere and getattr(value, '__qualname__', None) is not None:
        return False
    try:
        interface_of(value)
    except Exception:
        return False
    return True
