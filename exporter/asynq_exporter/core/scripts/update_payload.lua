-- Replaces the message of a task that is still scheduled (wire section 4.7).
--
-- KEYS[1]  task hash
-- ARGV[1]  task message
--
-- Returns {1, "scheduled"}; {0, ""} without a task; {-1, state} in any other state.

local state = redis.call("HGET", KEYS[1], "state")
if state ~= "scheduled" then
    return {-redis.call("EXISTS", KEYS[1]), state or ""}
end
redis.call("HSET", KEYS[1], "msg", ARGV[1])
return {1, state}
