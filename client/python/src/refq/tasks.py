# SPDX-License-Identifier: MIT
"""Tasks: what a program does with a fleet, over one redis.Redis.

DESIGN. Blocking, as redis-py and mcp-refcache are; code on an event loop calls it with asyncio.to_thread(). There is
no compiled part: an installation that can run mcp-refcache[redis] can run this.
"""
from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import redis

from . import arguments, record, reference, scope, server, waiting
from .errors import (ConflictError, ExpiredError, FullError, InvalidError, NotCompleteError, NotFoundError, ServerError,
                     TaskCancelledError, TaskFailedError)
from .record import Attempt, Task
from .reference import Reference
from .scope import PolicyModel

ENTRY_PREFIX = 'mcp-refcache:entry:'
DEFAULT_URL = 'redis://127.0.0.1:6379'

_DAY_MS = 24 * 3600 * 1000
_TIME_MAX_S = 366 * 24 * 3600
_RETRIES_MAX = 1000
_KEY_BYTES_MAX = 128
_TRACEPARENT_BYTES_MAX = 64
_AFTER_MAX = 64
_SUBMIT_MAX = 128  # in one call of a function, as are looks
_LANES = ('high', 'normal', 'low')


def _password() -> str | None:
    path = os.environ.get('REFQ_REDIS_PASSWORD_FILE')
    if path:
        with open(path, encoding='utf-8') as file:
            return file.readline().rstrip('\r\n')
    return os.environ.get('REFQ_REDIS_PASSWORD') or None


def _connect(url: str | None) -> redis.Redis:
    """To the server that the programs of refq would use."""
    url = url or os.environ.get('REFQ_REDIS') or DEFAULT_URL
    login = {'password': _password(), 'username': os.environ.get('REFQ_REDIS_USER') or None}
    try:
        client: redis.Redis = redis.Redis.from_url(url, **{name: text for name, text in login.items() if text})
    except ValueError as error:
        raise InvalidError(f'redis-py cannot use this URL of Redis: {error}. For Sentinel, and for options of '
                           'docs/REDIS.md that redis-py lacks, pass a redis.Redis') from error
    return client


