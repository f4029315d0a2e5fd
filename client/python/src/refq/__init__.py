# SPDX-License-Identifier: MIT
"""Hand work to a refq fleet, and poll, wait for and cancel it.

``Tasks`` is the client. ``RefqTaskBackend`` lets an unmodified mcp-refcache server show the fleet's tasks; it needs
mcp-refcache, which is imported when it is first used.
"""
from typing import TYPE_CHECKING, Any

from .errors import (ConflictError, ExpiredError, FullError, InvalidError, NotCompleteError, NotFoundError, RefqError,
                     ServerError, TaskCancelledError, TaskFailedError, UnavailableError)
from .record import Attempt, Progress, Task
from .tasks import Tasks

if TYPE_CHECKING:
    from .taskbackend import RefqTaskBackend

__all__ = ['Attempt', 'ConflictError', 'ExpiredError', 'FullError', 'InvalidError', 'NotCompleteError',
           'NotFoundError', 'Progress', 'RefqError', 'RefqTaskBackend', 'ServerError', 'Task', 'TaskCancelledError',
           'TaskFailedError', 'Tasks', 'UnavailableError']


def __getattr__(name: str) -> Any:
    if name == 'RefqTaskBackend':
        from .taskbackend import RefqTaskBackend
        return RefqTaskBackend
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
