-- sweep: removes finished tasks, in bounded steps, and deals with deadlines that have passed.
-- KEYS  1 refq:{q}:meta
-- ARGV  1 index terminal | dead | deadlines | one | one-dead, 2 older_than_ms (of the end), 3 status ('' = any),
--       4 task name ('' = any), 5 limit (1..128), 6 cursor ('' = from the oldest), 7 entry key prefix,
--       8 hex (one: this task; one-dead: if it is a dead letter)
-- REPLY removed next
--       next: cursor of the next step, '' = nothing more is that old
-- A record whose place in the index is stale (it expired by itself) is dropped from the index only.

-- Removes one finished task with all that hangs on it; false when it is not finished or not meant.
local function remove_task(P, hex, status, name, entry_prefix)
  local key = P .. 'task:' .. hex
  local task = read_fields(key, { 'status', 'task', 'key', 'call' })
  if task.status == 'pending' or task.status == 'processing' then return false end
  if task.status and ((status ~= '' and task.status ~= status) or (name ~= '' and task.task ~= name)) then
    return false
  end
  call('UNLINK', key, P .. 'args:' .. hex, P .. 'about:' .. hex, P .. 'history:' .. hex,
    P .. 'ask:' .. hex, P .. 'waiters:' .. hex, entry_prefix .. hex)
  if task.key and call('GET', P .. 'key:' .. task.key) == hex then
    call('DEL', P .. 'key:' .. task.key)
  end
  if task.call then ties.unbind(P, hex, task.call) end
  call('ZREM', P .. 'terminal', hex)
  call('ZREM', P .. 'dead', hex)
  return task.status ~= nil
end

-- The cursor is the score of the last one looked at, and how many of that score were passed over.
local function read_place(cursor)
  local score, skip = string.match(cursor, '^(%d+):(%d+)$')
  return score or '-inf', tonumber(skip) or 0
end

local function sweep_old(P, argv, now)
  local key, limit = P .. argv[1], tonumber(argv[5])
  local from, skip = read_place(argv[6])
  local before = text_of(now - tonumber(argv[2]))
  local found = call('ZRANGEBYSCORE', key, from, before, 'WITHSCORES', 'LIMIT', skip, limit)
  local removed, passed, score = 0, skip, from
  for i = 1, #found, 2 do
    if found[i + 1] ~= score then score, passed = found[i + 1], 0 end
    local good, gone = pcall(remove_task, P, found[i], argv[3], argv[4], argv[7])
    removed = removed + (good and gone and 1 or 0)
    if call('ZSCORE', key, found[i]) then passed = passed + 1 end
  end
  return { removed, #found == 2 * limit and score .. ':' .. passed or '' }
end

local function sweep(keys, argv)
  local P, limit = prefix_of(keys[1]), tonumber(argv[5])
  if #argv < 8 or not limit or limit < 1 or limit > MAX_ITEMS or not tonumber(argv[2]) then
    return redis.error_reply('ERR refq sweep: malformed call')
  end
  local batch = new_batch(P, read_fields(keys[1], { 'clock_offset', 'events_max' }))
  if argv[1] == 'deadlines' then
    local n = meet_deadlines(batch)
    flush(batch)
    return { n, n == MAX_STEP and 'more' or '' }
  elseif argv[1] == 'one' or argv[1] == 'one-dead' then
    local meant = argv[1] == 'one' or call('ZSCORE', P .. 'dead', argv[8])
    local gone = meant and remove_task(P, argv[8], argv[3], argv[4], argv[7])
    return { gone and 1 or 0, '' }
  elseif argv[1] == 'terminal' or argv[1] == 'dead' then
    return sweep_old(P, argv, batch.now)
  end
  return redis.error_reply('ERR refq sweep: no such index')
end

register('sweep', sweep, { 'allow-oom' })
