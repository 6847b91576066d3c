"""C11.2: how an application is found that a configuration names."""

from __future__ import annotations

import logging
import os
import re
import sys
from pathlib import Path

import pytest
from support import serving, tree
from support.applications import WSGI, Modules, modules
from support.log import Log

__all__ = ['modules']

#: A module that has an application in several ways.
VARIED = (
    WSGI
    + """
class holder:
    inner = staticmethod(app)

def create_app():
    return app

number = 7
async def create_later():
    return app
def create_nothing():
    return 7
"""
)


@pytest.mark.parametrize(
    'reference',
    ['{}:app', '{}:holder.inner', '{}:create_app()', '{}', './{}.py', './{}.py:create_app()'],
)
def test_c11_2_an_application_is_found_as_it_is_named(modules: Modules, reference: str) -> None:
    name = modules.add(VARIED)
    with serving(app=reference.format(name), app_dir=str(modules.folder)) as site:
        assert (site.get().status, site.get().text) == (200, name)


@pytest.mark.parametrize('usual', ['app', 'application', 'asgi', 'wsgi', 'create_app', 'make_app'])
def test_c11_2_a_module_alone_is_looked_through_for_the_usual_names(
    modules: Modules, usual: str
) -> None:
    source = WSGI.replace('app(', 'served(')
    source += f'def {usual}(): return served\n' if '_' in usual else f'{usual} = served\n'
    with serving(app=modules.add(source), app_dir=str(modules.folder)) as site:
        assert site.get().status == 200


def test_c11_2_a_file_of_a_package_is_imported_as_its_module(modules: Modules) -> None:
    modules.names.append('hosted_package')
    tree(modules.folder, {'hosted_package': {'__init__.py': '', 'web.py': WSGI}})
    with serving(app='./hosted_package/web.py', app_dir=str(modules.folder)) as site:
        assert site.get().text == 'hosted_package.web'


