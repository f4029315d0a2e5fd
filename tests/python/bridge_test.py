# SPDX-License-Identifier: MIT
"""mcp-refcache as it is, over tasks of a fleet: RefCache and its RedisBackend with refq's task backend.

The names AC-nn are those of the acceptance cases that the project set itself for polling from Python.
"""
import asyncio
import json
import pathlib
import subprocess
import sys
import threading
import time

import pytest
from fleet import QUEUE, until
from mcp_refcache import AccessPolicy, DefaultActor, Permission, PermissionDenied, RefCache
from mcp_refcache.backends.redis import RedisBackend
from mcp_refcache.backends.task_base import TaskBackend
from mcp_refcache.context import CharacterFallback
from mcp_refcache.models import AsyncResponseFormat, AsyncTaskResponse, CacheResponse, TaskInfo, TaskStatus

import refq
from refq import RefqTaskBackend, Tasks

GONE = 'docs:' + 32 * '0'


@pytest.fixture
def backend(tasks):
    made = RefqTaskBackend(tasks)
    yield made
    made.shutdown()


def make_cache(fleet, backend, name='my-server'):
    return RefCache(name=name, backend=RedisBackend(url=fleet.url), task_backend=backend, tokenizer=CharacterFallback())


@pytest.fixture
def cache(fleet, backend):
    return make_cache(fleet, backend)


def poll_until(cache, ref, *statuses):
    """Polls as an agent does, until a status is one of these; 'value' is the cache's own answer."""
    def look():
        answer = cache.get(ref)
        status = answer.status.value if isinstance(answer, AsyncTaskResponse) else 'value'
        return answer if status in statuses else None
    return until(look, f'{ref} to be {statuses}')


def test_it_is_a_task_backend(backend):
    assert isinstance(backend, TaskBackend)


# --- Polling ----------------------------------------------------------------------------------------------------------

def test_a_poll_in_flight_is_an_async_response(cache, tasks, gate):
    """AC-01, AC-07"""
    ref = tasks.enqueue('gated', {'gate': gate})
    answer = cache.get(ref)
    assert isinstance(answer, AsyncTaskResponse) and answer.ref_id == ref
    assert answer.status in (TaskStatus.PENDING, TaskStatus.PROCESSING)
    told = answer.to_dict()
    assert (told['is_async'], told['is_complete'], told['ref_id']) == (True, False, ref) and told['started_at']
    with pytest.raises(KeyError):
        cache.resolve(ref)
    tasks.cancel(ref)


def test_a_waiting_task_is_pending(cache, tasks):
    ref = tasks.enqueue('echo', delay=3600)
    answer = cache.get(ref)
    assert (answer.status, answer.progress, answer.error) == (TaskStatus.PENDING, None, None)
    assert answer.message == 'Task is queued and will start shortly'
    tasks.cancel(ref)


def test_after_completion_the_value_is_there_and_stays(cache, tasks, gate):
    """AC-04, AC-08, AC-11"""
    ref = tasks.enqueue('gated', {'gate': gate})
    poll_until(cache, ref, 'processing')
    pathlib.Path(gate).touch()
    first = poll_until(cache, ref, 'value')
    assert isinstance(first, CacheResponse)
    assert first.preview == {'pages': 10, 'attempt': 1} == cache.resolve(ref)
    assert [cache.get(ref).preview for _ in range(3)] == 3 * [first.preview]
    assert cache._active_tasks == {}


@pytest.mark.parametrize('value', [
    None, True, 0, -1.5, '', 'text ü\u2028', [], [1, [2]], {}, {'a': None}, 2**53 + 1])
def test_any_value_comes_through(cache, tasks, value):
    ref = tasks.enqueue('echo', {'v': value})
    tasks.wait(ref, timeout=30)
    assert cache.resolve(ref) == {'v': value}


