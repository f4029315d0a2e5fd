-- submit: queues n tasks of one queue.
-- KEYS  1 refq:{q}:meta
-- ARGV  1 n, then for each task 8 values: hex task lane delay_ms key key_ttl_ms args k, and k pairs of
--       further fields of its record (timeout_ms max_retries traceparent args_preview start_within
--       namespace owner session policy actor actor_session inputs call reuse after)
--       start_within: ms from when it could start; a task that has not started by then has failed
--       call: digest of the call (32 hex digits) by which identical ones find the task, reuse: in_flight |
--       result (also when it is complete, as long as its result lives); only together
--       after: references of at most 64 tasks, separated by blanks, that have to be over before it starts
--       delay_ms '0' = none, key '' = none; args: codec byte and bytes (no arguments: an empty map)
-- REPLY flat, for each task: hex how status
--       how: new | same (this id was submitted before) | key (its idempotency key was: hex is that
--       task's) | joined (an identical call's task is shared: hex is that task's) | full (max_pending
--       reached; nothing was stored)
-- Refused by Redis when memory is full (no allow-oom), so that nothing is half accepted.

local HASH_VALUE_MAX = 64 -- a longer value would cost the record its compact encoding
local EXTRA_OF_SUBMIT = { timeout_ms = true, max_retries = true, traceparent = true,
  start_within = true, namespace = true, owner = true, session = true, policy = true, actor = true,
  actor_session = true, inputs = true, call = true, reuse = true, after = true }

-- Those further fields of a task that plain ones lack, by name; nil when it has none.
local function read_extras(argv, at)
  local extras
  for i = at + 9, at + 7 + 2 * tonumber(argv[at + 8]), 2 do
    if EXTRA_OF_SUBMIT[argv[i]] then
      extras = extras or {}
      extras[argv[i]] = argv[i + 1]
    end
  end
  return extras
end

local function submitted_before(batch, hex, key, extras)
  local P = batch.P
  local status = call('HGET', P .. 'task:' .. hex, 'status')
  if status then return hex, 'same', status end
  local other = key ~= '' and call('GET', P .. 'key:' .. key)
  status = other and call('HGET', P .. 'task:' .. other, 'status')
  if status then
    ties.hand_out(P, other, status)
    return other, 'key', status
  end
  if not (extras and extras.call) then return nil end
  other, status = ties.join(batch, extras.call, extras.reuse, hex)
  return other, 'joined', status
end

-- Puts the arguments where they belong; returns the field of the record that tells of them.
local function store_args(P, hex, args)
  if #args <= HASH_VALUE_MAX then return 'args', args end
  call('SET', P .. 'args:' .. hex, args)
  return 'args_len', tostring(#args)
end

-- What the further fields of a stored task bring along. queued: it is in its lane already.
local function store_extras(batch, hex, delay, extras, queued)
  local P = batch.P
  if extras.after and queued then call('HDEL', P .. 'task:' .. hex, 'after') end
  if extras.start_within then
    local by = text_of(batch.now + delay + (tonumber(extras.start_within) or 0))
    call('HSET', P .. 'task:' .. hex, 'start_by', by)
    call('ZADD', P .. 'deadlines', by, hex)
  end
  if extras.call then ties.bind(P, hex, extras.call) end
end

-- One task, whose values start behind argv[at] and whose k pairs start behind argv[at + 8]. False, with
-- nothing stored, when its lane's place is taken by a foreign key.
local function store_new(batch, argv, at, extras)
  local P, hex, lane, key = batch.P, argv[at + 1], argv[at + 3], argv[at + 5]
  local extra = extras ~= nil or #argv[at + 7] > HASH_VALUE_MAX
  local where, place = 'entry', nil
  local delay = tonumber(argv[at + 4])
  local wait = delay
  if extras and extras.after and delay <= 0 and ties.follow(P, hex, extras.after) then
    wait = ties.RECHECK_MS
  end
  if wait > 0 then
    where, place = 'due_at', text_of(batch.now + wait)
    call('ZADD', P .. 'due', place, hex)
    note_due(batch, batch.now + wait)
  else
    place = enqueue(P, lane, hex, extra)
    if not place then return false end
    batch.ready = batch.ready + 1
  end
  local args_name, args_value = store_args(P, hex, argv[at + 7])
  call('HSET', P .. 'task:' .. hex, 'status', 'pending', 'task', argv[at + 2], 'lane', lane,
    'attempt', '0', 'created_at', batch.now_text, 'v', '1', args_name, args_value, where, place,
    unpack(argv, at + 9, at + 8 + 2 * tonumber(argv[at + 8])))
  if key ~= '' then
    call('HSET', P .. 'task:' .. hex, 'key', key)
    call('SET', P .. 'key:' .. key, hex, 'PX', argv[at + 6])
  end
  if extras then store_extras(batch, hex, delay, extras, wait <= 0) end
  log_event(batch, 'pending', hex)
  return true
end

-- The lanes that were ever used are remembered, so that claims do not look into the others.
local function remember_lane(P, lanes, lane)
  if not string.find(lanes, lane, 1, true) then
    lanes = lanes .. lane .. ' '
    call('HSET', P .. 'meta', 'lanes', lanes)
  end
  return lanes
end

-- Where each task's values start; nil when the call is malformed.
local function find_items(argv, n)
  local places, at = {}, 1
  for i = 1, n do
    local k = tonumber(argv[at + 8])
    if not k or k < 0 or k > 16 or not tonumber(argv[at + 4]) or not ((tonumber(argv[at + 6]) or 0) >= 1)
      or not LANES[argv[at + 3]] then
      return nil
    end
    places[i] = at
    at = at + 8 + 2 * k
  end
  return at == #argv and places or nil
end

local function submit(keys, argv)
  local n = tonumber(argv[1])
  local places = n and n >= 1 and n <= MAX_ITEMS and find_items(argv, n)
  if not places then
    return redis.error_reply('ERR refq submit: malformed call')
  end
  local P = prefix_of(keys[1])
  local meta = read_fields(keys[1], { 'clock_offset', 'events_max', 'max_pending', 'pending', 'lanes' })
  local batch = new_batch(P, meta)
  local max_pending = tonumber(meta.max_pending or '')
  local room = max_pending and max_pending - (tonumber(meta.pending) or 0)
  local lanes, reply, stored, broken = meta.lanes or '', {}, 0, nil
  for i, at in ipairs(places) do
    local extras = read_extras(argv, at)
    local good, hex, how, status = pcall(submitted_before, batch, argv[at + 1], argv[at + 5], extras)
    if not good then
      broken = redis.error_reply('WRONGTYPE the record or the idempotency key of task ' .. argv[at + 1] ..
        ' in ' .. P .. ' is taken by a foreign key')
      break
    elseif not hex then
      hex, how, status = argv[at + 1], 'new', 'pending'
      if room and stored >= room then
        how = 'full'
      elseif store_new(batch, argv, at, extras) then
        lanes = remember_lane(P, lanes, argv[at + 3])
        stored = stored + 1
      else
        broken = redis.error_reply('WRONGTYPE ' .. P .. 'lane:' .. argv[at + 3] .. ' is not a stream')
        break
      end
    end
    reply[3 * i - 2], reply[3 * i - 1], reply[3 * i] = hex, how, status
  end
  count(batch, 'pending', stored)
  flush(batch)
  return broken or reply
end

register('submit', submit, {})
