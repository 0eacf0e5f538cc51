-- Deletes an aggregation set with its tasks (wire section 3.20). Locks stay, and nothing is counted.
--
-- KEYS[1]  aggregation set
-- KEYS[2]  registry of aggregation sets
-- ARGV[1]  prefix of task hashes
--
-- Returns OK.

for _, id in ipairs(redis.call("ZRANGE", KEYS[1], 0, -1)) do
    redis.call("DEL", ARGV[1] .. id)
end
redis.call("DEL", KEYS[1])
redis.call("ZREM", KEYS[2], KEYS[1])
return redis.status_reply("OK")
