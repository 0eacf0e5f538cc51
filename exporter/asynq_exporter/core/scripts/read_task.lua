-- Reads one task in whatever state (wire section 4.6), its payload and result cut to a limit; changes nothing.
-- Uses: cut, rows
--
-- KEYS[1]  lease set
-- KEYS[2]  scheduled set
-- KEYS[3]  retry set
-- KEYS[4]  archived set
-- KEYS[5]  completed set
-- ARGV[1]  task ID
-- ARGV[2]  prefix of task hashes
-- ARGV[3]  bytes of payload and of result to give
-- ARGV[4]  longest message or result that is looked into, bytes
-- ARGV[5]  bytes of another text to give
-- ARGV[6]  prefix of group sets
--
-- Returns a row as in _rows.lua and behind it: first bytes of the payload, its length. These are false where the message is whole; the
-- length is -1 where the message is no protobuf. A message that is too long is false.

local task = ARGV[2] .. ARGV[1]
local sets = {scheduled = KEYS[2], retry = KEYS[3], archived = KEYS[4], completed = KEYS[5]}
local state = redis.call("HGET", task, "state")
local set = state and sets[state]
if state == "aggregating" then
    local group = redis.call("HGET", task, "group")
    set = group and ARGV[6] .. group
end
local scores = {set and redis.call("ZSCORE", set, ARGV[1]) or false}
local lease = state == "active" and KEYS[1]
local limit, largest = tonumber(ARGV[3]), tonumber(ARGV[4])
local row = read_rows({ARGV[1]}, scores, ARGV[2], lease, limit, 2 * limit)[1]
row[11], row[12] = false, false
if not row[8] and row[6] > 0 and row[6] <= largest then
    local message = redis.call("HGET", task, "msg")
    local rest, prefix, length = cut(message, 2, 15, limit, tonumber(ARGV[5]))
    if rest then
        row[8], row[11], row[12] = rest, prefix, length
    else
        row[12] = -1
    end
end
if not row[9] and row[7] > 0 and row[7] <= largest then
    row[9] = string.sub(redis.call("HGET", task, "result"), 1, limit)
end
return row
