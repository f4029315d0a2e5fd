-- detach: one caller of a task goes away. When it was the last one, and nobody else was told of the task,
-- it is cancelled.
-- KEYS  1 refq:{q}:meta
-- ARGV  1 hex, 2 the id under which that caller submitted, 3 record_ttl_ms
-- REPLY how status
--       how: cancelled | kept (others wait for it, or somebody has its reference) | already (it was
--       terminal: status says what) | none (no such task)
-- hand_out: somebody was given the task's reference, so detaching does not cancel it any more.
-- ARGV  1 hex
-- REPLY how status
--       how: ok | already | none

function ties.read_live(P, hex)
  local task = read_fields(P .. 'task:' .. hex, { 'status', 'handed' })
  if not task.status then return nil, { 'none', '' } end
  if not is_live(task.status) then return nil, { 'already', task.status } end
  return task, { 'kept', task.status }
end

register('detach', function(keys, argv)
  local P, hex, caller = prefix_of(keys[1]), argv[1], argv[2]
  local task, reply = ties.read_live(P, hex)
  if not task then return reply end
  local key = P .. 'callers:' .. hex
  local shared = size_of('SCARD', key) > 0
  local left = shared and redis.pcall('SREM', key, caller) == 1
  local last = (left and size_of('SCARD', key) == 0) or (not shared and caller == hex)
  if not last or task.handed then return reply end
  return cancel(keys, { hex, argv[3] })
end, { 'allow-oom' })

register('hand_out', function(keys, argv)
  local P, hex = prefix_of(keys[1]), argv[1]
  local task, reply = ties.read_live(P, hex)
  if not task then return reply end
  ties.hand_out(P, hex, task.status)
  return { 'ok', task.status }
end, { 'allow-oom' })
