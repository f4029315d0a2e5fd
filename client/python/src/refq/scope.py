# SPDX-License-Identifier: MIT
"""Whose a task's result will be, and who hands the task in: six fields of its record.

DESIGN. A policy is taken as mcp-refcache has it, an AccessPolicy or the dict of one, with owner and bound session in
it, or as the name of a preset, as refq's command line takes it. The record keeps these two apart, and of the rest only
what differs from the default, so that a task without a scope of its own costs nothing.

Names that nobody could ever use are refused here: a slip would shut a result away, and only be noticed when it is
there. The rules are those of refq/access.h.
"""
from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Protocol

from .errors import InvalidError

TEXT_BYTES_MAX = 256
POLICY_BYTES_MAX = 16 << 10
PATTERNS_MAX = 1024  # in each list of a policy
DEFAULT_NAMESPACE = 'public'

_PERMISSIONS_MAX = 31
_DEFAULTS = {'user_permissions': 31, 'agent_permissions': 17, 'owner_permissions': 31, 'allowed_actors': None,
             'denied_actors': None}
_APART = {'owner': 'owner', 'bound_session': 'session'}  # in a policy; in the record
PRESETS: dict[str, dict[str, int]] = {
    'default': {},
    'public': {'agent_permissions': 31},
    'user_only': {'agent_permissions': 0},
    'execute_only': {'agent_permissions': 16},
    'read_only': {'user_permissions': 1, 'agent_permissions': 1},
}
SYSTEM = 'system:internal'
_CONTROL = re.compile('[\0-\x1f\x7f-\x9f]')
_TYPES = ('user', 'agent')  # of actors
_GUARDED = (*_TYPES, 'session')  # namespaces that let in only whom they name


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
    if not 1 <= size <= TEXT_BYTES_MAX or _CONTROL.search(text):
        raise InvalidError(f'{name} must be 1 to {TEXT_BYTES_MAX} bytes on one line; leave it out for none')
    return text


def _check_namespace(text: str) -> None:
    kind, _, who = text.partition(':')
    if kind in _GUARDED and (not who or (kind in _TYPES and who == '*')):
        raise InvalidError(f"namespace {text!r:.60} lets nobody in; write {kind}:<id>, or 'public' for everyone")


def _check_owner(text: str) -> None:
    kind, _, who = text.partition(':')
    if kind not in _TYPES or who in ('', '*'):
        raise InvalidError(f"owner {text!r:.60} is nobody; write user:<id> or agent:<id>, such as 'user:alice'")


def _check_actor(text: str) -> None:
    kind, colon, who = text.partition(':')
    if text != SYSTEM and (kind not in _TYPES or (colon and not who)):
        raise InvalidError(f"actor {text!r:.60} is nobody; write user:<id> or agent:<id>, such as 'user:alice', "
                           f"'user' or 'agent' for one nobody knows, or '{SYSTEM}'")


_CHECKS = {'namespace': _check_namespace, 'owner': _check_owner, 'actor': _check_actor}


def _checked(name: str, text: str) -> str:
    _text(name, text)
    if name in _CHECKS:
        _CHECKS[name](text)
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
    if len(value) > PATTERNS_MAX:
        raise InvalidError(f"the {name} of a policy are {len(value)}; {PATTERNS_MAX} are allowed: use patterns such as "
                           "'user:team-*'")
    return sorted(_text(name, actor) for actor in value)


def _members(policy: str | Mapping[str, Any] | PolicyModel) -> dict[str, Any]:
    """The members of a policy, in whatever form it comes."""
    if isinstance(policy, str) and policy in PRESETS:
        return dict(PRESETS[policy])
    if isinstance(policy, Mapping):
        return dict(policy)
    dump = None if isinstance(policy, type) else getattr(policy, 'model_dump', None)
    if not callable(dump):
        raise InvalidError(f"{policy!r:.60} is no policy; pass one of {', '.join(map(repr, PRESETS))}, a dict such as "
                           "{'agent_permissions': 0}, or a mcp_refcache.AccessPolicy")
    return dict(dump(mode='json'))


def _policy_fields(policy: str | Mapping[str, Any] | PolicyModel) -> tuple[str | None, dict[str, Any]]:
    """The policy as the record has it, and what goes into fields of its own."""
    given = _members(policy)
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
           policy: str | Mapping[str, Any] | PolicyModel | None, actor: str | None,
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
        pairs += [name, _checked(name, text)] if text is not None else []
    return pairs + (['policy', rest] if rest is not None else [])
