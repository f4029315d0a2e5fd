-- retry: runs a failed or cancelled task again, as a new task. Terminal states never change: the old one
-- stays what it is and says what replaced it.
-- KEYS  1 refq:{q}:meta
-- ARGV  1 hex of the old task, 2 hex of the new one (made by the caller, so that a repeat is harmless)
-- REPLY how hex
--       how: new | replaced (it was before: hex is that task's) | none (no such task) | live (it is not
--       over yet) | complete (it has a result) | gone (its arguments are not kept any more)

-- Fields of the old record that the new one gets too.
local INHERITED = { 'task', 'args', 'args_len', 'args_preview', 'timeout_ms', 'max_retries', 'traceparent',
  'start_within', 'parent', 'key', 'namespace', 'owner', 'session', 'policy', 'actor', 'actor_session',
  'inputs' }
local RETRY_META = { 'clock_offset', 'events_max', 'lanes' }

local function refuse_retry(P, hex, old)
  if not old.status then return { 'none', hex } end
  if old.replaced_by then return { 'replaced', old.replaced_by } end
  if old.status == 'complete' then return { 'complete', hex } end
  if old.status ~= 'failed' and old.status ~= 'cancelled' then return { 'live', hex } end
  local kept = old.args or call('EXISTS', P .. 'args:' .. hex) == 1
  return not kept and { 'gone', hex } or nil
end

local function copy_extras(P, old, hex, new)
  if old.args_len then
    call('COPY', P .. 'args:' .. hex, P .. 'args:' .. new)
    call('PERSIST', P .. 'args:' .. new)
  end
  if old.key and call('GET', P .. 'key:' .. old.key) == hex then
    call('SET', P .. 'key:' .. old.key, new, 'KEEPTTL')
  end
end

-- The fields of the new record, but for what depends on where it waits.
local function inherit(batch, old, hex)
  local fields = { 'status', 'pending', 'attempt', '0', 'created_at', batch.now_text, 'v', '1',
    'replaces', hex, 'lane', lane_of(old.lane) }
  for _, name in ipairs(INHERITED) do
    if old[name] then
      fields[#fields + 1] = name
      fields[#fields + 1] = old[name]
    end
  end
  return fields
end

-- Queues the new task, or lets it wait for what the old one waited for when it ended. Nil when its lane's
-- place is taken by a foreign key; else two fields of its record, or four.
function ties.put_again(batch, new, lane, after)
  if after and ties.follow(batch.P, new, after) then
    local at = batch.now + ties.RECHECK_MS
    call('ZADD', batch.P .. 'due', text_of(at), new)
    note_due(batch, at)
    return { 'due_at', text_of(at), 'after', after }
  end
  local entry = enqueue(batch.P, lane, new, true)
  batch.ready = 1
  return entry and { 'entry', entry }
end

local function retry(keys, argv)
  local P, hex, new = prefix_of(keys[1]), argv[1], argv[2]
  local old = read_fields(P .. 'task:' .. hex, { 'status', 'lane', 'replaced_by', 'call', 'reuse', 'after',
    unpack(INHERITED) })
  local refused = refuse_retry(P, hex, old)
  if refused then return refused end
  local meta = read_fields(keys[1], RETRY_META)
  local batch, lane = new_batch(P, meta), lane_of(old.lane)
  local place = ties.put_again(batch, new, lane, old.after)
  if not place then
    return redis.error_reply('WRONGTYPE ' .. P .. 'lane:' .. lane .. ' is not a stream')
  end
  local fields = inherit(batch, old, hex)
  for _, value in ipairs(place) do fields[#fields + 1] = value end
  call('HSET', P .. 'task:' .. new, unpack(fields))
  copy_extras(P, old, hex, new)
  if old.call then ties.bind_again(P, new, old.call, old.reuse) end
  local within = tonumber(old.start_within)
  if within then
    call('HSET', P .. 'task:' .. new, 'start_by', text_of(batch.now + within))
    call('ZADD', P .. 'deadlines', text_of(batch.now + within), new)
  end
  call('HSET', P .. 'task:' .. hex, 'replaced_by', new)
  call('ZREM', P .. 'dead', hex)
  remember_lane(P, meta.lanes or '', lane)
  count(batch, 'pending', 1)
  log_event(batch, 'pending', new)
  flush(batch)
  return { 'new', new }
end

register('retry', retry, {})
