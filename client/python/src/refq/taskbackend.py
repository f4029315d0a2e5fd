# SPDX-License-Identifier: MIT
"""A task backend for mcp-refcache: ``RefCache(task_backend=RefqTaskBackend(...))``.

DESIGN. mcp-refcache asks its task backend about every reference that somebody polls. For references of refq (32 hex
digits; its own have 16) this one reads the record in Redis, so an unmodified server shows the status, progress and
error of a task that any process has handed in, and, since workers write results as entries of the cache, the value
after that. What mcp-refcache hands to submit() is a closure of this process, which no other program can run: it goes
to a backend in this process, by default mcp-refcache's own.

What mcp-refcache makes of a TaskInfo sets traps, which are dealt with here: progress beyond its total makes a poll
raise (clamped); an ETA divides by the time since the start on its own clock (times are moved to the clock of this
machine, and the start is at least a millisecond ago); a failed task with retries left counts as in flight for ever
(failed tasks of refq have none left: running one again makes a new task).
"""
from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import redis
from mcp_refcache.backends.task_base import ProgressCallback, TaskBackend
from mcp_refcache.backends.task_memory import MemoryTaskBackend
from mcp_refcache.models import RetryInfo, TaskInfo, TaskProgress, TaskStatus

from . import record, reference
from .errors import ExpiredError, NotCompleteError, NotFoundError, TaskCancelledError
from .record import Attempt, Task
from .tasks import Tasks

DEFAULT_MAX_RETRIES = 3  # of a task's definition; also TaskInfo's
_ELAPSED_MIN_S = 0.001
_FIELDS_WITH_HISTORY = ('failures', 'deaths', 'crashes')
_EXPIRED = 'the result has expired'


