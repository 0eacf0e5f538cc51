-- Makes tasks of one sorted set ready to run, in the order given (wire section 4.8).
-- An ID that has left the set is skipped. One without a hash leaves it and is not run: it would stay in the active list for good.
-- Uses: batch
--
-- KEYS[1]  scheduled, retry or archived set, or a group
-- KEYS[2]  pending list
-- KEYS[3]  set of group names
-- ARGV[1]  prefix of task hashes
-- ARGV[2]  name of the group; empty for no group
-- ARGV[3]  and all after it: task IDs
--
-- Returns the number of tasks run.

local run = 0
for i = 3, #ARGV do
    local task = ARGV[1] .. ARGV[i]
    if redis.call("ZREM", KEYS[1], ARGV[i]) > 0 and redis.call("EXISTS", task) == 1 then
        redis.call("LPUSH", KEYS[2], ARGV[i])
        redis.call("HSET", task, "state", "pending")
        run = run + 1
    end
end
unlist_if_empty(KEYS[1], KEYS[3], ARGV[2])
return run
