-- Ends a task that succeeded and is kept for a while (wire section 3.10).
-- Uses: counters, release
--
-- KEYS[1]  active list
-- KEYS[2]  lease set
-- KEYS[3]  completed set
-- KEYS[4]  task hash
-- KEYS[5]  processed today
-- KEYS[6]  processed in total
-- ARGV[1]  task ID
-- ARGV[2]  when the daily counter expires, Unix seconds
-- ARGV[3]  when the task may be deleted, Unix seconds
-- ARGV[4]  task message
--
-- Returns OK; error NOT FOUND when the worker does not hold the task; error INTERNAL when it is completed already.

if not release(KEYS[1], KEYS[2], ARGV[1]) then
    return redis.error_reply("NOT FOUND")
end
if redis.call("ZADD", KEYS[3], ARGV[3], ARGV[1]) ~= 1 then
    return redis.error_reply("INTERNAL")
end
redis.call("HSET", KEYS[4], "msg", ARGV[4], "state", "completed")
count_success(KEYS[5], KEYS[6], ARGV[2])
return redis.status_reply("OK")
