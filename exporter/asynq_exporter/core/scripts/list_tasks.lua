-- Reads a page of a collection (wire section 4.5); changes nothing.
-- Uses: rows
--
-- KEYS[1]  list or sorted set
-- KEYS[2]  lease set
-- ARGV[1]  state that the collection stands for
-- ARGV[2]  tasks to skip, in reading order
-- ARGV[3]  tasks to read at most
-- ARGV[4]  prefix of task hashes
-- ARGV[5]  longest message or result that is given, bytes
-- ARGV[6]  bytes of messages and results to give in all
--
-- Returns {tasks in the collection, rows}; a row as in _rows.lua.

local is_list = ARGV[1] == "pending" or ARGV[1] == "active"
local lease = ARGV[1] == "active" and KEYS[2]
local ids, scores, total = read_range(KEYS[1], is_list, tonumber(ARGV[2]), tonumber(ARGV[3]))
return {total, read_rows(ids, scores, ARGV[4], lease, tonumber(ARGV[5]), tonumber(ARGV[6]))}
