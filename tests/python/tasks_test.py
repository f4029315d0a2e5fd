# SPDX-License-Identifier: MIT
"""refq.Tasks against a real server and worker."""
import json
import pathlib
import subprocess
import threading

import pytest
import redis
from fleet import QUEUE, REFQ, until

import refq
import refq.server
from refq import Tasks
from refq.scope import PRESETS

GONE = 'docs:' + 32 * '0'


def wait_status(tasks, ref, status):
    return until(lambda: (t := tasks.status(ref)).status == status and t, f'{ref} to be {status}')


@pytest.mark.parametrize('args', [
    None, {}, {'path': '/a b/ü.pdf'}, {'n': [0, -1, 2**63 - 1, -2**63, 1.5, -0.0, 1e300, True, False, None]},
    {'deep': {'a': [{'b': []}, {}]}, 'text': 'a"\\\n\u2028\U0001f600' + 300 * 'x'},
    {str(i): i for i in range(1000)}])
def test_arguments_reach_the_program_unchanged(tasks, args):
    ref = tasks.enqueue('echo', args)
    assert tasks.result(ref, timeout=30) == (args or {})


def test_tuples_are_lists_as_in_json(tasks):
    assert tasks.result(tasks.enqueue('echo', {'t': (1, (2,))}), timeout=30) == {'t': [1, [2]]}


def nested(depth):
    value = {}
    for _ in range(depth - 1):
        value = {'a': value}
    return value


@pytest.mark.parametrize('args, words', [
    ([1], 'must be a dict'), ({1: 2}, 'keys are strings'), ({'a\0': 1}, 'zero bytes'),
    ({'a': b'x'}, "args['a'] is a bytes"),
    ({'a': [0, float('nan')]}, "args['a'][1] is nan"), ({'a': float('inf')}, 'inf'), ({'a': 2**63}, '64 bits'),
    ({'a': '\ud800'}, 'lone surrogate'), ({'a': {1, 2}}, 'a set'), (nested(33), '32 levels'),
    ({'a': [0] * 100_000}, '100000 values'), ({'a': 'x' * (1 << 20)}, 'as JSON'),
    ({'a': [0.5] * 99_000, 'b': 'x' * 200_000}, 'as msgpack')])
def test_what_cannot_be_sent_is_refused_with_its_place(tasks, args, words):
    with pytest.raises(refq.InvalidError) as caught:
        tasks.enqueue('echo', args)
    assert words in str(caught.value)


def test_32_levels_are_fine(tasks):
    assert tasks.result(tasks.enqueue('echo', nested(32)), timeout=30) == nested(32)


@pytest.mark.parametrize('options', [
    {'queue': '9docs'}, {'queue': 'docs\n'}, {'queue': 'a' * 65}, {'lane': 'fast'}, {'delay': -1},
    {'delay': float('nan')}, {'timeout': 367 * 24 * 3600}, {'retries': -1}, {'retries': 1001}, {'retries': True},
    {'key': ''}, {'key': 129 * 'k'},
    {'traceparent': 65 * 't'}, {'ref_id': 'docs:123'}, {'ref_id': GONE, 'queue': 'other'},
    {'start_within': 'soon'}, {'after': ['docs:1']}, {'after': 65 * [GONE]}])
def test_options_out_of_bounds_are_refused(tasks, options):
    with pytest.raises(refq.InvalidError):
        tasks.enqueue('echo', {}, **options)