def test_an_unknown_reference_is_unknown(cache, backend):
    """AC-09"""
    assert cache.get_task_status(GONE) is None
    for ref in (GONE, 'docs:0123456789abcdef', 'no reference at all', ''):
        assert backend.get_status(ref) is None
        assert not backend.is_cancelled(ref)
        assert not backend.cancel(ref)
        with pytest.raises(KeyError):
            cache.get(ref)
        with pytest.raises(KeyError):
            backend.get_result(ref)


def test_the_status_of_a_task_is_a_task_info(cache, tasks, gate):
    """AC-09"""
    ref = tasks.enqueue('gated', {'gate': gate})
    info = cache.get_task_status(ref)
    assert isinstance(info, TaskInfo) and info.ref_id == ref
    assert TaskInfo.model_validate_json(info.model_dump_json()) == info
    tasks.cancel(ref)


def test_there_is_no_eta_without_progress(cache, tasks, gate):
    """AC-10"""
    for name in ('silent', 'begun'):
        ref = tasks.enqueue(name, {'gate': gate})
        answer = poll_until(cache, ref, 'processing')
        if name == 'begun':
            answer = until(lambda ref=ref: (a := cache.get(ref)).progress and a, 'progress')
            assert (answer.progress.current, answer.progress.percentage) == (0, 0.0)
        assert answer.eta_seconds is None
        tasks.cancel(ref)


def test_progress_and_eta_are_seen(cache, tasks, gate):
    """AC-36"""
    ref = tasks.enqueue('gated', {'gate': gate})
    answer = until(lambda: (a := cache.get(ref)).progress and a, 'progress')
    assert answer.progress.model_dump() == {'current': 3, 'total': 10, 'message': 'page 3', 'percentage': 30.0}
    assert answer.message == 'page 3' and answer.eta_seconds >= 0
    tasks.cancel(ref)


def test_progress_beyond_its_total_does_not_break_the_poll(cache, tasks, gate):
    """AC-36"""
    ref = tasks.enqueue('beyond', {'gate': gate})
    answer = until(lambda: (a := cache.get(ref)).progress and a, 'progress')
    assert (answer.progress.current, answer.progress.total, answer.progress.percentage) == (10, 10, 100.0)
    assert answer.eta_seconds == 0
    tasks.cancel(ref)


def test_a_question_is_shown_as_message(cache, tasks):
    ref = tasks.enqueue('asks')
    answer = until(lambda: (a := cache.get(ref)).progress and a, 'the question')
    assert answer.message == 'waits for an answer: Which invoice?'
    tasks.cancel(ref)


def test_the_times_are_those_of_this_machine(cache, tasks, raw, gate):
    """A server whose clock is an hour ahead: nothing lies in the future, and elapsed time is right."""
    raw.hset(f'refq:{{{QUEUE}}}:meta', 'clock_offset', 3600_000)
    try:
        ref = tasks.enqueue('gated', {'gate': gate})
        answer = until(lambda: (a := cache.get(ref)).progress and a, 'progress')
        assert answer.eta_seconds < 600
        assert time.time() - 600 < cache.get_task_status(ref).started_at < time.time()
        tasks.cancel(ref)
        assert cache.get_task_status(ref).completed_at <= time.time()
    finally:
        raw.hdel(f'refq:{{{QUEUE}}}:meta', 'clock_offset')


def test_the_three_formats_of_a_reply(backend, tasks, gate):
    """AC-13"""
    ref = tasks.enqueue('gated', {'gate': gate})
    info = until(lambda: (i := backend.get_status(ref)).progress and i, 'progress')
    minimal, standard, full = (AsyncTaskResponse.from_task_info(info, response_format=f).to_dict(f)
                               for f in (AsyncResponseFormat.MINIMAL, AsyncResponseFormat.STANDARD,
                                         AsyncResponseFormat.FULL))
    assert set(minimal) == {'ref_id', 'status', 'is_complete', 'is_async'}
    assert set(standard) - set(minimal) == {'started_at', 'progress', 'message'}
    assert {'eta_seconds', 'error', 'retry_count', 'can_retry'} <= set(full)
    assert (full['retry_count'], full['can_retry'], full['error']) == (0, False, None)
    json.dumps(full)
    tasks.cancel(ref)


