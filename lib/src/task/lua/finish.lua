-- finish: takes k reports of running attempts and hands out up to `want` new tasks: one call does
-- the work of both, so a busy worker needs one round trip for many tasks.
-- KEYS  1 refq:{q}:meta
-- ARGV  1 worker, 2 want, 3 was_parked, 4 may_park (as pull), 5 entry key prefix, 6 record_ttl_ms,
--       7 dead_ttl_ms, 8 k (0..128), then for each report 8 values: hex entry op a b c d e
--       op        a              b          c            d             e
--       ok        result bytes   ttl_ms     staged 0|1
--       fail      class          delay_ms   max_retries  history JSON  error (64 bytes)
--       release   delay_ms
--       progress  current/total  message
--       ended     -  (the program of a cancelled or fenced-out attempt has really ended)
-- REPLY now state parked alarm more m <m tasks as pull>, then k answers:
--       ok | yours (this very attempt had already committed) | stale (fenced out: nothing written) |
--       cancelled (progress only: stop) | nostaged (the staged result is gone: send it again)

local FINISH_WIDTH = 8
local REPORT_FIELDS = { 'status', 'entry', 'lane', 'failures', 'max_retries', 'releases', 'watched',
  'args_len', 'worker' }

local function end_task(batch, hex, status, ttl)
  local P = batch.P
  redis.call('PEXPIRE', P .. 'task:' .. hex, ttl)
  batch.terminal[#batch.terminal + 1] = batch.now
  batch.terminal[#batch.terminal + 1] = hex
  count(batch, status, 1)
end

local report = {}

function report.ok(batch, task, r)
  local P, hex, ttl = batch.P, r[1], tonumber(r[5])
  local place = batch.entry_prefix .. hex
  if r[6] == '1' then
    local moved = redis.pcall('RENAME', P .. 'staged:' .. hex .. ':' .. r[2], place)
    if moved.err then return 'nostaged' end
    redis.call('PEXPIRE', place, ttl)
  else
    redis.call('SET', place, r[4], 'PX', ttl)
  end
  redis.call('HSET', P .. 'task:' .. hex, 'status', 'complete', 'completed_at', batch.now,
    'expires_at', batch.now + ttl)
  -- The record outlives the value, so that a late reader learns that it expired.
  local record_ttl = math.max(batch.record_ttl, ttl + 60000)
  end_task(batch, hex, 'complete', record_ttl)
  count(batch, 'processing', -1)
  if task.args_len then redis.call('UNLINK', P .. 'args:' .. hex) end
  if task.failures then redis.call('PEXPIRE', P .. 'history:' .. hex, record_ttl) end
  return 'ok', 'complete'
end

function report.fail(batch, task, r)
  local P, hex = batch.P, r[1]
  local failures = tonumber(task.failures or 0) + 1
  local allowed = tonumber(task.max_retries or r[6]) or 0
  redis.call('LPUSH', P .. 'history:' .. hex, r[7])
  redis.call('LTRIM', P .. 'history:' .. hex, 0, MAX_HISTORY - 1)
  if r[4] == 'retryable' and failures <= allowed then
    requeue(batch, hex, task.lane, tonumber(r[5]) or 0, { 'failures', failures, 'error', r[8] })
    return 'ok', 'pending'
  end
  redis.call('HSET', P .. 'task:' .. hex, 'status', 'failed', 'completed_at', batch.now,
    'failures', failures, 'error', r[8], 'reason', r[4] == 'retryable' and 'exhausted' or 'permanent')
  end_task(batch, hex, 'failed', batch.dead_ttl)
  count(batch, 'processing', -1)
  expire_extras(P, hex, batch.dead_ttl)
  batch.dead[#batch.dead + 1] = batch.now
  batch.dead[#batch.dead + 1] = hex
  return 'ok', 'failed'
end

function report.release(batch, task, r)
  requeue(batch, r[1], task.lane, tonumber(r[4]) or 0,
    { 'releases', tonumber(task.releases or 0) + 1 })
  return 'ok', 'pending'
end

-- Does what one report says; returns the answer and, when the status changed, the new one.
local function apply(batch, worker, r)
  local P, hex = batch.P, r[1]
  local key = P .. 'task:' .. hex
  local task = read_fields(key, REPORT_FIELDS)
  local own = task.status == 'processing' and task.entry == r[2]
  if r[3] == 'progress' then
    if not own then return task.status == 'cancelled' and 'cancelled' or 'stale' end
    redis.call('HSET', key, 'progress', r[4], 'message', r[5])
    if task.watched then notify(P, hex, 'processing', false) end
    return 'ok'
  end
  -- Unless the worker holds a newer attempt of the same task, it holds it no longer.
  if own or task.status ~= 'processing' or task.worker ~= worker then
    batch.leaves[#batch.leaves + 1] = hex
  end
  if r[3] == 'ended' then return 'ok' end
  if not own then
    return task.entry == r[2] and task.status == 'complete' and 'yours' or 'stale'
  end
  local answer, status = report[r[3]](batch, task, r)
  if status then
    ack(batch, task.lane, r[2])
    if task.watched then notify(P, hex, status, status ~= 'pending') end
  else
    batch.leaves[#batch.leaves] = nil
  end
  return answer
end

local KNOWN_OPS = { ok = true, fail = true, release = true, progress = true, ended = true }

local function bad_report(argv, k)
  for i = 1, k do
    if not KNOWN_OPS[argv[8 + (i - 1) * FINISH_WIDTH + 3]] then return true end
  end
  return false
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
  if not ask or not k or k < 0 or k > MAX_ITEMS or #argv ~= 8 + k * FINISH_WIDTH or bad_report(argv, k) then
    return redis.error_reply('ERR refq finish: malformed call')
  end
  local P = prefix_of(keys[1])
  local meta = read_fields(keys[1], { 'clock_offset', 'paused', 'lanes', 'turn', 'alarm', 'complete' })
  local batch = new_batch(P, server_ms(meta.clock_offset))
  batch.entry_prefix, batch.leaves = argv[5], {}
  batch.record_ttl, batch.dead_ttl = tonumber(argv[6]), tonumber(argv[7])
  local answers = {}
  for i = 1, k do
    local at = 8 + (i - 1) * FINISH_WIDTH
    answers[i] = apply(batch, ask.worker, { unpack(argv, at + 1, at + FINISH_WIDTH) })
  end
  if #batch.leaves > 0 then
    redis.call('SREM', P .. 'worker:' .. ask.worker .. ':tasks', unpack(batch.leaves))
    redis.call('SREM', P .. 'worker:' .. ask.worker .. ':orders', unpack(batch.leaves))
  end
  local done = batch.counts.complete or 0
  local reply = { batch.now }
  claim(batch, reply, meta, ask)
  flush(batch)
  trim_now_and_then(P, tonumber(meta.complete or 0), done)
  for _, answer in ipairs(answers) do
    reply[#reply + 1] = answer
  end
  return reply
end

register('finish', finish, { 'allow-oom' })
