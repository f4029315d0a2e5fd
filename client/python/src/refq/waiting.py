# SPDX-License-Identifier: MIT
"""Waiting for one task by push (docs/PROTOCOL.md, "Rules for a client", 3).

DESIGN. A thread that waits has a subscriber connection and a client id of its own. One shared listener for all threads
would spare connections, but needs a thread of its own, and a wait would hang with it. Messages carry no state: whatever
arrives makes us ask. So does a subscription that redis-py renewed by itself after a lost connection (it tells by one
more confirmation), since what was said in between is lost.
"""
from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import redis
import redis.exceptions as wrong

from .errors import UnavailableError
from .record import Task
from .reference import Reference
from .server import Server, explain

PING_S = 15.0  # without a word for so long, the connection is tried
LOOK_S = 60.0  # without a word for so long, the registration may be lost
_PAUSE_S, _PAUSE_MAX_S = 0.05, 2.0


class _Ask:
    """Asks for the record, and tells the caller what is new."""

    def __init__(self, server: Server, ref: Reference, keys: str, read: Callable[[list[Any]], Task],
                 on_change: Callable[[Task], object] | None) -> None:
        self.client = secrets.token_hex(16)
        self.channel = f'{keys}reply:{self.client}'
        self._server, self._ref, self._meta = server, ref, f'{keys}meta'
        self._read, self._on_change = read, on_change
        self._seen: dict[str, str] | None = None

    def __call__(self, mode: str) -> Task:
        task = self._read(self._server.call('get', self._meta, mode, self.client, self._ref.hex))
        if self._on_change is not None and task.fields != self._seen:
            self._on_change(task)
        self._seen = task.fields
        return task


class _Deadline:
    def __init__(self, timeout: float | None) -> None:
        self._end = None if timeout is None else time.monotonic() + timeout

    def left(self) -> float:
        return float('inf') if self._end is None else self._end - time.monotonic()


@contextlib.contextmanager
def _subscribed(client: Any, channel: str) -> Iterator[Any]:
    pubsub = client.pubsub()
    try:
        pubsub.ssubscribe(channel)
        yield pubsub
    finally:
        with contextlib.suppress(wrong.RedisError, OSError):
            pubsub.close()


def _listen(pubsub: Any, ask: _Ask, deadline: _Deadline) -> Task | None:
    """Until the task is over, or the deadline: then None. A connection that is dead raises."""
    asked = heard = time.monotonic()
    pinged = False
    while deadline.left() > 0:
        message = pubsub.get_message(timeout=min(deadline.left(), PING_S))
        now = time.monotonic()
        if message is not None:
            heard, pinged = now, False
        elif now - heard >= PING_S:
            if pinged and now - heard >= 2 * PING_S:
                raise wrong.ConnectionError('the subscriber connection is silent')
            if not pinged:
                pubsub.ping()
            pinged = True
        if (message is not None and message['type'].lower() != 'pong') or now - asked >= LOOK_S:
            task, asked = ask('wait'), now
            if task.is_terminal:
                return task
    return None


def wait(server: Server, client: redis.Redis, ref: Reference, keys: str, timeout: float | None,
         read: Callable[[list[Any]], Task], on_change: Callable[[Task], object] | None) -> Task:
    """See Tasks.wait. ``keys``: how the keys of the queue begin. ``read``: makes a record of a reply, or raises."""
    deadline, pause = _Deadline(timeout), _PAUSE_S
    ask = _Ask(server, ref, keys, read, on_change)
    while deadline.left() > 0:
        try:
            with _subscribed(client, ask.channel) as pubsub:
                task = _listen(pubsub, ask, deadline)
            if task is not None:
                return task
        except (wrong.ConnectionError, wrong.TimeoutError, OSError) as error:
            if isinstance(error, (wrong.AuthenticationError, wrong.AuthorizationError)):
                raise explain(error) from error
        except wrong.RedisError as error:
            raise explain(error) from error
        except UnavailableError:
            if deadline.left() <= 0:
                raise
        time.sleep(max(0.0, min(pause, deadline.left())))
        pause = min(2 * pause, _PAUSE_MAX_S)
    return ask('leave')
