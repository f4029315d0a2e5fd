# SPDX-License-Identifier: MIT
"""Whose a task's result will be, and who hands the task in: six fields of its record.

DESIGN. A policy is taken as mcp-refcache has it, an AccessPolicy or the dict of one, with owner and bound session in
it. The record keeps these two apart, and of the rest only what differs from the default, so that a task without a
scope of its own costs nothing.
"""
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from .errors import InvalidError

TEXT_BYTES_MAX = 256
POLICY_BYTES_MAX = 16 << 10
DEFAULT_NAMESPACE = 'public'

_PERMISSIONS_MAX = 31
_DEFAULTS = {'user_permissions': 31, 'agent_permissions': 17, 'owner_permissions': 31, 'allowed_actors': None,
             'denied_actors': None}
_APART = {'owner': 'owner', 'bound_session': 'session'}  # in a policy; in the record


class PolicyModel(Protocol):
    """mcp_refcache.AccessPolicy, or what is like it."""

    def model_dump(self, *, mode: str) -> dict[str, Any]: ...


def _text(name: str, text: str) -> str:
    if not isinstance(text, str):
        raise InvalidError(f'{name} must be text, not a {type(text).__name__}')
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidError(f'{name} must be valid Unicode; it has a lone surrogate') from None
    if not 1 <= size <= TEXT_BYTES_MAX or any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise InvalidError(f'{name} must be 1 to {TEXT_BYTES_MAX} bytes on one line; leave it out for none')
    return text


def _policy_value(name: str, value: Any) -> Any:
    if name not in _DEFAULTS:
        raise InvalidError(f'a policy has no {name!r:.60}; there are {", ".join([*_DEFAULTS, *_APART])}')
    if name.endswith('_permissions'):
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _PERMISSIONS_MAX:
            raise InvalidError(f'the {name} of a policy must be 0 to {_PERMISSIONS_MAX}, not {value!r:.60}')
        return int(value)
    if value is None:
        return None
    if not isinstance(value, (list, tuple, set, frozenset)) or not all(isinstance(actor, str) for actor in value):
        raise InvalidError(f"the {name} of a policy must be texts such as 'user:alice', or None, not {value!r:.60}")
    return sorted(_text(name, actor) for actor in value)


def _policy_fields(policy: Mapping[str, Any] | PolicyModel) -> tuple[str | None, dict[str, Any]]:
    """The policy as the record has it, and what goes into fields of its own."""
    given = dict(policy) if isinstance(policy, Mapping) else policy.model_dump(mode='json')
    apart = {_APART[name]: given.pop(name) for name in list(_APART) if name in given}
    kept = {name: _policy_value(name, value) for name, value in given.items()}
    kept = {name: value for name, value in kept.items() if value != _DEFAULTS[name]}
    if not kept:
        return None, apart
    text = json.dumps(kept)
    if len(text) > POLICY_BYTES_MAX:
        raise InvalidError(f'the policy takes {len(text)} bytes; {POLICY_BYTES_MAX} are allowed: name fewer actors, '
                           "or patterns such as 'user:team-*'")
    return text, apart


def fields(namespace: str | None, owner: str | None, session: str | None,
           policy: Mapping[str, Any] | PolicyModel | None, actor: str | None,
           actor_session: str | None) -> list[str | int]:
    """Names and values for the record."""
    rest, apart = _policy_fields(policy) if policy is not None else (None, {})
    texts = {'namespace': namespace if namespace != DEFAULT_NAMESPACE else None, 'owner': owner, 'session': session,
             'actor': actor, 'actor_session': actor_session}
    for name, value in apart.items():
        if value is not None and texts[name] not in (None, value):
            raise InvalidError(f'the policy names another {name} than the call does')
        texts[name] = value if value is not None else texts[name]
    pairs: list[str | int] = []
    for name, text in texts.items():
        pairs += [name, _text(name, text)] if text is not None else []
    return pairs + (['policy', rest] if rest is not None else [])
