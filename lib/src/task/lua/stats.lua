-- stats: the numbers of one queue. Writes nothing.
-- KEYS  1 refq:{q}:meta
-- ARGV  none
-- REPLY now, then pairs of name and number

local META_NUMBERS = { 'pending', 'processing', 'complete', 'failed', 'cancelled', 'retries', 'deaths',
  'releases', 'max_pending' }

-- How many entries the group has not handed out, and the id of the first of them.
local function unread_of(key)
  local groups = redis.pcall('XINFO', 'GROUPS', key)
  local lag = call('XLEN', key)
  for i = 1, not groups.err and groups[1] and #groups[1] or 0, 2 do
    if groups[1][i] == 'lag' and groups[1][i + 1] then lag = groups[1][i + 1] end
  end
  local first = call('XRANGE', key, '(' .. last_delivered(key), '+', 'COUNT', 1)
  return lag, first[1] and first[1][1]
end

local function ready_of(P, now)
  local ready, oldest = 0, 0
  for _, lane in ipairs(LANE_ORDER) do
    if call('TYPE', P .. 'lane:' .. lane).ok == 'stream' then
      local n, first = unread_of(P .. 'lane:' .. lane)
      ready = ready + n
      local since = first and now - (tonumber(string.match(first, '^%d+')) or now) or 0
      oldest = math.max(oldest, since)
    end
  end
  return ready, oldest
end

-- How many of a group's pending entries lie on shelves, by its summary.
local function shelved_in(summary)
  for _, consumer in ipairs(summary[4] or {}) do
    if consumer[1] == SHELF then return tonumber(consumer[2]) end
  end
  return 0
end

-- Not the lengths of the shelves: what was cancelled may lie there still.
local function held_of(P)
  local n = 0
  for _, lane in ipairs(LANE_ORDER) do
    n = n + shelved_in(redis.pcall('XPENDING', P .. 'lane:' .. lane, GROUP))
  end
  return n
end

local function stats(keys)
  local P = prefix_of(keys[1])
  local meta = read_fields(keys[1], { 'clock_offset', 'paused', unpack(META_NUMBERS) })
  local now = server_ms(meta.clock_offset)
  local ready, oldest = ready_of(P, now)
  local reply = { now, 'ready', ready, 'oldest_ms', math.max(0, oldest), 'held', held_of(P),
    'delayed', call('ZCARD', P .. 'due'), 'dead', call('ZCARD', P .. 'dead'),
    'workers', call('ZCOUNT', P .. 'workers', now, '+inf'), 'idle', call('SCARD', P .. 'parked'),
    'paused', meta.paused and 1 or 0 }
  for _, name in ipairs(META_NUMBERS) do
    reply[#reply + 1] = name
    reply[#reply + 1] = tonumber(meta[name] or 0) or 0
  end
  return reply
end

register('stats', stats, { 'allow-oom', 'no-writes' })
