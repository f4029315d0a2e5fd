-- cancel: makes a task `cancelled` for every reader at once, whether it waits or runs.
-- KEYS  1 refq:{q}:meta
-- ARGV  1 hex, 2 record_ttl_ms
-- REPLY how status
--       how: cancelled | already (it was terminal: status says what) | none (no such task)
-- The entry of a waiting task stays in its lane and is dropped when it is read: deleting it would
-- cost twenty times as much and break the group's lag. A running task's worker is told by push, by
-- the task's next progress report and by the next beat; it keeps its slot until the program has
-- really ended.

local function stop_running(batch, task, hex)
  local P = batch.P
  ack(batch, task.lane, task.entry)
  call('SADD', P .. 'worker:' .. task.worker .. ':orders', hex)
  call('SPUBLISH', P .. 'orders:' .. task.worker, 'cancel ' .. hex)
end

local function cancel(keys, argv)
  local P, hex, ttl = prefix_of(keys[1]), argv[1], tonumber(argv[2])
  local key = P .. 'task:' .. hex
  local task = read_fields(key, { 'status', 'lane', 'entry', 'worker', 'watched', 'marks', 'start_by',
    'held', 'ties' })
  if not task.status then return { 'none', '' } end
  if task.status ~= 'pending' and task.status ~= 'processing' then
    return { 'already', task.status }
  end
  local batch = new_batch(P, read_fields(keys[1], { 'clock_offset', 'events_max' }))
  if task.status == 'processing' then
    stop_running(batch, task, hex)
  else
    redis.pcall('ZREM', P .. 'due', hex)
    if task.held then ack(batch, task.lane, task.entry) end
  end
  if task.marks or task.start_by then unmark(P, hex, task.worker) end
  call('HSET', key, 'status', 'cancelled', 'completed_at', batch.now)
  call('HDEL', key, 'due_at', 'start_by', 'held')
  end_task(batch, hex, 'cancelled', ttl, task.ties)
  expire_extras(P, hex, ttl)
  count(batch, task.status, -1)
  if task.watched then notify(P, hex, 'cancelled', true) end
  flush(batch)
  return { 'cancelled', 'cancelled' }
end

register('cancel', cancel, { 'allow-oom' })