def _ms(name: str, seconds: float | None) -> int:
    if seconds is None:
        return 0
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= _TIME_MAX_S:
        raise InvalidError(f'{name} must be 0 to {_TIME_MAX_S} seconds (366 days), not {seconds!r:.40}')
    return -int(-seconds * 1000 // 1)  # what is less than a millisecond is one


def _check_timeout(seconds: float) -> float:
    """Of waiting; what is not above 0 asks once."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds != seconds:
        raise InvalidError(f'timeout must be a number of seconds, not {seconds!r:.40}')
    return seconds


def _check_text(name: str, text: str, limit: int) -> str:
    if not isinstance(text, str) or not 1 <= len(text.encode('utf-8', 'replace')) <= limit:
        raise InvalidError(f'{name} must be text of 1 to {limit} bytes')
    return text


def _extra_fields(preview: str, timeout: float | None, retries: int | None, start_within: float | None,
                  traceparent: str | None) -> list[str | int]:
    """Further fields of the record: names and values."""
    extra: list[str | int] = ['args_preview', preview]
    if timeout:
        extra += ['timeout_ms', _ms('timeout', timeout)]
    if retries is not None:
        if isinstance(retries, bool) or not isinstance(retries, int) or not 0 <= retries <= _RETRIES_MAX:
            raise InvalidError(f'retries must be 0 to {_RETRIES_MAX}, not {retries!r:.40}')
        extra += ['max_retries', retries]
    if start_within:
        extra += ['start_within', _ms('start_within', start_within)]
    if traceparent is not None:
        extra += ['traceparent', _check_text('traceparent', traceparent, _TRACEPARENT_BYTES_MAX)]
    return extra


def _references(name: str, ref_ids: Iterable[str]) -> list[Reference]:
    """One text is a list of its letters for Python, and not what was meant."""
    if isinstance(ref_ids, (str, bytes)) or not isinstance(ref_ids, Iterable):
        raise InvalidError(f'{name} must be a list of references, not {ref_ids!r:.60}')
    return [reference.parse(ref_id) for ref_id in ref_ids]


def _after(ref_ids: Iterable[str]) -> list[str | int]:
    refs = [str(ref) for ref in _references('after', [ref_ids] if isinstance(ref_ids, str) else ref_ids)]
    if len(refs) > _AFTER_MAX:
        raise InvalidError(f'a task waits for at most {_AFTER_MAX} others, not for {len(refs)}')
    return ['after', ' '.join(refs)] if refs else []


class Tasks:
    """The tasks of a fleet. Any thread may call it.

    >>> tasks = Tasks('redis://127.0.0.1:6379', queue='docs')
    >>> ref = tasks.enqueue('ocr_pdf', {'path': '/srv/letter.pdf'})
    >>> tasks.wait(ref, timeout=600).status
    'complete'
    >>> len(tasks.result(ref))
    6

    It needs rights on Redis itself and asks nobody whether the caller may see a value. What an agent is shown must
    come through mcp-refcache's ``RefCache`` or refq's own cache, which check.
    """

    def __init__(self, redis_client: redis.Redis | str | None = None, *, queue: str | None = None,
                 prefix: str = 'refq') -> None:
        """``redis_client``: a URL, or a redis.Redis with decode_responses=False; else REFQ_REDIS, else this machine.

        ``queue``: where enqueue() puts tasks unless it is told. ``prefix``: of the keys, as the workers have it.
        """
        self._owned = not isinstance(redis_client, redis.Redis)
        self._redis = redis_client if isinstance(redis_client, redis.Redis) else _connect(redis_client)
        self._server = server.Server(self._redis)
        self._queue = reference.check_queue(queue) if queue is not None else None
        self._prefix = reference.check_prefix(prefix)
        self._known_queues: set[str] = set()

    @property
    def library(self) -> str:
        """The name of the Lua library in Redis; that of the C library of the same build."""
        return self._server.library

    def close(self) -> None:
        """Closes the connections, if they were made here."""
        if self._owned:
            self._redis.close()

    def __enter__(self) -> Tasks:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- Handing in ---------------------------------------------------------------------------------------------------

    def enqueue(self, name: str, args: Mapping[str, Any] | None = None, *, queue: str | None = None,
                ref_id: str | None = None, lane: str = 'normal', delay: float | None = None,
                timeout: float | None = None, retries: int | None = None, start_within: float | None = None,
                key: str | None = None, key_ttl: float | None = None, traceparent: str | None = None,
                namespace: str | None = None, owner: str | None = None, session: str | None = None,
                policy: str | Mapping[str, Any] | PolicyModel | None = None, actor: str | None = None,
                actor_session: str | None = None, after: Iterable[str] = ()) -> str:
        """Hands in one task, and returns its reference at once.

        Times are seconds. ``delay``: not before. ``timeout``: wall time of one attempt. ``retries``: failures that are
        tried again, 0 = none. ``start_within``: failed, when it has not started by then. None is what the task's
        definition says. ``key``: while a task with the same key is remembered (``key_ttl``, else 24 h) its reference
        is returned and nothing is queued. ``ref_id``: made by make_ref() before, so that a program that dies while it
        asks can ask again; without it lost replies are repeated just as safely as long as this process lives.

        ``namespace``, ``policy`` (the name of a preset, such as 'user_only', a dict of what differs from the default,
        or a mcp_refcache.AccessPolicy), ``owner`` and ``session`` are those of the result: whoever reads it through a
        cache is checked against them. ``actor``, such as 'user:alice', and ``actor_session`` are who hands it in. With
        an actor, references in the arguments stand for their values, as far as he may use these; without one they are
        texts. ``after``: references of tasks that have to be over, however they end, before it starts.

        InvalidError: nothing was sent. FullError: the queue takes no more now.
        """
        ref = reference.parse(ref_id) if ref_id is not None else reference.make(self._pick_queue(queue))
        if ref_id is not None and queue not in (None, ref.queue):
            raise InvalidError(f'the reference {ref} is not of the queue {queue}')
        if lane not in _LANES:
            raise InvalidError(f"there is no lane {lane!r:.40}; there are 'high', 'normal' and 'low'")
        stored, preview = arguments.encode(args)
        extra = _extra_fields(preview, timeout, retries, start_within, traceparent)
        extra += _after(after)
        extra += scope.fields(namespace, owner, session, policy, actor, actor_session)
        self._announce(ref.queue)
        reply = self._server.call(
            'submit', self._meta(ref.queue), 1, ref.hex, reference.check_task(name), lane, _ms('delay', delay),
            _check_text('key', key, _KEY_BYTES_MAX) if key is not None else '', _ms('key_ttl', key_ttl) or _DAY_MS,
            stored, len(extra) // 2, *extra)
        digits, how = server.text_of(reply[0]), server.text_of(reply[1])
        if how == 'full':
            raise FullError(f'queue {ref.queue} is full (max_pending); nothing was stored, hand it in again later')
        return str(Reference(ref.queue, digits))

    def make_ref(self, queue: str | None = None) -> str:
        """A fresh reference for enqueue(ref_id=...)."""
        return str(reference.make(self._pick_queue(queue)))

    # --- Looking ------------------------------------------------------------------------------------------------------

    def status(self, ref_id: str) -> Task:
        """What is known of a task. NotFoundError when there is none, or its record has expired."""
        return self._found(ref_id, self.look([ref_id])[0])

    def look(self, ref_ids: Iterable[str]) -> list[Task | None]:
        """The same for many, in their order; None for one that does not exist."""
        refs = _references('ref_ids', ref_ids)
        queues: dict[str, list[Reference]] = {}
        for ref in refs:
            queues.setdefault(ref.queue, []).append(ref)
        found: dict[Reference, Task | None] = {}
        for queue, members in queues.items():
            for at in range(0, len(members), _SUBMIT_MAX):
                part = members[at:at + _SUBMIT_MAX]
                reply = self._server.call('look', self._meta(queue), *(ref.hex for ref in part))
                found.update(zip(part, _read_records(part, reply), strict=True))
        return [found[ref] for ref in refs]

    def history(self, ref_id: str) -> list[Attempt]:
        """The attempts that are over and left something to tell, oldest first; at most 10 are kept."""
        ref = reference.parse(ref_id)
        lines = server.repeat(lambda: self._redis.lrange(self._key(ref.queue, f'history:{ref.hex}'), 0, -1))
        assert isinstance(lines, list)
        attempts = (_read_attempt(server.text_of(line)) for line in reversed(lines))
        return [attempt for attempt in attempts if attempt is not None]

    def result(self, ref_id: str, timeout: float = 0) -> Any:
        """What the task returned; waits up to ``timeout`` seconds for it.

        NotCompleteError: it goes on. TaskFailedError, TaskCancelledError: there will be none. ExpiredError: it has
        outlived its time. NotFoundError: there is no such task.
        """
        task = self.wait(ref_id, timeout) if _check_timeout(timeout) > 0 else self.status(ref_id)
        if task.status == record.FAILED:
            error = self.error_of(task)
            raise TaskFailedError(f'{ref_id} failed ({task.reason or "unknown reason"}): {error}', error,
                                  task.reason or '')
        if task.status == record.CANCELLED:
            raise TaskCancelledError(f'{ref_id} was cancelled')
        if task.status != record.COMPLETE:
            raise NotCompleteError(f'{ref_id} is {task.status}; wait for it, or ask again later', task.status)
        entry = server.repeat(lambda: self._redis.get(ENTRY_PREFIX + ref_id))
        if not isinstance(entry, bytes):
            raise ExpiredError(f'the result of {ref_id} has expired, or was deleted; hand the task in again')
        return _value_of(ref_id, entry)

    def error_of(self, task: Task | str) -> str:
        """The whole message of the last failure of a task, or of a reference's; '' when there was none."""
        if isinstance(task, str):
            task = self.status(task)
        if not isinstance(task, Task):
            raise InvalidError(f'error_of() takes a reference, or a Task that status() or wait() returned, not '
                               f'{task!r:.60}')
        if task.error is None:
            return task.reason or '' if task.status == record.FAILED else ''
        last = next((a for a in reversed(self.history(task.ref_id)) if a.error), None)
        return last.error if last is not None else task.error

    # --- Waiting ------------------------------------------------------------------------------------------------------

    def wait(self, ref_id: str, timeout: float | None = None,
             on_change: Callable[[Task], object] | None = None) -> Task:
        """Waits until the task is terminal, or ``timeout`` seconds (None: as long as it takes); returns its last state.

        Whether it is over says ``is_terminal``. ``on_change`` is called with each state that is seen, progress
        included; what it raises ends the waiting. Redis tells of changes, nothing is polled; each thread that waits
        holds one connection of the pool.
        """
        ref = reference.parse(ref_id)
        if timeout is not None:
            _check_timeout(timeout)
        return waiting.wait(self._server, self._redis, ref, f'{self._prefix}:{{{ref.queue}}}:',
                            timeout, lambda reply: self._found(ref_id, _read_records([ref], reply)[0]), on_change)

    # --- Changing -----------------------------------------------------------------------------------------------------

    def cancel(self, ref_id: str) -> bool:
        """Cancels a task for good, waiting or running. False when it was over already, or cancelled before.

        NotFoundError when there is no such task. For every reader it is cancelled at once; its program is stopped.
        """
        ref = reference.parse(ref_id)
        how = server.text_of(self._server.call('cancel', self._meta(ref.queue), ref.hex, _DAY_MS)[0])
        if how == 'none':
            raise NotFoundError(_unknown(ref_id))
        return how == 'cancelled'

    def retry(self, ref_id: str, as_ref: str | None = None) -> str:
        """Runs a failed or cancelled task again, as a new task whose reference is returned.

        A task that was run again before answers with the one that replaced it. ConflictError: it is not over, it has
        a result, or its arguments have expired. ``as_ref``: as in enqueue(ref_id=...).
        """
        ref = reference.parse(ref_id)
        new = reference.parse(as_ref) if as_ref is not None else reference.make(ref.queue)
        if new.queue != ref.queue:
            raise InvalidError(f'{new} is not of the queue {ref.queue}: a task is run again in its own queue')
        reply = self._server.call('retry', self._meta(ref.queue), ref.hex, new.hex)
        how = server.text_of(reply[0])
        if how == 'none':
            raise NotFoundError(_unknown(ref_id))
        if how not in ('new', 'replaced'):
            raise ConflictError(f'{ref_id} cannot be run again: ' + _NO_RETRY.get(how, how))
        return str(Reference(ref.queue, server.text_of(reply[1])))

    def cleanup(self, queue: str, older_than: float) -> int:
        """Removes the tasks of a queue that ended so many seconds ago, with their results; returns how many."""
        if older_than is None:
            raise InvalidError('older_than must be a number of seconds; 0 removes all that are over')
        removed, cursor, older_ms = 0, '', _ms('older_than', older_than)
        entries = f'{ENTRY_PREFIX}{reference.check_queue(queue)}:'
        while True:
            reply = self._server.call('sweep', self._meta(queue), 'terminal', older_ms, '', '',
                                      _SUBMIT_MAX, cursor, entries, '')
            removed, cursor = removed + int(reply[0]), server.text_of(reply[1])
            if not cursor:
                return removed

    def catalog(self, queue: str | None = None) -> dict[str, dict[str, Any]]:
        """What the workers of a queue offer: task name -> definition (docs/PROTOCOL.md), by name.

        enqueue() does not look there: a task that nobody offers waits for a worker that does. A task stays in the
        catalog for a minute after its last worker.
        """
        key = self._key(self._pick_queue(queue), 'catalog')
        found = server.repeat(lambda: self._redis.hgetall(key))
        assert isinstance(found, dict)
        texts = {server.text_of(name): server.text_of(text) for name, text in found.items()}
        return {name: _definition_of(texts[name]) for name in sorted(texts) if not name.startswith(':')}

    def stats(self, queue: str) -> dict[str, int]:
        """The numbers of a queue: pending, processing, complete, failed, cancelled, workers and more."""
        reply = self._server.call('stats', self._meta(reference.check_queue(queue)))
        return {server.text_of(name): int(number) for name, number in zip(reply[1::2], reply[2::2], strict=True)}

    # --- Inside -------------------------------------------------------------------------------------------------------

    def _pick_queue(self, queue: str | None) -> str:
        if queue is None and self._queue is None:
            raise InvalidError('no queue is named; say Tasks(..., queue=...) or enqueue(..., queue=...)')
        return reference.check_queue(queue if queue is not None else self._queue or '')

    def _announce(self, queue: str) -> None:
        """The list of all queues is written by clients: it is in another slot than the queue."""
        if queue not in self._known_queues:
            server.repeat(lambda: self._redis.sadd(f'{self._prefix}:queues', queue))
            self._known_queues.add(queue)

    def _key(self, queue: str, rest: str) -> str:
        return f'{self._prefix}:{{{queue}}}:{rest}'

    def _meta(self, queue: str) -> str:
        return self._key(queue, 'meta')

    @staticmethod
    def _found(ref_id: str, task: Task | None) -> Task:
        if task is None:
            raise NotFoundError(_unknown(ref_id))
        return task


_NO_RETRY = {
    'live': 'it is not over yet; cancel it first',
    'complete': 'it has a result; hand in a new task instead',
    'gone': 'its arguments have expired; hand in a new task instead',
}


def _unknown(ref_id: str) -> str:
    return f'there is no task {ref_id} (or its record has expired)'


def _read_records(refs: list[Reference], reply: list[Any]) -> list[Task | None]:
    """From the reply of get or look."""
    try:
        now, at = int(reply[0]) / 1000, 1
        tasks: list[Task | None] = []
        for ref in refs:
            n = int(reply[at])
            texts = [server.text_of(value) for value in reply[at + 1:at + 1 + 2 * n]]
            fields = dict(zip(texts[::2], texts[1::2], strict=True))
            tasks.append(Task(str(ref), fields['status'], now, fields) if n else None)
            at += 1 + 2 * n
    except (KeyError, ValueError, IndexError) as error:
        raise ServerError(f'the record of one of {len(refs)} tasks is not one this version understands') from error
    return tasks


def _read_attempt(line: str) -> Attempt | None:
    try:
        told = json.loads(line)
        return Attempt(max(1, int(told['attempt'])), int(told['at']) / 1000, str(told['class']),
                       str(told.get('error', '')), str(told.get('worker', '')), str(told.get('stderr', '')))
    except (KeyError, TypeError, ValueError):
        return None


def _definition_of(text: str) -> dict[str, Any]:
    """What a worker has put into the catalog; of what it is not, nothing is known."""
    with contextlib.suppress(ValueError):
        told = json.loads(text)
        if isinstance(told, dict):
            return told
    return {}


def _value_of(ref_id: str, entry: bytes) -> Any:
    try:
        return json.loads(entry)['value']
    except (KeyError, TypeError, ValueError) as error:
        raise ServerError(f'{ENTRY_PREFIX}{ref_id} does not hold an entry of the cache: {error}') from error