@pytest.mark.parametrize('options, words', [
    ({'namespace': ''}, 'namespace must be 1 to 256'), ({'namespace': 'a\nb'}, 'one line'),
    ({'namespace': 'a\x85b'}, 'one line'), ({'owner': 257 * 'x'}, '256'), ({'session': 7}, 'session must be text'),
    ({'actor': '\ud800'}, 'lone surrogate'),
    ({'policy': {'colour': 1}}, "no 'colour'"), ({'policy': {'user_permissions': 32}}, '0 to 31, not 32'),
    ({'policy': {'agent_permissions': '1'}}, "0 to 31, not '1'"), ({'policy': {'allowed_actors': 'user:a'}}, 'texts'),
    ({'policy': {'denied_actors': ['']}}, '1 to 256'), ({'policy': {'denied_actors': 1025 * ['a']}}, '1024'),
    ({'policy': {'denied_actors': [f'user:number-{i:08}' for i in range(1000)]}}, 'bytes'),
    ({'policy': {'owner': 'user:a'}, 'owner': 'user:b'}, 'another owner'),
    ({'policy': {'owner': 'a'}}, "owner 'a'")])
def test_a_scope_that_no_worker_would_take_is_refused(tasks, options, words):
    with pytest.raises(refq.InvalidError) as caught:
        tasks.enqueue('echo', {}, **options)
    assert words in str(caught.value)


@pytest.mark.parametrize('policy', ['user-only', '', '{}', 7, True, ['user_only'], b'public', Tasks, object()])
def test_what_is_no_policy_is_refused_with_what_there_is(tasks, policy):
    with pytest.raises(refq.InvalidError) as caught:
        tasks.enqueue('echo', {}, policy=policy)
    assert 'user_only' in str(caught.value) and 'AccessPolicy' in str(caught.value)


@pytest.mark.parametrize('policy, users, agents', [
    ('default', 31, 17), ('public', 31, 31), ('user_only', 31, 0), ('execute_only', 31, 16), ('read_only', 1, 1),
    ({}, 31, 17), ({'agent_permissions': 1}, 31, 1)])
def test_a_policy_may_be_the_name_of_a_preset(tasks, raw, policy, users, agents):
    ref = tasks.enqueue('echo', {}, policy=policy, owner='user:alice')
    tasks.wait(ref, timeout=30)
    stored = json.loads(raw.get('mcp-refcache:entry:' + ref))['policy']
    assert stored == {'user_permissions': users, 'agent_permissions': agents, 'owner': 'user:alice',
                      'owner_permissions': 31, 'allowed_actors': None, 'denied_actors': None, 'bound_session': None}


def test_the_presets_are_those_of_the_command_line(tasks, fleet, raw):
    for name in PRESETS:
        asked = subprocess.run([REFQ, 'call', 'echo', '--redis', fleet.url, '--queue', QUEUE, '--policy', name,
                                '--args', json.dumps({'preset': name}), '--as', 'user:a', '-o', 'json'],
                               capture_output=True, text=True, check=True, timeout=30)
        theirs = json.loads(raw.get('mcp-refcache:entry:' + json.loads(asked.stdout)['ref_id']))
        ref = tasks.enqueue('echo', policy=name)
        tasks.wait(ref, timeout=30)
        assert json.loads(raw.get('mcp-refcache:entry:' + ref))['policy'] == theirs['policy']


@pytest.mark.parametrize('name, text', [
    *[('owner', text) for text in ('bob', 'user', 'user:', 'user:*', 'agent:*', 'User:bob', 'system:internal')],
    *[('actor', text) for text in ('bob', 'user:', 'agent:', 'users:bob', 'system', 'system:bob', ':bob')],
    *[('namespace', text) for text in ('user', 'agent', 'session', 'user:', 'agent:', 'session:', 'user:*')]])
def test_names_that_nobody_could_use_are_refused(tasks, name, text):
    with pytest.raises(refq.InvalidError) as caught:
        tasks.enqueue('echo', {}, **{name: text})
    assert f'{name} {text!r}' in str(caught.value) and ':<id>' in str(caught.value)


@pytest.mark.parametrize('options', [
    {'namespace': 'lab'}, {'namespace': 'org:acme'}, {'namespace': 'shared:x'}, {'namespace': 'user:a:b'},
    {'namespace': 'session:s1'}, {'owner': 'agent:claude-1'}, {'actor': 'user'}, {'actor': 'agent:*'},
    {'actor': 'user:alice', 'actor_session': 's1'}, {'actor': 'system:internal'}])
