"""Chromium without a window, driven over a pipe by its own DevTools protocol.

Nothing is needed but the browser itself: `--remote-debugging-pipe` speaks JSON, ended by NUL,
on the descriptors 3 (to it) and 4 (from it).
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

from support.waiting import PATIENCE, START_PATIENCE, Deadline

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
ARGUMENTS = (
    '--headless=new', '--remote-debugging-pipe', '--no-first-run', '--disable-gpu', '--mute-audio',
    '--disable-dev-shm-usage', '--disable-background-networking', '--disable-component-update',
    '--disable-extensions', '--disable-sync', '--no-default-browser-check', '--hide-scrollbars',
    '--autoplay-policy=no-user-gesture-required', '--no-proxy-server', '--password-store=basic',
)  # fmt: skip


def executable() -> Optional[str]:
    """Where the browser is, if it is there."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """A running browser with a profile of its own, for the block."""

    def __init__(self, profile: Path) -> None:
        program = executable()
        assert program is not None
        arguments = [*ARGUMENTS, f'--user-data-dir={profile}']
        if os.geteuid() == 0:
            arguments.append('--no-sandbox')  # It refuses to have one as the superuser.
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()

        def place() -> None:
            # Away from 3 and 4 first: either may be the other's place.
            first, second = os.dup(theirs_in), os.dup(theirs_out)
            high = [os.dup(first), os.dup(second)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self._process = subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # The descriptors that `place` makes are closed by no exec.
            close_fds=False,
            preexec_fn=place,
            start_new_session=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._buffer = b''
        self._last = 0
        #: Every event, in order: its method, its parameters, and the session.
        self.events: list[tuple[str, dict[str, Any], Optional[str]]] = []

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(OSError):
            # Its own session: the browser and the processes that it started.
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)
        os.close(self._to)
        os.close(self._from)

    def call(self, method: str, session: Optional[str] = None, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its result."""
        self._last += 1
        number = self._last
        message = {'id': number, 'method': method, 'params': parameters}
        if session:
            message['sessionId'] = session
        os.write(self._to, json.dumps(message).encode() + b'\0')
        deadline = Deadline(START_PATIENCE)
        while True:
            reply = self._read(deadline, method)
            if reply.get('id') == number:
                assert 'error' not in reply, (method, reply['error'])
                return reply['result']

    def wait_for(self, method: str, session: Optional[str], since: int) -> dict[str, Any]:
        """Wait for an event behind the first `since` ones."""
        deadline = Deadline(START_PATIENCE)
        while True:
            for name, parameters, of in self.events[since:]:
                if (name, of) == (method, session):
                    return parameters
            self._read(deadline, method)

    def _read(self, deadline: Deadline, awaited: str) -> dict[str, Any]:
        while b'\0' not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], deadline.left)
            assert ready, f'{awaited}: the browser said nothing within {START_PATIENCE} s'
            data = os.read(self._from, 1 << 16)
            assert data, f'{awaited}: the browser has ended'
            self._buffer += data
        text, _, self._buffer = self._buffer.partition(b'\0')
        message = json.loads(text)
        if 'method' in message:
            self.events.append(
                (message['method'], message.get('params', {}), message.get('sessionId'))
            )
        return message

    @contextlib.contextmanager
    def page(self) -> Iterator[Page]:
        """A page of its own, without cookies or a cache of others."""
        context = self.call('Target.createBrowserContext')['browserContextId']
        target = self.call('Target.createTarget', url='about:blank', browserContextId=context)
        attached = self.call('Target.attachToTarget', targetId=target['targetId'], flatten=True)
        page = Page(self, attached['sessionId'])
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            page.call(f'{domain}.enable')
        try:
            yield page
        finally:
            self.call('Target.disposeBrowserContext', browserContextId=context)


class Page:
    """One page of a browser."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser = browser
        self._session = session

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

    def go(self, url: str) -> None:
        """Load a page and wait until all that it names is loaded."""
        since = len(self._browser.events)
        result = self.call('Page.navigate', url=url)
        assert 'errorText' not in result, result
        self._browser.wait_for('Page.loadEventFired', self._session, since)

    def run(self, expression: str) -> Any:
        """The value of an expression of JavaScript; a promise is awaited."""
        result = self.call(
            'Runtime.evaluate', expression=expression, awaitPromise=True, returnByValue=True
        )
        assert 'exceptionDetails' not in result, result['exceptionDetails']
        return result['result'].get('value')

    def prefer(self, scheme: str) -> None:
        """Say that the person likes it `'dark'` or `'light'`."""
        feature = {'name': 'prefers-color-scheme', 'value': scheme}
        self.call('Emulation.setEmulatedMedia', features=[feature])

    def picture(self) -> bytes:
        """What the page looks like, as PNG."""
        return base64.b64decode(self.call('Page.captureScreenshot', format='png')['data'])

    @property
    def complaints(self) -> list[str]:
        """What the browser wrote on the console: errors, and what a policy forbade."""
        self.run('0')  # What was written before is read by then.
        found = []
        for method, parameters, session in self._browser.events:
            if session != self._session:
                continue
            if method == 'Log.entryAdded' and parameters['entry']['level'] in ('error', 'warning'):
                found.append(f'{parameters["entry"]["text"]} {parameters["entry"].get("url", "")}')
            elif method == 'Runtime.exceptionThrown':
                found.append(str(parameters['exceptionDetails']))
            elif method == 'Runtime.consoleAPICalled' and parameters['type'] in ('error', 'assert'):
                found.append(str(parameters['args']))
        return found

    def responses(self) -> dict[str, dict[str, Any]]:
        """The last response of each URL that was loaded."""
        return {
            parameters['response']['url']: parameters['response']
            for method, parameters, session in self._browser.events
            if session == self._session and method == 'Network.responseReceived'
        }
