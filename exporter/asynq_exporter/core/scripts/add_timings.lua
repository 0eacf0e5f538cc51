-- Adds what a worker counted to the sums of all workers, once however often it is sent (guide section 2.4).
--
-- KEYS[1]  hash of the sums: type -> numbers separated by spaces
-- KEYS[2]  number of this worker's last addition
-- ARGV[1]  number of this addition
-- ARGV[2]  seconds that KEYS[2] lives
-- ARGV[3]  seconds that KEYS[1] lives without an addition
-- ARGV[4]  types that the hash may have besides the one of ARGV[5]
-- ARGV[5]  type under which further ones are counted
-- ARGV[6], ARGV[7], ...  type and numbers, for each type
--
-- Returns 1; 0 when this addition was made before.

local function numbers_of(text)
    local numbers = {}
    for word in string.gmatch(text, "%S+") do
        numbers[#numbers + 1] = tonumber(word)
    end
    return numbers
end

if tonumber(redis.call("GET", KEYS[2]) or 0) >= tonumber(ARGV[1]) then
    return 0
end
redis.call("SETEX", KEYS[2], ARGV[2], ARGV[1])
for i = 6, #ARGV, 2 do
    local name, added = ARGV[i], numbers_of(ARGV[i + 1])
    if redis.call("HEXISTS", KEYS[1], name) == 0 and redis.call("HLEN", KEYS[1]) >= tonumber(ARGV[4]) then
        name = ARGV[5]
    end
    local sums = numbers_of(redis.call("HGET", KEYS[1], name) or "")
    for j = 1, #added do
        -- "%.0f": Lua would write a large number with an exponent.
        added[j] = string.format("%.0f", (sums[j] or 0) + added[j])
    end
    redis.call("HSET", KEYS[1], name, table.concat(added, " "))
end
redis.call("EXPIRE", KEYS[1], ARGV[3])
return 1
