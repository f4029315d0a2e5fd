# SPDX-License-Identifier: MIT
"""A read-only view of a task's record (docs/PROTOCOL.md, "Fields of a task").

DESIGN. Fields of newer versions stay visible in ``fields``, and a field that holds nonsense is as good as absent: a
reader of somebody else's record has nobody to complain to. Times are Unix seconds of the server's clock, as Python
has them; Redis holds milliseconds.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

PENDING, PROCESSING, COMPLETE, FAILED, CANCELLED = STATUSES = (
    'pending', 'processing', 'complete', 'failed', 'cancelled')
TERMINAL = frozenset((COMPLETE, FAILED, CANCELLED))


class Progress(NamedTuple):
    """How far the running attempt is. ``total`` None: nobody knows."""

    current: int
    total: int | None
    message: str | None


class Attempt(NamedTuple):
    """One attempt of the past, as the history keeps it."""

    number: int
    at: float
    kind: str  #: retryable, permanent, crash, death or done
    error: str
    worker: str
    stderr: str


@dataclass(frozen=True)
class Task:
    """A snapshot of a task."""

    ref_id: str
    status: str
    seen_at: float  #: the server's clock at the snapshot
    fields: dict[str, str] = field(repr=False)  #: all fields, by the names of docs/PROTOCOL.md

    @property
    def is_terminal(self) -> bool:
        """Whether it will never change again."""
        return self.status in TERMINAL

    @property
    def name(self) -> str:
        """The name of its handler."""
        return self.fields.get('task', '')

    @property
    def attempt(self) -> int:
        """The number of the present or last attempt; 0 before the first."""
        return self._number('attempt') or 0

    @property
    def failures(self) -> int:
        """Attempts that failed."""
        return self._number('failures') or 0

    @property
    def max_retries(self) -> int | None:
        """Failures it may have; None: what its definition on the worker says."""
        return self._number('max_retries')

    @property
    def error(self) -> str | None:
        """The last failure, shortened to 64 bytes; ``Tasks.history`` has it in full."""
        return self.fields.get('error')

    @property
    def reason(self) -> str | None:
        """Why it failed for good: exhausted, permanent, expired, poison or unknown_handler."""
        return self.fields.get('reason')

    @property
    def question(self) -> str | None:
        """What it asks a person while it waits for an answer: JSON text of an object with ``question``."""
        return self.fields.get('question')

    @property
    def replaced_by(self) -> str | None:
        """The reference of the task that runs it again."""
        digits = self.fields.get('replaced_by')
        return f"{self.ref_id.partition(':')[0]}:{digits}" if digits else None

    @property
    def created_at(self) -> float | None:
        return self._time('created_at')

    @property
    def due_at(self) -> float | None:
        """Until when it is delayed, or waits for its next attempt."""
        return self._time('due_at')

    @property
    def started_at(self) -> float | None:
        """When the present or last attempt started."""
        return self._time('started_at')

    @property
    def completed_at(self) -> float | None:
        return self._time('completed_at')

    @property
    def expires_at(self) -> float | None:
        """When the result goes; only of a complete task."""
        return self._time('expires_at')

    @property
    def progress(self) -> Progress | None:
        """Of the running attempt; None before the first report."""
        current, slash, total = self.fields.get('progress', '').partition('/')
        if not slash or not _is_number(current) or not _is_number(total):
            return None
        return Progress(int(current), int(total) or None, self.fields.get('message') or None)

    def _number(self, name: str) -> int | None:
        text = self.fields.get(name, '')
        return int(text) if _is_number(text) else None

    def _time(self, name: str) -> float | None:
        ms = self._number(name)
        return ms / 1000 if ms is not None else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18