class RefqTaskBackend:
    """The tasks of a fleet, and those of this process, for one ``RefCache``. Any thread may call it.

    >>> fleet = RefqTaskBackend(url, queue='docs')
    >>> cache = RefCache(name='docs', backend=RedisBackend(url), task_backend=fleet)
    >>> ref = fleet.tasks.enqueue('ocr_pdf', {'path': '/srv/letter.pdf'})
    >>> cache.get(ref).status
    <TaskStatus.PROCESSING: 'processing'>
    """

    def __init__(self, tasks: Tasks | redis.Redis | str | None = None, *, queue: str | None = None,
                 local: TaskBackend | None = None, queues: Iterable[str] = (),
                 redact: Callable[[str], str] | None = None) -> None:
        """``tasks``: a client, or what Tasks() takes. ``queue``: as in Tasks().

        ``local``: runs the closures of the ``cached`` decorator; by default a MemoryTaskBackend. ``queues``: whose
        numbers get_stats() tells besides. ``redact``: what polls show instead of an error text; mcp-refcache shows it
        to whoever knows the reference.
        """
        self._owned = not isinstance(tasks, Tasks)
        self.tasks = tasks if isinstance(tasks, Tasks) else Tasks(tasks, queue=queue)
        self.local: TaskBackend = local if local is not None else MemoryTaskBackend()
        named = [queue, *queues] if queue is not None else list(queues)
        self._queues = list(dict.fromkeys(reference.check_queue(name) for name in named))
        self._redact = redact

    # --- The protocol -------------------------------------------------------------------------------------------------

    def submit(self, task_id: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
               on_progress: ProgressCallback | None = None) -> TaskInfo:
        """Runs a function in this process. A task for the fleet is handed in with ``tasks.enqueue``."""
        return self.local.submit(task_id, func, args, kwargs, on_progress)

    def get_status(self, task_id: str) -> TaskInfo | None:
        """What is known of a task of this process or of the fleet; None when there is none."""
        task = self._look(task_id)
        return self._info(task) if task is not None else self.local.get_status(task_id)

    def get_result(self, task_id: str) -> Any:
        """KeyError: unknown or expired. RuntimeError: not complete, or cancelled. A failed one raises its failure."""
        if reference.find(task_id) is None:
            return self.local.get_result(task_id)
        try:
            return self.tasks.result(task_id)
        except NotFoundError:
            return self.local.get_result(task_id)
        except ExpiredError as error:
            raise KeyError(str(error)) from error
        except (NotCompleteError, TaskCancelledError) as error:
            raise RuntimeError(str(error)) from error

    def cancel(self, task_id: str) -> bool:
        """False: unknown, or over already. A task of the fleet is cancelled at once, and its program stopped."""
        try:
            return self.tasks.cancel(task_id) if reference.find(task_id) else self.local.cancel(task_id)
        except NotFoundError:
            return self.local.cancel(task_id)

    def is_cancelled(self, task_id: str) -> bool:
        """Whether its cancellation was asked for."""
        task = self._look(task_id)
        return task.status == record.CANCELLED if task is not None else self.local.is_cancelled(task_id)

    def cleanup(self, max_age_seconds: float) -> int:
        """Removes old tasks of this process. Those of the fleet are everybody's, and expire by themselves."""
        return self.local.cleanup(max_age_seconds)

    def shutdown(self, wait: bool = True) -> None:
        """Ends what runs in this process. Tasks of the fleet go on."""
        self.local.shutdown(wait)
        if self._owned:
            self.tasks.close()

    def get_stats(self) -> dict[str, Any]:
        """The numbers of this process' tasks, and under ``refq`` those of each queue."""
        return {**self.local.get_stats(), 'refq': {queue: self.tasks.stats(queue) for queue in self._queues}}

    # --- From a record to a TaskInfo ----------------------------------------------------------------------------------

    def _look(self, task_id: str) -> Task | None:
        return self.tasks.look([task_id])[0] if reference.find(task_id) is not None else None

    def _info(self, task: Task) -> TaskInfo:
        failed = task.status == record.FAILED
        attempts = self._bad_attempts(task)
        retries = max(0, task.failures - 1) if failed else task.failures
        most = retries if failed else max(retries, _allowed(task))
        started = task.created_at if task.status == record.PENDING else task.started_at or task.created_at
        return TaskInfo(
            ref_id=task.ref_id, status=TaskStatus(task.status), progress=_progress(task),
            started_at=_local_time(task, started or task.seen_at),
            completed_at=time.time() - max(0.0, task.seen_at - task.completed_at) if task.completed_at else None,
            error=self._error(task, attempts), retry_count=retries, max_retries=most,
            retry_history=[self._retry(task, a) for a in (attempts[:-1] if failed else attempts)])

    def _bad_attempts(self, task: Task) -> list[Attempt]:
        if not any(task.fields.get(name) for name in _FIELDS_WITH_HISTORY):
            return []
        return [attempt for attempt in self.tasks.history(task.ref_id) if attempt.kind != 'done']

    def _error(self, task: Task, attempts: list[Attempt]) -> str | None:
        if task.status == record.COMPLETE and task.expires_at is not None and task.expires_at <= task.seen_at:
            return _EXPIRED
        if task.status != record.FAILED:
            return None
        text = attempts[-1].error if attempts and attempts[-1].error else task.error
        return self._shown(text or task.reason or 'failed')

    def _retry(self, task: Task, attempt: Attempt) -> RetryInfo:
        return RetryInfo(attempt=attempt.number, error=self._shown(attempt.error or attempt.kind),
                         timestamp=_local_time(task, attempt.at))

    def _shown(self, error: str) -> str:
        return self._redact(error) if self._redact is not None else error


def _allowed(task: Task) -> int:
    return DEFAULT_MAX_RETRIES if task.max_retries is None else task.max_retries


def _local_time(task: Task, at: float) -> float:
    """A time of the server's clock on this machine's."""
    return time.time() - max(task.seen_at - at, _ELAPSED_MIN_S)


def _question(task: Task) -> str:
    try:
        return str(json.loads(task.question or '')['question'])
    except (KeyError, TypeError, ValueError):
        return task.question or ''


def _progress(task: Task) -> TaskProgress | None:
    told = task.progress
    if task.fields.get('waiting') == 'input':
        return TaskProgress(message=f'waits for an answer: {_question(task)}')
    if told is None:
        return None
    current = told.current if told.total is None else min(told.current, told.total)
    return TaskProgress(current=current, total=told.total, message=told.message)
