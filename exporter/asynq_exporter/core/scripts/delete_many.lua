-- Deletes the first tasks of a collection (wire section 4.8).
-- Uses: release, batch
--
-- KEYS[1]  pending list, scheduled, retry, archived or completed set, or a group
-- KEYS[2]  set of group names
-- ARGV[1]  prefix of task hashes
-- ARGV[2]  name of the group; empty for no group
-- ARGV[3]  tasks to delete at most
-- ARGV[4]  1 if their locks are freed, 0 if these stay
--
-- Returns the number of tasks deleted; an ID without a hash counts.

local ids = take_first(KEYS[1], tonumber(ARGV[3]))
for _, id in ipairs(ids) do
    local task = ARGV[1] .. id
    local lock = ARGV[4] == "1" and redis.call("HGET", task, "unique_key")
    if lock and lock ~= "" then
        unlock(lock, id)
    end
    redis.call("DEL", task)
end
unlist_if_empty(KEYS[1], KEYS[2], ARGV[2])
return #ids
