-- Changes a field of a hash, if it still has the value that the change was made from (guide section 4.1).
--
-- KEYS[1]  hash
-- ARGV[1]  field
-- ARGV[2]  value expected; empty for a field that is not there
-- ARGV[3]  new value; empty removes the field
-- ARGV[4]  fields that the hash may have, 0 for any number
--
-- Returns 1; 0 when somebody else changed it meanwhile; -1 when the hash has no room for a new field. Only 1 has written.

local current = redis.call("HGET", KEYS[1], ARGV[1]) or ""
if current ~= ARGV[2] then
    return 0
end
if ARGV[3] == "" then
    redis.call("HDEL", KEYS[1], ARGV[1])
    return 1
end
local most = tonumber(ARGV[4])
if current == "" and most > 0 and redis.call("HLEN", KEYS[1]) >= most then
    return -1
end
redis.call("HSET", KEYS[1], ARGV[1], ARGV[3])
return 1