def test_names_that_somebody_can_use_are_taken(tasks, options):
    ref = tasks.enqueue('echo', {'n': 1}, **options)
    assert tasks.result(ref, timeout=30) == {'n': 1}


def test_a_task_name_is_checked(tasks):
    with pytest.raises(refq.InvalidError, match='task name'):
        tasks.enqueue('echo it')


def test_without_a_queue_it_says_where_to_name_one(fleet):
    with Tasks(fleet.url) as client, pytest.raises(refq.InvalidError, match='no queue is named'):
        client.enqueue('echo')


def test_the_record_has_what_was_asked_for(tasks, raw):
    ref = tasks.enqueue('echo', {'a': 1}, lane='low', delay=3600, timeout=1.5, retries=0, key='k-fields',
                        traceparent='00-1', start_within=60)
    asked = {'lane': 'low', 'timeout_ms': '1500', 'max_retries': '0', 'key': 'k-fields', 'traceparent': '00-1',
             'args_preview': '{"a":1}'}
    record = raw.hmget(f'refq:{{{QUEUE}}}:task:{ref.partition(":")[2]}', list(asked))
    assert dict(zip(asked, record, strict=True)) == asked
    task = tasks.status(ref)
    assert (task.status, task.name, task.attempt, task.max_retries) == ('pending', 'echo', 0, 0)
    assert 3590 < task.due_at - task.created_at < 3610
    assert raw.sismember('refq:queues', QUEUE)
    assert tasks.cancel(ref)


def test_a_long_preview_ends_in_dots_at_a_character(tasks, raw):
    ref = tasks.enqueue('echo', {'a': 'ü' * 100})
    shown = raw.hget(f'refq:{{{QUEUE}}}:task:{ref.partition(":")[2]}', 'args_preview')
    assert shown == '{"a":"' + 27 * 'ü' + '...'
    assert len(shown.encode()) <= 64


def test_the_same_reference_is_one_task(tasks, gate):
    ref = tasks.make_ref()
    assert tasks.enqueue('gated', {'gate': gate}, ref_id=ref) == ref
    assert tasks.enqueue('gated', {'gate': gate}, ref_id=ref) == ref
    pathlib.Path(gate).touch()
    assert tasks.result(ref, timeout=30)['attempt'] == 1


def test_the_same_key_is_one_task(tasks):
    first = tasks.enqueue('echo', {'n': 1}, key='invoice-7')
    assert tasks.enqueue('echo', {'n': 2}, key='invoice-7') == first
    assert tasks.result(first, timeout=30) == {'n': 1}


def test_a_task_waits_for_others(tasks, gate):
    first = tasks.enqueue('gated', {'gate': gate})
    then = tasks.enqueue('echo', {'n': 1}, after=[first, GONE])
    assert tasks.status(then).fields['after'].split() == [first, GONE]
    wait_status(tasks, first, 'processing')
    assert tasks.status(then).status == 'pending'
    pathlib.Path(gate).touch()
    assert tasks.wait(then, timeout=30).started_at >= tasks.status(first).completed_at
    assert tasks.result(tasks.enqueue('echo', {'n': 2}, after=first), timeout=30) == {'n': 2}


def test_progress_is_seen_while_it_runs_and_wait_ends_with_it(tasks, gate):
    ref = tasks.enqueue('gated', {'gate': gate})
    seen = []

    def on_change(task):
        seen.append((task.status, task.progress))
        if task.progress is not None:
            pathlib.Path(gate).touch()

    task = tasks.wait(ref, timeout=30, on_change=on_change)
    assert task.status == 'complete' and task.is_terminal
    assert ('processing', refq.Progress(3, 10, 'page 3')) in seen
    assert tasks.result(ref) == {'pages': 10, 'attempt': 1}
    assert task.created_at <= task.started_at <= task.completed_at < task.expires_at


