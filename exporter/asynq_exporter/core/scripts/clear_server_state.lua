-- Removes the record of a server that has ended (wire section 3.23).
--
-- KEYS[1]  server record
-- KEYS[2]  workers hash
--
-- Returns OK.

redis.call("DEL", KEYS[1])
redis.call("DEL", KEYS[2])
return redis.status_reply("OK")
