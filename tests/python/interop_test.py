# SPDX-License-Identifier: MIT
"""One ref cache, two implementations: entries of either are read by the other, over the same Redis."""
import json
import math
import os
import random
import subprocess
import time

import pytest
from mcp_refcache import AccessPolicy, DefaultActor, Permission, RefCache
from mcp_refcache.access.checker import PermissionDenied
from mcp_refcache.backends.redis import RedisBackend
from mcp_refcache.backends.sqlite import SQLiteBackend

VALUES = 10000  # each way
SEED = int(os.environ.get('REFQ_SEED', '1'))


class Tool:
    """The cache in C, as another process."""

    def __init__(self, url, name='c'):
        path = os.path.join(os.environ['REFQ_BUILD'], 'tests', 'cache_tool')
        self.process = subprocess.Popen([path, url, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, op, **request):
        self.process.stdin.write(json.dumps({'op': op, **request}) + '\n')
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def must(self, op, **request):
        answer = self.ask(op, **request)
        assert answer['ok'], answer
        return answer

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(20) == 0
        self.process.stdout.close()


@pytest.fixture
def tool(own_fleet):
    made = Tool(own_fleet.url)
    yield made
    made.close()


@pytest.fixture
def cache(own_fleet):
    return RefCache(name='py', backend=RedisBackend(url=own_fleet.url), default_ttl=3600)


def same(a, b):
    """Equal, with NaN equal to itself, and 1 not equal to 1.0 nor to True."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return a == b


# --- Random values ----------------------------------------------------------------------------------------------------

def text(dice):
    kinds = ['a', 'é', '€', '\U0001f600', '\ud800', '\x7f', '\n', '"', '\\', '/', '\u2028', '\x00']
    return ''.join(dice.choice(kinds) for _ in range(dice.randrange(8)))


def scalar(dice):
    return dice.choice([
        lambda: None,
        lambda: dice.random() < 0.5,
        lambda: dice.randrange(-1000, 1000),
        lambda: dice.randrange(-2 ** 80, 2 ** 80),
        lambda: dice.uniform(-1e6, 1e6),
        lambda: dice.uniform(-1, 1) * 10.0 ** dice.randrange(-300, 300),
        lambda: dice.choice([math.nan, math.inf, -math.inf, 0.0, -0.0, 1e22, 5e-324]),
        lambda: text(dice),
    ])()


def value(dice, depth=0):
    kind = dice.randrange(10)
    if depth < 4 and kind < 2:
        return [value(dice, depth + 1) for _ in range(dice.randrange(5))]
    if depth < 4 and kind < 4:
        return {text(dice): value(dice, depth + 1) for _ in range(dice.randrange(5))}
    return scalar(dice)


# --- Values -----------------------------------------------------------------------------------------------------------

def test_python_reads_what_c_wrote(tool, cache):
    dice = random.Random(SEED)
    for number in range(VALUES):
        written = value(dice)
        ref_id = tool.must('set', value=json.dumps(written))['ref_id']
        assert same(cache.resolve(ref_id), written), (number, written)


def test_c_reads_what_python_wrote(tool, cache):
    dice = random.Random(SEED + 1)
    for number in range(VALUES):
        written = value(dice)
        ref = cache.set(f'k{number}', written)
        answer = tool.must('resolve', ref_id=ref.ref_id)
        assert same(json.loads(answer['value']), written), (number, written)


def test_answers_are_for_strict_readers(tool, cache):
    def refuse(word):
        raise AssertionError(f'{word} is no JSON')

    dice = random.Random(SEED + 2)
    for number in range(500):
        ref = cache.set(f's{number}', [value(dice), math.nan, '\ud800'])
        answer = tool.must('get', ref_id=ref.ref_id, max_size=dice.choice([0, 10, 100, 100000]))
        parsed = json.loads(answer['response'], parse_constant=refuse)
        json.dumps(parsed, ensure_ascii=False).encode()  # no lone surrogate is left


def test_metadata_is_what_python_would_write(tool, cache, raw_of):
    for written in ([1, 2, 3], {'é': 'x'}, 'text', 7, None, [], {'a': [1.5, None]}):
        here = raw_of(tool.must('set', value=json.dumps(written), tool_name='t')['ref_id'])
        there = raw_of(cache.set('m', written, tool_name='t').ref_id)
        assert here['metadata'] == there['metadata'], written
        assert list(here) == list(there)


@pytest.fixture
def raw_of(own_fleet):
    import redis
    client = redis.Redis.from_url(own_fleet.url, decode_responses=True)
    yield lambda ref_id: json.loads(client.get(f'mcp-refcache:entry:{ref_id}'))
    client.close()


# --- A file for both --------------------------------------------------------------------------------------------------

def test_a_sqlite_file_is_shared_too(tmp_path):
    path = tmp_path / 'cache.db'
    cache = RefCache(name='py', backend=SQLiteBackend(path), default_ttl=3600)
    tool = Tool(f'sqlite:{path}')
    dice = random.Random(SEED + 3)
    try:
        for number in range(500):
            written = value(dice)
            here = tool.must('set', value=json.dumps(written), namespace='org:x')['ref_id']
            there = cache.set(f'k{number}', written, policy=AccessPolicy(owner='user:alice')).ref_id
            assert same(cache.resolve(here), written), (number, written)
            read = json.loads(tool.must('resolve', ref_id=there)['value'])
            assert same(read, written), (number, written)
        assert len(tool.must('list', all=True)['refs']) == 1000
        assert cache.clear('org:x') == 500
        assert tool.must('clear', all=True, actor='user:alice')['removed'] == 500
    finally:
        tool.close()


# --- Policies ---------------------------------------------------------------------------------------------------------

def policies():
    yield AccessPolicy()
    for user in range(32):
        yield AccessPolicy(user_permissions=Permission(user), agent_permissions=Permission(31 - user))
    yield AccessPolicy(owner='user:alice', owner_permissions=Permission.READ)
    yield AccessPolicy(allowed_actors=frozenset({'agent:*', 'user:a*'}))
    yield AccessPolicy(denied_actors=frozenset({'user:bob'}), allowed_actors=frozenset())
    yield AccessPolicy(bound_session='s1')


ACTORS = [('agent', None), ('user:alice', None), ('user:bob', 's1'), ('agent:a', 's1'), ('system', None)]


def actor_of(name, session):
    if name == 'system':
        return DefaultActor.system()
    kind, _, ident = name.partition(':')
    make = DefaultActor.user if kind == 'user' else DefaultActor.agent
    return make(id=ident or None, session_id=session)


@pytest.mark.parametrize('side', ['python', 'c'])
def test_both_let_the_same_actors_read(tool, cache, side):
    cells = 0
    for number, policy in enumerate(policies()):
        for namespace in ('public', 'user:alice', 'session:s1', 'agent:a', 'org:x'):
            if side == 'python':
                ref_id = cache.set(f'{number}{namespace}', number, policy=policy, namespace=namespace).ref_id
            else:
                ref_id = tool.must('set', value=str(number), policy=policy.model_dump_json(), namespace=namespace,
                                   actor='system')['ref_id']
            for name, session in ACTORS:
                try:
                    cache.resolve(ref_id, actor=actor_of(name, session))
                    python = True
                except PermissionDenied:
                    python = False
                request = {'actor': name, 'session': session} if session else {'actor': name}
                answer = tool.ask('resolve', ref_id=ref_id, **request)
                assert answer['ok'] == python, (policy, namespace, name, session, answer)
                assert answer['ok'] or answer['text'].startswith('Invalid or inaccessible reference'), answer
                cells += 1
    assert cells > 900


# --- Lives, lists, foreign things -------------------------------------------------------------------------------------

def test_lives_are_kept(tool, cache, raw_of):
    brief = tool.must('set', value='1', ttl_ms=300)['ref_id']
    ever = tool.must('set', value='2', ttl_ms=-1)['ref_id']
    usual = tool.must('set', value='3', ttl_ms=3600000)['ref_id']
    assert raw_of(ever)['expires_at'] is None
    assert 3590 < raw_of(usual)['expires_at'] - time.time() <= 3600
    deadline = time.time() + 10
    while cache.exists(brief) and time.time() < deadline:
        time.sleep(0.02)
    with pytest.raises(KeyError):
        cache.resolve(brief)
    assert cache.resolve(ever) == 2
    forever = RefCache(name='py', backend=cache._backend, default_ttl=None).set('x', 4).ref_id
    assert tool.must('resolve', ref_id=forever)['value'] == '4'


def test_each_sees_and_removes_the_others_entries(tool, cache):
    mine = tool.must('set', value='1')['ref_id']
    theirs = cache.set('k', 2).ref_id
    assert set(tool.must('list', all=True)['refs']) == {mine, theirs}
    assert tool.must('list')['refs'] == [mine]
    assert set(cache._backend.keys()) == {mine, theirs}
    assert cache.delete(mine, actor='user')
    assert tool.must('exists', ref_id=mine)['there'] is False
    assert tool.must('clear', actor='user:a')['removed'] == 0  # only its own cache
    assert cache.exists(theirs)
    assert tool.must('clear', actor='user:a', all=True)['removed'] == 1
    assert not cache.exists(theirs)


def test_damage_does_not_spread(tool, cache, own_fleet):
    import redis
    with redis.Redis.from_url(own_fleet.url) as client:
        client.set('mcp-refcache:entry:py:broken', b'\xff\x00garbage')
        client.rpush('mcp-refcache:entry:py:list', 'x')
    good = cache.set('k', [1]).ref_id
    answer = tool.must('list', all=True)
    assert answer['refs'] == [good]
    assert answer['broken'] == 2
    assert not tool.ask('get', ref_id='py:broken')['ok']
    assert not tool.ask('get', ref_id='py:list')['ok']
    assert tool.must('clear', actor='user:a', all=True)['removed'] == 1
