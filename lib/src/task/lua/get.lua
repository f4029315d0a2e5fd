-- get: the records of n tasks, and registration of a client that waits for them.
-- KEYS  1 refq:{q}:meta
-- ARGV  1 mode look|wait|leave, 2 client id ('' with look), then the hex ids (1..128)
-- REPLY now, then for each task: number of fields (0 = no such task), and that many name value
-- pairs. With `wait` a client is pushed "<hex> <status>" on refq:{q}:reply:<client> when something
-- changes; it subscribes first and asks second, so no change falls between the two.

local function register_waiter(P, hex, client, status)
  local key = P .. 'waiters:' .. hex
  if status ~= 'pending' and status ~= 'processing' then return true end
  if call('SADD', key, client) == 1 and call('SCARD', key) > MAX_WAITERS then
    call('SREM', key, client)
    return false
  end
  call('PEXPIRE', key, 86400000)
  call('HSET', P .. 'task:' .. hex, 'watched', 1)
  return true
end

local function get(keys, argv)
  local mode, client = argv[1], argv[2]
  if #argv < 3 or #argv > 2 + MAX_ITEMS then
    return redis.error_reply('ERR refq get: 1 to ' .. MAX_ITEMS .. ' tasks')
  end
  local P = prefix_of(keys[1])
  local reply = { server_ms(call('HGET', keys[1], 'clock_offset')) }
  for i = 3, #argv do
    local key = P .. 'task:' .. argv[i]
    local status = mode == 'wait' and call('HGET', key, 'status')
    if status and not register_waiter(P, argv[i], client, status) then
      return redis.error_reply('LIMIT too many clients wait for ' .. argv[i])
    elseif mode == 'leave' then
      call('SREM', P .. 'waiters:' .. argv[i], client)
    end
    local record = call('HGETALL', key)
    reply[#reply + 1] = #record / 2
    for _, value in ipairs(record) do
      reply[#reply + 1] = value
    end
  end
  return reply
end

register('get', get, { 'allow-oom' })
