-- Changes a field of a hash, if it still has the value that the change was made from (guide section 4.1).
--
-- KEYS[1]  hash
-- ARGV[1]  field
-- ARGV[2]  value expected; empty for a field that is not there
-- ARGV[3]  new value
--
-- Returns 1; 0 when somebody else changed it meanwhile, and then nothing is written.

local current = redis.call("HGET", KEYS[1], ARGV[1]) or ""
if current ~= ARGV[2] then
    return 0
end
redis.call("HSET", KEYS[1], ARGV[1], ARGV[3])
return 1
