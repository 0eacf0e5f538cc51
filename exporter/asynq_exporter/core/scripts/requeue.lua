-- Puts a task back that its worker did not finish, as the next to run (wire section 3.11).
-- Uses: release
--
-- KEYS[1]  active list
-- KEYS[2]  lease set
-- KEYS[3]  pending list
-- KEYS[4]  task hash
-- ARGV[1]  task ID
--
-- Returns OK; error NOT FOUND when the worker does not hold the task.

if not release(KEYS[1], KEYS[2], ARGV[1]) then
    return redis.error_reply("NOT FOUND")
end
redis.call("RPUSH", KEYS[3], ARGV[1])
redis.call("HSET", KEYS[4], "state", "pending")
return redis.status_reply("OK")