def test_wait_answers_the_state_at_its_deadline(tasks, gate):
    ref = tasks.enqueue('gated', {'gate': gate})
    assert not tasks.wait(ref, timeout=0.2).is_terminal
    assert not tasks.wait(ref, timeout=0).is_terminal
    with pytest.raises(refq.NotCompleteError) as caught:
        tasks.result(ref)
    assert caught.value.status in ('pending', 'processing')
    assert tasks.cancel(ref)


@pytest.mark.parametrize('ask', ['wait', 'result'])
@pytest.mark.parametrize('timeout', ['5', True, float('nan'), [5], b'5'])
def test_a_timeout_that_is_no_number_is_refused(tasks, ask, timeout):
    with pytest.raises(refq.InvalidError, match='timeout must be a number of seconds') as caught:
        getattr(tasks, ask)(GONE, timeout=timeout)
    assert repr(timeout) in str(caught.value)


def test_result_waits_only_so_long_as_it_is_told(tasks):
    with pytest.raises(refq.InvalidError, match='timeout must be a number of seconds, not None'):
        tasks.result(GONE, timeout=None)


def test_a_timeout_below_zero_asks_once(tasks):
    ref = tasks.enqueue('echo', delay=3600)
    assert tasks.wait(ref, timeout=-0.001).status == 'pending'
    with pytest.raises(refq.NotCompleteError):
        tasks.result(ref, timeout=-1)
    tasks.cancel(ref)


def test_wait_for_what_is_over_returns_at_once(tasks):
    ref = tasks.enqueue('echo')
    tasks.wait(ref, timeout=30)
    assert tasks.wait(ref).status == 'complete'


def test_many_wait_for_one(tasks, gate):
    ref = tasks.enqueue('gated', {'gate': gate})
    ends = []
    threads = [threading.Thread(target=lambda: ends.append(tasks.wait(ref, timeout=30).status)) for _ in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: len(waiters(tasks, ref)) == 8, '8 waiters')
    pathlib.Path(gate).touch()
    for thread in threads:
        thread.join()
    assert ends == 8 * ['complete']


def waiters(tasks, ref):
    return tasks._redis.smembers(f'refq:{{{QUEUE}}}:waiters:{ref.partition(":")[2]}')


def test_wait_outlives_cut_connections(tasks, raw, gate):
    ref = tasks.enqueue('gated', {'gate': gate})
    ends = []
    thread = threading.Thread(target=lambda: ends.append(tasks.wait(ref, timeout=30)))
    thread.start()
    until(lambda: waiters(tasks, ref), 'the waiter')
    raw.client_kill_filter(_type='pubsub')
    pathlib.Path(gate).touch()
    thread.join()
    assert ends[0].status == 'complete'


def test_what_ends_between_cut_and_renewed_subscription_is_seen(tasks, raw, gate):
    """The push is lost for certain: the registration is taken away before the end."""
    ref = tasks.enqueue('gated', {'gate': gate})
    ends = []
    thread = threading.Thread(target=lambda: ends.append(tasks.wait(ref, timeout=30)))
    thread.start()
    until(lambda: waiters(tasks, ref), 'the waiter')
    raw.delete(f'refq:{{{QUEUE}}}:waiters:{ref.partition(":")[2]}')
    pathlib.Path(gate).touch()
    wait_status(tasks, ref, 'complete')
    raw.client_kill_filter(_type='pubsub')
    thread.join()
    assert ends[0].status == 'complete'


def test_failure_has_its_whole_message_and_reason(tasks):
    text = 'the scan is empty: ' + 200 * 'x'
    ref = tasks.enqueue('fails', {'message': text})
    with pytest.raises(refq.TaskFailedError) as caught:
        tasks.result(ref, timeout=30)
    assert text in caught.value.error and caught.value.reason == 'permanent'
    assert len(tasks.status(ref).error) <= 64
    (attempt,) = tasks.history(ref)
    assert (attempt.number, attempt.kind) == (1, 'permanent') and text in attempt.error and text in attempt.stderr


