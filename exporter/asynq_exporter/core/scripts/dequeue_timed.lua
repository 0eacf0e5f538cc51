-- Hands the next task of a queue to a worker, with since when it waited (wire section 3.8).
--
-- KEYS[1]  pending list
-- KEYS[2]  paused flag
-- KEYS[3]  active list
-- KEYS[4]  lease set
-- ARGV[1]  end of the lease, Unix seconds
-- ARGV[2]  prefix of task hashes
--
-- Returns the task message and the Unix nanoseconds since which it was pending, false where the hash has none; nil when the
-- queue is paused or empty. An ID without a hash also gives nil: it stays in the active list, as after dequeue.lua.

if redis.call("EXISTS", KEYS[2]) == 1 then
    return nil
end
local id = redis.call("RPOPLPUSH", KEYS[1], KEYS[3])
if not id then
    return nil
end
local task = ARGV[2] .. id
local found = redis.call("HMGET", task, "msg", "pending_since")
redis.call("HSET", task, "state", "active")
redis.call("HDEL", task, "pending_since")
redis.call("ZADD", KEYS[4], ARGV[1], id)
return found[1] and found
