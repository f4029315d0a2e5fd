-- control: what people tell a queue or its workers.
-- KEYS  1 refq:{q}:meta
-- ARGV  1 action, 2 value ('' = none), 3 worker: an id or the start of one, '' = all
--       action        value
--       pause         -   nothing is handed out any more; what runs goes on
--       resume        -
--       max_pending   n   0 = no limit
--       events_max    n   0 = no log
--       quiet | drain | work   -   an order to workers, which stands until another takes its place
-- REPLY n: how many workers were told; 1 for the others

-- Each returns the number of the reply.
local order_queue = {}

function order_queue.pause(P)
  call('HSET', P .. 'meta', 'paused', '1')
  return 1
end

-- All that are parked look: one token would wake one worker only, and rings are by what is ready.
function order_queue.resume(P)
  if call('HDEL', P .. 'meta', 'paused') == 1 then
    call('HDEL', P .. 'meta', 'alarm')
    ring(P, MAX_ITEMS)
  end
  return 1
end

local function set_limit(P, name, value)
  local n = tonumber(value)
  if not n or n < 0 or n ~= math.floor(n) then return nil end
  call('HSET', P .. 'meta', name, text_of(n))
  return 1
end

function order_queue.max_pending(P, value)
  if value == '0' then
    call('HDEL', P .. 'meta', 'max_pending')
    return 1
  end
  return set_limit(P, 'max_pending', value)
end

function order_queue.events_max(P, value)
  return set_limit(P, 'events_max', value)
end

local WORKER_ORDERS = { quiet = 'quiet', drain = 'drain', work = '' }

local function order_workers(P, order, who)
  local told = 0
  for _, worker in ipairs(call('ZRANGE', P .. 'workers', 0, 999)) do
    if string.sub(worker, 1, #who) == who and call('EXISTS', P .. 'worker:' .. worker) == 1 then
      call('HSET', P .. 'worker:' .. worker, 'order', WORKER_ORDERS[order])
      call('SPUBLISH', P .. 'orders:' .. worker, order)
      told = told + 1
    end
  end
  return told
end

local function control(keys, argv)
  local P, action = prefix_of(keys[1]), argv[1]
  if WORKER_ORDERS[action] then
    return order_workers(P, action, argv[3] or '')
  end
  local n = order_queue[action] and order_queue[action](P, argv[2])
  return n or redis.error_reply('ERR refq control: malformed call')
end

register('control', control, { 'allow-oom' })
