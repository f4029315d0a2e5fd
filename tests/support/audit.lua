-- The structure audit: every index entry has its record and the other way round, the pending list is
-- exactly the running tasks, counters equal a recount, and no key lives for ever without a reason.
-- ARGV  1 prefix of the queue's keys, 2 prefix of its cache entries
-- REPLY a list of violations, empty when all is well
local P, E = ARGV[1], ARGV[2]
local bad = {}
local function complain(...)
  bad[#bad + 1] = string.format(...)
end
local function set_of(list)
  local out = {}
  for _, v in ipairs(list) do out[v] = true end
  return out
end
local function scored(key)
  local out, list = {}, redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  for i = 1, #list, 2 do out[list[i]] = tonumber(list[i + 1]) end
  return out
end
local function strip(key, prefix)
  if string.sub(key, 1, #prefix) == prefix then return string.sub(key, #prefix + 1) end
end

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)

local tasks = {}
for _, key in ipairs(redis.call('KEYS', P .. 'task:*')) do
  local t, flat = {}, redis.call('HGETALL', key)
  for i = 1, #flat, 2 do t[flat[i]] = flat[i + 1] end
  t.ttl = redis.call('PTTL', key)
  tasks[strip(key, P .. 'task:')] = t
end

local due, terminal, dead = scored(P .. 'due'), scored(P .. 'terminal'), scored(P .. 'dead')
local workers = scored(P .. 'workers')
local held = {}
for worker in pairs(workers) do
  held[worker] = set_of(redis.call('SMEMBERS', P .. 'worker:' .. worker .. ':tasks'))
  if redis.call('EXISTS', P .. 'worker:' .. worker) == 0 then
    complain('worker %s has a lease but no record', worker)
  end
end

-- lanes: entry -> hex, pending entries, last delivered
local entries, pending, unread = {}, {}, {}
for _, lane in ipairs({ 'high', 'normal', 'low' }) do
  local key = P .. 'lane:' .. lane
  if redis.call('EXISTS', key) == 1 then
    local delivered = '0-0'
    local groups = redis.call('XINFO', 'GROUPS', key)
    for i = 1, groups[1] and #groups[1] or 0, 2 do
      if groups[1][i] == 'last-delivered-id' then delivered = groups[1][i + 1] end
    end
    for _, e in ipairs(redis.call('XRANGE', key, '-', '+')) do entries[lane .. e[1]] = e[2][2] end
    for _, e in ipairs(redis.call('XRANGE', key, '(' .. delivered, '+')) do
      unread[lane .. e[1]] = e[2][2]
      local t = tasks[e[2][2]]
      if t and t.status == 'pending' and t.entry ~= e[1] then
        complain('lane %s: unread entry %s of pending task %s, whose entry is %s', lane, e[1],
          e[2][2], tostring(t.entry))
      end
    end
    if groups[1] then
      for _, p in ipairs(redis.call('XPENDING', key, 'workers', '-', '+', 100000)) do
        pending[lane .. p[1]] = p[2]
        local hex = entries[lane .. p[1]]
        local t = hex and tasks[hex]
        if t and p[2] == 'shelf' then
          if t.status ~= 'pending' or not t.held or t.entry ~= p[1] then
            complain('lane %s: the shelf holds entry %s of %s, which is not held', lane, p[1], hex)
          end
        elseif not t or t.status ~= 'processing' or t.entry ~= p[1] then
          complain('lane %s: pending entry %s of no running task (%s)', lane, p[1], tostring(hex))
        elseif t.worker ~= p[2] then
          complain('task %s runs at %s, but its entry is held by %s', hex, tostring(t.worker), p[2])
        end
      end
    end
  end
end

local counts = { pending = 0, processing = 0 }
for hex, t in pairs(tasks) do
  local s = t.status
  counts[s] = (counts[s] or 0) + 1
  if s == 'pending' then
    if t.due_at then
      if due[hex] ~= tonumber(t.due_at) then complain('delayed task %s is not in due', hex) end
      if t.entry then complain('delayed task %s has an entry', hex) end
    elseif t.held then
      if pending[t.lane .. (t.entry or '')] ~= 'shelf' or not redis.call('LPOS', P .. 'shelf:' .. t.task
        .. ':' .. t.lane, hex) then
        complain('held task %s is on no shelf', hex)
      end
    elseif not t.entry or unread[t.lane .. t.entry] ~= hex then
      complain('pending task %s is in no lane', hex)
    end
    if t.worker then complain('pending task %s names a worker', hex) end
    if t.after and not t.due_at then complain('task %s waits for others, but is not delayed', hex) end
  elseif s == 'processing' then
    if not t.entry or not pending[t.lane .. t.entry] then
      complain('running task %s is not in the pending list', hex)
    end
    if not held[t.worker or ''] or not held[t.worker][hex] then
      complain('running task %s is not in the set of worker %s', hex, tostring(t.worker))
    end
    if t.after then complain('running task %s waits for others', hex) end
  elseif s == 'complete' or s == 'failed' or s == 'cancelled' then
    if redis.call('EXISTS', P .. 'followers:' .. hex) == 1 then complain('%s task %s has followers', s, hex) end
    if t.ttl < 0 then complain('%s task %s has no time to live', s, hex) end
    if not terminal[hex] then complain('%s task %s is not in terminal', s, hex) end
    if not t.completed_at then complain('%s task %s has no completed_at', s, hex) end
    if due[hex] then complain('%s task %s is in due', s, hex) end
    if s == 'failed' and not dead[hex] and not t.replaced_by then complain('failed task %s is not in dead', hex) end
    local value = redis.call('PTTL', E .. hex)
    if s == 'complete' and value == -2 and tonumber(t.expires_at) > now then
      complain('complete task %s has no value', hex)
    elseif s ~= 'complete' and value ~= -2 then
      complain('%s task %s has a value', s, hex)
    elseif value > t.ttl then
      complain('the value of %s outlives its record', hex)
    end
  else
    complain('task %s has the status %s', hex, tostring(s))
  end
  if t.call and (s == 'pending' or s == 'processing') and redis.call('GET', P .. 'call:' .. t.call) ~= hex then
    complain('task %s is not found by its call', hex)
  end
  if s ~= 'complete' and t.args_len and redis.call('EXISTS', P .. 'args:' .. hex) == 0 then
    complain('task %s has lost its arguments', hex)
  end
end

for _, status in ipairs({ 'pending', 'processing' }) do
  local counter = tonumber(redis.call('HGET', P .. 'meta', status) or 0)
  if counter ~= counts[status] then
    complain('counter %s is %d, the recount %d', status, counter, counts[status])
  end
end
for hex in pairs(due) do
  if not tasks[hex] or tasks[hex].status ~= 'pending' then complain('due holds %s', hex) end
end
local deadlines = scored(P .. 'deadlines')
for hex in pairs(deadlines) do
  local s = tasks[hex] and tasks[hex].status
  if s ~= 'pending' and s ~= 'processing' then complain('deadlines holds %s', hex) end
end
for hex in pairs(dead) do
  if tasks[hex] and tasks[hex].status ~= 'failed' then complain('dead holds %s', hex) end
end
for hex in pairs(terminal) do
  if tasks[hex] and (tasks[hex].status == 'pending' or tasks[hex].status == 'processing') then
    complain('terminal holds the live task %s', hex)
  end
end
for worker, set in pairs(held) do
  for hex in pairs(set) do
    local t = tasks[hex]
    if not t or t.status == 'pending' or (t.status == 'processing' and t.worker ~= worker) then
      complain('worker %s holds %s, which is %s', worker, hex, t and t.status or 'gone')
    end
  end
end
-- One for each that was parked when it rang, and one that each has put back.
local tokens, live = redis.call('LLEN', P .. 'bell'), redis.call('ZCARD', P .. 'workers')
if tokens > 2 * math.max(1, live) then
  complain('the bell holds %d tokens for %d workers', tokens, live)
end
for _, worker in ipairs(redis.call('SMEMBERS', P .. 'parked')) do
  if not workers[worker] then complain('%s is parked, but not alive', worker) end
end

-- key leaks
local permanent = set_of({ 'meta', 'bell', 'due', 'deadlines', 'workers', 'parked', 'terminal', 'dead',
  'catalog', 'events', 'lane:high', 'lane:normal', 'lane:low' })
local function live(hex)
  return tasks[hex] and (tasks[hex].status == 'pending' or tasks[hex].status == 'processing')
end
for _, key in ipairs(redis.call('KEYS', '*')) do
  local name = strip(key, P)
  if name and not permanent[name] and redis.call('PTTL', key) == -1 then
    local kind, id = string.match(name, '^(%w+):(%x+)')
    local of_task = kind == 'task' or kind == 'args' or kind == 'about' or kind == 'history'
      or kind == 'waiters' or kind == 'callers'
    if of_task and not live(id) then
      complain('leak: %s belongs to no live task', key)
    elseif kind == 'call' then
      local hex = redis.call('GET', key)
      if not live(hex) or tasks[hex].call ~= id then complain('leak: %s leads to no live task', key) end
    elseif kind == 'worker' and not workers[id] then
      complain('leak: %s belongs to no live worker', key)
    elseif kind == 'callers' and not tasks[id].call then
      complain('leak: %s belongs to a task that cannot be joined', key)
    elseif not of_task and kind ~= 'worker' and not string.match(name, '^shelf:') then
      complain('leak: %s has no time to live', key)
    end
  elseif not name and not strip(key, E) and not string.match(key, ':queues$')
    and not string.match(key, '^refq:{') and not string.match(key, '^mcp%-refcache:entry:') then
    complain('leak: a key of no kind we know: %s', key)
  elseif strip(key, E) and redis.call('PTTL', key) == -1
    and string.find(redis.call('GETRANGE', key, -40, -1), '"async_completed": true', 1, true) then
    complain('leak: the result %s has no time to live', key)
  end
end
return bad
