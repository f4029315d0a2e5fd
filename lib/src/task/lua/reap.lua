-- reap: takes the tasks of one dead incarnation back, in bounded steps.
-- KEYS  1 refq:{q}:meta
-- ARGV  none
-- REPLY more requeued worker
--       more: 1 = call again, there may be more to do;  worker: the incarnation dealt with, '' when none is dead
-- First the incarnation is marked dead for ever (lease -1): from then on it can neither beat nor
-- claim. Then its tasks go back to their lanes under new entries, which fences its late reports.

-- A worker that vanished while it ran this task alone is laid at the task's door; one that ran others
-- beside it is not: neighbours of a crash are innocent until they have run alone.
local function requeue_of(batch, worker, hex)
  local P, became = batch.P, 'pending'
  local task = read_fields(P .. 'task:' .. hex, { 'status', 'worker', 'entry', 'lane', 'deaths',
    'watched', 'attempt', 'marks', 'alone', 'crashes' })
  if task.status ~= 'processing' or task.worker ~= worker then return 0 end
  local deaths, crashes = (tonumber(task.deaths) or 0) + 1, tonumber(task.crashes) or 0
  local fields = { 'deaths', deaths }
  if task.alone then
    crashes = crashes + 1
    fields[3], fields[4] = 'crashes', crashes
  end
  if task.marks then unmark(P, hex, worker) end
  ack(batch, task.lane, task.entry)
  add_history(batch, hex, task, 'death', 'the worker that ran it has vanished')
  count(batch, 'deaths', 1)
  if task.alone and crashes >= CRASHES_MAX then
    end_failed(batch, hex, 'processing', 'poison', 'its worker vanished each time it ran alone', fields)
    became = 'failed'
  else
    requeue(batch, hex, task.lane, 0, fields)
  end
  if task.watched then notify(P, hex, became, became == 'failed') end
  return 1
end

-- One entry that the dead consumer still holds.
local function requeue_stray(batch, worker, lane, id)
  local key = batch.P .. 'lane:' .. lane
  local found = call('XRANGE', key, id, id)
  local hex = found[1] and found[1][2][2]
  local task = hex and read_fields(batch.P .. 'task:' .. hex, { 'status', 'entry' }) or {}
  if task.entry ~= id or (task.status ~= 'processing' and task.status ~= 'pending') then
    ack(batch, lane, id)
  elseif task.status == 'pending' then
    -- Delivered, but never claimed: the claim broke off. It waits again, under a new entry.
    ack(batch, lane, id)
    local entry = enqueue(batch.P, lane, hex, true)
    if entry then call('HSET', batch.P .. 'task:' .. hex, 'entry', entry) end
    call('HDEL', batch.P .. 'task:' .. hex, 'held')
    batch.ready = batch.ready + 1
  elseif requeue_of(batch, worker, hex) == 0 then
    call('XCLAIM', key, GROUP, call('HGET', batch.P .. 'task:' .. hex, 'worker'), 0, id, 'JUSTID')
  end
end

-- Those that its set does not name. What cannot be read, because a foreign key has taken a record's
-- place, must not keep the others from being reaped.
local function requeue_strays(batch, worker, lane)
  local key = batch.P .. 'lane:' .. lane
  local pending = redis.pcall('XPENDING', key, GROUP, '-', '+', MAX_STEP, worker)
  if pending.err then return 0 end
  for _, p in ipairs(pending) do
    if not pcall(requeue_stray, batch, worker, lane, p[1]) then ack(batch, lane, p[1]) end
  end
  return #pending
end

-- Tokens for which nobody is left to listen.
local function drop_tokens(P)
  local tokens, parked = size_of('LLEN', P .. 'bell'), size_of('SCARD', P .. 'parked')
  if tokens > parked then
    redis.pcall('LTRIM', P .. 'bell', tokens - parked, -1)
  end
end

local function drop_worker(P, worker, lanes)
  call('ZREM', P .. 'workers', worker)
  redis.pcall('SREM', P .. 'parked', worker)
  drop_tokens(P)
  call('DEL', P .. 'worker:' .. worker, P .. 'worker:' .. worker .. ':tasks',
    P .. 'worker:' .. worker .. ':orders')
  for _, lane in ipairs(LANE_ORDER) do
    if string.find(lanes or '', lane, 1, true) then
      redis.pcall('XGROUP', 'DELCONSUMER', P .. 'lane:' .. lane, GROUP, worker)
    end
  end
end

-- One bounded step of taking a dead incarnation's tasks back; returns how many may be left and how many
-- were requeued.
local function take_back_tasks(P, worker, meta)
  local batch, requeued, lanes = new_batch(P, meta), 0, meta.lanes
  local set = P .. 'worker:' .. worker .. ':tasks'
  for _, hex in ipairs(call('SPOP', set, MAX_STEP)) do
    local good, n = pcall(requeue_of, batch, worker, hex)
    requeued = requeued + (good and n or 0)
  end
  flush(batch)
  local left = call('SCARD', set)
  if left > 0 then return left, requeued end
  local strays = new_batch(P, meta)
  for _, lane in ipairs(LANE_ORDER) do
    if string.find(lanes or '', lane, 1, true) then
      left = left + requeue_strays(strays, worker, lane)
    end
  end
  flush(strays)
  return left, requeued
end

local function reap(keys, argv)
  local P = prefix_of(keys[1])
  local meta = read_fields(keys[1], { 'clock_offset', 'events_max', 'lanes', 'grace_until', 'alarm' })
  local now = server_ms(meta.clock_offset)
  local first = call('ZRANGE', P .. 'workers', 0, 0, 'WITHSCORES')
  local lease = tonumber(first[2])
  if not lease or lease > now or (lease > 0 and now < tonumber(meta.grace_until or 0)) then
    return { 0, 0, '' }
  end
  local worker = first[1]
  call('ZADD', P .. 'workers', -1, worker)
  local left, requeued = take_back_tasks(P, worker, meta)
  if left > 0 then return { 1, requeued, worker } end
  local alarm = parse_alarm(meta.alarm)
  if alarm and alarm.worker == worker then
    call('HDEL', keys[1], 'alarm')
    ring(P, 1)
  end
  drop_worker(P, worker, meta.lanes)
  return { 1, requeued, worker }
end

register('reap', reap, { 'allow-oom' })
