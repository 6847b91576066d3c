"""The reconfiguration storm: changes from two threads while clients load the site.

Three processes. The server changes its own vhosts, one in five times wrongly. The
load keeps 32 connections busy and judges every answer. This one starts both and
compares.

What tells a mixture from an answer of one site: each generation of a vhost has
its own folder *and* its own index name (or its own module *and* its own folder), so
any combination of two generations is a 404 or shows two numbers. What tells a
stale answer: both processes share, per vhost, the generation that was last
begun and the one that was last acknowledged. A request sent after an
acknowledgement must not see an older generation, and none sees one not begun.
"""

from __future__ import annotations

import json
import mmap
from pathlib import Path

import pytest
from support import Program, get, tree, wait_until

HOSTS = ('s0.example', 's1.example', 's2.example', 's3.example')
CLIENTS = 32
WARM_UP = 200
CHANGES = 1000
#: Changes of one vhost: each of two threads has two, one in five is invalid.
GENERATIONS = (WARM_UP + CHANGES) // 4 + 1

# What the processes share: numbers, one writer each.
REQUESTS, READY, STOP, BEGUN, ACKNOWLEDGED = 0, 1, 2, 8, 16
NAMES = (
    f'HOSTS, CLIENTS, WARM_UP, CHANGES = {HOSTS!r}, {CLIENTS}, {WARM_UP}, {CHANGES}\n'
    f'REQUESTS, READY, STOP, BEGUN, ACKNOWLEDGED = {REQUESTS}, {READY}, {STOP}, {BEGUN}, {ACKNOWLEDGED}\n'
    """
import mmap, sys
with open(sys.argv[1], 'r+b') as file:
    shared = memoryview(mmap.mmap(file.fileno(), 0)).cast('q')
"""
)

SERVER = (
    NAMES
    + """
import gc, json, os, threading, time
import slimHTTP

def options(host, generation):
    number = HOSTS.index(host)
    if number == 3:
        return {'module': f'm/{generation}.py', 'web_root': f'{number}/{generation}'}
    return {'web_root': f'{number}/{generation}', 'index': f'index-{generation}.html'}

http = slimHTTP.server(
    slimHTTP.HTTP, addr='127.0.0.1', port=0, vhosts={host: options(host, 0) for host in HOSTS})
vhosts = http.config['vhosts']

def assign(host, new):
    vhosts[host] = new

def update(host, new):
    vhosts[host].update(new)

def update_above(host, new):
    http.config['vhosts'].update({host: new})

def group(host, new):
    with http.config.edit() as draft:
        for key, value in new.items():
            draft['vhosts'][host][key] = value

def group_anew(host, new):
    with http.config['vhosts'].edit() as draft:
        del draft[host]
        draft[host] = new

WAYS = [assign, update, update_above, group, group_anew]

# Every one of them would show if any part of it were applied.
POISON = {'web_root': 'poison', 'index': 'index.html'}
INVALID = [
    lambda host: vhosts.__setitem__(host, {**POISON, 'web_rot': 'x'}),
    lambda host: vhosts[host].update(POISON, proxy='10.0.0.1'),
    lambda host: http.config.update(vhosts={host: POISON, '': {}}),
    lambda host: vhosts.update({host: POISON, 'x.example': {'module': 'missing.py'}}),
    lambda host: http.configuration({'vhosts': {host: POISON}, 'port': 1}),
    lambda host: group(host, {'web_root': 'poison', 'index': []}),
    lambda host: http.configuration(lambda: {'vhosts': {host: POISON}, 'index': 5}),
]

faults, applied, refused = [], [], []

def await_load(seen, patience=60):
    # Some requests between any two changes, so that the load and the storm overlap.
    deadline = time.monotonic() + patience
    while shared[REQUESTS] < seen + 4 and not shared[STOP]:
        if time.monotonic() > deadline:
            raise RuntimeError('the load has stopped')
        time.sleep(0.0005)

def change(hosts, count, generations):
    try:
        for turn in range(count // 2):
            await_load(shared[REQUESTS])
            host = hosts[turn % 2]
            number = HOSTS.index(host)
            if turn % 5 == 4:
                before = dict(vhosts[host])
                try:
                    INVALID[turn // 5 % len(INVALID)](host)
                except slimHTTP.ConfError:
                    refused.append(turn)
                else:
                    faults.append(f'an invalid change was taken: {turn // 5 % len(INVALID)}')
                if dict(vhosts[host]) != before:
                    faults.append(f'an invalid change left its traces: {turn // 5 % len(INVALID)}')
                continue
            generation = generations[host] + 1
            shared[BEGUN + number] = generation
            WAYS[turn % len(WAYS)](host, options(host, generation))
            shared[ACKNOWLEDGED + number] = generation
            generations[host] = generation
            applied.append(turn)
    except BaseException as error:
        faults.append(repr(error))

def measure():
    gc.collect()
    with open('/proc/self/statm') as file:
        memory = int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')
    return {'memory': memory, 'descriptors': len(os.listdir('/proc/self/fd')),
            'threads': len(os.listdir('/proc/self/task'))}

def storm(count, generations):
    threads = [threading.Thread(target=change, args=(hosts, count, generations))
               for hosts in (HOSTS[:2], HOSTS[2:])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

def storms():
    generations = dict.fromkeys(HOSTS, 0)
    while shared[READY] < CLIENTS:
        time.sleep(0.001)
    storm(WARM_UP, generations)
    before = measure()
    applied.clear(), refused.clear()
    storm(CHANGES, generations)
    report = {'faults': faults, 'applied': len(applied), 'refused': len(refused),
              'generations': generations, 'before': before, 'after': measure()}
    print('REPORT', json.dumps(report), 'END')

threading.Thread(target=storms, daemon=True).start()
http.run()
"""
)

