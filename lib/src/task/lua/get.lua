-- get: the records of n tasks, and registration of a client that waits for them.
-- KEYS  1 refq:{q}:meta
-- ARGV  1 mode wait|leave, 2 client id, then the hex ids (1..128)
-- look: only the records; writes nothing, so it works when a server refuses writes.
-- ARGV  the hex ids (1..128)
-- REPLY now, then for each task: number of fields (0 = no such task), and that many name value pairs
-- With `wait` a client is pushed "<hex> <status>" on refq:{q}:reply:<client> when something changes; it
-- subscribes first and asks second, so no change falls between the two. A task takes at most MAX_WAITERS
-- clients: one more is answered, but not registered, and has to ask again by itself.

local function register_waiter(P, hex, client, status)
  local key = P .. 'waiters:' .. hex
  if status ~= 'pending' and status ~= 'processing' then return end
  if redis.pcall('SADD', key, client) == 1 and call('SCARD', key) > MAX_WAITERS then
    call('SREM', key, client)
    return
  end
  call('PEXPIRE', key, DAY_MS)
  call('HSET', P .. 'task:' .. hex, 'watched', 1)
end

-- The question of a task that waits for an answer is kept apart, for it may be long; readers get it as
-- a field `question`. A foreign key in a record's place is no task: it must not spoil the others' reply.
local function add_record(reply, P, hex)
  local record = redis.pcall('HGETALL', P .. 'task:' .. hex)
  local count, waiting = #reply + 1, false
  reply[count] = #record / 2
  for i, value in ipairs(record) do
    reply[count + i] = value
    waiting = waiting or (value == 'waiting' and i % 2 == 1)
  end
  local question = waiting and redis.pcall('HGET', P .. 'ask:' .. hex, 'question')
  if type(question) == 'string' then
    reply[count] = reply[count] + 1
    reply[#reply + 1], reply[#reply + 2] = 'question', question
  end
end

local function get(keys, argv)
  local mode, client = argv[1], argv[2]
  if #argv < 3 or #argv > 2 + MAX_ITEMS then
    return redis.error_reply('ERR refq get: 1 to ' .. MAX_ITEMS .. ' tasks')
  end
  local P = prefix_of(keys[1])
  local reply = { server_ms(call('HGET', keys[1], 'clock_offset')) }
  for i = 3, #argv do
    local status = mode == 'wait' and redis.pcall('HGET', P .. 'task:' .. argv[i], 'status')
    if type(status) == 'string' then
      register_waiter(P, argv[i], client, status)
    elseif mode == 'leave' then
      redis.pcall('SREM', P .. 'waiters:' .. argv[i], client)
    end
    add_record(reply, P, argv[i])
  end
  return reply
end

local function look(keys, argv)
  if #argv < 1 or #argv > MAX_ITEMS then
    return redis.error_reply('ERR refq look: 1 to ' .. MAX_ITEMS .. ' tasks')
  end
  local P = prefix_of(keys[1])
  local reply = { server_ms(call('HGET', keys[1], 'clock_offset')) }
  for _, hex in ipairs(argv) do
    add_record(reply, P, hex)
  end
  return reply
end

register('get', get, { 'allow-oom' })
register('look', look, { 'allow-oom', 'no-writes' })
