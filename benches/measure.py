"""What the benchmarks share: wrk, the CPU time of a process tree, free ports."""

import os
import re
import socket
import subprocess
import time
from pathlib import Path

#: Microseconds of a tick in which the system counts CPU time.
TICK = 1e6 / os.sysconf('SC_CLK_TCK')


def stat(pid):
    """Parent and CPU time in microseconds of a process; reaped children are counted with it."""
    fields = Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
    return int(fields[1]), sum(int(field) for field in fields[11:15]) * TICK


def cpu(root):
    """CPU time of a process and all that descend from it, in microseconds."""
    parents, used = {}, {}
    for entry in os.listdir('/proc'):
        if entry.isdigit():
            try:
                parents[int(entry)], used[int(entry)] = stat(entry)
            except OSError:
                continue
    family, grown = {root}, True
    while grown:
        born = {pid for pid, parent in parents.items() if parent in family} - family
        family |= born
        grown = bool(born)
    return sum(used.get(pid, 0) for pid in family)


def free_port():
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


def wait_for(port, seconds=20):
    """Wait until somebody listens on a port."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as sock:
            if sock.connect_ex(('127.0.0.1', port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f'nobody listens on port {port} after {seconds} s')


def wrk(port, path='/', *options, connections=64, seconds=3, host=None, core=None):
    """Requests, p50 and p99 in ms of one run of wrk."""
    command = ['wrk', '-t1', f'-c{connections}', f'-d{seconds}s', '--latency', *options]
    if host:
        command += ['-H', f'Host: {host}']
    if core is not None:
        command[:0] = ['taskset', '-c', str(core)]
    out = subprocess.run(
        [*command, f'http://127.0.0.1:{port}{path}'], capture_output=True, text=True, check=True
    ).stdout
    if 'Non-2xx' in out and path != '/missing':
        raise SystemExit(f'not every answer was good:\n{out}')
    requests = int(re.search(r'(\d+) requests in', out)[1])
    return requests, _percentile(out, 50), _percentile(out, 99)


def _percentile(out, name):
    found = re.search(rf'{name}%\s+([\d.]+)(us|ms|s)', out)
    return float(found[1]) * {'us': 1e-3, 'ms': 1, 's': 1e3}[found[2]]
