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

ties.CALLERS_MAX = 1024 -- one more, and detaching does not cancel the task any more

local function is_live(status)
  return status == 'pending' or status == 'processing'
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

-- The task has become terminal. value_ttl: of a complete one's result.
function ties.cut(batch, hex, status, value_ttl)
  local P = batch.P
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
