-- audit: checks a queue's structure, window by window. Writes nothing.
-- KEYS  1 refq:{q}:meta
-- ARGV  1 section, 2 cursor ('0' first), 3 entry key prefix, then for `records` the hex ids (0..128)
--       section: records | due | terminal | dead | deadlines | workers | lane:high | lane:normal | lane:low
--       | counters
-- REPLY next ('0' = this section is done), checked, then one text for each violation
--
-- Each record and each index entry is checked against all the others in one step, so a queue that is
-- being used gives no false alarms. `records` checks the ids it is given: the caller finds them with SCAN.

local TERMINAL = { complete = true, failed = true, cancelled = true }

local function read_record(P, hex)
  local flat, t = redis.pcall('HGETALL', P .. 'task:' .. hex), {}
  if flat.err then return nil end
  for i = 1, #flat, 2 do t[flat[i]] = flat[i + 1] end
  return t
end

-- The consumer that holds an entry; nil when it is not pending.
local function holder_of(P, lane, entry)
  local found = redis.pcall('XPENDING', P .. 'lane:' .. lane, GROUP, entry, entry, 1)
  return not found.err and found[1] and found[1][2] or nil
end

local function id_less(a, b)
  local a1, a2 = string.match(a, '^(%d+)-(%d+)$')
  local b1, b2 = string.match(b, '^(%d+)-(%d+)$')
  if not a1 or not b1 then return false end
  a1, a2, b1, b2 = tonumber(a1), tonumber(a2), tonumber(b1), tonumber(b2)
  return a1 < b1 or (a1 == b1 and a2 < b2)
end

local function is_unread(P, lane, entry, hex)
  local key = P .. 'lane:' .. lane
  local found = redis.pcall('XRANGE', key, entry, entry)
  return not found.err and found[1] and found[1][2][2] == hex and id_less(last_delivered(key), entry)
end

local function on_shelf(P, t, hex)
  return call('LPOS', shelf_key(P, t.task or '', lane_of(t.lane)), hex)
end

-- An identical call has to find a live task that says so, and a finished one only for its result.
local function check_ties(P, hex, t, say)
  local followed = call('EXISTS', P .. 'followers:' .. hex) == 1
  if followed and not is_live(t.status) then say('is over, but has followers') end
  if followed and not t.ties then say('has followers, but does not say so') end
  local key = t.call and P .. 'call:' .. t.call
  if not key then return end
  local found = redis.pcall('GET', key) == hex
  if is_live(t.status) then
    if not t.ties then say('can be joined, but does not say that something hangs on it') end
    if not found then say('can be joined, but is not found by its call') end
  elseif found and (t.status ~= 'complete' or t.reuse ~= 'result') then
    say('is over, but is still found by its call')
  elseif found and call('PTTL', key) < 0 then
    say('is over, but its call is never forgotten')
  end
  if not is_live(t.status) and call('EXISTS', P .. 'callers:' .. hex) == 1 then
    say('is over, but still has callers')
  end
end

local check = {}

function check.pending(P, hex, t, say)
  local due = call('ZSCORE', P .. 'due', hex)
  if t.worker then say('is pending, but names a worker') end
  if t.after and not t.due_at then say('waits for others, but is not delayed') end
  if t.due_at then
    if not due or tonumber(due) ~= tonumber(t.due_at) then say('is delayed, but not in due') end
    if t.entry then say('is delayed, but has an entry') end
  elseif t.held then
    if holder_of(P, lane_of(t.lane), t.entry or '0-1') ~= SHELF or not on_shelf(P, t, hex) then
      say('is held, but on no shelf')
    end
  elseif not t.entry or not is_unread(P, lane_of(t.lane), t.entry, hex) then
    say('is pending, but in no lane')
  end
  if t.start_by and t.attempt == '0' and not call('ZSCORE', P .. 'deadlines', hex) then
    say('must start in time, but is not in deadlines')
  end
end

function check.processing(P, hex, t, say)
  if not t.entry or holder_of(P, lane_of(t.lane), t.entry) ~= t.worker then
    say('runs, but its entry is not held by its worker')
  end
  if not t.worker or call('SISMEMBER', P .. 'worker:' .. t.worker .. ':tasks', hex) == 0 then
    say('runs, but is not in its worker\'s set')
  end
  if call('ZSCORE', P .. 'due', hex) then say('runs, but is in due') end
  if t.after then say('runs, but waits for others') end
end

local function check_terminal(P, hex, t, say, place)
  local ttl, value = call('PTTL', P .. 'task:' .. hex), call('PTTL', place)
  if ttl < 0 then say('is over, but has no time to live') end
  if not t.completed_at then say('is over, but does not say since when') end
  if call('ZSCORE', P .. 'due', hex) then say('is over, but is in due') end
  if t.entry and holder_of(P, lane_of(t.lane), t.entry) then say('is over, but its entry is pending') end
  if t.status == 'complete' and value == -2 and (tonumber(t.expires_at) or 0) > server_ms() then
    say('is complete, but its value is gone too early')
  elseif t.status ~= 'complete' and value ~= -2 then
    say('has no result, but a value')
  elseif value == -1 or value > ttl then
    say('has a value that outlives its record')
  end
end

