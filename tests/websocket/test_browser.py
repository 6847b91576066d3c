"""WebSockets in a browser: the chat that programs start from, and a page of somebody else."""

from __future__ import annotations

import json
import os

from support import REPOSITORY, Program, serving
from support.chromium import Chromium

EXAMPLES = REPOSITORY / 'examples'


#: Opens a WebSocket, sends, and comes to what it hears until it is closed.
ASK = """new Promise((resolve) => {
    const heard = [], ws = new WebSocket(%s)
    ws.binaryType = 'arraybuffer'
    ws.onopen = () => { for (const message of %s) ws.send(message); ws.send('bye') }
    ws.onmessage = ({ data }) => heard.push(data.byteLength ?? data.length)
    ws.onclose = ({ code, reason }) => resolve([...heard, code, reason, ws.extensions])
})"""


#: The page of the example: its WebSocket is open; something is said; everybody hears it.
OPEN = 'new Promise((resolve) => ws.readyState === 1 ? resolve() : ws.onopen = () => resolve())'
SAY = """{
    const form = document.querySelector('form')
    form.text.value = 'hello from a page'
    form.requestSubmit()
}"""
HEARD = """new Promise((resolve) => {
    const look = () => {
        const text = document.querySelector('pre').textContent
        if (text.includes('hello from a page')) resolve(text); else setTimeout(look, 10)
    }
    look()
})"""


def test_the_chat_page(browser: Chromium) -> None:
    with Program(EXAMPLES / 'chat.py', env={**os.environ, 'PORT': '0'}) as program:
        with browser.page() as one, browser.page() as two:
            for page in (one, two):
                page.go(f'http://localhost:{program.port}/')
                page.run(OPEN)
            one.run(SAY)
            for page in (one, two):
                assert 'hello from a page' in page.run(HEARD)
                assert page.complaints == []


def test_messages_and_origins(browser: Chromium) -> None:
    with serving() as site:

        @site.http.route('/')
        def blank(request):
            return '<!doctype html><link rel="icon" href="data:,">'

        @site.http.websocket('/ws')
        async def handler(ws):
            async for message in ws:
                if message == 'bye':
                    await ws.close(4001, 'as you wish')
                else:
                    await ws.send(message)

        messages = "['', 'κόσμε', 'x'.repeat(300000), new Uint8Array(70000)]"
        with browser.page() as page:
            page.go(f'http://127.0.0.1:{site.http.port}/')
            own = json.dumps(f'ws://127.0.0.1:{site.http.port}/ws')
            heard = page.run(ASK % (own, messages))
            assert heard[:6] == [0, 5, 300_000, 70_000, 4001, 'as you wish']
            assert heard[6].startswith('permessage-deflate')
            # The same server by another name is another host.
            others = json.dumps(f'ws://localhost:{site.http.port}/ws')
            assert page.run(ASK % (others, '[]'))[:2] == [1006, '']
