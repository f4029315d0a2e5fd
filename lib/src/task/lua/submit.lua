-- submit: queues n tasks of one queue.
-- KEYS  1 refq:{q}:meta
-- ARGV  1 n, then for each task 12 values, '' = not set:
--       hex task lane delay_ms timeout_ms max_retries key key_ttl_ms traceparent args preview args_where
--       args_where is "hash" or "key": where the arguments go (64 bytes and less fit the hash)
-- REPLY flat, for each task: hex how status
--       how: new | same (this id was submitted before) | key (its idempotency key was: hex is that
--       task's) | full (max_pending reached; nothing was stored)
-- Refused by Redis when memory is full (no allow-oom), so that nothing is half accepted.

local SUBMIT_WIDTH = 12

local function submitted_before(P, hex, key)
  local status = redis.call('HGET', P .. 'task:' .. hex, 'status')
  if status then return hex, 'same', status end
  if key == '' then return nil end
  local other = redis.call('GET', P .. 'key:' .. key)
  status = other and redis.call('HGET', P .. 'task:' .. other, 'status')
  if status then return other, 'key', status end
  return nil
end

local function store_new(batch, item, lanes)
  local P, hex, lane = batch.P, item[1], item[3]
  local fields = { 'status', 'pending', 'task', item[2], 'lane', lane, 'attempt', 0,
    'created_at', batch.now, 'v', 1 }
  local function set(name, value)
    if value ~= '' then
      fields[#fields + 1] = name
      fields[#fields + 1] = value
    end
  end
  set('timeout_ms', item[5])
  set('max_retries', item[6])
  set('key', item[7])
  set('traceparent', item[9])
  set('args_preview', item[11])
  if item[12] == 'hash' then
    set('args', item[10])
  elseif item[10] ~= '' then
    redis.call('SET', P .. 'args:' .. hex, item[10])
    set('args_len', #item[10])
  end
  local delay = tonumber(item[4]) or 0
  if delay > 0 then
    set('due_at', batch.now + delay)
    redis.call('ZADD', P .. 'due', batch.now + delay, hex)
    note_due(batch, batch.now + delay)
  else
    set('entry', enqueue(P, lane, hex))
    batch.ready = batch.ready + 1
  end
  redis.call('HSET', P .. 'task:' .. hex, unpack(fields))
  if item[7] ~= '' then
    redis.call('SET', P .. 'key:' .. item[7], hex, 'PX', item[8])
  end
  if not string.find(lanes.seen, lane, 1, true) then
    lanes.seen = lanes.seen .. lane .. ' '
    redis.call('HSET', P .. 'meta', 'lanes', lanes.seen)
  end
  count(batch, 'pending', 1)
end

local function submit(keys, argv)
  local n = tonumber(argv[1])
  if not n or n < 1 or n > MAX_ITEMS or #argv ~= 1 + n * SUBMIT_WIDTH then
    return redis.error_reply('ERR refq submit: 1 to ' .. MAX_ITEMS .. ' tasks of 12 values each')
  end
  local P = prefix_of(keys[1])
  local meta = read_fields(keys[1], { 'clock_offset', 'max_pending', 'pending', 'lanes' })
  local batch = new_batch(P, server_ms(meta.clock_offset))
  local room = meta.max_pending and tonumber(meta.max_pending) - tonumber(meta.pending or 0)
  local lanes = { seen = meta.lanes or '' }
  local reply = {}
  for i = 1, n do
    local at = 1 + (i - 1) * SUBMIT_WIDTH
    local item = { unpack(argv, at + 1, at + SUBMIT_WIDTH) }
    local hex, how, status = submitted_before(P, item[1], item[7])
    if not hex then
      hex, how, status = item[1], 'new', 'pending'
      if room and room <= 0 then
        how = 'full'
      else
        store_new(batch, item, lanes)
        room = room and room - 1
      end
    end
    reply[#reply + 1] = hex
    reply[#reply + 1] = how
    reply[#reply + 1] = status
  end
  flush(batch)
  return reply
end

register('submit', submit, {})
