-- Puts a task that is not running into the archive and trims that a little (wire section 4.7). Message, counters and lock stay.
-- Trimmed tasks lose their hashes too; asynq's Inspector leaves these behind.
-- Uses: take, trim
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
-- ARGV[5]  now, Unix seconds
-- ARGV[6]  members archived until this second are trimmed
-- ARGV[7]  size of the archive; one less stays
-- ARGV[8]  tasks to trim at most, by age and by size each
--
-- Returns {1, state before, tasks trimmed}; {0, ""} without a task; {-1, state} when the state forbids it; {-2, state} when the task is
-- not where its state says.

local sets = {scheduled = KEYS[3], retry = KEYS[4], completed = KEYS[6]}
local places = {pending = KEYS[2], groups = KEYS[7], sets = sets, task_prefix = ARGV[2], group_prefix = ARGV[3]}
local code, state = take(KEYS[1], ARGV[1], places, {active = true, archived = true}, ARGV[4])
if code ~= 1 then
    return {code, state}
end
redis.call("ZADD", KEYS[5], ARGV[5], ARGV[1])
redis.call("HSET", KEYS[1], "state", "archived")
return {code, state, trim(KEYS[5], ARGV[2], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8]))}
