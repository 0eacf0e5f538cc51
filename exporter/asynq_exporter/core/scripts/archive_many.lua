-- Puts the first tasks of a collection into the archive and trims that (wire section 4.8). Messages, counters and locks stay.
-- Trimmed tasks lose their hashes too; asynq's Inspector leaves these behind. An ID without a hash is dropped.
-- Uses: batch, trim
--
-- KEYS[1]  pending list, scheduled or retry set, or a group
-- KEYS[2]  archived set
-- KEYS[3]  set of group names
-- ARGV[1]  prefix of task hashes
-- ARGV[2]  name of the group; empty for no group
-- ARGV[3]  tasks to archive at most
-- ARGV[4]  now, Unix seconds
-- ARGV[5]  members archived until this second are trimmed
-- ARGV[6]  size of the archive; one less stays
--
-- Returns {IDs taken, tasks archived, tasks trimmed}.

local count = tonumber(ARGV[3])
local ids = take_first(KEYS[1], count)
local archived = 0
for _, id in ipairs(ids) do
    local task = ARGV[1] .. id
    if redis.call("EXISTS", task) == 1 then
        redis.call("ZADD", KEYS[2], ARGV[4], id)
        redis.call("HSET", task, "state", "archived")
        archived = archived + 1
    end
end
unlist_if_empty(KEYS[1], KEYS[3], ARGV[2])
return {#ids, archived, trim(KEYS[2], ARGV[1], ARGV[5], tonumber(ARGV[6]), count)}
