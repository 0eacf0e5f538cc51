-- Takes tasks out of a group when it is full, old or quiet enough (wire section 3.18).
-- The hashes of the tasks still say "aggregating" and name the group.
--
-- KEYS[1]  group set
-- KEYS[2]  aggregation set to fill
-- KEYS[3]  registry of aggregation sets
-- KEYS[4]  set of group names
-- ARGV[1]  tasks that make the group full, and the most to take; 0 is no limit
-- ARGV[2]  seconds that the oldest task waits at most; 0 is no limit
-- ARGV[3]  seconds after the newest task that make the group quiet
-- ARGV[4]  now, Unix seconds
-- ARGV[5]  deadline of the aggregation set, Unix seconds
-- ARGV[6]  group name
--
-- Returns 1 when the aggregation set was filled; 0 when the group goes on waiting.

local max_size = tonumber(ARGV[1])
local max_delay = tonumber(ARGV[2])
local now = tonumber(ARGV[4])

local size = redis.call("ZCARD", KEYS[1])
if size == 0 then
    return 0
end

local function score_at(rank)
    return tonumber(redis.call("ZRANGE", KEYS[1], rank, rank, "WITHSCORES")[2])
end

local full = max_size > 0 and size >= max_size
local old = max_delay > 0 and score_at(0) <= now - max_delay
local quiet = score_at(-1) <= now - tonumber(ARGV[3])
if not (full or old or quiet) then
    return 0
end

local last = -1
if max_size > 0 then
    last = max_size - 1
end
local taken = redis.call("ZRANGE", KEYS[1], 0, last, "WITHSCORES")
for i = 1, #taken, 2 do
    redis.call("ZADD", KEYS[2], taken[i + 1], taken[i])
    redis.call("ZREM", KEYS[1], taken[i])
end
redis.call("ZADD", KEYS[3], ARGV[5], KEYS[2])
if redis.call("ZCARD", KEYS[1]) == 0 then
    redis.call("SREM", KEYS[4], ARGV[6])
end
return 1
