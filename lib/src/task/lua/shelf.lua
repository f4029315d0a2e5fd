-- shelf: tasks that wait because their kind has used up its concurrency on the workers that saw them.
-- No function of its own: a part of claim.
--
-- DESIGN. A worker that runs as many `ocr_pdf` as it may still reads whatever comes next in a lane. Were
-- it to put the task back at the lane's end it would soon read it again, and the order would be lost. So
-- what nobody has room for is laid on a shelf of its task's name (a list for each lane, oldest first),
-- and whoever has room takes from there before it reads the lanes. The entry stays as it was delivered
-- and is held by the consumer `shelf`: it has fenced nobody yet, so it may be the fence of the attempt
-- that begins later. meta.shelves names the tasks that have something there.

local SHELF = 'shelf' -- the consumer that holds the entries

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
  return string.find(' ' .. names, ' ' .. name .. ' ', 1, true) ~= nil
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

-- Uses up one of the worker's places for a task of this name; false when there is none, and the task has
-- been laid on the shelf.
local function take_room(batch, ask, name, e)
  local room = ask.limits[name]
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
  return is_listed(offers .. ' ', name) and MAX_ITEMS or 0
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
      call('HDEL', key, 'held')
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
