-- claim: the part of pull and finish that hands out tasks; pull itself is at the end.
-- KEYS  1 refq:{q}:meta
-- ARGV  of pull: 1 worker, 2 want (0..128), 3 was_parked 0|1, 4 may_park 0|1, 5 limits
--       limits: "ocr_pdf=1 thumbs=0": of these tasks at most so many more; '' = none is limited
-- REPLY of pull: now state parked alarm more m, then for each of m tasks 13 values:
--       hex entry task attempt args args_len timeout_ms max_retries failures deaths traceparent crashes
--       scope
--       deaths: workers that vanished with it; crashes: children that died with it, and workers that
--       vanished while it ran alone
--       state: ok | gone (this incarnation's lease ran out: it must start anew)
--       parked: 1 when the worker is now listed as waiting for the doorbell
--       alarm: ms until the worker should pull again by itself, -1 = only when the bell rings
--       more: 1 when there may be more tasks that fit: pull again at once
--       args: codec byte and bytes, '' when none or larger than 4096 (then args_len is set: GET them)
--       scope: whose the result will be and who submitted the task: a JSON object of those of the
--       texts namespace owner session policy actor actor_session inputs that its record has; '' when it has
--       none

-- Served in this order, turn by turn, when several lanes hold tasks: 8 high, 4 normal, 1 low.
local CREDITS = { 'high', 'normal', 'high', 'high', 'normal', 'high', 'low', 'high', 'normal', 'high',
  'high', 'normal', 'high' }

-- What few tasks have; their entries say so.
local EXTRA_FIELDS = { 'args_len', 'timeout_ms', 'max_retries', 'failures', 'deaths', 'traceparent',
  'crashes', 'start_by', 'namespace', 'owner', 'session', 'policy', 'actor', 'actor_session',
  'inputs' }
local SCOPE_FROM = 9 -- from here on they are the task's scope

local function promote(P, now, hex)
  local key = P .. 'task:' .. hex
  local task = read_fields(key, { 'status', 'lane', 'after' })
  if task.status == 'pending' and task.after and ties.follow(P, hex, task.after) then
    local at = text_of(now + ties.RECHECK_MS)
    call('HSET', key, 'due_at', at)
    call('ZADD', P .. 'due', at, hex)
    return
  end
  local entry = task.status == 'pending' and enqueue(P, lane_of(task.lane), hex, true)
  if entry then
    call('HSET', key, 'entry', entry)
    call('HDEL', key, 'due_at', 'after')
  end
  if entry or task.status ~= 'pending' then
    call('ZREM', P .. 'due', hex)
  else
    local at = text_of(now + LANE_RETRY_MS)
    call('HSET', key, 'due_at', at)
    call('ZADD', P .. 'due', at, hex)
  end
end

local function promote_due(P, now)
  local due = redis.pcall('ZRANGEBYSCORE', P .. 'due', '-inf', now, 'LIMIT', '0', MAX_STEP)
  for _, hex in ipairs(due) do
    if not pcall(promote, P, now, hex) then call('ZREM', P .. 'due', hex) end
  end
end

-- A lane whose place a foreign key has taken counts as empty: the others are served, and what reports
-- were taken in the same call is not half done. Who submits to it is told.
local function read_lane(P, lane, worker, n)
  local key = P .. 'lane:' .. lane
  local got = redis.pcall('XREADGROUP', 'GROUP', GROUP, worker, 'COUNT', n, 'STREAMS', key, '>')
  if got and got.err then
    -- From the start: what was claimed before the group was lost is recognised by its record.
    redis.pcall('XGROUP', 'CREATE', key, GROUP, '0', 'MKSTREAM')
    got = redis.pcall('XREADGROUP', 'GROUP', GROUP, worker, 'COUNT', n, 'STREAMS', key, '>')
  end
  return got and got[1] and got[1][2] or {}
end

-- How many entries to read from each lane for the next n turns.
local function shares(seen, turn, n)
  local out = {}
  for i = 0, n - 1 do
    local lane = CREDITS[(turn + i) % #CREDITS + 1]
    out[lane] = (out[lane] or 0) + 1
  end
  return out
end

-- Reads up to n entries: each lane's share first, then what is left from the fullest down.
local function read_entries(P, worker, seen, turn, n)
  local lanes = {}
  for _, lane in ipairs(LANE_ORDER) do
    if string.find(seen, lane, 1, true) then
      lanes[#lanes + 1] = lane
    end
  end
  local out, drained = {}, {}
  local function take(lane, k)
    local got = read_lane(P, lane, worker, k)
    for _, e in ipairs(got) do
      out[#out + 1] = { id = e[1], hex = e[2][2], extra = e[2][3], lane = lane }
    end
    drained[lane] = #got < k
  end
  if #lanes > 1 then
    local share = shares(seen, turn, n)
    for _, lane in ipairs(lanes) do
      if share[lane] then take(lane, share[lane]) end
    end
    call('HINCRBY', P .. 'meta', 'turn', #out)
  end
  for _, lane in ipairs(lanes) do
    if #out < n and not drained[lane] then take(lane, n - #out) end
  end
  return out
end

-- What to do with an entry that is not a waiting task's present one: the group was made anew and
-- delivers what somebody runs, or the task was cancelled or queued again meanwhile.
local function settle_leftover(batch, worker, e, status, entry)
  local P = batch.P
  if status == 'processing' and entry == e.id then
    local owner = call('HGET', P .. 'task:' .. e.hex, 'worker') or worker
    call('XCLAIM', P .. 'lane:' .. e.lane, GROUP, owner, 0, e.id, 'JUSTID')
  else
    ack(batch, e.lane, e.id)
  end
end

local function fail_unstarted(batch, hex)
  end_failed(batch, hex, 'pending', 'expired', 'no worker started it in time')
  if call('HGET', batch.P .. 'task:' .. hex, 'watched') then notify(batch.P, hex, 'failed', true) end
end

-- The scope of a claim, from the values of EXTRA_FIELDS. The policy is a JSON text of its own and stays
-- one: decoding it here would turn its empty lists into objects.
local function scope_of(x)
  local scope
  for i = SCOPE_FROM, #EXTRA_FIELDS do
    if x[i] then
      scope = scope or {}
      scope[EXTRA_FIELDS[i]] = x[i]
    end
  end
  return scope and cjson.encode(scope) or ''
end

-- False when the task was to have started by now: it has failed.
local function add_extras(batch, reply, n, key, e)
  local P, x = batch.P, call('HMGET', key, unpack(EXTRA_FIELDS))
  if x[8] then
    redis.pcall('ZREM', P .. 'deadlines', e.hex)
    if (tonumber(x[8]) or 0) <= batch.now then
      ack(batch, e.lane, e.id)
      fail_unstarted(batch, e.hex)
      return false
    end
  end
  if x[1] and (tonumber(x[1]) or 0) <= INLINE_ARGS then
    local args = redis.pcall('GET', P .. 'args:' .. e.hex)
    reply[n + 5] = type(args) == 'string' and args or ''
  end
  for i = 1, 7 do
    reply[n + 5 + i] = x[i] or reply[n + 5 + i]
  end
  reply[n + 9], reply[n + 10] = tonumber(x[4]) or 0, tonumber(x[5]) or 0
  reply[n + 12], reply[n + 13] = tonumber(x[7]) or 0, scope_of(x)
  return true
end

-- Hands one entry to the worker; false when it was a leftover. A record that somebody has tampered with
-- must not spoil the batch: what is no number counts as 0, what is no string as empty.
local function claim_entry(batch, reply, ask, e)
  local P, key = batch.P, batch.P .. 'task:' .. e.hex
  local t = call('HMGET', key, 'status', 'entry', 'task', 'attempt', 'args', 'watched')
  if t[1] ~= 'pending' or t[2] ~= e.id then
    settle_leftover(batch, ask.worker, e, t[1], t[2])
    return false
  end
  if (ask.limits or ask.offers) and not take_room(batch, ask, t[3], e) then return false end
  local n = #reply
  local attempt = t[4] == '0' and '1' or text_of((tonumber(t[4]) or 0) + 1)
  reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = e.hex, e.id, t[3] or '', attempt
  reply[n + 5], reply[n + 6], reply[n + 7], reply[n + 8] = t[5] or '', '', '', ''
  reply[n + 9], reply[n + 10], reply[n + 11], reply[n + 12], reply[n + 13] = '0', '0', '', '0', ''
  if e.extra and not add_extras(batch, reply, n, key, e) then
    for i = #reply, n + 1, -1 do reply[i] = nil end
    return false
  end
  call('HSET', key, 'status', 'processing', 'worker', ask.worker, 'attempt', attempt, 'started_at',
    batch.now_text)
  if t[6] then notify(P, e.hex, 'processing', false) end
  log_event(batch, 'processing', e.hex)
  return true
end

-- The alarm goes to one parked worker only, so that a due task does not wake the whole fleet.
local function arm(P, now, worker, alarm)
  local first = redis.pcall('ZRANGE', P .. 'due', 0, 0, 'WITHSCORES')
  if #first == 0 then
    if alarm and alarm.worker == worker then call('HDEL', P .. 'meta', 'alarm') end
    return -1
  end
  local at = tonumber(first[2])
  local spent = alarm and alarm.at <= now
  if not alarm or spent or alarm.worker == worker or alarm.at > at then
    call('HSET', P .. 'meta', 'alarm', string.format('%.0f:%s', at, worker))
    return math.max(0, at - now)
  end
  return -1
end

-- A worker that will not wait any more hands its alarm to another one.
local function unpark(P, worker, was_parked, alarm)
  if was_parked then
    redis.pcall('SREM', P .. 'parked', worker)
  end
  if alarm and alarm.worker == worker then
    call('HDEL', P .. 'meta', 'alarm')
    if size_of('ZCARD', P .. 'due') > 0 then ring(P, 1) end
  end
end

local function is_alive(P, worker)
  local lease = call('ZSCORE', P .. 'workers', worker)
  return lease and tonumber(lease) > 0
end

-- Claims entries for the worker; returns the ids of the tasks it got.
local function claim_entries(batch, reply, ask, entries)
  local mine = {}
  for _, e in ipairs(entries) do
    local n = #reply
    -- A record that a foreign key replaced must not cost the others of this batch their attempt.
    local good, claimed = pcall(claim_entry, batch, reply, ask, e)
    if not good then
      for i = #reply, n + 1, -1 do reply[i] = nil end
      ack(batch, e.lane, e.id)
    elseif claimed then
      mine[#mine + 1] = e.hex
    end
  end
  return mine
end

-- Claims what lies on shelves and the worker has room for.
local function take_from_shelves(batch, reply, ask)
  local P, mine, left = batch.P, {}, {}
  for name in string.gmatch(ask.shelves, '%S+') do
    local n = math.min(ask.want - #mine, room_for(P, ask, name))
    if n > 0 then
      local got = claim_entries(batch, reply, ask, still_held(batch, ask.worker, pick(P, name, n)))
      for _, hex in ipairs(got) do mine[#mine + 1] = hex end
    end
    if not (n > 0 and is_bare(P, name)) then left[#left + 1] = name .. ' ' end
  end
  local shelves = table.concat(left)
  if shelves ~= ask.shelves then
    ask.shelves = shelves
    call('HSET', P .. 'meta', 'shelves', shelves)
  end
  return mine
end

-- ask: worker want was_parked may_park limits. Appends to reply what REPLY above says after `now`.
local function claim(batch, reply, meta, ask)
  local P, head = batch.P, #reply
  local alarm = parse_alarm(meta.alarm)
  for i = 1, 5 do reply[head + i] = 0 end
  reply[head + 1], reply[head + 3] = 'ok', -1
  if not is_alive(P, ask.worker) then
    reply[head + 1] = 'gone'
    return
  end
  if ask.want == 0 then
    if ask.was_parked then unpark(P, ask.worker, true, alarm) end
    return
  end
  local entries, mine = {}, {}
  if not meta.paused then
    promote_due(P, batch.now_text)
    ask.shelves = meta.shelves or ''
    ask.offers = offers_of(P, ask.worker, meta, batch.now)
    if ask.shelves ~= '' then mine = take_from_shelves(batch, reply, ask) end
    ask.left = ask.want - #mine
    if ask.left > 0 then
      entries = read_entries(P, ask.worker, meta.lanes or '', tonumber(meta.turn or 0) or 0, ask.left)
    end
    for _, hex in ipairs(claim_entries(batch, reply, ask, entries)) do
      mine[#mine + 1] = hex
    end
  end
  if #mine > 0 then
    call('SADD', P .. 'worker:' .. ask.worker .. ':tasks', unpack(mine))
    count(batch, 'pending', -#mine)
    count(batch, 'processing', #mine)
  end
  reply[head + 5] = #mine
  if not meta.paused and #entries == ask.left then
    unpark(P, ask.worker, ask.was_parked, alarm)
    ring(P, 1)
    reply[head + 4] = #mine < ask.want and 1 or 0
  elseif ask.may_park then
    if not ask.was_parked then
      redis.pcall('SADD', P .. 'parked', ask.worker)
    end
    reply[head + 2] = 1
    reply[head + 3] = meta.paused and -1 or arm(P, batch.now, ask.worker, alarm)
  end
end

local CLAIM_META = { 'clock_offset', 'events_max', 'paused', 'lanes', 'turn', 'alarm', 'shelves',
  'mixed_until' }

local function read_ask(argv, at, worker, limits)
  local want = tonumber(argv[at])
  if not want or want < 0 or want > MAX_ITEMS then return nil end
  return { worker = worker, want = want, was_parked = argv[at + 1] == '1',
    may_park = argv[at + 2] == '1', limits = read_limits(limits) }
end

local function pull(keys, argv)
  local ask = read_ask(argv, 2, argv[1], argv[5])
  if not ask then
    return redis.error_reply('ERR refq pull: want must be 0 to ' .. MAX_ITEMS)
  end
  local meta = read_fields(keys[1], CLAIM_META)
  local batch = new_batch(prefix_of(keys[1]), meta)
  local reply = { batch.now }
  claim(batch, reply, meta, ask)
  flush(batch)
  return reply
end

register('pull', pull, { 'allow-oom' })
