# SPDX-License-Identifier: MIT
"""A private Redis and workers for the tests: on a unix socket in a temporary folder, gone with the test.

REFQ_BUILD names the build whose programs are tested; without it that is build/dev.
"""
import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import redis

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get('REFQ_BUILD', 'build/dev')
WORKER = BUILD / 'worker' / 'refq-worker'
REFQ = BUILD / 'client' / 'refq'
QUEUE = 'docs'
BUDGET_S = 30.0

TASK_FILE = '''
queue: docs
tasks:
  - {name: echo, exec: ["cat"]}
  - {name: gated, exec: ["./gated.sh", "{gate}"]}
  - {name: beyond, exec: ["./gated.sh", "{gate}", "12/10"]}
  - {name: begun, exec: ["./gated.sh", "{gate}", "0/10"]}
  - {name: silent, exec: ["./gated.sh", "{gate}", ""]}
  - {name: asks, exec: ["./asks.sh"]}
  - {name: short, exec: ["cat"], result_ttl: 1s}
  - {name: fails, exec: ["./fails.sh", "{message}"]}
  - {name: flaky, exec: ["./flaky.sh", "{tries}", "{good}"], max_retries: 2, backoff: {base: 1ms, jitter: none}}
'''
# Tells its progress, then works until the file that it was given exists.
GATED = '''#!/bin/bash
progress=${2-3/10}
if [[ -n $progress ]]; then
    n=${progress%/*}
    echo "{\\"progress\\":{\\"current\\":$n,\\"total\\":${progress#*/},\\"message\\":\\"page $n\\"}}" >&3
fi
until [[ -e $1 ]]; do sleep 0.02; done
echo "{\\"pages\\": 10, \\"attempt\\": $REFQ_ATTEMPT}"
'''
FAILS = '''#!/bin/bash
echo "$1" >&2
exit 65
'''
# Fails until it was tried $2 times; each try is a line in the file $1.
FLAKY = '''#!/bin/bash
echo >>"$1"
n=$(wc -l <"$1")
if ((n < $2)); then
    echo "try $n went wrong" >&2
    exit 75
fi
echo "$n"
'''
ASKS = '''#!/bin/bash
echo '{"ask":{"question":"Which invoice?"}}' >&3
read -r line <&3
echo "$line"
'''
SCRIPTS = {'gated.sh': GATED, 'fails.sh': FAILS, 'flaky.sh': FLAKY, 'asks.sh': ASKS}


def until(condition, what='it', budget=BUDGET_S):
    """Waits for a condition, and returns what it answered."""
    end = time.monotonic() + budget
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < end, f'waited {budget} s in vain for {what}'
        time.sleep(0.01)


def stop(*processes):
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(BUDGET_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Fleet:
    """A server, and the workers that were hired."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='refq-py.'))
        self.socket = self.folder / 'redis.sock'
        self.url = f'unix://{self.socket}'
        self.server = None
        self.workers = []
        (self.folder / 'tasks.yaml').write_text(TASK_FILE, encoding='utf-8')
        for name, text in SCRIPTS.items():
            path = self.folder / name
            path.write_text(text, encoding='utf-8')
            path.chmod(0o755)

    def start_server(self):
        with open(self.folder / 'redis.log', 'ab') as log:
            self.server = subprocess.Popen(
                ['redis-server', '--port', '0', '--unixsocket', str(self.socket), '--dir', str(self.folder), '--save',
                 '', '--appendonly', 'yes', '--appendfsync', 'always'], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log)
        until(self._answers, 'redis-server')

    def _answers(self):
        with contextlib.suppress(redis.RedisError), redis.Redis.from_url(self.url) as client:
            return client.ping()
        return False

    def kill_server(self):
        self.server.kill()
        self.server.wait()
        self.socket.unlink(missing_ok=True)

    def hire(self, *options, config=None):
        """Starts a worker and waits until it is known."""
        config = config or self.folder / 'tasks.yaml'
        before = self.known_workers()
        with open(self.folder / 'worker.log', 'ab') as log:
            worker = subprocess.Popen(
                [str(WORKER), '--config', str(config), '--redis', self.url, '--concurrency', '8', '--grace', '100ms',
                 *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.workers.append(worker)
        until(lambda: self.known_workers() > before or worker.poll() is not None, 'the worker')
        assert worker.poll() is None, (self.folder / 'worker.log').read_text(encoding='utf-8')
        return worker

    def known_workers(self):
        with redis.Redis.from_url(self.url) as client:
            return client.zcount('refq:{%s}:workers' % QUEUE, 0, '+inf')

    def path(self, name):
        return str(self.folder / name)

    def open(self, name):
        """Lets a gated task go on."""
        (self.folder / name).touch()

    def close(self):
        stop(*self.workers)  # first, for they report to the server until they end
        if self.server is not None:
            stop(self.server)
        shutil.rmtree(self.folder)