def test_many_calls_at_once_each_have_their_own_result(cache, tasks):
    """AC-05"""
    refs = {n: tasks.enqueue('echo', {'n': n}) for n in range(10)}
    for n, ref in refs.items():
        poll_until(cache, ref, 'value')
        assert cache.resolve(ref) == {'n': n}


def test_pollers_at_the_same_time_see_the_same_result(cache, tasks, gate):
    """AC-14"""
    ref = tasks.enqueue('gated', {'gate': gate})
    seen, failed = [], []

    def poll():
        try:
            seen.append(poll_until(cache, ref, 'value').preview)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=poll) for _ in range(3)]
    for thread in threads:
        thread.start()
    poll_until(cache, ref, 'processing')
    pathlib.Path(gate).touch()
    for thread in threads:
        thread.join()
    assert failed == [] and seen == 3 * [{'pages': 10, 'attempt': 1}]


def test_previews_and_pages_are_those_of_the_cache(cache, tasks):
    ref = tasks.enqueue('echo', {f'n{i}': i for i in range(1000)})
    tasks.wait(ref, timeout=30)
    small = cache.get(ref, max_size=50)
    assert small.preview_size <= 50 < small.original_size and small.total_items == 1000
    assert cache.get(ref, page=2, page_size=3).preview == {'n3': 3, 'n4': 4, 'n5': 5}


# --- Failing and retrying ---------------------------------------------------------------------------------------------

def test_a_failed_task_shows_its_error_and_caches_nothing(cache, tasks, raw):
    """AC-12"""
    text = 'the scan is empty, ' + 100 * 'x'
    ref = tasks.enqueue('fails', {'message': text})
    answer = poll_until(cache, ref, 'failed')
    assert text in answer.error and text in answer.message
    assert not raw.exists('mcp-refcache:entry:' + ref)
    with pytest.raises(KeyError):
        cache.resolve(ref)


def test_a_failed_task_is_over(cache, backend, tasks):
    """AC-34: mcp-refcache must not take it for one in flight."""
    ref = tasks.enqueue('fails', {'message': 'no'})
    tasks.wait(ref, timeout=30)
    info = backend.get_status(ref)
    assert info.is_terminal and not info.can_retry and (info.retry_count, info.retry_history) == (0, [])
    with pytest.raises(refq.TaskFailedError, match='no'):
        backend.get_result(ref)
    assert not backend.cancel(ref)


def test_retries_are_counted_and_told(cache, backend, tasks, fleet):
    """AC-34"""
    ref = tasks.enqueue('flaky', {'tries': fleet.path('tries-1'), 'good': 3})
    assert poll_until(cache, ref, 'value').preview == 3
    info = backend.get_status(ref)
    assert (info.retry_count, info.status, info.error) == (2, TaskStatus.COMPLETE, None)
    assert [(r.attempt, 'went wrong' in r.error) for r in info.retry_history] == [(1, True), (2, True)]
    assert info.retry_history[0].timestamp <= info.retry_history[1].timestamp <= time.time()


def test_exhausted_retries_are_the_end(cache, backend, tasks, fleet):
    """AC-34"""
    ref = tasks.enqueue('flaky', {'tries': fleet.path('tries-2'), 'good': 9})
    answer = poll_until(cache, ref, 'failed')
    assert 'try 3 went wrong' in answer.error
    assert (answer.retry_count, answer.can_retry) == (2, False)
    info = backend.get_status(ref)
    assert info.is_terminal and len(info.retry_history) == 2


