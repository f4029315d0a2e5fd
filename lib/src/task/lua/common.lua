-- What every function of the library shares: clock, lanes, doorbell, notices, batches.
--
-- DESIGN. The whole library is one chunk (CMake joins the files in the order of library.txt), so
-- a `local` here is visible in all of them. Names of functions carry a digest of the source, so two
-- builds never overwrite each other's. Every function gets exactly one key, `refq:{<queue>}:meta`;
-- all other keys of the queue start with the same prefix and so live in the same cluster slot.
-- Times are Unix milliseconds of the server's clock: callers pass durations only.
--
-- A function validates before its first write and never raises after it, because Redis does not
-- roll back: what a foreign key in the place of one of ours refuses is left undone, and the rest is done.
-- Work is bounded: at most MAX_ITEMS tasks a call, and each caller is told to go on.

local GROUP = 'workers'
local MAX_ITEMS = 128
local MAX_STEP = 64            -- tasks that one call promotes, requeues or lists from one index
local MAX_WAITERS = 1024       -- clients that may wait for one task
local MAX_NOTICES = 16         -- clients told of a step that is not the end
local MAX_HISTORY = 10         -- attempts kept in a task's history
local INLINE_ARGS = 4096       -- larger arguments are fetched by the worker itself
local TRIM_EVERY = 1024        -- finished tasks between two trims of a lane
local CATALOG_GRACE_MS = 60000 -- a tool stays in the catalog this long after its last worker
local SWEEP_EVERY_MS = 5000
local DAY_MS = 86400000
local LANE_RETRY_MS = 1000     -- before a task is offered again to a lane that could not take it
local DEAD_TTL_MS = 7 * DAY_MS -- of dead letters, when the caller does not say
local EVENTS_MAX = 1000        -- entries of the event log, about, when meta.events_max does not say
local LANE_ORDER = { 'high', 'normal', 'low' }
local LANES = { high = true, normal = true, low = true }

-- Filled in by ties.lua. (A chunk may have 200 locals; what comes in groups is therefore in tables.)
local ties = {}

-- While a library loads, redis.call does not exist; a local is faster than the table at every call.
local call

local function register(name, fn, flags)
  redis.register_function{
    function_name = LIBRARY .. '_' .. name,
    callback = function(keys, argv)
      call = redis.call
      return fn(keys, argv)
    end,
    flags = flags
  }
end

local function prefix_of(meta_key)
  return string.sub(meta_key, 1, -5)
end

local function server_ms(offset)
  local t = call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) + (tonumber(offset or 0) or 0)
end

-- HMGET as a table by name; absent fields are nil.
local function read_fields(key, names)
  local values = call('HMGET', key, unpack(names))
  local out = {}
  for i, name in ipairs(names) do
    out[name] = values[i] or nil
  end
  return out
end

-- The lane a record names. Records can be tampered with; no function may fail half-way for that.
local function lane_of(text)
  return LANES[text] and text or 'normal'
end

-- Adds a task to its lane. An entry is "id <hex>"; one whose record holds fields beyond the plain ones
-- (EXTRA_FIELDS of claim.lua) also says "x 1", so that claiming a plain task reads six fields only.
-- Nil when a foreign key has taken the lane's place: callers may have written already, so this does not
-- raise.
local function enqueue(P, lane, hex, extra)
  local id
  if extra then
    id = redis.pcall('XADD', P .. 'lane:' .. lane, '*', 'id', hex, 'x', '1')
  else
    id = redis.pcall('XADD', P .. 'lane:' .. lane, '*', 'id', hex)
  end
  return type(id) == 'string' and id or nil
end

-- Redis formats numbers given to it with all 17 digits, which costs more than the command. Times are
-- therefore turned into text once a call.
local function text_of(ms)
  return string.format('%.0f', ms)
end

-- SCARD and the like of a key that others may have made: 0 when it is of another type.
local function size_of(command, ...)
  local n = redis.pcall(command, ...)
  return type(n) == 'number' and n or 0
end

-- Wakes up to n parked workers. There it stops, so that tokens which nobody needs do not pile up: beside
-- these the bell holds at most the one that each worker has taken and puts back.
local function ring(P, n)
  local parked = size_of('SCARD', P .. 'parked')
  if parked == 0 then return end
  local room = math.min(n, parked - size_of('LLEN', P .. 'bell'))
  for _ = 1, room do
    redis.pcall('RPUSH', P .. 'bell', '1')
  end
end

