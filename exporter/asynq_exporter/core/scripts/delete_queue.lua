-- Deletes the collections of a queue that is empty, or nearly so (wire section 4.9). Completed and grouped tasks are not looked at,
-- and like the counters, the paused flag and all locks they stay. The name is taken off the list of queues by a command of its own.
--
-- KEYS[1]  pending list
-- KEYS[2]  active list
-- KEYS[3]  lease set
-- KEYS[4]  scheduled set
-- KEYS[5]  retry set
-- KEYS[6]  archived set
-- ARGV[1]  prefix of task hashes
-- ARGV[2]  tasks to delete at most; 0 deletes an empty queue only
--
-- Returns the number of tasks deleted; -1 when there are more; -2 when some are active. Nothing is changed then.

local active = redis.call("LLEN", KEYS[2])
local pending = redis.call("LLEN", KEYS[1])
local sets = {KEYS[4], KEYS[5], KEYS[6]}
local waiting = pending
for _, key in ipairs(sets) do
    waiting = waiting + redis.call("ZCARD", key)
end
if active > 0 then
    return -2
end
if waiting > tonumber(ARGV[2]) then
    return -1
end
local function delete(ids)
    for _, id in ipairs(ids) do
        redis.call("DEL", ARGV[1] .. id)
    end
end
delete(redis.call("LRANGE", KEYS[1], 0, -1))
for _, key in ipairs(sets) do
    delete(redis.call("ZRANGE", key, 0, -1))
end
redis.call("DEL", KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6])
return waiting
