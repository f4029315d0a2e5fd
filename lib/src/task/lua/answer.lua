-- answer: hands a person's answer to a running task that waits for it.
-- KEYS  1 refq:{q}:meta
-- ARGV  1 hex, 2 the answer, JSON text
-- REPLY how status
--       how: ok | none (no such task) | idle (it asks nothing: status says what it is)
-- The worker is told by push and by each beat, until it has confirmed; a first answer stands.

local function answer(keys, argv)
  local P, hex = prefix_of(keys[1]), argv[1]
  local task = read_fields(P .. 'task:' .. hex, { 'status', 'entry', 'worker', 'waiting', 'watched' })
  if not task.status then return { 'none', '' } end
  local asked = call('HGET', P .. 'ask:' .. hex, 'entry')
  if task.status ~= 'processing' or not task.waiting or asked ~= task.entry then
    return { 'idle', task.status }
  end
  call('HSET', P .. 'ask:' .. hex, 'answer', argv[2])
  call('HDEL', P .. 'task:' .. hex, 'waiting')
  call('SADD', P .. 'worker:' .. task.worker .. ':orders', 'answer:' .. hex)
  call('SPUBLISH', P .. 'orders:' .. task.worker, 'answer ' .. hex)
  if task.watched then notify(P, hex, 'processing', false) end
  return { 'ok', 'processing' }
end

register('answer', answer, { 'allow-oom' })