-- meta.alarm is "<due ms>:<worker>": the one parked worker whose timer covers the next due task.
local function parse_alarm(text)
  if not text then return nil end
  local at, worker = string.match(text, '^(%d+):(.*)$')
  if not at then return nil end
  return { at = tonumber(at), worker = worker }
end

-- A task will be due at `at`: wakes a parked worker unless somebody's alarm already covers it. An alarm
-- whose time has come is spent and covers nothing.
local function cover_due(P, at, now)
  local alarm = parse_alarm(call('HGET', P .. 'meta', 'alarm'))
  if not alarm or alarm.at > at or alarm.at <= now then
    ring(P, 1)
  end
end

-- Tells the clients that wait for a task; they ask for the record themselves. The end is told to all,
-- a step on the way to some: 128 reports of one call must not become a flood.
local function notify(P, hex, word, final)
  local key = P .. 'waiters:' .. hex
  local clients = final and redis.pcall('SMEMBERS', key) or redis.pcall('SRANDMEMBER', key, MAX_NOTICES)
  for _, client in ipairs(clients) do
    call('SPUBLISH', P .. 'reply:' .. client, hex .. ' ' .. word)
  end
  if final then
    call('DEL', key)
  end
end

-- Side effects of one call on shared indexes, gathered so that each index is written once. meta: what
-- was read of the queue's meta hash; clock_offset and events_max must be among it.
local function new_batch(P, meta)
  local now = server_ms(meta.clock_offset)
  return { P = P, now = now, now_text = text_of(now), acks = {}, terminal = {}, dead = {}, counts = {},
    ready = 0, events = {}, events_max = tonumber(meta.events_max or EVENTS_MAX) or EVENTS_MAX }
end