def test_between_two_attempts_the_last_failure_is_told(backend, tasks, raw, fleet):
    """AC-34"""
    ref = tasks.enqueue('flaky', {'tries': fleet.path('tries-3'), 'good': 2})
    tasks.wait(ref, timeout=30)
    key = f'refq:{{{QUEUE}}}:task:{ref.partition(":")[2]}'
    raw.hset(key, mapping={'status': 'pending'})  # the moment is too short to be met otherwise
    info = backend.get_status(ref)
    assert (info.status, info.retry_count, info.max_retries, info.error) == (TaskStatus.PENDING, 1, 3, None)
    assert len(info.retry_history) == 1
    raw.hset(key, mapping={'status': 'complete'})


def test_error_texts_can_be_redacted(fleet, tasks):
    """AC-37"""
    backend = RefqTaskBackend(tasks, redact=lambda text: 'something went wrong')
    ref = tasks.enqueue('flaky', {'tries': fleet.path('tries-4'), 'good': 9})
    tasks.wait(ref, timeout=30)
    answer = make_cache(fleet, backend).get(ref)
    assert (answer.error, answer.message) == ('something went wrong', 'Task failed: something went wrong')
    assert {r.error for r in backend.get_status(ref).retry_history} == {'something went wrong'}


def test_a_task_that_was_run_again(cache, tasks, fleet):
    ref = tasks.enqueue('flaky', {'tries': fleet.path('tries-5'), 'good': 4})
    tasks.wait(ref, timeout=30)
    assert cache.get(ref).status is TaskStatus.FAILED
    again = tasks.retry(ref)
    assert poll_until(cache, again, 'value').preview == 4
    assert cache.get(ref).status is TaskStatus.FAILED


# --- Cancelling -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('running', [False, True])
def test_cancel(cache, backend, tasks, raw, gate, running):
    """AC-35"""
    ref = tasks.enqueue('gated', {'gate': gate}, delay=None if running else 3600)
    poll_until(cache, ref, 'processing' if running else 'pending')
    assert backend.cancel(ref)
    assert cache.get_task_status(ref).status is TaskStatus.CANCELLED
    assert backend.is_cancelled(ref) and not backend.cancel(ref)
    pathlib.Path(gate).touch()
    holds = f'refq:{{{QUEUE}}}:worker:{worker_of(raw)}:tasks'
    until(lambda: not raw.sismember(holds, ref.partition(':')[2]), 'the program to end')
    assert backend.get_status(ref).status is TaskStatus.CANCELLED
    assert not raw.exists('mcp-refcache:entry:' + ref)
    with pytest.raises(KeyError):
        cache.get(ref)
    with pytest.raises(RuntimeError, match='cancelled'):
        backend.get_result(ref)


def worker_of(raw):
    return raw.zrange(f'refq:{{{QUEUE}}}:workers', 0, 0)[0]


# --- Expiring ---------------------------------------------------------------------------------------------------------

def test_a_value_that_was_deleted(cache, backend, tasks):
    ref = tasks.enqueue('echo')
    tasks.wait(ref, timeout=30)
    assert cache.delete(ref, actor='user')
    with pytest.raises(KeyError):
        cache.get(ref)
    with pytest.raises(KeyError):
        backend.get_result(ref)


def test_a_value_that_has_expired(cache, backend, tasks):
    ref = tasks.enqueue('short')
    tasks.wait(ref, timeout=30)
    info = until(lambda: (i := backend.get_status(ref)).error and i, 'the result to expire')
    assert (info.status, info.error) == (TaskStatus.COMPLETE, 'the result has expired')
    with pytest.raises(KeyError):
        cache.get(ref)


def test_results_have_a_time_to_live(tasks, raw):
    """AC-38"""
    ref = tasks.enqueue('echo')
    tasks.wait(ref, timeout=30)
    assert 0 < raw.ttl('mcp-refcache:entry:' + ref) <= 24 * 3600 + 2


# --- Several servers --------------------------------------------------------------------------------------------------

