-- finish: takes k reports of running attempts and hands out up to `want` new tasks: one call does
-- the work of both, so a busy worker needs one round trip for many tasks.
-- KEYS  1 refq:{q}:meta
-- ARGV  1 worker, 2 want, 3 was_parked, 4 may_park (as pull), 5 entry key prefix, 6 record_ttl_ms,
--       7 dead_ttl_ms, 8 k (0..128), then k reports: hex entry op and, by op,
--       op        values
--       ok        ttl_ms staged(0|1) result
--       fail      class delay_ms max_retries history_json error(64 bytes)
--       release   delay_ms
--       progress  current/total message
--       ended     -  (the program of a cancelled or fenced-out attempt has really ended)
-- REPLY now state parked alarm more m <m tasks as pull>, then k answers:
--       ok | yours (this very attempt had already committed) | stale (fenced out: nothing written) |
--       cancelled (progress only: stop) | nostaged (the staged result is gone: send it again)

local WIDTH = { ok = 6, fail = 8, release = 4, progress = 5, ended = 3 } -- of a report, by op

local function end_task(batch, hex, status, ttl)
  call('PEXPIRE', batch.P .. 'task:' .. hex, ttl)
  local terminal = batch.terminal
  local n = #terminal
  terminal[n + 1], terminal[n + 2] = batch.now_text, hex
  count(batch, status, 1)
end

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
  end_task(batch, hex, 'complete', life.record)
  count(batch, 'processing', -1)
  if task[5] then call('UNLINK', P .. 'args:' .. hex) end
  if task[6] then call('PEXPIRE', P .. 'history:' .. hex, life.record) end
  return 'ok', 'complete'
end

function report.fail(batch, argv, at, task)
  local P, hex, class, short = batch.P, argv[at + 1], argv[at + 4], argv[at + 8]
  local failures = (tonumber(task[6]) or 0) + 1
  local allowed = tonumber(call('HGET', P .. 'task:' .. hex, 'max_retries') or argv[at + 6]) or 0
  call('LPUSH', P .. 'history:' .. hex, argv[at + 7])
  call('LTRIM', P .. 'history:' .. hex, 0, MAX_HISTORY - 1)
  if class == 'retryable' and failures <= allowed then
    requeue(batch, hex, task[3], tonumber(argv[at + 5]) or 0, { 'failures', failures, 'error', short })
    return 'ok', 'pending'
  end
  call('HSET', P .. 'task:' .. hex, 'status', 'failed', 'completed_at', batch.now_text,
    'failures', failures, 'error', short, 'reason', class == 'retryable' and 'exhausted' or 'permanent')
  end_task(batch, hex, 'failed', batch.dead_ttl)
  count(batch, 'processing', -1)
  expire_extras(P, hex, batch.dead_ttl)
  batch.dead[#batch.dead + 1] = batch.now_text
  batch.dead[#batch.dead + 1] = hex
  return 'ok', 'failed'
end

function report.release(batch, argv, at, task)
  local hex = argv[at + 1]
  local releases = (tonumber(call('HGET', batch.P .. 'task:' .. hex, 'releases')) or 0) + 1
  requeue(batch, hex, task[3], tonumber(argv[at + 4]) or 0, { 'releases', releases })
  return 'ok', 'pending'
end

function report.progress(batch, argv, at)
  call('HSET', batch.P .. 'task:' .. argv[at + 1], 'progress', argv[at + 4], 'message', argv[at + 5])
  return 'ok', 'processing'
end

-- A report that the fence refuses changes nothing but the worker's own books.
local function refuse(batch, worker, hex, entry, op, task)
  local status, present, owner = task[1], task[2], task[7]
  if op == 'progress' then
    return status == 'cancelled' and 'cancelled' or 'stale'
  end
  -- Unless the worker holds a newer attempt of the same task, it holds it no longer.
  if status ~= 'processing' or owner ~= worker then
    batch.leaves[#batch.leaves + 1] = hex
    batch.orders[#batch.orders + 1] = hex
  end
  if op == 'ended' then return 'ok' end
  return status == 'complete' and present == entry and owner == worker and 'yours' or 'stale'
end

-- Does what one report says; returns the answer.
local function apply(batch, worker, argv, at)
  local P, hex, entry, op = batch.P, argv[at + 1], argv[at + 2], argv[at + 3]
  local task = call('HMGET', P .. 'task:' .. hex, 'status', 'entry', 'lane', 'watched', 'args_len',
    'failures', 'worker')
  -- The entry is the fence. The worker is compared too, because a server that lost its last second may
  -- deliver the same entry again, to somebody else.
  local own = task[1] == 'processing' and task[2] == entry and task[7] == worker
  if op == 'ended' or not own then
    return refuse(batch, worker, hex, entry, op, task)
  end
  local answer, status = report[op](batch, argv, at, task)
  if status and task[4] then
    notify(P, hex, status, status ~= 'pending' and status ~= 'processing')
  end
  if status and op ~= 'progress' then
    ack(batch, task[3], entry)
    batch.leaves[#batch.leaves + 1] = hex
  end
  return answer
end

-- Where each report starts; nil when the call is malformed.
local function find_reports(argv, k)
  local places, at = {}, 8
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

local function finish(keys, argv)
  local ask, k = read_ask(argv, 2, argv[1]), tonumber(argv[8])
  local places = ask and k and k >= 0 and k <= MAX_ITEMS and find_reports(argv, k)
  if not places then
    return redis.error_reply('ERR refq finish: malformed call')
  end
  local P = prefix_of(keys[1])
  local meta = read_fields(keys[1], { 'clock_offset', 'paused', 'lanes', 'turn', 'alarm', 'complete' })
  local batch = new_batch(P, server_ms(meta.clock_offset))
  batch.entry_prefix, batch.leaves, batch.orders, batch.lives = argv[5], {}, {}, {}
  batch.record_ttl, batch.dead_ttl = tonumber(argv[6]), argv[7]
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
  local done = batch.counts.complete or 0
  local reply = { batch.now }
  claim(batch, reply, meta, ask)
  flush(batch)
  trim_now_and_then(P, tonumber(meta.complete or 0), done)
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
