-- Adds an event to the history of a scheduler entry and drops the oldest (wire section 3.25).
--
-- KEYS[1]  history
-- ARGV[1]  when, Unix seconds
-- ARGV[2]  event
-- ARGV[3]  events to keep
--
-- Returns OK.

redis.call("ZREMRANGEBYRANK", KEYS[1], 0, -tonumber(ARGV[3]))
redis.call("ZADD", KEYS[1], ARGV[1], ARGV[2])
return redis.status_reply("OK")
