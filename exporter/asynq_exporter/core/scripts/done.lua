-- Ends a task that succeeded and is not kept (wire section 3.9).
-- Uses: counters, release
--
-- KEYS[1]  active list
-- KEYS[2]  lease set
-- KEYS[3]  task hash
-- KEYS[4]  processed today
-- KEYS[5]  processed in total
-- ARGV[1]  task ID
-- ARGV[2]  when the daily counter expires, Unix seconds
--
-- Returns OK; error NOT FOUND when the worker does not hold the task or its hash is gone.

if not release(KEYS[1], KEYS[2], ARGV[1]) then
    return redis.error_reply("NOT FOUND")
end
if redis.call("DEL", KEYS[3]) == 0 then
    return redis.error_reply("NOT FOUND")
end
count_success(KEYS[4], KEYS[5], ARGV[2])
return redis.status_reply("OK")