def test_c11_2_relative_folders_are_those_of_the_configuration(
    modules: Modules, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = modules.add()
    monkeypatch.chdir(modules.folder)
    with serving(app=f'{name}:app') as site:
        assert site.get().text == name


@pytest.mark.parametrize('reference', ['{}:create_app()', './{}.py:create_app()'])
def test_c11_2_an_edit_made_elsewhere_starts_no_application_again(
    modules: Modules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    name = modules.add(WSGI + 'made = []\ndef create_app():\n    made.append(1)\n    return app\n')
    monkeypatch.chdir(modules.folder)
    vhosts = {'a': {}, 'b': {'app': reference.format(name)}}
    with serving(app=reference.format(name), vhosts=vhosts) as site:
        assert site.get().text == name
        monkeypatch.chdir(tmp_path)
        site.http.config['max_body'] = 1
        site.http.config['vhosts']['a']['max_body'] = 2
        site.http.config['mounts'] = {'/m': {}}
        for host, target in [('c', '/'), ('a', '/'), ('b', '/'), ('a', '/m')]:
            assert site.get(target, host).text == name, (host, target)
        assert sys.modules[name].made == [1]


@pytest.mark.parametrize(
    ('source', 'reference', 'said'),
    [
        (WSGI, '{}:ap', 'expected `ap` in the module `{}`, found `app`$'),
        ('x = 1', '{}:app', 'expected `app` in the module `{}`, found nothing that looks like one$'),
        (WSGI, '{}:app.inner', 'expected `app.inner` in the module `{}`, found no `inner` in `app`$'),
        (
            'x = 1',
            '{}',
            'expected an application in the module `{}`, called one of `app`, `application`,'
            ' `asgi`, `wsgi`, `create_app\\(\\)`, `make_app\\(\\)`, found nothing that looks like one\n'
            '  hint: name it: `{}:name`$',
        ),
        (VARIED, '{}:number', 'expected an application at `{}:number`, found `int`, which is not callable$'),
        (
            VARIED,
            '{}:create_later()',
            'expected a factory at `{}:create_later\\(\\)` that gives the application, found one that'
            ' is `async`\n  hint: what has to be awaited belongs into the lifespan of the application$',
        ),
        (
            VARIED,
            '{}:create_nothing()',
            'expected an application from the factory `{}:create_nothing\\(\\)`, found `int`$',
        ),
        (VARIED, '{}:number()', 'expected a factory at `{}:number\\(\\)`, found `int`$'),
        (WSGI, '{}x.y:app', 'expected the module `{}x.y`, found no `{}x`\n  hint: looked in `.*`: is `{}` meant\\?'),
        (WSGI, '{}.py:app', 'expected the module `{}.py`, found none\n  hint: a file is written `./{}.py`, and a module `{}`$'),
        (WSGI, './{}/x.py', 'expected a Python file, found nothing at `.*/{}/x.py`'),
        ('import nothing_such', '{}:app', "ModuleNotFoundError: No module named 'nothing_such'\n  Trace"),
        ('1 / 0', '{}:app', 'ZeroDivisionError: division by zero\n  Traceback .*\n      1 / 0\n'),
        ('def app(:', '{}:app', 'SyntaxError: '),
        ('import sys; sys.exit(3)', '{}:app', 'SystemExit: 3\n  Traceback'),
    ],
)  # fmt: skip
def test_c11_2_what_cannot_be_found_is_told(
    modules: Modules, source: str, reference: str, said: str
) -> None:
    name = modules.add(source)
    with Log() as log:
        with serving(app=reference.format(name), app_dir=str(modules.folder)) as site:
            assert site.get().status == 503
    [record] = [record for record in log.records if 'has not started' in record.getMessage()]
    told = logging.Formatter().format(record)
    pattern = rf'application `{re.escape(reference.format(name))}` has not started: '
    pattern += said.replace('{}', name)
    assert re.match(pattern, told, re.DOTALL), told
    assert record.levelname == 'ERROR'
    assert '<frozen importlib' not in told


def test_c11_2_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with Log() as log, serving(app='hosted_nowhere:app', app_dir=str(tmp_path / 'no')) as site:
        assert site.get().status == 503
        log.wait_for(r'found no folder `.*/no`\n  hint: is `app_dir` right\?')


def test_c11_2_a_module_that_has_the_name_of_another_is_told(modules: Modules) -> None:
    name = modules.add()
    other = tree(modules.folder / 'other', {f'{name}.py': WSGI})
    with Log() as log:
        with serving(
            app=f'{name}:app', app_dir=str(modules.folder),
            vhosts={'other.example': {'app_dir': str(other)}},
        ) as site:  # fmt: skip
            statuses = [site.get(host=host).status for host in ('x', 'other.example')]
    # Which of them is the first is not said.
    assert sorted(statuses) == [200, 503]
    said = log.wait_for(
        rf'expected the module `{name}` of `(.*?)`, found the one of `(.*?)/{name}.py`, which has'
        r' this name already\n  hint: a process has one module of a name'
    )
    assert {said[1], said[2]} == {str(modules.folder), str(other)}


def test_c11_2_a_package_of_no_file_does_not_hide_one_elsewhere(modules: Modules) -> None:
    name = modules.add()
    other = tree(modules.folder / 'other', {name: {'data.txt': ''}})
    config = {'app': f'{name}:app', 'app_dir': str(modules.folder)}
    with serving(**config, vhosts={'other.example': {'app_dir': str(other)}}) as site:
        assert site.get().status == 200


def test_c11_2_the_program_itself_is_not_run_once_more(modules: Modules) -> None:
    from support import Process

    program = tree(
        modules.folder,
        {
            'program.py': 'import slimHTTP\n'
            + WSGI
            + "http = slimHTTP.server(slimHTTP.HTTP, '127.0.0.1', 0, app='program:app')\n"
            + "print(f'http://127.0.0.1:{http.port}/', flush=True)\nhttp.run()\n"
        },
    )
    with Process([sys.executable, 'program.py'], cwd=program) as process:
        assert process.get().text == '__main__'


def test_c11_2_variables_are_set_before_the_import(
    modules: Modules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('HOSTED_NAME', 'before')
    source = 'import os\n' + WSGI.replace('__name__', "os.environ['HOSTED_NAME']")
    source = source.replace('def app', "HOSTED = os.environ['HOSTED_NAME']\ndef app")
    name, other = modules.add(source), modules.add(source)
    with Log() as log:
        with serving(
            app=f'{name}:app', app_dir=str(modules.folder), app_env={'HOSTED_NAME': 'ada'}
        ) as site:
            assert site.get().text == 'ada'
            assert sys.modules[name].HOSTED == 'ada'
            assert 'variable' not in log.text
            site.http.config['vhosts']['other.example'] = {
                'app': f'{other}:app', 'app_env': {'HOSTED_NAME': 'bob'},
            }  # fmt: skip
            log.wait_for(
                f'application `{other}:app` sets the variable `HOSTED_NAME` of the environment to'
                f' another value than application `{name}:app`'
            )
            site.http.config['app_env'] = {'HOSTED_NAME': 'eve'}
            log.wait_for(f'`{name}` has been imported before `HOSTED_NAME` changed')
    monkeypatch.setenv('HOSTED_NAME', os.environ['HOSTED_NAME'])
