# SPDX-License-Identifier: MIT
"""Calls of the Redis functions: the library is loaded where it is missing, errors get words, lost replies a repeat.

DESIGN. redis-py has retries of its own, but an outage may last longer than they do, and not every server error that
passes by itself is among them. All functions this package calls may be repeated blindly (docs/PROTOCOL.md), so every
call is repeated until REPEAT_FOR_S are over. Whatever retries the caller's redis.Redis has come on top.
"""
from __future__ import annotations

import importlib.resources
import time
from collections.abc import Callable
from typing import Any, TypeVar

import redis
import redis.exceptions as wrong

from .errors import FullError, RefqError, ServerError, UnavailableError

REPEAT_FOR_S = 5.0
_PAUSE_S, _PAUSE_MAX_S = 0.05, 1.0
_LOADS_MAX = 3  # somebody else may flush again between our load and our call
_NAME_LINE = b'#!lua name='

# Who says one of these will take the same call later.
_PASSING = (wrong.ConnectionError, wrong.TimeoutError, wrong.BusyLoadingError, wrong.ReadOnlyError,
            wrong.MasterDownError, wrong.ClusterDownError, wrong.TryAgainError)
_PASSING_WORDS = frozenset(('BUSY', 'UNBLOCKED'))
# These are ConnectionErrors, but no repeat mends them.
_LOGIN = (wrong.AuthenticationError, wrong.AuthorizationError, wrong.NoPermissionError)

_T = TypeVar('_T')


def read_library() -> tuple[str, str]:
    """The name and the source of the library that this package was built with."""
    source = importlib.resources.files(__package__).joinpath('library.lua').read_bytes()
    first = source.partition(b'\n')[0]
    if not first.startswith(_NAME_LINE):
        raise ServerError('refq/library.lua is damaged; install the package again')
    return first[len(_NAME_LINE):].decode(), source.decode()


def _word_of(error: Exception) -> str:
    return str(error).partition(' ')[0]


def _passes(error: Exception) -> bool:
    if isinstance(error, _LOGIN):
        return False
    return isinstance(error, _PASSING) or _word_of(error) in _PASSING_WORDS


def explain(error: Exception) -> RefqError:
    """The error of this package for one of redis-py."""
    text = str(error)
    if isinstance(error, _LOGIN) or _word_of(error) in ('NOAUTH', 'NOPERM', 'WRONGPASS'):
        return ServerError(f'Redis refuses the login or the command: {text}. Check the URL, REFQ_REDIS_PASSWORD and '
                           "the user's rights (deploy/redis/users.acl has an example)")
    if isinstance(error, wrong.OutOfMemoryError) or _word_of(error) in ('OOM', 'MISCONF', 'NOREPLICAS'):
        return FullError(f'Redis takes no writes now: {text}. Nothing was stored; try again later')
    if _passes(error):
        return UnavailableError(f'Redis does not answer: {text or type(error).__name__}. The call may have been '
                                'carried out; repeating it does no harm')
    if 'unknown command' in text:
        return ServerError('refq needs Redis 7.0 or newer, or Valkey: this server has no functions')
    if isinstance(error, wrong.MovedError) or _word_of(error) == 'CROSSSLOT':
        return ServerError('this is a Redis Cluster, which refq does not support; use a single server or Sentinel')
    return ServerError(f'Redis answered with an error: {text}')


def repeat(action: Callable[[], _T], budget_s: float = REPEAT_FOR_S) -> _T:
    """Does it, again after what passes by itself. For actions that may be repeated blindly."""
    end, pause = time.monotonic() + budget_s, _PAUSE_S
    while True:
        try:
            return action()
        except wrong.RedisError as error:
            if not _passes(error) or time.monotonic() + pause > end:
                raise explain(error) from error
        time.sleep(pause)
        pause = min(2 * pause, _PAUSE_MAX_S)


class Server:
    """One redis.Redis and the functions on it. Any thread may call it."""

    def __init__(self, client: redis.Redis) -> None:
        if client.get_encoder().decode_responses:
            raise ValueError('refq needs a redis.Redis with decode_responses=False: arguments are bytes')
        self.client = client
        self.library, self._source = read_library()

    def _load(self) -> None:
        try:
            self.client.function_load(self._source)
        except wrong.ResponseError as error:
            if 'already exists' not in str(error):
                raise

    def _call_once(self, function: str, key: str, values: tuple[Any, ...]) -> Any:
        for _ in range(_LOADS_MAX):
            try:
                return self.client.fcall(f'{self.library}_{function}', 1, key, *values)
            except wrong.ResponseError as error:
                if 'Function not found' not in str(error):
                    raise
            self._load()
        raise ServerError(f'the functions of {self.library} vanish as soon as they are loaded; '
                          'who calls FUNCTION FLUSH?')

    def call(self, function: str, key: str, *values: str | bytes | int) -> list[Any]:
        """Calls one function that may be repeated; its reply is a flat list."""
        reply = repeat(lambda: self._call_once(function, key, values))
        if not isinstance(reply, list):
            raise ServerError(f'{function} answered {reply!r:.80}, which this version does not understand')
        return reply


def text_of(value: Any) -> str:
    """A part of a reply as text. Bytes that are no text keep their places."""
    return value.decode('utf-8', 'replace') if isinstance(value, bytes) else str(value)
