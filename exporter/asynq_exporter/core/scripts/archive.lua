-- Gives a task up: into the archive, which is trimmed by age and by size (wire section 3.13).
-- Locks of trimmed tasks stay. Members leave one by one, so that a trim of any size ends; asynq's own script dies at 8000.
-- Uses: counters, release
--
-- KEYS[1]  task hash
-- KEYS[2]  active list
-- KEYS[3]  lease set
-- KEYS[4]  archived set
-- KEYS[5]  processed today
-- KEYS[6]  failed today
-- KEYS[7]  processed in total
-- KEYS[8]  failed in total
-- ARGV[1]  task ID
-- ARGV[2]  task message
-- ARGV[3]  now, Unix seconds
-- ARGV[4]  members archived until this second are trimmed
-- ARGV[5]  size of the archive; one less stays
-- ARGV[6]  when the daily counters expire, Unix seconds
-- ARGV[7]  prefix of task hashes
--
-- Returns OK; error NOT FOUND when the worker does not hold the task.

local function trim(ids)
    for _, id in ipairs(ids) do
        redis.call("DEL", ARGV[7] .. id)
        redis.call("ZREM", KEYS[4], id)
    end
end

if not release(KEYS[2], KEYS[3], ARGV[1]) then
    return redis.error_reply("NOT FOUND")
end
redis.call("ZADD", KEYS[4], ARGV[3], ARGV[1])
trim(redis.call("ZRANGEBYSCORE", KEYS[4], "-inf", ARGV[4]))
trim(redis.call("ZRANGE", KEYS[4], 0, -tonumber(ARGV[5])))
redis.call("HSET", KEYS[1], "msg", ARGV[2], "state", "archived")
count_failure(KEYS[5], KEYS[6], KEYS[7], KEYS[8], ARGV[6])
return redis.status_reply("OK")
