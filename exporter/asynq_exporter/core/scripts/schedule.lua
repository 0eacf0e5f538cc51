-- Creates a task that runs later (wire section 3.3).
--
-- KEYS[1]  task hash
-- KEYS[2]  scheduled set
-- ARGV[1]  task message
-- ARGV[2]  task ID
-- ARGV[3]  when to run, Unix seconds
--
-- Returns 1; 0 when the task ID is taken.

if redis.call("EXISTS", KEYS[1]) == 1 then
    return 0
end
redis.call("HSET", KEYS[1], "msg", ARGV[1], "state", "scheduled")
redis.call("ZADD", KEYS[2], ARGV[3], ARGV[2])
return 1
