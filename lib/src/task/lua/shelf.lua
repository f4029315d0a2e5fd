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
-- nobody offers for a grace period fails (abandon_shelves).

local SHELF = 'shelf'        -- the consumer that holds the entries
local MIXED_MS = 600000      -- the fleet counts as mixed so long after the last sign of it
local UNKNOWN_GRACE_MS = 60000
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

local function lay_down(batch, ask, name, e)
  local P = batch.P
  call('RPUSH', shelf_key(P, name, e.lane), e.hex)
  call('HSET', P .. 'task:' .. e.hex, 'held', '1')
  redis.pcall('XCLAIM', P .. 'lane:' .. e.lane, GROUP, SHELF, 0, e.id, 'JUSTID')
  if not is_listed(ask.shelves, name) then
    ask.shelves = ask.shelves .. name .. ' '
    call('HSET', P .. 'meta', 'shelves', ask.shelves)
  end
  batch.ready = batch.ready + 1
end

local function lay_down_for_others(batch, ask, name, e)
  lay_down(batch, ask, name, e)
  call('HSETNX', batch.P .. 'task:' .. e.hex, 'unknown_since', batch.now_text)
  batch.ready = batch.ready + WAKE_FOR_OTHERS
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
    lay_down_for_others(batch, ask, name, e)
    return false
  end
  local room = ask.limits and ask.limits[name]
  if not room then return true end
  if room == 0 then
    lay_down(batch, ask, name, e)
    return false
  end
  ask.limits[name] = room - 1
  return true
end

-- How many tasks of a name the worker takes.
local function room_for(P, ask, name)
  local room = ask.limits and ask.limits[name]
  if room then return room end
  local offers = call('HGET', P .. 'worker:' .. ask.worker, 'offers') or ''
  return is_listed(offers, name) and MAX_ITEMS or 0
end

-- The next tasks from a name's shelf, high lane first, as entries to be claimed.
local function pick(P, name, n)
  local out = {}
  for _, lane in ipairs(LANE_ORDER) do
    if #out < n then
      for _, hex in ipairs(call('LPOP', shelf_key(P, name, lane), n - #out) or {}) do
        out[#out + 1] = { hex = hex, lane = lane, extra = true,
          id = call('HGET', P .. 'task:' .. hex, 'entry') or '' }
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
    local t = call('HMGET', key, 'status', 'held')
    if t[1] == 'pending' and t[2] then
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
    n = n + call('LLEN', shelf_key(P, name, lane))
  end
  return n == 0
end

-- What no worker offers any more: fails once it has waited so for the grace period.
local function abandon(batch, name, grace)
  local P = batch.P
  for _, lane in ipairs(LANE_ORDER) do
    local key = shelf_key(P, name, lane)
    for _, hex in ipairs(call('LRANGE', key, 0, MAX_STEP - 1)) do
      local t = read_fields(P .. 'task:' .. hex, { 'status', 'entry', 'held', 'unknown_since', 'watched' })
      local since = tonumber(t.unknown_since) or batch.now
      if t.status == 'pending' and t.held and batch.now - since >= grace then
        call('LREM', key, 1, hex)
        call('HDEL', P .. 'task:' .. hex, 'held')
        ack(batch, lane, t.entry)
        end_failed(batch, hex, 'pending', 'unknown_handler', 'no worker offers this task')
        if t.watched then notify(P, hex, 'failed', true) end
      end
    end
  end
end

local function abandon_shelves(batch, meta)
  local grace = tonumber(meta.unknown_grace_ms or '') or UNKNOWN_GRACE_MS
  for name in string.gmatch(meta.shelves or '', '%S+') do
    if call('HEXISTS', batch.P .. 'catalog', name) == 0 then abandon(batch, name, grace) end
  end
end
