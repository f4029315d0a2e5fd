-- finish: takes k reports of running attempts and hands out up to `want` new tasks: one call does
-- the work of both, so a busy worker needs one round trip for many tasks.
-- KEYS  1 refq:{q}:meta
-- ARGV  1 worker, 2 want, 3 was_parked, 4 may_park (as pull), 5 entry key prefix, 6 record_ttl_ms,
--       7 dead_ttl_ms, 8 limits (as pull), 9 k (0..128), then k reports: hex entry op and, by op,
--       op        values
--       ok        ttl_ms staged(0|1) result history_json ('' = nothing worth keeping)
--       fail      class delay_ms max_retries history_json error(64 bytes)
--       crash     history_json error(64 bytes) delay_ms: the child that ran it died; not a failure
--       release   delay_ms
--       unknown   delay_ms grace_ms: this worker has no such handler
--       park      after: an input of it is not there yet: references of the tasks to be waited for
--       progress  current/total message
--       deadline  left_ms max_retries: when the attempt that runs will time out
--       alone     -  from now on the worker runs nothing else
--       ask       question_json: the handler waits for a person's answer
--       answered  -  it has the answer
--       ended     -  (the program of a cancelled or fenced-out attempt has really ended)
-- REPLY now state parked alarm more m <m tasks as pull>, then k answers:
--       ok | yours (this very attempt had already committed) | stale (fenced out: nothing written) |
--       cancelled (the attempt runs on for nothing: stop) | nostaged (the staged result is gone: send it
--       again)

local WIDTH = { ok = 7, fail = 8, crash = 6, release = 4, unknown = 5, park = 4, progress = 5, deadline = 5,
  alone = 3, ask = 4, answered = 3, ended = 3 } -- of a report, by op
-- Reports of an attempt that runs on.
local RUNS_ON = { progress = true, deadline = true, alone = true, ask = true, answered = true }
local CRASHES_MAX = 3                 -- then a task is poison
local DEADLINE_GRACE_MS = 10000       -- for the worker to end it by itself, at least
local ASK_TTL_MS = 7 * DAY_MS

-- Each takes the report that starts behind argv[at], for a task whose fence held, and returns the
-- answer and the task's new status (nil = nothing was changed).
local report = {}

function report.ok(batch, argv, at, task)
  local P, hex, ttl = batch.P, argv[at + 1], argv[at + 4]
  local place = batch.entry_prefix .. hex
  if argv[at + 5] == '1' then
    local moved = redis.pcall('RENAME', P .. 'staged:' .. hex .. ':' .. argv[at + 2], place)
    if moved.err then return 'nostaged' end
    call('PEXPIRE', place, ttl)
  else
    call('SET', place, argv[at + 6], 'PX', ttl)
  end
  local life = batch.lives[ttl]
  if not life then
    -- The record outlives the value, so that a late reader learns that it expired.
    life = { expires_at = text_of(batch.now + tonumber(ttl)),
      record = text_of(math.max(batch.record_ttl, tonumber(ttl) + 60000)) }
    batch.lives[ttl] = life
  end
  call('HSET', P .. 'task:' .. hex, 'status', 'complete', 'completed_at', batch.now_text,
    'expires_at', life.expires_at)
  end_task(batch, hex, 'complete', life.record, task[9], ttl)
  count(batch, 'processing', -1)
  if task[5] then call('UNLINK', P .. 'args:' .. hex) end
  local history = argv[at + 7]
  if history ~= '' then keep_history(P, hex, history) end
  if task[6] or history ~= '' then call('PEXPIRE', P .. 'history:' .. hex, life.record) end
  return 'ok', 'complete'
end

function report.fail(batch, argv, at, task)
  local P, hex, class, short = batch.P, argv[at + 1], argv[at + 4], argv[at + 8]
  local failures = (tonumber(task[6]) or 0) + 1
  local allowed = tonumber(call('HGET', P .. 'task:' .. hex, 'max_retries') or argv[at + 6]) or 0
  keep_history(P, hex, argv[at + 7])
  if class == 'retryable' and failures <= allowed then
    requeue(batch, hex, task[3], tonumber(argv[at + 5]) or 0, { 'failures', failures, 'error', short })
    count(batch, 'retries', 1)
    return 'ok', 'pending'
  end
  end_failed(batch, hex, 'processing', class == 'retryable' and 'exhausted' or 'permanent', short,
    { 'failures', failures })
  return 'ok', 'failed'
end