def test_the_error_of_a_reference_and_of_a_snapshot(tasks):
    text = 'it rains: ' + 200 * 'x'
    ref = tasks.enqueue('fails', {'message': text})
    task = tasks.wait(ref, timeout=30)
    assert text in tasks.error_of(task)
    assert tasks.error_of(ref) == tasks.error_of(task)
    with pytest.raises(refq.NotFoundError):
        tasks.error_of(GONE)


@pytest.mark.parametrize('task', [None, 7, b'docs:1', {}])
def test_error_of_what_is_no_task_is_refused(tasks, task):
    with pytest.raises(refq.InvalidError, match='a reference, or a Task that status'):
        tasks.error_of(task)


def test_retries_are_counted(tasks, fleet):
    ref = tasks.enqueue('flaky', {'tries': fleet.path('tries-a'), 'good': 3})
    assert tasks.result(ref, timeout=30) == 3
    task = tasks.status(ref)
    assert (task.failures, task.attempt) == (2, 3)
    assert [a.number for a in tasks.history(ref) if a.kind == 'retryable'] == [1, 2]


def test_retries_can_be_forbidden(tasks, fleet):
    ref = tasks.enqueue('flaky', {'tries': fleet.path('tries-b'), 'good': 3}, retries=0)
    with pytest.raises(refq.TaskFailedError, match='exhausted'):
        tasks.result(ref, timeout=30)


def test_an_attempt_has_a_wall_time(tasks, gate):
    ref = tasks.enqueue('gated', {'gate': gate}, timeout=0.1, retries=0)
    assert tasks.wait(ref, timeout=30).status == 'failed'


def test_what_does_not_start_in_time_fails(own_fleet):
    with Tasks(own_fleet.url, queue=QUEUE) as tasks:
        ref = tasks.enqueue('echo', start_within=0.001)
        own_fleet.hire()
        assert tasks.wait(ref, timeout=30).reason == 'expired'


def test_cancel_a_waiting_and_a_running_task(tasks, gate):
    waiting = tasks.enqueue('echo', delay=3600)
    running = tasks.enqueue('gated', {'gate': gate})
    wait_status(tasks, running, 'processing')
    for ref in (waiting, running):
        assert tasks.cancel(ref)
        assert tasks.status(ref).status == 'cancelled'
        assert not tasks.cancel(ref)
        with pytest.raises(refq.TaskCancelledError):
            tasks.result(ref)


def test_run_again_what_failed(tasks):
    ref = tasks.enqueue('fails', {'message': 'no'})
    assert tasks.wait(ref, timeout=30).status == 'failed'
    new = tasks.retry(ref)
    assert new != ref and tasks.retry(ref) == new
    assert tasks.status(ref).replaced_by == new
    assert tasks.wait(new, timeout=30).status == 'failed'


def test_only_what_failed_or_was_cancelled_runs_again(tasks):
    done, live = tasks.enqueue('echo'), tasks.enqueue('echo', delay=3600)
    tasks.wait(done, timeout=30)
    with pytest.raises(refq.ConflictError, match='has a result'):
        tasks.retry(done)
    with pytest.raises(refq.ConflictError, match='cancel it first'):
        tasks.retry(live)
    with pytest.raises(refq.NotFoundError):
        tasks.retry(GONE)
    with pytest.raises(refq.InvalidError, match='own queue'):
        tasks.retry(done, as_ref=tasks.make_ref('other'))
    tasks.cancel(live)


@pytest.mark.parametrize('ask', ['status', 'result', 'wait', 'cancel'])
def test_an_unknown_task_is_not_found(tasks, ask):
    with pytest.raises(refq.NotFoundError, match='there is no task'):
        getattr(tasks, ask)(GONE)


@pytest.mark.parametrize('text', ['', 'docs', 'docs:', 'docs:0123456789abcdef', 'docs:' + 32 * 'A', GONE + '\n',
                                  '1:' + 32 * '0', None, 7])
def test_what_is_no_reference_is_refused(tasks, text):
    with pytest.raises(refq.InvalidError, match='not a task reference'):
        tasks.status(text)


