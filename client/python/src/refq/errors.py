# SPDX-License-Identifier: MIT
"""What can go wrong. Each text says what it was, where, and what to do instead."""


class RefqError(Exception):
    """The base of all errors of this package."""


class InvalidError(RefqError, ValueError):
    """What was passed is malformed, or exceeds a limit; nothing was sent."""


class NotFoundError(RefqError, LookupError):
    """There is no such task, or its record has expired."""


class ExpiredError(RefqError, LookupError):
    """The task is complete, but its result has outlived its time to live, or was deleted."""


class NotCompleteError(RefqError):
    """The task has no result yet. ``status`` tells what it does."""

    def __init__(self, text: str, status: str) -> None:
        super().__init__(text)
        self.status = status


class TaskFailedError(RefqError):
    """The task failed for good. ``error`` is its handler's message, ``reason`` why it was given up."""

    def __init__(self, text: str, error: str, reason: str) -> None:
        super().__init__(text)
        self.error = error
        self.reason = reason


class TaskCancelledError(RefqError):
    """The task was cancelled: there will be no result."""


class ConflictError(RefqError):
    """The state of the task does not allow it (any more)."""


class FullError(RefqError):
    """The queue, or Redis, takes no more now. Nothing was stored; try again later."""


class UnavailableError(RefqError):
    """Redis could not be reached, or did not answer in time. Every call may be repeated."""


class ServerError(RefqError):
    """Redis answered with an error that a repeat will not mend."""
