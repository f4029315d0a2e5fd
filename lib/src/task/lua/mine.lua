-- mine: what Redis believes a worker holds; asked after a reconnect or a difference in counts.
-- KEYS  1 refq:{q}:meta
-- ARGV  1 worker, 2 cursor ('0' first)
-- REPLY next_cursor ('0' = done), then triples: hex entry status
-- Ids whose task is not this worker's any more are dropped from its set on the way.

local function mine(keys, argv)
  local P, worker = prefix_of(keys[1]), argv[1]
  local key = P .. 'worker:' .. worker .. ':tasks'
  local page = call('SSCAN', key, argv[2], 'COUNT', MAX_ITEMS)
  local reply = { page[1] }
  for _, hex in ipairs(page[2]) do
    local task = read_fields(P .. 'task:' .. hex, { 'status', 'entry', 'worker' })
    if not task.status or (task.status == 'processing' and task.worker ~= worker) then
      call('SREM', key, hex)
    else
      reply[#reply + 1] = hex
      reply[#reply + 1] = task.entry or ''
      reply[#reply + 1] = task.status
    end
  end
  return reply
end

register('mine', mine, { 'allow-oom' })
