"""Applications of the frameworks in `tests/applications/programs`, hosted as their users host them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

import httpx

from support.paths import REPOSITORY
from support.servers import Process, launch
from support.tls import CERTIFICATE, CERTIFICATE_KEY, trusting_tls
from support.waiting import PATIENCE

#: Where applications are imported from.
PROGRAMS = REPOSITORY / 'tests' / 'applications' / 'programs'
#: What makes a server speak TLS.
TLS = {'cert': os.fspath(CERTIFICATE), 'key': os.fspath(CERTIFICATE_KEY)}


@contextlib.contextmanager
def hosting(
    folder: Path,
    mounts: Mapping[str, Any],
    *,
    fails: bool = False,
    env: Optional[Mapping[str, str]] = None,
    **config: Any,
) -> Iterator[Process]:
    """Serve `mounts` by `python -m slimHTTP run` for the block.

    It must end well, and without tracebacks in its log unless something `fails`.
    """
    config = {'app_dir': os.fspath(PROGRAMS), 'mounts': dict(mounts), **config}
    with launch('python-m', folder, config, env=env) as process:
        yield process
        assert process.stop() == 0, process.stderr
    assert ('Traceback' in process.stderr) == fails, process.stderr


def visitor(site: Process, *, http2: bool = False) -> httpx.Client:
    """A client with a jar of cookies that follows no redirect; of TLS where the site speaks it."""
    scheme = site.url.partition(':')[0]
    return httpx.Client(
        base_url=f'{scheme}://localhost:{site.port}',
        verify=trusting_tls(),
        http2=http2,
        timeout=PATIENCE,
        trust_env=False,
    )


def upload(content: bytes) -> dict[str, Any]:
    """Arguments of a request that sends a form of a text, `note`, and a `file`."""
    files = {'file': ('my file.bin', content, 'application/octet-stream')}
    return {'data': {'note': 'with a note'}, 'files': files}
