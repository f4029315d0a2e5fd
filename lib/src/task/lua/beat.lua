-- beat: a worker's sign of life; also starts and ends an incarnation and does the queue's chores.
-- KEYS  1 refq:{q}:meta
-- ARGV  1 worker, 2 lease_ms, 3 mode start|beat|bye, 4 tasks it believes to hold, then pairs of
--       fields for its record; on start the pairs "offer:<name>" go into the catalog
-- REPLY now state reap held order n, then n orders for tasks that the worker has not confirmed
--       state: ok | gone;  reap: 1 when this worker should call reap now
--       order: '' | quiet (claim nothing) | drain (end when all that runs is over)
--       an order for a task: its hex id (it was cancelled) or answer:<hex> (its question was answered)
--       held: tasks Redis believes it holds (a lasting difference: call mine)

-- Nobody has beaten for half a lease, or the clock went back: Redis or its host was away. Then
-- nobody's silence means anything yet, and all leases get one more lease.
local function after_outage(meta, now, lease)
  local last = tonumber(meta.last_beat or now)
  return now - last > lease / 2 or now < last
end

local function offered_names(P)
  local names = {}
  for _, worker in ipairs(call('ZRANGE', P .. 'workers', 0, 999)) do
    local offers = call('HGET', P .. 'worker:' .. worker, 'offers') or ''
    for name in string.gmatch(offers, '%S+') do
      names[name] = true
    end
  end
  return names
end

-- A tool nobody offers any more stays for a grace period, so that a restart does not hide it. The
-- field ":<name>" says since when nobody offers it (task names hold no colon).
local function sweep_catalog(P, now)
  local key = P .. 'catalog'
  local offered = offered_names(P)
  for _, name in ipairs(call('HKEYS', key)) do
    if string.sub(name, 1, 1) ~= ':' then
      local since = call('HGET', key, ':' .. name)
      if offered[name] then
        if since then call('HDEL', key, ':' .. name) end
      elseif not since then
        call('HSET', key, ':' .. name, now)
      elseif now - tonumber(since) > CATALOG_GRACE_MS then
        call('HDEL', key, name, ':' .. name)
      end
    end
  end
end

local function has_unread(P, lanes)
  for _, lane in ipairs(LANE_ORDER) do
    if string.find(lanes or '', lane, 1, true) then
      local key = P .. 'lane:' .. lane
      local next = redis.pcall('XRANGE', key, '(' .. last_delivered(key), '+', 'COUNT', 1)
      if #next > 0 then return true end
    end
  end
  return false
end

-- A parked worker may die between taking a token from the bell and using it, or with the alarm in
-- its hands. So every beat looks whether work lies about while somebody is parked.
local function mend_wakeups(P, meta, now)
  if size_of('SCARD', P .. 'parked') == 0 or meta.paused then return end
  local first = call('ZRANGE', P .. 'due', 0, 0, 'WITHSCORES')
  local overdue = #first > 0 and tonumber(first[2]) + 500 < now
  if overdue then
    call('HDEL', P .. 'meta', 'alarm')
  end
  if overdue or (meta.shelves or '') ~= '' or has_unread(P, meta.lanes) then
    ring(P, 1)
  end
end

local function chores(P, worker, meta, now)
  mend_wakeups(P, meta, now)
  local batch = new_batch(P, meta)
  if meet_deadlines(batch) > 0 then
    flush(batch)
    batch = new_batch(P, meta)
  end
  if now - tonumber(meta.swept_at or 0) < SWEEP_EVERY_MS then return end
  call('HSET', P .. 'meta', 'swept_at', now)
  for _, lane in ipairs(LANE_ORDER) do
    if string.find(meta.lanes or '', lane, 1, true) then trim_lane(P, lane) end
  end
  tidy_shelves(batch, meta)
  flush(batch)
  local record_ttl = tonumber(call('HGET', P .. 'worker:' .. worker, 'record_ttl_ms')) or DAY_MS
  sweep_index(P, 'terminal', now - record_ttl, MAX_STEP)
  sweep_index(P, 'dead', now - 7 * record_ttl, MAX_STEP)
  sweep_catalog(P, now)
