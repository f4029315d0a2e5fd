-- list: the ids of tasks, page by page: running, ready, held, delayed, finished.
-- KEYS  1 refq:{q}:meta
-- ARGV  1 status ('' = any), 2 limit (1..1000), 3 task name ('' = any), 4 dead 0|1, 5 cursor ('' = start)
-- REPLY next, then hex ids; `look` gives their records. next: cursor of the next page, '' = none
--
-- DESIGN. A list goes through sections, each an index in an order of its own, and a cursor is
-- "<section>|<place in it>". One call looks at MAX_SEEN tasks at most, so a page may hold fewer than the
-- limit although there is more. Places are ids and scores, not ranks, so what comes and goes meanwhile
-- makes a task that moves appear twice or not at all, and never disturbs the others.

local MAX_SEEN = 1024

-- Each section returns up to n ids from a place on, and the place behind them (nil = it ends here).

local function from_stream(P, lane, place, n, last)
  local key = P .. 'lane:' .. lane
  local found = redis.pcall('XRANGE', key, '(' .. place, last or '+', 'COUNT', n)
  local ids = {}
  for i, e in ipairs(found.err and {} or found) do ids[i] = e[2][2] end
  return ids, #ids == n and found[n][1] or nil
end

local function running(P, lane, place, n)
  local key = P .. 'lane:' .. lane
  local found = redis.pcall('XPENDING', key, GROUP, '(' .. place, '+', n)
  if found.err then return {}, nil end
  local ids = {}
  for _, p in ipairs(found) do
    local e = call('XRANGE', key, p[1], p[1])[1]
    if e then ids[#ids + 1] = e[2][2] end
  end
  return ids, #found == n and found[n][1] or nil
end

local function ready(P, lane, place, n)
  if place == '0-0' then place = last_delivered(P .. 'lane:' .. lane) end
  return from_stream(P, lane, place, n)
end

-- By score upwards or downwards; the place is "<score>:<how many of that score were seen>".
local function from_index(key, place, n, down)
  local score, skip = string.match(place, '^(%d+):(%d+)$')
  local first = score or (down and '+inf' or '-inf')
  local found = down
    and call('ZREVRANGEBYSCORE', key, first, '-inf', 'WITHSCORES', 'LIMIT', tonumber(skip) or 0, n)
    or call('ZRANGEBYSCORE', key, first, '+inf', 'WITHSCORES', 'LIMIT', tonumber(skip) or 0, n)
  local ids, seen = {}, tonumber(skip) or 0
  for i = 1, #found, 2 do
    ids[#ids + 1] = found[i]
    if found[i + 1] ~= score then score, seen = found[i + 1], 0 end
    seen = seen + 1
  end
  return ids, #ids == n and score .. ':' .. seen or nil
end

local function on_shelves(P, _, place, n)
  local ids, at, skip = {}, 0, tonumber(place) or 0
  for name in string.gmatch(call('HGET', P .. 'meta', 'shelves') or '', '%S+') do
    for _, lane in ipairs(LANE_ORDER) do
      local key = shelf_key(P, name, lane)
      local len = size_of('LLEN', key)
      if #ids < n and at + len > skip then
        local from = math.max(0, skip - at)
        for _, hex in ipairs(call('LRANGE', key, from, from + n - #ids - 1)) do ids[#ids + 1] = hex end
      end
      at = at + len
    end
  end
  return ids, #ids == n and tostring(skip + n) or nil
end

local function delayed(P, _, place, n) return from_index(P .. 'due', place, n, false) end
local function finished(P, _, place, n) return from_index(P .. 'terminal', place, n, true) end
local function dead(P, _, place, n) return from_index(P .. 'dead', place, n, true) end

local SECTIONS = {
  { name = 'run-high', read = running, lane = 'high', of = 'processing' },
  { name = 'run-normal', read = running, lane = 'normal', of = 'processing' },
  { name = 'run-low', read = running, lane = 'low', of = 'processing' },
  { name = 'ready-high', read = ready, lane = 'high', of = 'pending' },
  { name = 'ready-normal', read = ready, lane = 'normal', of = 'pending' },
  { name = 'ready-low', read = ready, lane = 'low', of = 'pending' },
  { name = 'held', read = on_shelves, of = 'pending' },
  { name = 'delayed', read = delayed, of = 'pending' },
  { name = 'finished', read = finished, of = 'terminal' },
  { name = 'dead', read = dead, of = 'dead' },
}

-- Failed tasks live longer than the index of all finished ones reaches back: `dead` has them all, but
-- for those that were run again.
local function is_wanted(section, status, only_dead)
  if only_dead or section.of == 'dead' then return only_dead and section.of == 'dead' end
  if status == '' or status == section.of then return true end
  return section.of == 'terminal' and status ~= 'pending' and status ~= 'processing'
end

-- The status that a task must have to be listed by this section: it may have moved on meanwhile.
local function belongs(section, status)
  if section.of == 'terminal' or section.of == 'dead' then
    return status ~= 'pending' and status ~= 'processing'
  end
  return status == section.of
end

local function first_section(cursor)
  if cursor == '' then return 1, '0-0' end
  local name, place = string.match(cursor, '^([%w-]+)|([%d:-]+)$')
  for i, section in ipairs(SECTIONS) do
    if section.name == name then return i, place end
  end
  return nil
end

local function list(keys, argv)
  local P, want, limit, name = prefix_of(keys[1]), argv[1], tonumber(argv[2]), argv[3] or ''
  local at, place = first_section(argv[5] or '')
  if not limit or limit < 1 or limit > 1000 then
    return redis.error_reply('ERR refq list: limit must be 1 to 1000')
  elseif not at then
    return redis.error_reply('ERR refq list: this cursor was not made by a list')
  end
  local out, seen = { '' }, 0
  for i = at, #SECTIONS do
    local section = SECTIONS[i]
    local next = is_wanted(section, want, argv[4] == '1') and (i == at and place or '0-0') or nil
    while next do
      local n = math.min(limit - #out + 1, MAX_SEEN - seen)
      if n <= 0 then
        out[1] = section.name .. '|' .. next
        return out
      end
      local ids
      ids, next = section.read(P, section.lane, next, n)
      seen = seen + #ids
      for _, hex in ipairs(ids) do
        local t = redis.pcall('HMGET', P .. 'task:' .. hex, 'status', 'task')
        if t[1] and belongs(section, t[1]) and (want == '' or want == t[1])
          and (name == '' or name == t[2]) then
          out[#out + 1] = hex
        end
      end
    end
  end
  return out
end

register('list', list, { 'allow-oom', 'no-writes' })
