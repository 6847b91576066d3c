"""`--reload`: which files are looked at, and which of them have changed."""

from __future__ import annotations

import os
from pathlib import Path

from slimHTTP._reload._watch import Watch, Watched
from support.servers import tree


def edit(file: Path, text: str) -> None:
    """Write a file as editors do: another one takes its place."""
    other = file.with_suffix('.new')
    other.write_text(text)
    os.replace(other, file)


def test_what_nobody_edits_is_not_looked_at(tmp_path: Path) -> None:
    folder = tree(
        tmp_path / 'app',
        {
            'a.py': '', 'a.txt': '', 'b/c.py': '', '.git/d.py': '', '__pycache__/e.py': '',
            'node_modules/f.py': '', 'env/pyvenv.cfg': '', 'env/g.py': '', 'out/h.py': '',
        },
    )  # fmt: skip
    # A link that leads round in a circle, and one that leads nowhere.
    (folder / 'b/up').symlink_to(folder)
    (folder / 'b/gone.py').symlink_to(folder / 'no such file')
    other = tree(tmp_path, {'other/i.py': '', 'site.toml': ''})
    watch = Watch(Watched([str(folder)], ['*.py'], ['out'], [str(other / 'site.toml')]))
    assert len(watch) == 4
    for name in ('.git/d.py', 'env/g.py', 'out/h.py', 'a.txt', 'node_modules/f.py'):
        edit(folder / name, 'another one')
    assert watch.look() == []
    for name in ('a.py', 'b/c.py', 'b/new.py', '../site.toml'):
        edit(folder / name, 'another one')
    expected = [folder / name for name in ('a.py', 'b/c.py', 'b/new.py')]
    assert watch.look() == sorted(map(str, [*expected, tmp_path / 'site.toml']))
    assert watch.look() == []


def test_a_file_that_changed_while_it_was_read_is_an_edit_once(tmp_path: Path) -> None:
    files = [
        str(tree(tmp_path, {'early.py': '', 'late.py': ''}) / name)
        for name in ('early.py', 'late.py')
    ]
    os.utime(files[0], (10, 10))
    os.utime(files[1], (30, 30))
    watch = Watch(Watched([], ['*.py'], [], []))
    assert watch.add(files, since=20.0) == [files[1]]
    assert watch.add(files, since=20.0) == []
    assert watch.look() == []
    edit(Path(files[0]), 'another one')
    assert watch.look() == [files[0]]
