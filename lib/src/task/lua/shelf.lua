-- shelf: tasks that wait for a worker that can take them: the ones that saw them have used up the task's
-- concurrency, or do not offer it. No function of its own: a part of claim.
--
-- DESIGN. A worker that runs as many `ocr_pdf` as it may still reads whatever comes next in a lane. Were
-- it to put the task back at the lane's end it would soon read it again, and the order would be lost. So
-- what nobody has room for is laid on a shelf of its task's name (a list for each lane, oldest first),
-- and whoever has room takes from there before it reads the lanes. The entry stays as it was delivered
-- and is held by the consumer `shelf`: it has fenced nobody yet, so it may be the fence of the attempt
-- that begins later. meta.shelves names the tasks that have something there.
--
-- In a fleet where not all workers offer the same tasks (a rolling deploy), whoever lacks a handler would
-- claim its tasks again and again: it is idle, so it is the first to look. So after a report `unknown`
-- claims compare names with what the worker offers, for MIXED_MS, and lay the others' tasks down. What
-- nobody offers for a grace period fails (tidy_shelves).
--
-- A task that is cancelled or expires leaves its id on the shelf, for to find it there could be a long
-- walk: whoever meets such an id drops it, and tidy_shelves sees to those that nobody meets. Names come
-- from whoever submits, and every claim reads all that have a shelf: those nobody may know are laid down
-- only as long as SHELVES_BYTES hold them, and are else given out and given back, as before.

local SHELF = 'shelf'        -- the consumer that holds the entries
local MIXED_MS = 600000      -- the fleet counts as mixed so long after the last sign of it
local UNKNOWN_GRACE_MS = 60000
local SHELVES_BYTES = 4096
local TIDY_MAX = 256         -- ids that one tidy_shelves looks at, about
local WAKE_FOR_OTHERS = 16   -- parked workers to be woken for what this one cannot run

-- "a=1 b=0" as a table; nil when nothing is limited.
local function read_limits(text)
  if not text or text == '' then return nil end
  local limits = {}
  for name, room in string.gmatch(text, '([%w_-]+)=(%d+)') do
    limits[name] = tonumber(room)
  end
  return limits
end

local function shelf_key(P, name, lane)
  return P .. 'shelf:' .. name .. ':' .. lane
end

local function is_listed(names, name)
  return string.find(' ' .. names .. ' ', ' ' .. name .. ' ', 1, true) ~= nil
end

-- False when a foreign key has taken the shelf's place.
local function lay_down(batch, ask, name, e)
  local P = batch.P
  if type(redis.pcall('RPUSH', shelf_key(P, name, e.lane), e.hex)) ~= 'number' then return false end
  call('HSET', P .. 'task:' .. e.hex, 'held', '1')
  redis.pcall('XCLAIM', P .. 'lane:' .. e.lane, GROUP, SHELF, 0, e.id, 'JUSTID')
  if not is_listed(ask.shelves, name) then
    ask.shelves = ask.shelves .. name .. ' '
    call('HSET', P .. 'meta', 'shelves', ask.shelves)
  end
  batch.ready = batch.ready + 1
  return true
end

local function lay_down_for_others(batch, ask, name, e)
  if #ask.shelves + #name >= SHELVES_BYTES and not is_listed(ask.shelves, name) then return false end
  if not lay_down(batch, ask, name, e) then return false end
  batch.ready = batch.ready + WAKE_FOR_OTHERS
  return true
end

-- What the worker offers, when the fleet is mixed; nil when all offer the same, as far as is known.
local function offers_of(P, worker, meta, now)
  if (tonumber(meta.mixed_until or 0) or 0) <= now then return nil end
  return call('HGET', P .. 'worker:' .. worker, 'offers') or ''
end

-- A record can be tampered with: what has no proper name has no shelf either, and goes to any worker, which
-- reports it as unknown until its grace is over.
local function is_name(text)
  return text and #text <= 64 and string.match(text, '^[%w_-]+$')
end

-- Uses up one of the worker's places for a task of this name; false when there is none, and the task has
-- been laid on the shelf.
local function take_room(batch, ask, name, e)
  if ask.offers and is_name(name) and not is_listed(ask.offers, name) then
    return not lay_down_for_others(batch, ask, name, e)
  end
  local room = ask.limits and ask.limits[name]
  if not room then return true end
  if room == 0 then return not lay_down(batch, ask, name, e) end
  ask.limits[name] = room - 1
  return true
