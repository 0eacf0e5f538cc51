-- Writes the entries of a live scheduler (wire section 3.24). They are stored in reverse; without entries the list does not exist.
--
-- KEYS[1]  list of entries
-- ARGV[1]  seconds that it lives
-- ARGV[2], ARGV[3], ...  scheduler entry
--
-- Returns OK.

redis.call("DEL", KEYS[1])
for i = 2, #ARGV do
    redis.call("LPUSH", KEYS[1], ARGV[i])
end
redis.call("EXPIRE", KEYS[1], ARGV[1])
return redis.status_reply("OK")
