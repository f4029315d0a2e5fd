# SPDX-License-Identifier: MIT
"""A task's arguments: a dict outside, a codec byte and a msgpack map in Redis (docs/PROTOCOL.md, "Arguments").

DESIGN. All that a worker would refuse is refused here, where the caller can still see it: limits first, then values
without a JSON form. Tuples are taken as lists, as json.dumps takes them; everything else must be what JSON has.
"""
import json
import math
from collections.abc import Mapping
from typing import Any

import msgpack  # type: ignore[import-untyped, unused-ignore]

from .errors import InvalidError

BYTES_MAX = 1 << 20  # as JSON, and as msgpack
DEPTH_MAX = 32
VALUES_MAX = 100_000
INTEGER_BITS = 63
PREVIEW_BYTES = 64

_CODEC = b'm'
_CUT = '...'


class _Checker:
    """Copies a value into what msgpack can write, and counts on the way."""

    def __init__(self) -> None:
        self.values = 0

    def copy(self, value: Any, where: str, depth: int) -> Any:
        self.values += 1
        if self.values > VALUES_MAX:
            raise InvalidError(f'the arguments hold more than {VALUES_MAX} values; put the data into a file '
                               'or a cache entry, and pass its name')
        if value is None or isinstance(value, bool):
            return value
        for kind, copy in self._COPIES:
            if isinstance(value, kind):
                return copy(self, value, where, depth)
        raise InvalidError(f'{where} is a {type(value).__name__}, which has no JSON form; '
                           'send a string, a number, a list or a dict')

    def _text(self, value: str, where: str, depth: int) -> str:
        try:
            value.encode('utf-8')
        except UnicodeEncodeError:
            raise InvalidError(f'{where} is text with a lone surrogate, which is not valid Unicode; '
                               "clean it with .encode('utf-8', 'replace').decode()") from None
        return str.__str__(value)  # of a subclass, an enumeration among them, the text itself

    def _integer(self, value: int, where: str, depth: int) -> int:
        if not -(1 << INTEGER_BITS) <= value < 1 << INTEGER_BITS:
            raise InvalidError(f'{where} is an integer of more than 64 bits; send it as a string')
        return int(value)

    def _real(self, value: float, where: str, depth: int) -> float:
        if not math.isfinite(value):
            raise InvalidError(f'{where} is {value}, which JSON cannot say; send None or a string')
        return float(value)

    def _enter(self, depth: int) -> int:
        if depth >= DEPTH_MAX:
            raise InvalidError(f'the arguments are nested more than {DEPTH_MAX} levels deep')
        return depth + 1

    def _list(self, value: Any, where: str, depth: int) -> list[Any]:
        depth = self._enter(depth)
        return [self.copy(item, f'{where}[{i}]', depth) for i, item in enumerate(value)]

    def _dict(self, value: Mapping[Any, Any], where: str, depth: int) -> dict[str, Any]:
        depth = self._enter(depth)
        return {self._key(key, where): self.copy(item, f'{where}[{key!r:.40}]', depth)
                for key, item in value.items()}

    def _key(self, key: Any, where: str) -> str:
        if not isinstance(key, str) or '\0' in key:
            raise InvalidError(f'{where} has the key {key!r:.40}: keys are strings without zero bytes')
        return self._text(key, f'a key of {where}', 0)

    _COPIES: tuple[tuple[Any, Any], ...] = (
        (str, _text), (int, _integer), (float, _real), (Mapping, _dict), ((list, tuple), _list))


def _check_size(what: str, size: int) -> None:
    if size > BYTES_MAX:
        raise InvalidError(f'the arguments take {size} bytes as {what}; {BYTES_MAX} are allowed. Put the data into '
                           'a file or a cache entry, and pass its name')


def _preview(text: str) -> str:
    """The first bytes, on one line, for people."""
    clean = ''.join(' ' if ord(c) < 32 or 127 <= ord(c) < 160 or c in '\u2028\u2029' else c
                    for c in text[:PREVIEW_BYTES + 1])
    if len(clean.encode()) <= PREVIEW_BYTES:
        return clean
    return clean.encode()[:PREVIEW_BYTES - len(_CUT)].decode('utf-8', 'ignore') + _CUT


def encode(args: Mapping[str, Any] | None) -> tuple[bytes, str]:
    """What is stored, and a preview of it. InvalidError says which value cannot be sent, and why."""
    if args is not None and not isinstance(args, Mapping):
        raise InvalidError("arguments must be a dict such as {'path': 'a.pdf'}, "
                           f'not a {type(args).__name__}')
    clean = _Checker().copy(args or {}, 'args', 0)
    text = json.dumps(clean, ensure_ascii=False, separators=(',', ':'))
    _check_size('JSON', len(text.encode()))
    packed: bytes = msgpack.packb(clean, use_bin_type=True)
    _check_size('msgpack', len(packed))
    return _CODEC + packed, _preview(text)
