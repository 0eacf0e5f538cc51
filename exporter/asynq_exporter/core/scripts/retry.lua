-- Lets a task wait for its next attempt (wire section 3.12).
-- Uses: counters, release
--
-- KEYS[1]  task hash
-- KEYS[2]  active list
-- KEYS[3]  lease set
-- KEYS[4]  retry set
-- KEYS[5]  processed today
-- KEYS[6]  failed today
-- KEYS[7]  processed in total
-- KEYS[8]  failed in total
-- ARGV[1]  task ID
-- ARGV[2]  task message
-- ARGV[3]  when to try again, Unix seconds
-- ARGV[4]  when the daily counters expire, Unix seconds
-- ARGV[5]  1 if the attempt counts as a failure, 0 if it counts as nothing at all
--
-- Returns OK; error NOT FOUND when the worker does not hold the task.

if not release(KEYS[2], KEYS[3], ARGV[1]) then
    return redis.error_reply("NOT FOUND")
end
redis.call("ZADD", KEYS[4], ARGV[3], ARGV[1])
redis.call("HSET", KEYS[1], "msg", ARGV[2], "state", "retry")
if ARGV[5] == "1" then
    count_failure(KEYS[5], KEYS[6], KEYS[7], KEYS[8], ARGV[4])
end
return redis.status_reply("OK")