function report.crash(batch, argv, at, task)
  local P, hex, short = batch.P, argv[at + 1], argv[at + 5]
  local crashes = (tonumber(call('HGET', P .. 'task:' .. hex, 'crashes')) or 0) + 1
  keep_history(P, hex, argv[at + 4])
  count(batch, 'deaths', 1)
  if crashes < CRASHES_MAX then
    requeue(batch, hex, task[3], tonumber(argv[at + 6]) or 0, { 'crashes', crashes, 'error', short })
    return 'ok', 'pending'
  end
  end_failed(batch, hex, 'processing', 'poison', short, { 'crashes', crashes })
  return 'ok', 'failed'
end

function report.release(batch, argv, at, task)
  local hex = argv[at + 1]
  local releases = (tonumber(call('HGET', batch.P .. 'task:' .. hex, 'releases')) or 0) + 1
  requeue(batch, hex, task[3], tonumber(argv[at + 4]) or 0, { 'releases', releases })
  count(batch, 'releases', 1)
  return 'ok', 'pending'
end

-- The attempt never began: its number is given back, and it may still expire unstarted.
local function give_back(batch, hex, lane, delay, fields)
  local t = read_fields(batch.P .. 'task:' .. hex, { 'attempt', 'start_by' })
  fields[#fields + 1] = 'attempt'
  fields[#fields + 1] = math.max(0, (tonumber(t.attempt) or 1) - 1)
  requeue(batch, hex, lane, delay, fields, true)
  if t.start_by then call('ZADD', batch.P .. 'deadlines', t.start_by, hex) end
end

-- Those that ended while the worker looked are not waited for; when all have, it is queued at once.
function report.park(batch, argv, at, task)
  local hex, after = argv[at + 1], argv[at + 4]
  local parked = ties.follow(batch.P, hex, after)
  give_back(batch, hex, task[3], parked and ties.RECHECK_MS or 0, parked and { 'after', after } or {})
  return 'ok', 'pending'
end

-- The attempt never began. As long as the catalog lists the handler, or for
-- a grace period, the task waits for other workers; from now on claims lay such tasks down for them.
function report.unknown(batch, argv, at, task)
  local P, hex = batch.P, argv[at + 1]
  local t = read_fields(P .. 'task:' .. hex, { 'task', 'unknown_since' })
  batch.mixed_until = text_of(batch.now + MIXED_MS)
  call('HSET', P .. 'meta', 'mixed_until', batch.mixed_until, 'unknown_grace_ms', argv[at + 5])
  local offered = call('HEXISTS', P .. 'catalog', t.task or '') == 1
  local since = tonumber(t.unknown_since) or batch.now
  if not offered and batch.now - since >= (tonumber(argv[at + 5]) or 0) then
    end_failed(batch, hex, 'processing', 'unknown_handler', 'no worker offers this task')
    return 'ok', 'failed'
  end
  give_back(batch, hex, task[3], tonumber(argv[at + 4]) or 0, { 'unknown_since',
    text_of(offered and batch.now or since) })
  return 'ok', 'pending'
end

function report.progress(batch, argv, at)
  call('HSET', batch.P .. 'task:' .. argv[at + 1], 'progress', argv[at + 4], 'message', argv[at + 5])
  return 'ok', 'processing'
end

-- A worker ends what runs too long by itself; the index is for one that cannot.
function report.deadline(batch, argv, at)
  local P, hex = batch.P, argv[at + 1]
  local when = batch.now + (tonumber(argv[at + 4]) or 0)
  local grace = math.max(DEADLINE_GRACE_MS, tonumber(call('HGET', P .. 'meta', 'lease_max')) or 0)
  call('HSET', P .. 'task:' .. hex, 'deadline_at', text_of(when), 'marks', '1')
  call('HSETNX', P .. 'task:' .. hex, 'max_retries', argv[at + 5])
  call('ZADD', P .. 'deadlines', text_of(when + grace), hex)
  return 'ok'
end

function report.alone(batch, argv, at)
  call('HSET', batch.P .. 'task:' .. argv[at + 1], 'alone', '1', 'marks', '1')
  return 'ok'
end

-- A person may take longer than any time limit: while a question is open there is no deadline. A
-- question that is told again because the reply was lost may have been answered meanwhile.
function report.ask(batch, argv, at)
  local P, hex = batch.P, argv[at + 1]
  local key = P .. 'ask:' .. hex
  local open = redis.pcall('HMGET', key, 'entry', 'question')
  if open[1] == argv[at + 2] and open[2] == argv[at + 4] then return 'ok' end
  call('HSET', P .. 'task:' .. hex, 'waiting', 'input', 'marks', '1')
  call('HDEL', P .. 'task:' .. hex, 'deadline_at')
  call('ZREM', P .. 'deadlines', hex)
  call('DEL', key)
  call('HSET', key, 'entry', argv[at + 2], 'question', argv[at + 4])
  call('PEXPIRE', key, ASK_TTL_MS)
  return 'ok', 'processing'
end

function report.answered(batch, argv, at, task)
  local P, hex = batch.P, argv[at + 1]
  call('UNLINK', P .. 'ask:' .. hex)
  call('HDEL', P .. 'task:' .. hex, 'waiting') -- still there when the handler gave its question up
  call('SREM', P .. 'worker:' .. task[7] .. ':orders', 'answer:' .. hex)
  return 'ok', 'processing'
end

-- A report that the fence refuses changes nothing but the worker's own books.
local function refuse(batch, worker, hex, entry, op, task)
  local status, present, owner = task[1], task[2], task[7]
  if RUNS_ON[op] then
    return status == 'cancelled' and 'cancelled' or 'stale'
  end
  -- An order to stop was meant for this attempt, or for one before it.
  batch.orders[#batch.orders + 1] = hex
  -- Unless the worker holds a newer attempt of the same task, it holds it no longer.
  if status ~= 'processing' or owner ~= worker then
    batch.leaves[#batch.leaves + 1] = hex
    batch.orders[#batch.orders + 1] = 'answer:' .. hex
  end
  if op == 'ended' then return 'ok' end
  return status == 'complete' and present == entry and owner == worker and 'yours' or 'stale'
end

-- Does what one report says; returns the answer.
local function apply(batch, worker, argv, at)
  local P, hex, entry, op = batch.P, argv[at + 1], argv[at + 2], argv[at + 3]
  local task = call('HMGET', P .. 'task:' .. hex, 'status', 'entry', 'lane', 'watched', 'args_len',
    'failures', 'worker', 'marks', 'ties')
  -- The entry is the fence. The worker is compared too, because a server that lost its last second may
  -- deliver the same entry again, to somebody else.
  local own = task[1] == 'processing' and task[2] == entry and task[7] == worker
  if op == 'ended' or not own then
    return refuse(batch, worker, hex, entry, op, task)
  end
  if task[8] and not RUNS_ON[op] then unmark(P, hex, worker) end
  local answer, status = report[op](batch, argv, at, task)
  if status and task[4] then
    notify(P, hex, status, status ~= 'pending' and status ~= 'processing')
  end
  if status and not RUNS_ON[op] then
    ack(batch, task[3], entry)
    batch.leaves[#batch.leaves + 1] = hex
  end
  return answer
end

-- Where each report starts; nil when the call is malformed.
local function find_reports(argv, k)
  local places, at = {}, 9
  for i = 1, k do
    local width = WIDTH[argv[at + 3] or '']
    if not width then return nil end
    places[i] = at
    at = at + width
  end
  return at == #argv and places or nil
end

local function trim_now_and_then(P, done_before, done)
  if done > 0 and math.floor(done_before / TRIM_EVERY) ~= math.floor((done_before + done) / TRIM_EVERY) then
    for _, lane in ipairs(LANE_ORDER) do
      trim_lane(P, lane)
    end
  end
end

local FINISH_META = { 'clock_offset', 'events_max', 'paused', 'lanes', 'turn', 'alarm', 'shelves',
  'mixed_until', 'complete' }

local function finish(keys, argv)
  local ask, k = read_ask(argv, 2, argv[1], argv[8]), tonumber(argv[9])
  local places = ask and k and k >= 0 and k <= MAX_ITEMS and find_reports(argv, k)
  if not places then
    return redis.error_reply('ERR refq finish: malformed call')
  end
  local P = prefix_of(keys[1])
  local meta = read_fields(keys[1], FINISH_META)
  local batch = new_batch(P, meta)
  batch.entry_prefix, batch.leaves, batch.orders, batch.lives = argv[5], {}, {}, {}
  batch.record_ttl, batch.dead_ttl = tonumber(argv[6]), tonumber(argv[7])
  local answers = {}
  for i, at in ipairs(places) do
    -- A record that a foreign key replaced must not cost the others of this batch their commit.
    local good, answer = pcall(apply, batch, ask.worker, argv, at)
    answers[i] = good and answer or 'stale'
  end
  if #batch.leaves > 0 then
    call('SREM', P .. 'worker:' .. ask.worker .. ':tasks', unpack(batch.leaves))
  end
  if #batch.orders > 0 then
    call('SREM', P .. 'worker:' .. ask.worker .. ':orders', unpack(batch.orders))
  end
  meta.mixed_until = batch.mixed_until or meta.mixed_until
  local done = batch.counts.complete or 0
  local reply = { batch.now }
  claim(batch, reply, meta, ask)
  flush(batch)
  trim_now_and_then(P, tonumber(meta.complete or 0) or 0, done)
  if #batch.terminal > 0 then
    sweep_index(P, 'terminal', batch.now - batch.record_ttl, #batch.terminal)
  end
  local n = #reply
  for i = 1, k do
    reply[n + i] = answers[i]
  end
  return reply
end

register('finish', finish, { 'allow-oom' })
