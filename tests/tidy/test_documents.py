"""What the documents say is so: one version, and programs that are those of examples/."""

from __future__ import annotations

import re

import pytest
import tree

# ```python, and above it the file that the program is taken from:
#     <!-- examples/hello.py -->
BLOCK = re.compile(
    r'(?:<!-- (?P<file>\S+) -->\n+)?```(?P<language>\w*)\n(?P<program>.*?)^```$', re.M | re.S
)
# A block of one of these is a program or a configuration, and is run as one.
EXECUTED = {'python', 'toml', 'json'}


def problems(document: str) -> list[str]:
    """The blocks of a document that are not what a file says."""
    found = []
    for block in BLOCK.finditer(document):
        name, program = block['file'], block['program']
        first = program.split('\n', 1)[0]
        if name is None:
            if block['language'] in EXECUTED:
                found.append(
                    f'`{first}`: say above the block which file it is: <!-- examples/… -->'
                )
        elif not (tree.ROOT / name).is_file():
            found.append(f'`{first}`: there is no {name}')
        elif f'\n{program}' not in '\n' + (tree.ROOT / name).read_text(encoding='utf-8'):
            found.append(f'`{first}`: these are not lines of {name}')
    return found


def test_the_programs_of_the_readme_are_examples() -> None:
    assert problems((tree.ROOT / 'README.md').read_text(encoding='utf-8')) == []


@pytest.mark.parametrize(
    ('document', 'count'),
    [
        ('```python\nx\n```\n', 1),
        ('<!-- examples/none.py -->\n```python\nx\n```\n', 1),
        ('<!-- examples/hello.py -->\n```python\nno such line\n```\n', 1),
        ('<!-- examples/hello.py -->\n```python\nslimHTTP\n```\n', 1),  # a part of a line
        ('<!-- examples/hello.py -->\n\n```python\nimport slimHTTP\n```\n', 0),
        ('```sh\nmake run\n```\n', 0),
    ],
)
def test_a_program_that_is_no_example_is_found(document: str, count: int) -> None:
    assert len(problems(document)) == count


def newest(changelog: str) -> str | None:
    """The version of the topmost heading that has one."""
    heading = re.search(r'^## \[?v?(\d+\.\d+\.\d+[^\]\s]*)', changelog, re.M)
    return heading and heading.group(1)


def test_one_version() -> None:
    version = tree.toml('Cargo.toml')['workspace']['package']['version']
    project = tree.toml('pyproject.toml')['project']
    assert newest((tree.ROOT / 'CHANGELOG.md').read_text(encoding='utf-8')) == version
    # maturin takes it from Cargo.toml; written a second time it would drift.
    assert 'version' in project['dynamic']
    assert 'version' not in project


def test_the_newest_version_is_the_topmost() -> None:
    assert (
        newest('# Changelog\n\n## [Unreleased]\n\n## [2.0.0] - 2026-01-01\n\n## 1.0\n') == '2.0.0'
    )
    assert newest('# Changelog\n') is None


def test_every_example_says_how_to_try_it() -> None:
    for name in tree.files():
        if name.startswith('examples/') and name.endswith('.py') and name.count('/') == 1:
            text = (tree.ROOT / name).read_text(encoding='utf-8')
            assert f'python examples/{name.split("/")[1]}' in text.split('"""')[1], name
