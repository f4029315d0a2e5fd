-- list: the ids of tasks, newest first within each group: running, ready, delayed, finished.
-- KEYS  1 refq:{q}:meta
-- ARGV  1 status ('' = any), 2 limit (1..1000)
-- REPLY flat list of hex ids; `get` gives their records

-- Ready tasks are the entries after the group's last delivered one.
local function unread(P, lane, limit)
  local key = P .. 'lane:' .. lane
  local entries = call('XREVRANGE', key, '+', '(' .. last_delivered(key), 'COUNT', limit)
  local ids = {}
  for i, e in ipairs(entries) do
    ids[i] = e[2][2]
  end
  return ids
end

local function list(keys, argv)
  local P, want, limit = prefix_of(keys[1]), argv[1], tonumber(argv[2])
  if not limit or limit < 1 or limit > 1000 then
    return redis.error_reply('ERR refq list: limit must be 1 to 1000')
  end
  local out, seen, lanes = {}, {}, call('HGET', keys[1], 'lanes') or ''
  local function add(hex)
    if #out >= limit or seen[hex] then return end
    seen[hex] = true
    local status = call('HGET', P .. 'task:' .. hex, 'status')
    if status and (want == '' or want == status) then out[#out + 1] = hex end
  end
  local function add_all(ids)
    for _, hex in ipairs(ids) do add(hex) end
  end
  if want == '' or want == 'processing' then
    for _, worker in ipairs(call('ZRANGE', P .. 'workers', 0, 999)) do
      if #out < limit then
        add_all(call('SRANDMEMBER', P .. 'worker:' .. worker .. ':tasks', limit))
      end
    end
  end
  if want == '' or want == 'pending' then
    for _, lane in ipairs(LANE_ORDER) do
      if string.find(lanes, lane, 1, true) and #out < limit then
        add_all(unread(P, lane, limit))
      end
    end
    if #out < limit then add_all(call('ZRANGE', P .. 'due', 0, limit - 1)) end
  end
  if want == '' or (want ~= 'pending' and want ~= 'processing') then
    add_all(call('ZREVRANGE', P .. 'terminal', 0, limit * 4 - 1))
  end
  return out
end

register('list', list, { 'allow-oom', 'no-writes' })
