-- Moves tasks that are due to the pending list, or back into their group (wire section 3.14).
-- The group is not added to the set of group names. An ID without a hash gets one that says nothing but its state.
--
-- KEYS[1]  scheduled or retry set
-- KEYS[2]  pending list
-- ARGV[1]  now, Unix seconds
-- ARGV[2]  now, Unix nanoseconds
-- ARGV[3]  tasks to move at most
-- ARGV[4]  prefix of task hashes
-- ARGV[5]  prefix of group sets
--
-- Returns the number of tasks moved.

local ids = redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", ARGV[1], "LIMIT", 0, ARGV[3])
for _, id in ipairs(ids) do
    local task = ARGV[4] .. id
    local group = redis.call("HGET", task, "group")
    redis.call("ZREM", KEYS[1], id)
    if group and group ~= "" then
        redis.call("ZADD", ARGV[5] .. group, ARGV[1], id)
        redis.call("HSET", task, "state", "aggregating")
    else
        redis.call("LPUSH", KEYS[2], id)
        redis.call("HSET", task, "state", "pending", "pending_since", ARGV[2])
    end
end
return #ids