def test_look_keeps_the_order_over_queues(tasks):
    refs = [tasks.enqueue('echo', queue=queue, delay=3600) for queue in ('docs', 'other', 'docs')] + [GONE]
    found = tasks.look(refs)
    assert [t and t.ref_id for t in found] == [*refs[:3], None]
    assert tasks.look([]) == []
    many = [tasks.make_ref() for _ in range(300)] + [refs[0]]
    assert [t is not None for t in tasks.look(many)] == 300 * [False] + [True]


def test_a_result_that_has_expired_says_so(tasks, raw):
    ref = tasks.enqueue('echo')
    tasks.wait(ref, timeout=30)
    assert raw.delete('mcp-refcache:entry:' + ref) == 1
    with pytest.raises(refq.ExpiredError):
        tasks.result(ref)


def test_numbers_and_cleanup(tasks):
    ref = tasks.enqueue('echo')
    tasks.wait(ref, timeout=30)
    assert tasks.stats(QUEUE)['workers'] == 1 and tasks.stats(QUEUE)['complete'] >= 1
    assert tasks.cleanup(QUEUE, older_than=3600) == 0
    assert tasks.cleanup(QUEUE, older_than=0) >= 1
    with pytest.raises(refq.NotFoundError):
        tasks.status(ref)


def test_what_is_not_a_list_or_a_number_removes_and_finds_nothing(tasks):
    ref = tasks.enqueue('echo')
    tasks.wait(ref, timeout=30)
    with pytest.raises(refq.InvalidError, match='older_than'):
        tasks.cleanup(QUEUE, None)
    assert tasks.status(ref).status == 'complete'
    for wrong in (ref, 7, None):
        with pytest.raises(refq.InvalidError, match='list of references'):
            tasks.look(wrong)
    for wrong in (7, None):
        with pytest.raises(refq.InvalidError, match='list of references'):
            tasks.enqueue('echo', after=wrong)
    tasks.wait(tasks.enqueue('echo', after=ref), timeout=30)


def test_the_catalog_says_what_is_offered(tasks, raw):
    offered = tasks.catalog()
    assert 'echo' in offered and 'slwo' not in offered
    assert offered['flaky']['max_retries'] == 2
    assert list(offered) == sorted(offered) and tasks.catalog('nobodys') == {}
    key = f'refq:{{{QUEUE}}}:catalog'
    raw.hset(key, ':echo', 1)
    raw.hset(key, 'odd', 'no JSON')
    assert ':echo' not in tasks.catalog() and tasks.catalog()['odd'] == {}
    raw.hdel(key, ':echo', 'odd')


def test_a_full_queue_takes_nothing(own_fleet):
    with Tasks(own_fleet.url, queue=QUEUE) as tasks:
        tasks.enqueue('echo')
        tasks._redis.hset(f'refq:{{{QUEUE}}}:meta', 'max_pending', 1)
        with pytest.raises(refq.FullError, match='max_pending'):
            tasks.enqueue('echo')


def test_a_full_redis_takes_nothing_but_answers(own_fleet):
    with Tasks(own_fleet.url, queue=QUEUE) as tasks:
        ref = tasks.enqueue('echo')
        tasks._redis.config_set('maxmemory', 1)
        with pytest.raises(refq.FullError, match='takes no writes'):
            tasks.enqueue('echo')
        assert tasks.status(ref).status == 'pending'
        assert tasks.cancel(ref)


def test_flushed_functions_are_loaded_again(tasks, raw):
    ref = tasks.enqueue('echo', delay=3600)
    for ask in (lambda: tasks.status(ref), lambda: tasks.enqueue('echo', ref_id=ref), lambda: tasks.cancel(ref)):
        raw.function_flush()
        assert ask()


def test_nobody_has_to_have_loaded_the_functions(own_fleet):
    with Tasks(own_fleet.url, queue=QUEUE) as tasks, redis.Redis.from_url(own_fleet.url) as raw:
        assert raw.function_list() == []
        ref = tasks.enqueue('echo')
        own_fleet.hire()
        assert tasks.result(ref, timeout=30) == {}


