-- Writes the record of a live server and of the tasks it runs (wire section 3.22).
-- Without tasks the hash does not exist.
--
-- KEYS[1]  server record
-- KEYS[2]  workers hash
-- ARGV[1]  seconds that both live
-- ARGV[2]  server info
-- ARGV[3], ARGV[4], ...  task ID and worker info, for each task in progress
--
-- Returns OK.

redis.call("SETEX", KEYS[1], ARGV[1], ARGV[2])
redis.call("DEL", KEYS[2])
for i = 3, #ARGV, 2 do
    redis.call("HSET", KEYS[2], ARGV[i], ARGV[i + 1])
end
redis.call("EXPIRE", KEYS[2], ARGV[1])
return redis.status_reply("OK")
