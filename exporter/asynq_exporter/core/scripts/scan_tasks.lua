-- Reads a stretch of a collection from where the stretch before ended, whatever has come and gone since (wire section 4.5); changes
-- nothing. In a sorted set the place is that of the score and ID read last. In a list it is that of the ID read last, sought where it was
-- and some way towards the tail, to which it moves when workers take tasks; the stretch begins at that way's end when it is not found.
-- Uses: rows
--
-- KEYS[1]  list or sorted set
-- KEYS[2]  lease set
-- ARGV[1]  state that the collection stands for
-- ARGV[2]  tasks read before, in reading order
-- ARGV[3]  tasks to read at most
-- ARGV[4]  prefix of task hashes
-- ARGV[5]  longest message or result that is given, bytes
-- ARGV[6]  bytes of messages and results to give in all
-- ARGV[7]  ID read last; empty at the beginning
-- ARGV[8]  its score; empty for a list
-- ARGV[9]  how far to look for it in a list
--
-- Returns {tasks in the collection, rows, tasks before the first row}; a row as in _rows.lua.

-- Redis compares members as bytes, Lua strings by the locale.
local function bytes_before(a, b)
    for i = 1, math.min(#a, #b) do
        local x, y = string.byte(a, i), string.byte(b, i)
        if x ~= y then
            return x < y
        end
    end
    return #a < #b
end

local function rank_behind(score, id)
    local low, high = 0, redis.call("ZCARD", KEYS[1])
    while low < high do
        local middle = math.floor((low + high) / 2)
        local entry = redis.call("ZRANGE", KEYS[1], middle, middle, "WITHSCORES")
        local at = tonumber(entry[2])
        if at < score or (at == score and not bytes_before(id, entry[1])) then
            low = middle + 1
        else
            high = middle
        end
    end
    return low
end

local function offset_behind(offset, id, reach)
    local length = redis.call("LLEN", KEYS[1])
    local from, first = math.max(offset - reach, 0), math.max(length - offset, 0)
    if redis.call("LINDEX", KEYS[1], first) == id then
        return length - first
    end
    -- All that was read is gone.
    if length <= from then
        return 0
    end
    for i, found in ipairs(redis.call("LRANGE", KEYS[1], first, length - from - 1)) do
        if found == id then
            return length - first - i + 1
        end
    end
    return from
end

local is_list = ARGV[1] == "pending" or ARGV[1] == "active"
local lease = ARGV[1] == "active" and KEYS[2]
local offset = tonumber(ARGV[2])
if ARGV[7] ~= "" then
    offset = is_list and offset_behind(offset, ARGV[7], tonumber(ARGV[9])) or rank_behind(tonumber(ARGV[8]), ARGV[7])
end
local ids, scores, total = read_range(KEYS[1], is_list, offset, tonumber(ARGV[3]))
return {total, read_rows(ids, scores, ARGV[4], lease, tonumber(ARGV[5]), tonumber(ARGV[6])), offset}
