-- Creates a task that waits in a group for aggregation (wire section 3.5).
--
-- KEYS[1]  task hash
-- KEYS[2]  group set
-- KEYS[3]  set of group names
-- ARGV[1]  task message
-- ARGV[2]  task ID
-- ARGV[3]  now, Unix seconds
-- ARGV[4]  group name
--
-- Returns 1; 0 when the task ID is taken.

if redis.call("EXISTS", KEYS[1]) == 1 then
    return 0
end
redis.call("HSET", KEYS[1], "msg", ARGV[1], "state", "aggregating", "group", ARGV[4])
redis.call("ZADD", KEYS[2], ARGV[3], ARGV[2])
redis.call("SADD", KEYS[3], ARGV[4])
return 1