POLLER = '''
import json, sys, time
from mcp_refcache import RefCache
from mcp_refcache.backends.redis import RedisBackend
from mcp_refcache.context import CharacterFallback
from mcp_refcache.models import AsyncTaskResponse
from refq import RefqTaskBackend
url, ref, gate = sys.argv[1:]
cache = RefCache(name='another', backend=RedisBackend(url=url), task_backend=RefqTaskBackend(url),
                 tokenizer=CharacterFallback())
end = time.monotonic() + 30
seen = []
while time.monotonic() < end:
    answer = cache.get(ref)
    if not isinstance(answer, AsyncTaskResponse):
        seen.append(answer.preview)
        break
    if answer.progress and not seen:
        seen.append([answer.status.value, answer.progress.current, answer.progress.total])
        open(gate, 'w').close()
    time.sleep(0.01)
print(json.dumps(seen))
'''


def poll_elsewhere(fleet, ref, gate):
    ran = subprocess.run([sys.executable, '-c', POLLER, fleet.url, ref, gate], capture_output=True, text=True,
                         timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_another_process_polls(fleet, tasks, gate):
    """AC-32"""
    ref = tasks.enqueue('gated', {'gate': gate})
    assert poll_elsewhere(fleet, ref, gate) == [['processing', 3, 10], {'pages': 10, 'attempt': 1}]


def test_two_caches_of_different_names(fleet, backend, tasks):
    ref = tasks.enqueue('echo', {'n': 1})
    tasks.wait(ref, timeout=30)
    one, two = make_cache(fleet, backend, 'one'), make_cache(fleet, None, 'two')
    assert one.get(ref).preview == two.get(ref).preview == two.resolve(ref) == {'n': 1}
    assert (one.get(ref).cache_name, two.get(ref).cache_name, one.get(ref).ref_id) == ('one', 'two', ref)


def test_the_entry_is_listed_and_has_the_default_policy(fleet, cache, tasks):
    ref = tasks.enqueue('echo')
    tasks.wait(ref, timeout=30)
    redis_backend = RedisBackend(url=fleet.url)
    assert ref in redis_backend.keys('public')
    entry = redis_backend.get(ref)
    assert (entry.namespace, entry.metadata['tool_name'], entry.metadata['async_completed']) == ('public', 'echo', True)
    with pytest.raises(PermissionDenied):
        cache.delete(ref)  # an agent may read, not delete
    assert cache.delete(ref, actor=DefaultActor.user(id='alice'))


def test_a_reference_of_the_fleet_is_an_input_of_a_cached_tool(cache, tasks):
    ref = tasks.enqueue('echo', {'n': 20})
    tasks.wait(ref, timeout=30)

    @cache.cached()
    def double(data):
        return 2 * data['n']

    assert double(ref)['value'] == 40


# --- Whose a result is ------------------------------------------------------------------------------------------------

def test_the_result_belongs_to_whom_the_task_said(cache, tasks, raw):
    policy = AccessPolicy(user_permissions=Permission.READ, agent_permissions=Permission.NONE,
                          denied_actors=frozenset({'user:mallory', 'agent:*'}), owner='user:alice')
    ref = tasks.enqueue('echo', {'n': 1}, namespace='user:alice', policy=policy, session='s1', actor='user:alice',
                        actor_session='s1')
    tasks.wait(ref, timeout=30)
    entry = json.loads(raw.get('mcp-refcache:entry:' + ref))
    assert entry['namespace'] == 'user:alice'
    assert entry['policy'] == {'user_permissions': 1, 'agent_permissions': 0, 'owner': 'user:alice',
                               'owner_permissions': 31, 'allowed_actors': None,
                               'denied_actors': ['agent:*', 'user:mallory'], 'bound_session': 's1'}
    alice = DefaultActor.user(id='alice', session_id='s1')
    assert cache.resolve(ref, actor=alice) == {'n': 1}
    for actor in ('agent', 'user', DefaultActor.user(id='alice'), DefaultActor.user(id='mallory', session_id='s1')):
        with pytest.raises(PermissionDenied):
            cache.resolve(ref, actor=actor)


def test_a_default_policy_costs_nothing(tasks, raw):
    ref = tasks.enqueue('echo', delay=3600, policy=AccessPolicy(), namespace='public')
    assert raw.hmget(f'refq:{{{QUEUE}}}:task:{ref.partition(":")[2]}', 'policy', 'namespace', 'owner') == 3 * [None]
    tasks.cancel(ref)


# --- What happens to a fleet ------------------------------------------------------------------------------------------

def test_a_killed_worker_and_a_restarted_server(own_fleet):
    """AC-33: the server goes down in the middle, then the worker dies: the other one finishes the task."""
    gate = own_fleet.path('gate')
    with Tasks(own_fleet.url, queue=QUEUE) as tasks:
        backend = RefqTaskBackend(tasks)
        cache = make_cache(own_fleet, backend)
        doomed = own_fleet.hire('--lease', '1s')
        ref = tasks.enqueue('gated', {'gate': gate})
        poll_until(cache, ref, 'processing')
        own_fleet.kill_server()
        own_fleet.start_server()
        assert cache.get(ref).status is TaskStatus.PROCESSING
        own_fleet.hire('--lease', '1s')
        doomed.kill()
        doomed.wait()
        until(lambda: tasks.status(ref).attempt == 2, 'the second attempt')
        own_fleet.open('gate')
        assert poll_until(cache, ref, 'value').preview == {'pages': 10, 'attempt': 2}
        info = backend.get_status(ref)
        assert info.retry_count == 0 and [r.attempt for r in info.retry_history] == [1]
        backend.shutdown()


def test_flushed_functions_do_not_disturb_a_poll(cache, tasks, raw, gate):
    ref = tasks.enqueue('gated', {'gate': gate})
    for _ in range(3):
        raw.function_flush()
        assert cache.get(ref).ref_id == ref
    pathlib.Path(gate).touch()
    poll_until(cache, ref, 'value')


# --- Work of this process ---------------------------------------------------------------------------------------------

def test_a_decorated_function_runs_in_this_process(cache, backend):
    """AC-02 and AC-06; the timeout is one that a machine under load keeps, too."""
    runs = []

    @cache.cached(async_timeout=30)
    def quick(n):
        runs.append(n)
        return n + 1

    assert (quick(1)['value'], quick(1)['is_async'], runs) == (2, False, [1])


def test_a_slow_decorated_function_is_polled_under_its_reference(cache, backend):
    gate = threading.Event()

    @cache.cached(async_timeout=0.05)
    async def slow(n):
        while not gate.is_set():
            await asyncio.sleep(0.01)
        return n + 1

    reply = asyncio.run(slow(1))
    ref = reply['ref_id']
    assert reply['is_async'] and cache.get(ref).status in (TaskStatus.PENDING, TaskStatus.PROCESSING)
    gate.set()
    assert poll_until(cache, ref, 'value').preview == 2
    assert backend.get_result(ref) == 2
    assert backend.get_status(ref).status is TaskStatus.COMPLETE


def test_a_closure_is_cancelled_in_this_process(backend):
    gate = threading.Event()
    backend.submit('srv:0123456789abcdef', gate.wait, (), {})
    assert backend.cancel('srv:0123456789abcdef') and backend.is_cancelled('srv:0123456789abcdef')
    gate.set()
    until(lambda: backend.get_status('srv:0123456789abcdef').status is TaskStatus.CANCELLED, 'the cancellation')


def test_numbers_and_cleanup(fleet, tasks):
    backend = RefqTaskBackend(tasks, queues=[QUEUE])
    backend.submit('srv:0123456789abcdef', lambda: 1, (), {})
    until(lambda: backend.get_status('srv:0123456789abcdef').is_terminal, 'the end')
    ref = tasks.enqueue('echo')
    tasks.wait(ref, timeout=30)
    stats = backend.get_stats()
    assert stats['total_tasks'] == 1 and stats['refq'][QUEUE]['workers'] == 1
    assert backend.cleanup(0) == 1
    assert backend.get_status(ref).status is TaskStatus.COMPLETE  # what is everybody's stays
    backend.shutdown()
