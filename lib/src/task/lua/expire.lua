-- expire: what time does to tasks, where nobody else is there to do it. Part of beat and of sweep.
--
-- The index `deadlines` holds waiting tasks that must have started by a time, and running ones that
-- their worker should have stopped by a time. Its scores say when to look; the record says what is true.

local BACKOFF_MS = 1000      -- after a timeout that its worker did not report: doubled with each failure
local BACKOFF_MAX_MS = 60000
local DEADLINE_FIELDS = { 'status', 'entry', 'lane', 'worker', 'attempt', 'failures', 'max_retries',
  'start_by', 'deadline_at', 'watched', 'held' }

local function expire_waiting(batch, hex, task)
  if task.held then ack(batch, task.lane, task.entry) end
  call('ZREM', batch.P .. 'due', hex)
  call('HDEL', batch.P .. 'task:' .. hex, 'start_by', 'due_at', 'held')
  end_failed(batch, hex, 'pending', 'expired', 'no worker started it in time')
  return 'failed'
end

-- The worker lives, but what it runs does not end. The attempt is fenced out, and counts as a failure.
local function time_out(batch, hex, task)
  local P = batch.P
  local failures = (tonumber(task.failures) or 0) + 1
  local text = 'timed out, and its worker did not end it'
  call('SADD', P .. 'worker:' .. (task.worker or '') .. ':orders', hex)
  call('SPUBLISH', P .. 'orders:' .. (task.worker or ''), 'cancel ' .. hex)
  add_history(batch, hex, task, 'retryable', text)
  ack(batch, task.lane, task.entry)
  unmark(P, hex, task.worker)
  if failures > (tonumber(task.max_retries) or 0) then
    end_failed(batch, hex, 'processing', 'exhausted', text, { 'failures', failures })
    return 'failed'
  end
  local delay = math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ^ math.min(failures - 1, 10))
  requeue(batch, hex, task.lane, delay, { 'failures', failures, 'error', text })
  count(batch, 'retries', 1)
  return 'pending'
end

local function meet_deadline(batch, hex)
  local task = read_fields(batch.P .. 'task:' .. hex, DEADLINE_FIELDS)
  local became
  if task.status == 'pending' and (tonumber(task.start_by) or batch.now + 1) <= batch.now then
    became = expire_waiting(batch, hex, task)
  elseif task.status == 'processing' and (tonumber(task.deadline_at) or batch.now + 1) <= batch.now then
    became = time_out(batch, hex, task)
  end
  if became and task.watched then notify(batch.P, hex, became, became == 'failed') end
end

-- Deals with what is over by now; returns how many it looked at.
local function meet_deadlines(batch)
  local key = batch.P .. 'deadlines'
  local past = redis.pcall('ZRANGEBYSCORE', key, '-inf', batch.now_text, 'LIMIT', 0, MAX_STEP)
  if #past == 0 then return 0 end
  call('ZREM', key, unpack(past))
  for _, hex in ipairs(past) do
    pcall(meet_deadline, batch, hex)
  end
  return #past
end
