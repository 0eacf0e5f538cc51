-- Creates a task that is ready to run, if nobody holds its uniqueness lock (wire section 3.2).
--
-- KEYS[1]  task hash
-- KEYS[2]  pending list
-- KEYS[3]  uniqueness lock
-- ARGV[1]  task message
-- ARGV[2]  task ID
-- ARGV[3]  now, Unix nanoseconds
-- ARGV[4]  seconds that the lock lives, 1 or more
--
-- Returns 1; -1 when the lock is held; 0 when the task ID is taken, and then the lock just taken stays until its time is over.

if not redis.call("SET", KEYS[3], ARGV[2], "NX", "EX", ARGV[4]) then
    return -1
end
if redis.call("EXISTS", KEYS[1]) == 1 then
    return 0
end
redis.call("HSET", KEYS[1],
    "msg", ARGV[1], "state", "pending", "pending_since", ARGV[3], "unique_key", KEYS[3])
redis.call("LPUSH", KEYS[2], ARGV[2])
return 1