-- The log tells what became of whom. One call adds at most one entry, whose fields are statuses and
-- whose values are the ids, so that the log costs a batch, not a task.
local function log_event(batch, status, hex)
  local ids = batch.events[status]
  if not ids then
    ids = {}
    batch.events[status] = ids
  end
  ids[#ids + 1] = hex
end

local function flush_events(batch)
  if batch.events_max <= 0 then return end
  local fields = {}
  for status, ids in pairs(batch.events) do
    fields[#fields + 1] = status
    fields[#fields + 1] = table.concat(ids, ' ')
  end
  if #fields > 0 then
    redis.pcall('XADD', batch.P .. 'events', 'MAXLEN', '~', batch.events_max, '*', unpack(fields))
  end
end

local function count(batch, status, by)
  batch.counts[status] = (batch.counts[status] or 0) + by
end

local function ack(batch, lane, entry)
  lane = lane_of(lane)
  local ids = batch.acks[lane]
  if not ids then
    ids = {}
    batch.acks[lane] = ids
  end
  ids[#ids + 1] = entry
end

local function note_due(batch, at)
  if not batch.due or at < batch.due then
    batch.due = at
  end
end

-- The id up to which the lane's group has handed entries out; '0-0' before it exists.
local function last_delivered(key)
  local groups = redis.pcall('XINFO', 'GROUPS', key)
  local group = not groups.err and groups[1] or {}
  for i = 1, #group, 2 do
    if group[i] == 'last-delivered-id' then return group[i + 1] end
  end
  return '0-0'
end

-- Acknowledged entries stay in the stream until no older one is pending: XTRIM by the lowest id
-- still needed costs a twentieth of an XDEL per task and keeps the group's lag exact.
local function trim_lane(P, lane)
  local key = P .. 'lane:' .. lane
  local delivered = last_delivered(key)
  if delivered == '0-0' then return end
  local lowest = call('XPENDING', key, GROUP)[2]
  call('XTRIM', key, 'MINID', '~', lowest or delivered)
end

local function flush(batch)
  local P = batch.P
  for lane, ids in pairs(batch.acks) do
    redis.pcall('XACK', P .. 'lane:' .. lane, GROUP, unpack(ids))
  end
  if #batch.terminal > 0 then
    redis.pcall('ZADD', P .. 'terminal', unpack(batch.terminal))
  end
  if #batch.dead > 0 then
    redis.pcall('ZADD', P .. 'dead', unpack(batch.dead))
  end
  for status, by in pairs(batch.counts) do
    if by ~= 0 then
      redis.pcall('HINCRBY', P .. 'meta', status, by)
    end
  end
  if batch.ready > 0 then
    ring(P, batch.ready)
  end
  if batch.due then
    cover_due(P, batch.due, batch.now)
  end
  flush_events(batch)
end

-- `marks` says that a running attempt has a deadline, an open question or runs alone: rare things that
-- have to be undone when it ends, which this does. An answer that its worker has not confirmed must not
-- be told to its next attempt.
local function unmark(P, hex, worker)
  call('HDEL', P .. 'task:' .. hex, 'marks', 'waiting', 'alone', 'deadline_at')
  redis.pcall('ZREM', P .. 'deadlines', hex)
  call('UNLINK', P .. 'ask:' .. hex)
  if worker then
    redis.pcall('SREM', P .. 'worker:' .. worker .. ':orders', 'answer:' .. hex)
  end
end

-- Puts a task that has stopped running back into its lane, or into `due` when there is a delay.
-- The caller has acknowledged the old entry or does so in the same batch: an entry is never handed
-- over in place, so whoever held it is fenced out by its id. `unstarted`: it may still expire unstarted.
local function requeue(batch, hex, lane, delay, fields, unstarted)
  local P, key = batch.P, batch.P .. 'task:' .. hex
  lane = lane_of(lane)
  call('HDEL', key, 'entry', 'worker', 'progress', 'message', 'unknown_since',
    unstarted and 'due_at' or 'start_by')
  fields[#fields + 1] = 'status'
  fields[#fields + 1] = 'pending'
  local entry = delay <= 0 and enqueue(P, lane, hex, true)
  if not entry then
    local at = batch.now + (delay > 0 and delay or LANE_RETRY_MS)
    fields[#fields + 1] = 'due_at'
    fields[#fields + 1] = at
    call('ZADD', P .. 'due', at, hex)
    note_due(batch, at)
  else
    fields[#fields + 1] = 'entry'
    fields[#fields + 1] = entry
    batch.ready = batch.ready + 1
  end
  call('HSET', key, unpack(fields))
  count(batch, 'processing', -1)
  count(batch, 'pending', 1)
  log_event(batch, 'pending', hex)
end

-- The indexes of finished tasks reach back as far as records live by default. What lives longer (a
-- result with a long time to live) is found by its reference only.
local function sweep_index(P, name, before, n)
  local old = call('ZRANGEBYSCORE', P .. name, '-inf', text_of(before), 'LIMIT', 0, n)
  if #old > 0 then
    call('ZREM', P .. name, unpack(old))
  end
end

-- What every terminal state does. Its own fields, the counter of the state it leaves and what hangs on
-- the record are the caller's business. tied: the record's field `ties`.
local function end_task(batch, hex, status, ttl, tied, value_ttl)
  call('PEXPIRE', batch.P .. 'task:' .. hex, ttl)
  local terminal = batch.terminal
  local n = #terminal
  terminal[n + 1], terminal[n + 2] = batch.now_text, hex
  count(batch, status, 1)
  log_event(batch, status, hex)
  if tied then pcall(ties.cut, batch, hex, status, value_ttl) end
end

-- What hangs on a task's record gets the record's time to live.
local function expire_extras(P, hex, ttl)
  call('PEXPIRE', P .. 'args:' .. hex, ttl)
  call('PEXPIRE', P .. 'history:' .. hex, ttl)
end

-- Makes a task a dead letter. reason: exhausted | permanent | expired | poison | unknown_handler |
-- undecodable. `from` is the status it leaves.
local function end_failed(batch, hex, from, reason, short, fields)
  local P, ttl = batch.P, batch.dead_ttl or DEAD_TTL_MS
  fields = fields or {}
  for _, value in ipairs({ 'status', 'failed', 'completed_at', batch.now_text, 'error', short,
    'reason', reason }) do
    fields[#fields + 1] = value
  end
  call('HSET', P .. 'task:' .. hex, unpack(fields))
  end_task(batch, hex, 'failed', ttl, call('HGET', P .. 'task:' .. hex, 'ties'))
  count(batch, from, -1)
  expire_extras(P, hex, ttl)
  batch.dead[#batch.dead + 1] = batch.now_text
  batch.dead[#batch.dead + 1] = hex
end

-- A record that has `failures`, if only 0, has a history: so says the field that commits read anyway.
local function keep_history(P, hex, json)
  call('HSETNX', P .. 'task:' .. hex, 'failures', 0)
  redis.pcall('LPUSH', P .. 'history:' .. hex, json)
  redis.pcall('LTRIM', P .. 'history:' .. hex, 0, MAX_HISTORY - 1)
end

-- One entry of a task's history that no worker has composed.
local function add_history(batch, hex, task, class, text)
  keep_history(batch.P, hex, cjson.encode({ attempt = tonumber(task.attempt) or 0, at = batch.now,
    class = class, worker = task.worker or '', error = text }))
end