end

-- One reaper at a time: whoever is told to gets a second to do it.
local function should_reap(P, meta, now)
  local first = call('ZRANGE', P .. 'workers', 0, 0, 'WITHSCORES')
  local lease = tonumber(first[2])
  if lease > now or now < tonumber(meta.reaper_until or 0) then return 0 end
  if lease > 0 and now < tonumber(meta.grace_until or 0) then return 0 end
  call('HSET', P .. 'meta', 'reaper_until', now + 1000)
  return 1
end

local function store_worker(P, worker, mode, now, argv)
  local fields = { 'beat_at', now }
  if mode == 'start' then
    fields[3], fields[4] = 'started_at', now
  end
  for i = 5, #argv - 1, 2 do
    local offer = string.match(argv[i], '^offer:(.*)$')
    if offer then
      call('HSET', P .. 'catalog', offer, argv[i + 1])
      call('HDEL', P .. 'catalog', ':' .. offer)
    else
      fields[#fields + 1] = argv[i]
      fields[#fields + 1] = argv[i + 1]
    end
  end
  call('HSET', P .. 'worker:' .. worker, unpack(fields))
end

-- What was not given back goes to others: at once when it is little, else by the reaper.
local function say_bye(P, worker, meta, now)
  call('ZADD', P .. 'workers', -1, worker)
  local left = take_back_tasks(P, worker, meta)
  if left == 0 then
    drop_worker(P, worker, meta.lanes)
  end
  return { now, 'ok', left > 0 and 1 or 0, left, '', 0 }
end

local function beat(keys, argv)
  local P, worker, lease, mode = prefix_of(keys[1]), argv[1], tonumber(argv[2]), argv[3]
  if not lease or lease <= 0 or #argv % 2 ~= 0 then
    return redis.error_reply('ERR refq beat: malformed call')
  end
  local meta = read_fields(keys[1], { 'clock_offset', 'events_max', 'paused', 'lanes', 'last_beat',
    'grace_until', 'reaper_until', 'swept_at', 'lease_max', 'shelves',
    'unknown_grace_ms' })
  local now = server_ms(meta.clock_offset)
  if mode ~= 'start' and not is_alive(P, worker) then
    return { now, 'gone', 0, 0, '', 0 }
  end
  if mode == 'bye' then
    return say_bye(P, worker, meta, now)
  end
  if after_outage(meta, now, lease) then
    meta.grace_until = now + math.max(lease, tonumber(meta.lease_max) or 0)
    call('HSET', keys[1], 'grace_until', meta.grace_until)
  end
  call('ZADD', P .. 'workers', now + lease, worker)
  call('HSET', keys[1], 'last_beat', now)
  if mode == 'start' and lease > (tonumber(meta.lease_max) or 0) then
    call('HSET', keys[1], 'lease_max', lease) -- the longest any worker was ever given
  end
  store_worker(P, worker, mode, now, argv)
  -- What a foreign key makes of the chores must not cost the worker its lease.
  local good, why = pcall(chores, P, worker, meta, now)
  if not good then
    redis.log(redis.LOG_WARNING, 'refq: the chores of ' .. P .. ' broke off: ' ..
      tostring(type(why) == 'table' and why.err or why))
  end
  local reply = { now, 'ok', should_reap(P, meta, now),
    call('SCARD', P .. 'worker:' .. worker .. ':tasks'),
    call('HGET', P .. 'worker:' .. worker, 'order') or '', 0 }
  local orders = call('SRANDMEMBER', P .. 'worker:' .. worker .. ':orders', MAX_STEP)
  reply[6] = #orders
  for _, hex in ipairs(orders) do
    reply[#reply + 1] = hex
  end
  return reply
end

register('beat', beat, { 'allow-oom' })
