-- Deletes a task that is not running, and frees its lock (wire section 4.7).
-- Uses: release, take
--
-- KEYS[1]  task hash
-- KEYS[2]  pending list
-- KEYS[3]  scheduled set
-- KEYS[4]  retry set
-- KEYS[5]  archived set
-- KEYS[6]  completed set
-- KEYS[7]  set of group names
-- ARGV[1]  task ID
-- ARGV[2]  prefix of task hashes
-- ARGV[3]  prefix of group sets
-- ARGV[4]  the only state in which to do it; empty for any
--
-- Returns {1, state before}; {0, ""} without a task; {-1, state} when the state forbids it; {-2, state} when the task is not where its
-- state says.

local sets = {scheduled = KEYS[3], retry = KEYS[4], archived = KEYS[5], completed = KEYS[6]}
local places = {pending = KEYS[2], groups = KEYS[7], sets = sets, task_prefix = ARGV[2], group_prefix = ARGV[3]}
local code, state = take(KEYS[1], ARGV[1], places, {active = true}, ARGV[4])
if code == 1 then
    local lock = redis.call("HGET", KEYS[1], "unique_key")
    if lock and lock ~= "" then
        unlock(lock, ARGV[1])
    end
    redis.call("DEL", KEYS[1])
end
return {code, state}
