-- Deletes kept successes whose time is over (wire section 3.15).
--
-- KEYS[1]  completed set
-- ARGV[1]  now, Unix seconds
-- ARGV[2]  prefix of task hashes
-- ARGV[3]  tasks to delete at most
--
-- Returns the number of tasks deleted.

local ids = redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", ARGV[1], "LIMIT", 0, ARGV[3])
for _, id in ipairs(ids) do
    redis.call("DEL", ARGV[2] .. id)
    redis.call("ZREM", KEYS[1], id)
end
return #ids