end

-- How many tasks of a name the worker takes.
local function room_for(P, ask, name)
  local room = ask.limits and ask.limits[name]
  if room then return room end
  ask.known = ask.known or call('HGET', P .. 'worker:' .. ask.worker, 'offers') or ''
  return is_listed(ask.known, name) and MAX_ITEMS or 0
end

-- The next tasks from a name's shelf, high lane first, as entries to be claimed.
local function pick(P, name, n)
  local out = {}
  for _, lane in ipairs(LANE_ORDER) do
    if #out < n then
      for _, hex in ipairs(redis.pcall('LPOP', shelf_key(P, name, lane), n - #out) or {}) do
        local id = redis.pcall('HGET', P .. 'task:' .. hex, 'entry')
        out[#out + 1] = { hex = hex, lane = lane, extra = true, id = type(id) == 'string' and id or '' }
      end
    end
  end
  return out
end

-- What the pick found to be claimed still: the rest was cancelled, or its group was made anew and
-- delivers it again.
local function still_held(batch, worker, picked)
  local out = {}
  for _, e in ipairs(picked) do
    local key = batch.P .. 'task:' .. e.hex
    local t = redis.pcall('HMGET', key, 'status', 'held')
    if t[1] == 'pending' and t[2] and e.id ~= '' then
      call('HDEL', key, 'held', 'unknown_since')
      local got = redis.pcall('XCLAIM', batch.P .. 'lane:' .. e.lane, GROUP, worker, 0, e.id, 'JUSTID')
      if not got.err and #got > 0 then out[#out + 1] = e end
    end
  end
  return out
end

local function is_bare(P, name)
  local n = 0
  for _, lane in ipairs(LANE_ORDER) do
    n = n + size_of('LLEN', shelf_key(P, name, lane))
  end
  return n == 0
end

-- One task on a shelf: what is not held any more is dropped, what no worker offers any more fails once
-- it has waited so for the grace period.
local function tidy_task(batch, key, lane, hex, grace)
  local record = batch.P .. 'task:' .. hex
  local t = read_fields(record, { 'status', 'entry', 'held', 'unknown_since', 'watched', 'start_by' })
  if t.status ~= 'pending' or not t.held then
    call('LREM', key, 1, hex)
  elseif not grace then
    if t.unknown_since then call('HDEL', record, 'unknown_since') end
  elseif not t.unknown_since then
    call('HSET', record, 'unknown_since', batch.now_text)
  elseif batch.now - (tonumber(t.unknown_since) or 0) >= grace then
    call('LREM', key, 1, hex)
    call('HDEL', record, 'held', 'start_by')
    if t.start_by then redis.pcall('ZREM', batch.P .. 'deadlines', hex) end
    ack(batch, lane, t.entry)
    end_failed(batch, hex, 'pending', 'unknown_handler', 'no worker offers this task')
    if t.watched then notify(batch.P, hex, 'failed', true) end
  end
end

-- Returns how many ids it looked at. grace: nil while the task is offered.
local function tidy_shelf(batch, name, grace)
  local seen = 0
  for _, lane in ipairs(LANE_ORDER) do
    local key = shelf_key(batch.P, name, lane)
    for _, hex in ipairs(redis.pcall('LRANGE', key, 0, MAX_STEP - 1)) do
      seen = seen + 1
      if not pcall(tidy_task, batch, key, lane, hex, grace) then call('LREM', key, 1, hex) end
    end
  end
  return seen
end

-- Begins with another name each time, so that the last get their turn too.
local function tidy_shelves(batch, meta)
  local grace = tonumber(meta.unknown_grace_ms or '') or UNKNOWN_GRACE_MS
  local names, left, seen = {}, {}, 0
  for name in string.gmatch(meta.shelves or '', '%S+') do names[#names + 1] = name end
  local first = math.floor(batch.now / SWEEP_EVERY_MS)
  for i = 1, #names do
    local name = names[(first + i) % #names + 1]
    if seen < TIDY_MAX then
      local offered = size_of('HEXISTS', batch.P .. 'catalog', name) == 1
      seen = seen + tidy_shelf(batch, name, not offered and grace or nil)
    end
    if not is_bare(batch.P, name) then left[#left + 1] = name .. ' ' end
  end
  if #left < #names then call('HSET', batch.P .. 'meta', 'shelves', table.concat(left)) end
end
