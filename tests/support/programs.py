"""Programs that embed a server, each run as a process of its own to its end."""

from __future__ import annotations

import signal
import subprocess
import sys

#: What every program begins with: `opened` binds a server, `ask` waits for an answer, `begin`
#: asks and waits until the handler has begun, `send` sends Ctrl-C while it blocks.
START = """
import asyncio, gc, os, signal, sys, threading, time, socket, urllib.request
import multiprocessing
import slimHTTP

def opened(**config):
    http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True, **config)

    @http.route('/')
    def hello(request):
        return 'hello'

    @http.route('/async')
    async def hello_async(request):
        return 'hello'

    @http.route('/block')
    def block(request):
        began.set()
        ctypes.CDLL(None).pause()

    @http.route('/sleep')
    def sleep(request):
        began.set()
        time.sleep(60)

    return http

def ask(http, path='/'):
    with urllib.request.urlopen(f'http://127.0.0.1:{http.port}{path}', timeout=20) as answer:
        return answer.read().decode()

def begin(http, path):
    client = socket.create_connection(('127.0.0.1', http.port))
    client.sendall(b'GET %s HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' % path.encode())
    clients.append(client)
    assert began.wait(10)

def send():
    # Python notices a signal that comes just before a call blocks when that call is over;
    # here it is to come while it blocks.
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGINT)

import ctypes
began, clients = threading.Event(), []
"""


def run(program: str, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, '-W', 'ignore::DeprecationWarning', '-c', START + program, *arguments],
        capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


def check(program: str, output: str, *arguments: str, status: int = 0) -> None:
    said = run(program, *arguments)
    assert (said.stdout, said.returncode) == (output, status), said.stderr
    assert 'Traceback' not in said.stderr or status, said.stderr
    assert 'panicked' not in said.stderr
