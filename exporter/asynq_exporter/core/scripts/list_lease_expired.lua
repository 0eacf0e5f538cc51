-- Reads the tasks whose worker has stopped extending their lease (wire section 3.16); changes nothing.
--
-- KEYS[1]  lease set
-- ARGV[1]  leases that ended until this second
-- ARGV[2]  prefix of task hashes
--
-- Returns the task messages; an ID without one is left out.

local found = {}
for _, id in ipairs(redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", ARGV[1])) do
    local message = redis.call("HGET", ARGV[2] .. id, "msg")
    if message then
        table.insert(found, message)
    end
end
return found
