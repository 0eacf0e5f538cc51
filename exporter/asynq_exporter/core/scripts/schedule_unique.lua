-- Creates a task that runs later, if nobody holds its uniqueness lock (wire section 3.4).
--
-- KEYS[1]  task hash
-- KEYS[2]  scheduled set
-- KEYS[3]  uniqueness lock
-- ARGV[1]  task message
-- ARGV[2]  task ID
-- ARGV[3]  when to run, Unix seconds
-- ARGV[4]  seconds that the lock lives, 1 or more
--
-- Returns 1; -1 when the lock is held; 0 when the task ID is taken, and then the lock just taken stays until its time is over.

if not redis.call("SET", KEYS[3], ARGV[2], "NX", "EX", ARGV[4]) then
    return -1
end
if redis.call("EXISTS", KEYS[1]) == 1 then
    return 0
end
redis.call("HSET", KEYS[1], "msg", ARGV[1], "state", "scheduled", "unique_key", KEYS[3])
redis.call("ZADD", KEYS[2], ARGV[3], ARGV[2])
return 1