LOAD = (
    NAMES
    + """
import asyncio, json, re

port = int(sys.argv[2])
faults, counts, connections = [], dict.fromkeys(HOSTS, 0), []

async def ask(reader, writer, host):
    number = HOSTS.index(host)
    acknowledged = shared[ACKNOWLEDGED + number]
    writer.write(f'GET / HTTP/1.1\\r\\nHost: {host}\\r\\n\\r\\n'.encode())
    head = (await reader.readuntil(b'\\r\\n\\r\\n')).decode('latin-1')
    length = re.search(r'(?im)^content-length: *(\\d+)\\r$', head)
    body = (await reader.readexactly(int(length[1]))).decode()
    begun = shared[BEGUN + number]
    answer = re.fullmatch(r'(\\d) (\\d+) (\\d+)', body)
    if not head.startswith('HTTP/1.1 200 ') or answer is None:
        faults.append(f'{host}, {acknowledged} to {begun}: {head} {body[:200]}')
    elif int(answer[1]) != number or answer[2] != answer[3]:
        faults.append(f'{host}: a mixture: {body}')
    elif not acknowledged <= int(answer[2]) <= begun:
        faults.append(f'{host}: {acknowledged} to {begun} were in force, not {answer[2]}')
    if re.search(r'(?im)^connection:.*close', head):
        faults.append(f'{host}: the server closes: {head}')
    counts[host] += 1
    shared[REQUESTS] += 1

async def client(number):
    try:
        reader, writer = await asyncio.open_connection('127.0.0.1', port)
        connections.append(number)
        turn = number
        while not shared[STOP] and len(faults) < 20:
            await asyncio.wait_for(ask(reader, writer, HOSTS[turn % 4]), 60)
            if turn == number:
                shared[READY] += 1
            turn += 1
        writer.close()
    except Exception as error:
        faults.append(f'client {number}: {error!r}')

async def main():
    await asyncio.gather(*(client(number) for number in range(CLIENTS)))

asyncio.run(main())
print('REPORT', json.dumps({'faults': faults, 'counts': counts, 'connections': len(connections)}), 'END')
"""
)

MODULE = """
import os.path
GENERATION = {generation}
def on_request(request):
    return f'3 {{GENERATION}} {{os.path.basename(os.path.normpath(request.web_root))}}'
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All generations of all vhosts."""
    files = {'shared': b'\0' * mmap.PAGESIZE, 'poison/index.html': 'poison'}
    for generation in range(GENERATIONS + 1):
        for number in range(3):
            page = f'{number}/{generation}/index-{generation}.html'
            files[page] = f'{number} {generation} {generation}'
        files[f'3/{generation}/none'] = ''
        files[f'm/{generation}.py'] = MODULE.format(generation=generation)
    return tree(tmp_path, files)


def test_c3_3_a_storm_of_1000_changes_under_load(folder):
    (folder / 'server.py').write_text(SERVER)
    (folder / 'load.py').write_text(LOAD)
    with open(folder / 'shared', 'r+b') as file:
        shared = memoryview(mmap.mmap(file.fileno(), 0)).cast('q')
    with Program(folder / 'server.py', 'shared', cwd=folder) as server:
        with Program(folder / 'load.py', 'shared', str(server.port), cwd=folder) as load:
            try:
                # Either ends early only by a fault.
                wait_until(
                    lambda: 'END' in server.stdout or not (server.running and load.running),
                    'the end of the storm',
                    240,
                )
            finally:
                shared[STOP] = 1
            loaded = json.loads(load.wait_for('REPORT (.*) END', 'stdout')[1])
            assert loaded['faults'] == [], server.stderr
        changed = json.loads(server.wait_for('REPORT (.*) END', 'stdout')[1])
        assert changed['faults'] == [], server.stderr

        # It was the storm that it is meant to be.
        assert changed['applied'] == CHANGES * 4 // 5
        assert changed['refused'] == CHANGES // 5
        assert loaded['connections'] == CLIENTS
        assert sum(loaded['counts'].values()) > CHANGES
        assert min(loaded['counts'].values()) > 0

        # The site in force is the last one that was valid.
        for number, host in enumerate(HOSTS):
            last = changed['generations'][host]
            assert get(server.address, '/', host).text == f'{number} {last} {last}'

        # Nothing of the old ones is left.
        before, after = changed['before'], changed['after']
        assert after['memory'] - before['memory'] < 16 << 20, changed
        assert after['descriptors'] <= before['descriptors'] + 8, changed
        assert after['threads'] <= before['threads'] + 8, changed
        assert 'Traceback' not in server.stderr
        assert server.stop() == 0
