# SPDX-License-Identifier: MIT
"""References and names: the rules of docs/PROTOCOL.md, "Words"."""
import re
import secrets
from typing import NamedTuple

from .errors import InvalidError

NAME_BYTES_MAX = 64
HEX_DIGITS = 32

_QUEUE = re.compile(r'[A-Za-z][A-Za-z0-9_-]*')
_TASK = re.compile(r'[A-Za-z0-9_-]+')
_HEX = re.compile(r'[0-9a-f]{%d}' % HEX_DIGITS)
_PREFIX = re.compile(r'[A-Za-z0-9_.-]{1,32}')


class Reference(NamedTuple):
    """A task's id in its two parts; ``str()`` joins them."""

    queue: str
    hex: str

    def __str__(self) -> str:
        return f'{self.queue}:{self.hex}'


def check_queue(name: str) -> str:
    if not isinstance(name, str) or not _QUEUE.fullmatch(name) or len(name) > NAME_BYTES_MAX:
        raise InvalidError(f"{name!r:.80} is not a queue name: a letter, then letters, digits, '_' or '-', "
                           f'at most {NAME_BYTES_MAX} in all')
    return name


def check_task(name: str) -> str:
    if not isinstance(name, str) or not _TASK.fullmatch(name) or len(name) > NAME_BYTES_MAX:
        raise InvalidError(f"{name!r:.80} is not a task name: letters, digits, '_' or '-', "
                           f'at most {NAME_BYTES_MAX} in all')
    return name


def check_prefix(prefix: str) -> str:
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        raise InvalidError(f"{prefix!r:.80} is not a prefix: 1 to 32 letters, digits, '_', '.' or '-'")
    return prefix


def make(queue: str) -> Reference:
    """A fresh reference: 128 random bits."""
    return Reference(check_queue(queue), secrets.token_hex(HEX_DIGITS // 2))


def find(text: str) -> Reference | None:
    """The reference that ``text`` is, or None when it is not one of a task."""
    if not isinstance(text, str):
        return None
    queue, colon, digits = text.partition(':')
    if not colon or len(queue) > NAME_BYTES_MAX or not _QUEUE.fullmatch(queue) or not _HEX.fullmatch(digits):
        return None
    return Reference(queue, digits)


def parse(text: str) -> Reference:
    """The same, but anything else is an InvalidError."""
    found = find(text)
    if found is None:
        raise InvalidError(f'{text!r:.110} is not a task reference: <queue>:<{HEX_DIGITS} lower-case hex digits>')
    return found