local function check_record(P, hex, say, place)
  local t = read_record(P, hex)
  if not t then
    say('is no hash: a foreign key lies in its place')
    return
  end
  if not t.status then return end -- expired meanwhile
  if tonumber(t.v or 1) ~= 1 then
    say('is of a version this audit does not know')
  elseif TERMINAL[t.status] then
    check_terminal(P, hex, t, say, place)
  elseif check[t.status] then
    check[t.status](P, hex, t, say)
    if call('PTTL', P .. 'task:' .. hex) ~= -1 then say('is live, but its record expires') end
  else
    say('has no status that is one')
  end
  check_ties(P, hex, t, say)
  if t.status ~= 'complete' and t.args_len and call('EXISTS', P .. 'args:' .. hex) == 0 then
    say('has lost its arguments')
  end
end

-- What the members of an index have to be.
local EXPECTED = {
  due = function(t) return t.status == 'pending' end,
  terminal = function(t) return not t.status or TERMINAL[t.status] end,
  dead = function(t) return not t.status or t.status == 'failed' end,
  deadlines = function(t) return t.status == 'pending' or t.status == 'processing' end,
}

local function audit_index(P, name, cursor, complain)
  local page = call('ZSCAN', P .. name, cursor, 'COUNT', MAX_ITEMS)
  for i = 1, #page[2], 2 do
    local t = read_record(P, page[2][i]) or {}
    if not EXPECTED[name](t) then
      complain(name .. ' holds ' .. page[2][i] .. ', which is ' .. (t.status or 'gone'))
    end
  end
  return page[1], #page[2] / 2
end

local function audit_lane(P, lane, cursor, complain)
  local key = P .. 'lane:' .. lane
  local found = redis.pcall('XPENDING', key, GROUP, cursor == '0' and '-' or '(' .. cursor, '+', MAX_ITEMS)
  if found.err then return '0', 0 end
  for _, p in ipairs(found) do
    local e = call('XRANGE', key, p[1], p[1])[1]
    local t = e and read_record(P, e[2][2]) or {}
    local right = t.entry == p[1] and ((t.status == 'processing' and t.worker == p[2])
      or (t.status == 'pending' and t.held and p[2] == SHELF))
    if not right then
      complain('lane ' .. lane .. ': entry ' .. p[1] .. ' is pending for no task (' ..
        (e and e[2][2] or 'trimmed') .. ')')
    end
  end
  return #found == MAX_ITEMS and found[#found][1] or '0', #found
end

local function audit_workers(P, complain)
  local list = call('ZRANGE', P .. 'workers', 0, 999)
  local known = {}
  for _, worker in ipairs(list) do
    known[worker] = true
    if call('EXISTS', P .. 'worker:' .. worker) == 0 then
      complain('worker ' .. worker .. ' has a lease but no record')
    end
  end
  for _, worker in ipairs(call('SRANDMEMBER', P .. 'parked', MAX_ITEMS)) do
    if not known[worker] and #list < 1000 then complain(worker .. ' is parked, but not alive') end
  end
  -- One for each that was parked when it rang, and one that each has put back.
  local tokens, workers = call('LLEN', P .. 'bell'), call('ZCARD', P .. 'workers')
  if tokens > 2 * math.max(1, workers) then
    complain('the bell holds ' .. tokens .. ' tokens for ' .. workers .. ' workers')
  end
  return '0', #list
end

-- Sums that cost no walk: what runs is what is pending in the groups, but for what lies on shelves.
local function audit_counters(P, complain)
  local meta = read_fields(P .. 'meta', { 'pending', 'processing' })
  local held = held_of(P)
  local running = 0
  for _, lane in ipairs(LANE_ORDER) do
    local found = redis.pcall('XPENDING', P .. 'lane:' .. lane, GROUP)
    if not found.err then running = running + found[1] - shelved_in(found) end
  end
  if running ~= (tonumber(meta.processing or 0) or 0) then
    complain('the counter of running tasks is ' .. (meta.processing or 0) .. ', the groups hold ' .. running)
  end
  if held > (tonumber(meta.pending or 0) or 0) then
    complain('more tasks lie on shelves than are pending')
  end
  return '0', 2
end

local function audit_records(P, argv, complain)
  for i = 4, #argv do
    local hex = argv[i]
    local say = function(text) complain('task ' .. hex .. ' ' .. text) end
    local good, why = pcall(check_record, P, hex, say, argv[3] .. hex)
    if not good then complain('task ' .. hex .. ' cannot be read: ' .. tostring(why)) end
  end
  return '0', #argv - 3
end

local function audit(keys, argv)
  local P, section, cursor = prefix_of(keys[1]), argv[1], argv[2]
  if #argv < 3 or #argv > 3 + MAX_ITEMS then
    return redis.error_reply('ERR refq audit: malformed call')
  end
  local found = { '0', 0 }
  local complain = function(text) found[#found + 1] = text end
  local lane = string.match(section, '^lane:(%l+)$')
  if section == 'records' then
    found[1], found[2] = audit_records(P, argv, complain)
  elseif EXPECTED[section] then
    found[1], found[2] = audit_index(P, section, cursor, complain)
  elseif lane and LANES[lane] then
    found[1], found[2] = audit_lane(P, lane, cursor, complain)
  elseif section == 'workers' then
    found[1], found[2] = audit_workers(P, complain)
  elseif section == 'counters' then
    found[1], found[2] = audit_counters(P, complain)
  else
    return redis.error_reply('ERR refq audit: no such section')
  end
  return found
end

register('audit', audit, { 'allow-oom', 'no-writes' })
