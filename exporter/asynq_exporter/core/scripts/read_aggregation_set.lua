-- Reads the tasks of an aggregation set, the one that waited longest first (wire section 3.19); changes nothing.
--
-- KEYS[1]  aggregation set
-- ARGV[1]  prefix of task hashes
--
-- Returns the task messages; nil in place of one that is missing.

local found = {}
for i, id in ipairs(redis.call("ZRANGE", KEYS[1], 0, -1)) do
    found[i] = redis.call("HGET", ARGV[1] .. id, "msg")
end
return found
