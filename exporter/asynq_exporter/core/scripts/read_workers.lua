-- Reads what a live server runs (wire section 4.11), payloads cut to a limit; changes nothing.
-- Uses: cut
--
-- KEYS[1]  workers hash
-- ARGV[1]  records to read at most
-- ARGV[2]  bytes of a payload to give
-- ARGV[3]  bytes of another text to give
-- ARGV[4]  bytes of records to look into in all
--
-- Returns {records there are, rows}; a row: task ID, bytes of the record, record, first bytes of the payload, its length. The last two are
-- false where the record is whole, the last three where it is no protobuf or the bytes are used up.

local ids = redis.call("HKEYS", KEYS[1])
local limit, budget = tonumber(ARGV[2]), tonumber(ARGV[4])
local rows = {}
for i = 1, math.min(#ids, tonumber(ARGV[1])) do
    local size = redis.call("HSTRLEN", KEYS[1], ids[i])
    local row = {ids[i], size, false, false, false}
    if size <= budget then
        budget = budget - size
        row[3] = redis.call("HGET", KEYS[1], ids[i])
        if size > limit then
            local rest, prefix, length = cut(row[3], 6, 0, limit, tonumber(ARGV[3]))
            row[3], row[4], row[5] = rest or false, prefix or false, length or false
        end
    end
    rows[i] = row
end
return {#ids, rows}
