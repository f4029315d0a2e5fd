#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares refq's access rules with those of mcp-refcache, cell by cell.

    python access_matrix.py <build folder, or its tests/access_tool>

The Python that runs it must have mcp-refcache 0.2.1. Asked are: who may do what (actors x policies x
namespaces x permissions, with reason and message), shell patterns, policies in JSON, namespaces,
templates and what follows from who calls. Where refq differs on purpose the rule stands in STRICTER; each must
be met at least once, and nothing else may differ. Exit status 0 when that is so.
"""
import collections
import fnmatch
import itertools
import json
import os
import random
import subprocess
import sys

from mcp_refcache.access import (ActorType, DefaultActor, DefaultNamespaceResolver,
                                 DefaultPermissionChecker, PermissionDenied)
from mcp_refcache.context_integration import (build_context_scoped_policy, derive_actor_from_context,
                                              expand_template)
from mcp_refcache.permissions import AccessPolicy, Permission

STRICTER = {
    'system from outside': 'the text "system" is an error, not an anonymous agent (UP-29)',
    'unknown actor': 'any other text is an error, not an anonymous agent',
    'empty id': '"user:" is no actor: an id is not empty',
    'asking for nothing': 'to ask for no permission is an error, not allowed',
    'allow list counts': 'permissions of an actor of the allow list are all, as a check says (UP-19)',
    'negative permissions': '-1 is an error, not "all"',
    'boolean permissions': 'true is an error, not READ',
    'list from a string': 'a list of patterns given as one string or object is an error',
    'duplicate keys': 'a key twice in a policy is an error, not the last one',
    'long integers': 'a number beyond 64 bits is an error even under an unknown key',
    'control characters': 'names have no control characters',
    'long names': 'names have at most 256 bytes',
    'escaped values': ': % * and control characters of an identity are percent-encoded (UP-23)',
    'empty values': 'an empty value of an identity is not known, instead of empty',
    'session of nobody': 'an actor without identity has the session of the identity (UP-11)',
}


class Comparison:
    def __init__(self, tool):
        self.tool = tool
        self.questions = []
        self.met = collections.Counter()
        self.wrong = []

    def ask(self, expected, question, stricter=None):
        """expected: a dict that the answer must contain; with stricter, a rule's name, refq's own."""
        self.questions.append((question, expected, stricter))

    def run(self):
        lines = ''.join(json.dumps(question) + '\n' for question, _, _ in self.questions)
        ran = subprocess.run([self.tool], input=lines, capture_output=True, text=True, timeout=300)
        answers = [json.loads(line) for line in ran.stdout.splitlines() if line]
        if ran.returncode != 0 or len(answers) != len(self.questions):
            sys.exit(f'access_tool: {len(answers)} answers to {len(self.questions)} questions, '
                     f'status {ran.returncode}: {ran.stderr}')
        for (question, expected, stricter), answer in zip(self.questions, answers):
            if stricter:
                self.met[stricter] += 1
            got = {key: answer.get(key) for key in expected}
            if got != expected:
                self.wrong.append((question, expected, answer))

    def report(self):
        print(f'{len(self.questions)} cells, {len(self.wrong)} differ')
        print('refq is stricter on purpose:')
        for name, why in STRICTER.items():
            print(f'  {self.met[name]:6} cells  {name}: {why}')
        for question, expected, answer in self.wrong[:20]:
            print(f'DIFFERS: {json.dumps(question)}\n  expected {expected}\n  got      {answer}')
        unmet = [name for name in STRICTER if not self.met[name]]
        if unmet:
            print(f'never met, so not shown to hold: {", ".join(unmet)}')
        return 1 if self.wrong or unmet else 0


# --- Who may do what --------------------------------------------------------------------------

ACTORS = [('user', None), ('user:*', None), ('agent', 's1'), ('agent:*', None), ('user:alice', None),
          ('user:alice', 's1'), ('user:bob', 's2'), ('user:alice:session:1', None), ('agent:alice', None),
          ('agent:claude-1', 's1'), ('agent:claude-2', None), ('user:Ä[1]', None), ('user:a%3Ab', 's:1'),
          ('system:internal', None)]
NAMESPACES = ['public', 'PUBLIC', 'public:x', '', 'session:s1', 'session:s2', 'session:s:1', 'session',
              'session:', 'user:alice', 'user:bob', 'user:alice:session:1', 'user', 'user:', 'agent:alice',
              'agent:claude-1', 'agent', 'shared:team', 'org:acme:user:bob', 'custom', ':', 'user:a%3Ab']
PATTERNS = ['user:*', 'agent:*', 'system:*', '*:*', '*', 'user', 'user:a*', 'user:?lice', 'user:[a-b]*',
            'user:[!a]*', 'agent:claude-[12]', 'user:Ä[1]', 'user:**', 'user:ALICE', 'system:int*', ':', '']
POLICIES = [
    {}, {'agent_permissions': 31}, {'agent_permissions': 0}, {'agent_permissions': 16},
    {'user_permissions': 1, 'agent_permissions': 1}, {'user_permissions': 0, 'agent_permissions': 0},
    {'user_permissions': 6, 'agent_permissions': 9},
    {'owner': 'user:alice', 'user_permissions': 0}, {'owner': 'user:alice', 'owner_permissions': 1},
    {'owner': 'agent:*', 'owner_permissions': 3}, {'owner': 'agent:claude-1', 'agent_permissions': 0},
    {'owner': '', 'owner_permissions': 0}, {'owner': 'system:internal', 'owner_permissions': 8},
    {'bound_session': 's1'}, {'bound_session': 's2', 'owner': 'user:bob', 'owner_permissions': 0},
    {'bound_session': ''}, {'bound_session': 's:1'}, {'allowed_actors': []}, {'denied_actors': []},
    {'bound_session': 's1', 'allowed_actors': ['user:*']},
    {'denied_actors': ['user:bob'], 'allowed_actors': ['user:*'], 'user_permissions': 0},
    {'denied_actors': ['user:alice'], 'owner': 'user:alice'},
] + [{'denied_actors': [p]} for p in PATTERNS] + [
    {'allowed_actors': [p], 'user_permissions': 0, 'agent_permissions': 2} for p in PATTERNS]
WANTED = [1, 2, 8, 16, 17, 15, 31]


def python_actor(text, session):
    kind, _, actor_id = text.partition(':')
    if kind == 'system':
        return DefaultActor.system()
    return DefaultActor(actor_type=ActorType(kind), actor_session_id=session,
                        actor_id=None if actor_id in ('', '*') else actor_id)


def python_answer(checker, policy, actor, namespace, want):
    try:
        checker.check(policy, Permission(want), actor, namespace)
        return {'ok': True, 'reason': 'allowed', 'text': ''}
    except PermissionDenied as denied:
        return {'ok': False, 'reason': denied.reason, 'text': str(denied)}


def matrix(compare):
    checker = DefaultPermissionChecker()
    for policy_json, (text, session) in itertools.product(POLICIES, ACTORS):
        policy = AccessPolicy(**policy_json)
        actor = python_actor(text, session)
        for namespace in NAMESPACES:
            may = checker.get_effective_permissions(policy, actor, namespace).value
            for want in WANTED:
                expected = python_answer(checker, policy, actor, namespace, want)
                listed = expected['ok'] and any(
                    actor.matches(p) or p == actor.to_string() for p in policy.allowed_actors or ())
                expected['may'] = 31 if listed else may
                compare.ask(expected, {'op': 'check', 'actor': text, 'session': session, 'want': want,
                                       'policy': json.dumps(policy_json), 'namespace': namespace},
                            'allow list counts' if listed and may != 31 else None)
    for want in (0, 32):
        compare.ask({'ok': False, 'error': 'invalid'},
                    {'op': 'check', 'actor': 'user', 'policy': '{}', 'namespace': 'public', 'want': want},
                    'asking for nothing')


def actors(compare):
    for text in ('system', 'system:internal2', 'system:*', 'system:'):
        compare.ask({'ok': False, 'error': 'invalid'}, {'op': 'actor', 'actor': text}, 'system from outside')
    for text in ('admin', 'User:alice', '*:alice', '', ':alice', 'users'):
        compare.ask({'ok': False, 'error': 'invalid'}, {'op': 'actor', 'actor': text}, 'unknown actor')
    for text in ('user:', 'agent:'):
        compare.ask({'ok': False, 'error': 'invalid'}, {'op': 'actor', 'actor': text}, 'empty id')
    for (text, session), pattern in itertools.product(ACTORS, PATTERNS):
        actor = python_actor(text, session)
        compare.ask({'ok': True, 'actor': actor.to_string(),
                     'matches': actor.matches(pattern) or actor.to_string() == pattern},
                    {'op': 'actor', 'actor': text, 'session': session, 'pattern': pattern})
    compare.ask({'ok': False, 'error': 'limit'}, {'op': 'actor', 'actor': 'user:' + 'x' * 252}, 'long names')
    compare.ask({'ok': False, 'error': 'invalid'}, {'op': 'actor', 'actor': 'user:a\nb'}, 'control characters')


def patterns(compare):
    dice = random.Random(20)
    hand = ['[b-a]', '[!b-a]', '[b-a!]', '[b-a!-d]', '[!b-a!-d]', '[a-]', '[-a]', '[!-a]', '[!a-]', '[]a]',
            '[!]a]', '[]', '[!]', '[', '[!', '[^a]', '[a-c-e]', '[c-b-a]', '[b-ac-d]', '[--0]', '[a\\]',
            '\\*', '[[]', '[]-a]', '[a&&b]', '[~||]', '**a', 'a**', '?*?', '']
    names = ['', 'a', 'b', '-', '!', ']', '[', '\\', '^', 'ab', 'a-', '*', '\\a', '&', '~', '0', 'd', '-d', 'é', '日本']
    pairs = list(itertools.product(hand, names))
    for _ in range(20000):
        pairs.append((''.join(dice.choices('abcd-!]^[*?\\é日', weights=[3, 3, 2, 2, 4, 2, 4, 1, 4, 2, 2, 1, 1, 1],
                                           k=dice.randint(0, 9))),
                      ''.join(dice.choices('abcd-!][\\é日\u0301', k=dice.randint(0, 5)))))
    for pattern, name in pairs:
        compare.ask({'ok': fnmatch.fnmatchcase(name, pattern)},
                    {'op': 'glob', 'pattern': pattern, 'name': name})
    # What takes a backtracking matcher for ever.
    compare.ask({'ok': False}, {'op': 'glob', 'pattern': '*a' * 120 + 'b', 'name': 'a' * 250})


# --- Texts ------------------------------------------------------------------------------------

GOOD_POLICIES = [
    '{}', '{"user_permissions": 31.0}', '{"agent_permissions": 0}', '{"owner_permissions":7}',
    '{"agent_permissions": 3.1e1}', '{"agent_permissions": -0.0}', '{"unknown": {"a": [1, "x"]}}',
    '{"owner": "user:al\\u00efce"}', '{"owner": null, "bound_session": null, "denied_actors": null}',
    '{"allowed_actors": []}', '{"allowed_actors": ["user:\\"q\\\\"]}', '{"denied_actors": ["agent:*"]}',
    '{"owner": "", "bound_session": ""}', ' { "owner" : "agent:\\ud83d\\ude00" } ',
] + [json.dumps({'user_permissions': n, 'agent_permissions': 31 - n}) for n in range(32)]
BAD_POLICIES = [
    '{"user_permissions": 32}', '{"agent_permissions": 31.5}', '{"owner_permissions": "31"}',
    '{"user_permissions": null}', '{"user_permissions": []}', '{"user_permissions": -33}',
    '{"owner": 5}', '{"bound_session": ["s"]}', '{"allowed_actors": [1]}', '{"denied_actors": 7}',
    '{"user_permissions": NaN}', '{"user_permissions": 1e400}',
]
STRICT_POLICIES = [
    ('negative permissions', '{"user_permissions": -1}'), ('negative permissions', '{"agent_permissions": -32}'),
    ('boolean permissions', '{"user_permissions": true}'), ('list from a string', '{"allowed_actors": "user:a"}'),
    ('list from a string', '{"denied_actors": {"user:a": 1}}'),
    ('duplicate keys', '{"owner": "user:a", "owner": "user:b"}'),
    ('long integers', '{"other": 123456789012345678901234567890}'),
    ('control characters', '{"owner": "user:a\\u0000b"}'), ('control characters', '{"owner": "user:\\u0085"}'),
    ('control characters', '{"denied_actors": ["user:\\u001b"]}'),
    ('long names', json.dumps({'owner': 'user:' + 'x' * 252})),
    ('long names', json.dumps({'allowed_actors': ['x' * 257]})),
]


def python_policy(text):
    return AccessPolicy(**json.loads(text)).model_dump(mode='json')


def policies(compare):
    for text in GOOD_POLICIES:
        # The layout is compared, too; Python escapes what is not ASCII, which means the same.
        compare.ask({'ok': True, 'policy': json.dumps(python_policy(text), ensure_ascii=False)},
                    {'op': 'policy', 'policy': text})
    for text in BAD_POLICIES:
        try:
            python_policy(text)
        except (ValueError, TypeError):
            compare.ask({'ok': False, 'error': 'invalid'}, {'op': 'policy', 'policy': text})
        else:
            sys.exit(f'mcp-refcache takes {text} now: move it to STRICT_POLICIES')
    for stricter, text in STRICT_POLICIES:
        python_policy(text)
        compare.ask({'ok': False}, {'op': 'policy', 'policy': text}, stricter)


def namespaces(compare):
    resolver = DefaultNamespaceResolver()
    for namespace in NAMESPACES:
        info = resolver.parse(namespace)
        compare.ask({'ok': True, 'prefix': info.prefix, 'id': info.identifier,
                     'owner': resolver.get_owner(namespace), 'session': resolver.get_required_session(namespace)},
                    {'op': 'namespace', 'namespace': namespace})
    compare.ask({'ok': False, 'error': 'invalid'}, {'op': 'namespace', 'namespace': 'a\tb'}, 'control characters')
    compare.ask({'ok': False, 'error': 'limit'}, {'op': 'namespace', 'namespace': 'x' * 257}, 'long names')


# --- Identities -------------------------------------------------------------------------------

TEMPLATES = ['', 'public', 'user:{user_id}', 'org:{org_id}:user:{user_id}', '{session_id}', '{client_id}',
             '{request_id}', '{tenant_id}/{agent_id}', '{role}-{scopes}-{what}', '{', '}', '{}', '{{user_id}}',
             '{user-id}', '{1a}', '{_a}', '{user_id', 'ü{user_id}ü', '{user_id}{user_id}']
IDENTITIES = [{}, {'user_id': 'alice'}, {'user_id': 'alice', 'session_id': 's1', 'org_id': 'acme'},
              {'agent_id': 'claude-1', 'session_id': 's1'}, {'user_id': 'anonymous', 'agent_id': 'a'},
              {'user_id': 'anonymous', 'session_id': 'nosession'}, {'session_id': 's9'},
              {'user_id': '{org_id}', 'org_id': 'x'}, {'client_id': 'c', 'request_id': 'r', 'role': 'admin'},
              {'user_id': 'zoë@example.org', 'tenant_id': 't', 'agent_id': 'b'}]
ESCAPED = [('a:b', 'a%3Ab'), ('bob:session:x', 'bob%3Asession%3Ax'), ('100%', '100%25'), ('%3A', '%253A'),
           ('*', '%2A'), ('a\nb', 'a%0Ab'), ('\u0085', '%C2%85'), ('\x7f', '%7F'), ('ok-_.@/', 'ok-_.@/')]
RULES = [{'namespace_template': 'user:{user_id}'}, {'owner_template': 'user:{user_id}'}, {'session_scoped': True},
         {'namespace': 'shared:x', 'owner_template': 'agent:{agent_id}', 'session_scoped': True},
         {'namespace_template': 'org:{org_id}', 'namespace': 'ignored', 'owner_template': ''}]
BASES = [{}, {'user_permissions': 1, 'owner': 'user:base', 'owner_permissions': 3},
         {'allowed_actors': ['user:x'], 'bound_session': 'old'}]


def templates(compare):
    for template, values in itertools.product(TEMPLATES, IDENTITIES):
        compare.ask({'ok': True, 'text': expand_template(template, values)},
                    {'op': 'expand', 'template': template, 'identity': values})
    for value, text in ESCAPED:
        compare.ask({'ok': True, 'text': f'user:{text}'},
                    {'op': 'expand', 'template': 'user:{user_id}', 'identity': {'user_id': value}},
                    'escaped values' if value != text else None)
    compare.ask({'ok': True, 'text': 'user:anonymous'},
                {'op': 'expand', 'template': 'user:{user_id}', 'identity': {'user_id': ''}}, 'empty values')


def python_caller(rule, values, base):
    namespace = rule.get('namespace', 'public')
    if 'namespace_template' in rule:
        namespace = expand_template(rule['namespace_template'], values)
    policy = build_context_scoped_policy(AccessPolicy(**base), values, rule.get('owner_template'),
                                         rule.get('session_scoped', False))
    actor = derive_actor_from_context(values)
    return {'ok': True, 'namespace': namespace, 'actor': actor.to_string(), 'session': actor.session_id,
            'policy': json.dumps(policy.model_dump(mode='json'), ensure_ascii=False)}


def callers(compare):
    for rule, values, base in itertools.product(RULES, IDENTITIES, BASES):
        expected = python_caller(rule, values, base)
        session = values.get('session_id')
        given = session if session != 'nosession' else None
        differs = expected['session'] != given
        expected['session'] = given
        compare.ask(expected, {'op': 'caller', 'identity': values, 'policy': json.dumps(base), **rule},
                    'session of nobody' if differs else None)
    compare.ask({'ok': True, 'namespace': 'user:a%3Ab', 'actor': 'user:a%3Ab', 'session': 's%3A1'},
                {'op': 'caller', 'identity': {'user_id': 'a:b', 'session_id': 's:1'}, 'policy': '{}',
                 'namespace_template': 'user:{user_id}', 'session_scoped': True}, 'escaped values')


def main():
    tool = sys.argv[1] if len(sys.argv) == 2 else ''
    if os.path.isdir(tool):
        tool = os.path.join(tool, 'tests', 'access_tool')
    if not os.access(tool, os.X_OK):
        sys.exit('usage: access_matrix.py <build folder, or its tests/access_tool>, for example build/dev')
    compare = Comparison(tool)
    for part in (matrix, actors, patterns, policies, namespaces, templates, callers):
        part(compare)
    compare.run()
    return compare.report()


if __name__ == '__main__':
    sys.exit(main())
