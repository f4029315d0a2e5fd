-- ties: what hangs on the end of a task and has to be undone then. A part of submit, retry and all that
-- ends a task; detach.lua has its functions.
--
-- DESIGN. A call that asks for reuse has a digest, and refq:{q}:call:<digest> leads to the task that such
-- a call made: as long as that lives, and with reuse `result` as long as its result. Who finds it joins it
-- instead of queueing the same work again. The field `ties` says that there is something of the kind, so
-- that ending a plain task costs no call more.
--
-- A caller is known by the id its own submit had, so a submit that is repeated joins once, and a detach
-- that is repeated detaches once. The first caller's is the task's own id; `callers:<hex>` is made by the
-- second one.
--
-- A task may wait for others to be over, such as those whose results it takes. It is then delayed, its
-- field `after` names them, and it stands in `followers:<hex>` of each that lives. Whatever ends one of
-- those makes it due, and who promotes it looks whether another one still lives. It is due after
-- RECHECK_MS anyway, so nothing is lost with a set that has expired, was full, or is a foreign key. Those
-- it waits for may be of other queues.

ties.CALLERS_MAX = 1024        -- one more, and detaching does not cancel the task any more
ties.FOLLOWERS_MAX = 1024      -- one more is not told, and finds out by itself
ties.AFTER_MAX = 64            -- tasks that one waits for
ties.RECHECK_MS = 60000        -- a task that waits for others looks at least so often
ties.FOLLOWERS_TTL_MS = 600000 -- renewed by each look

local function is_live(status)
  return status == 'pending' or status == 'processing'
end

-- Somebody besides its callers counts on the task, so detaching does not cancel it any more.
function ties.hand_out(P, hex, status)
  if is_live(status) then call('HSET', P .. 'task:' .. hex, 'handed', '1') end
end

function ties.add_caller(P, hex, caller)
  local key = P .. 'callers:' .. hex
  local n, added = size_of('SCARD', key), nil
  if n == 0 then
    added = redis.pcall('SADD', key, hex, caller)
  elseif n < ties.CALLERS_MAX then
    added = redis.pcall('SADD', key, caller)
  end
  if type(added) ~= 'number' then
    call('HSET', P .. 'task:' .. hex, 'handed', '1') -- nobody can tell any more who the last one is
  end
end

-- The value of a complete task may have been deleted before its time.
function ties.has_value(batch, hex, expires_at)
  local queue = string.match(batch.P, '{(.*)}:$')
  return (tonumber(expires_at) or 0) > batch.now
    and call('EXISTS', 'mcp-refcache:entry:' .. queue .. ':' .. hex) == 1
end

-- The task of an identical call that this one shares, and its status; nil when there is none.
function ties.join(batch, digest, reuse, caller)
  local P = batch.P
  local hex = redis.pcall('GET', P .. 'call:' .. digest)
  local t = type(hex) == 'string' and redis.pcall('HMGET', P .. 'task:' .. hex, 'status', 'call', 'expires_at')
  if not t or t.err or t[2] ~= digest then return nil end
  if is_live(t[1]) then
    ties.add_caller(P, hex, caller)
    return hex, t[1]
  elseif t[1] == 'complete' and reuse == 'result' and ties.has_value(batch, hex, t[3]) then
    return hex, t[1]
  end
  return nil
end

-- From now on identical calls find this task. Where a foreign key lies in the place they do not.
function ties.bind(P, hex, digest)
  local old = redis.pcall('SET', P .. 'call:' .. digest, hex, 'GET')
  if type(old) == 'table' and old.err then
    call('HDEL', P .. 'task:' .. hex, 'call', 'reuse')
  else
    call('HSET', P .. 'task:' .. hex, 'ties', '1')
  end
end

-- A task that runs an old one again is found by its calls, unless another one is by now.
function ties.bind_again(P, hex, digest, reuse)
  local set = redis.pcall('SET', P .. 'call:' .. digest, hex, 'NX')
  if type(set) == 'table' and set.ok then
    call('HSET', P .. 'task:' .. hex, 'call', digest, 'reuse', reuse or 'in_flight', 'ties', '1')
  end
end

function ties.unbind(P, hex, digest)
  if redis.pcall('GET', P .. 'call:' .. digest) == hex then
    call('DEL', P .. 'call:' .. digest)
  end
end

-- The prefix of the keys of a reference's queue, and its hex; nil when it is none.
function ties.place_of(P, ref)
  local queue, hex = string.match(ref, '^([%w_-]+):(%x+)$')
  if not queue then return nil end
  return string.match(P, '^[^{]*') .. '{' .. queue .. '}:', hex
end

-- Has the task follow those of `after` that are not over; true when there are any.
function ties.follow(P, hex, after)
  local me, seen, live = string.match(P, '{(.*)}') .. ':' .. hex, 0, false
  for ref in string.gmatch(after, '%S+') do
    seen = seen + 1
    local of, other = ties.place_of(P, ref)
    local status = of and ref ~= me and seen <= ties.AFTER_MAX
      and redis.pcall('HGET', of .. 'task:' .. other, 'status')
    if type(status) == 'string' and is_live(status) then
      local key = of .. 'followers:' .. other
      if size_of('SCARD', key) < ties.FOLLOWERS_MAX then
        redis.pcall('SADD', key, me)
        call('PEXPIRE', key, ties.FOLLOWERS_TTL_MS)
      end
      call('HSET', of .. 'task:' .. other, 'ties', '1')
      live = true
    end
  end
  return live
end

function ties.wake(batch, ref)
  local P, hex = ties.place_of(batch.P, ref)
  local t = read_fields(P .. 'task:' .. hex, { 'status', 'after', 'due_at' })
  if t.status ~= 'pending' or not t.after or not t.due_at then return end
  local near = P == batch.P
  local now = near and batch.now or server_ms(call('HGET', P .. 'meta', 'clock_offset'))
  call('HSET', P .. 'task:' .. hex, 'due_at', text_of(now))
  call('ZADD', P .. 'due', text_of(now), hex)
  if near then
    note_due(batch, now)
  else
    cover_due(P, now, now)
  end
end

function ties.wake_followers(batch, hex)
  local key = batch.P .. 'followers:' .. hex
  local all = redis.pcall('SMEMBERS', key)
  if all.err or #all == 0 then return end
  call('DEL', key)
  for _, ref in ipairs(all) do
    pcall(ties.wake, batch, ref) -- a foreign key in one's place leaves the others their turn
  end
end

-- The task has become terminal. value_ttl: of a complete one's result.
function ties.cut(batch, hex, status, value_ttl)
  local P = batch.P
  ties.wake_followers(batch, hex)
  local t = read_fields(P .. 'task:' .. hex, { 'call', 'reuse' })
  if t.call then
    local key = P .. 'call:' .. t.call
    if status ~= 'complete' or t.reuse ~= 'result' then
      ties.unbind(P, hex, t.call)
    elseif redis.pcall('GET', key) == hex then
      call('PEXPIRE', key, value_ttl)
    end
    call('UNLINK', P .. 'callers:' .. hex)
  end
end