def test_a_restart_of_the_server_is_lived_through(own_fleet):
    with Tasks(own_fleet.url, queue=QUEUE) as tasks:
        own_fleet.hire()
        gate = own_fleet.path('gate')
        ref = tasks.enqueue('gated', {'gate': gate})
        wait_status(tasks, ref, 'processing')
        ends = []
        thread = threading.Thread(target=lambda: ends.append(tasks.wait(ref, timeout=60)))
        thread.start()
        until(lambda: waiters(tasks, ref), 'the waiter')
        own_fleet.kill_server()
        own_fleet.start_server()
        pathlib.Path(gate).touch()
        thread.join()
        assert ends[0].status == 'complete'
        assert tasks.result(ref)['pages'] == 10


def test_a_call_is_repeated_until_the_server_is_back(own_fleet):
    with Tasks(own_fleet.url, queue=QUEUE) as tasks:
        ref = tasks.enqueue('echo')
        own_fleet.kill_server()
        back = threading.Timer(0.3, own_fleet.start_server)
        back.start()
        try:
            assert tasks.status(ref).status == 'pending'
        finally:
            back.join()


def test_a_server_that_stays_away_is_unavailable(monkeypatch, own_fleet):
    monkeypatch.setattr(refq.server.repeat, '__defaults__', (0.1,))
    with Tasks(f'unix://{own_fleet.path("nobody.sock")}', queue=QUEUE) as tasks:
        with pytest.raises(refq.UnavailableError, match='does not answer'):
            tasks.enqueue('echo')
        with pytest.raises(refq.UnavailableError):
            tasks.wait(GONE, timeout=0.2)


def test_a_wrong_password_is_said_at_once(own_fleet, monkeypatch):
    with redis.Redis.from_url(own_fleet.url) as raw:
        raw.config_set('requirepass', 'secret')
    with Tasks(own_fleet.url, queue=QUEUE) as tasks, pytest.raises(refq.ServerError, match='refuses the login'):
        tasks.enqueue('echo')
    monkeypatch.setenv('REFQ_REDIS_PASSWORD', 'secret')
    with Tasks(own_fleet.url, queue=QUEUE) as tasks:
        assert tasks.enqueue('echo')
    secret = own_fleet.folder / 'password'
    secret.write_text('secret\n', encoding='utf-8')
    monkeypatch.delenv('REFQ_REDIS_PASSWORD')
    monkeypatch.setenv('REFQ_REDIS_PASSWORD_FILE', str(secret))
    monkeypatch.setenv('REFQ_REDIS', own_fleet.url)
    with Tasks(queue=QUEUE) as tasks:
        assert tasks.enqueue('echo')


def test_a_url_of_sentinel_says_what_to_pass():
    with pytest.raises(refq.InvalidError, match=r'pass a redis\.Redis'):
        Tasks('redis+sentinel://127.0.0.1/mymaster')


def test_a_client_that_decodes_is_refused(fleet):
    with redis.Redis.from_url(fleet.url, decode_responses=True) as client:
        with pytest.raises(ValueError, match='decode_responses'):
            Tasks(client)


def test_a_foreign_key_in_the_place_of_a_record(tasks, raw):
    ref = tasks.make_ref()
    key = f'refq:{{{QUEUE}}}:task:{ref.partition(":")[2]}'
    raw.hset(key, 'colour', 'blue')
    with pytest.raises(refq.ServerError, match='not one this version understands'):
        tasks.status(ref)
    raw.delete(key)
    raw.set(key, 'x')
    with pytest.raises(refq.ServerError, match='foreign key'):
        tasks.enqueue('echo', ref_id=ref)
    raw.delete(key)


def test_another_prefix_is_another_world(tasks, fleet):
    with Tasks(fleet.url, queue=QUEUE, prefix='other') as elsewhere:
        ref = elsewhere.enqueue('echo')
        with pytest.raises(refq.NotFoundError):
            tasks.status(ref)
