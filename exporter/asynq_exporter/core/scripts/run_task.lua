-- Makes a task ready to run that waits, is archived or was kept (wire section 4.7). It joins the line at its end, without pending_since.
-- Uses: take
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
local code, state = take(KEYS[1], ARGV[1], places, {active = true, pending = true}, ARGV[4])
if code == 1 then
    redis.call("LPUSH", KEYS[2], ARGV[1])
    redis.call("HSET", KEYS[1], "state", "pending")
end
return {code, state}
