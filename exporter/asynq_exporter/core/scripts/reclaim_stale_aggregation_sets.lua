-- Puts the tasks of aggregation sets that nobody finished back into their groups (wire section 3.21).
-- The group is not added to the set of group names, so its tasks wait for a new one to join.
--
-- KEYS[1]  registry of aggregation sets
-- ARGV[1]  now, Unix seconds
--
-- Returns the number of aggregation sets dissolved.

local sets = redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", ARGV[1])
for _, set in ipairs(sets) do
    -- The ID of a set has no colon; everything before the last one is the group.
    local group = string.match(set, "^(.*):[^:]*$")
    local members = redis.call("ZRANGE", set, 0, -1, "WITHSCORES")
    for i = 1, #members, 2 do
        redis.call("ZADD", group, members[i + 1], members[i])
    end
    redis.call("DEL", set)
end
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", ARGV[1])
return #sets
