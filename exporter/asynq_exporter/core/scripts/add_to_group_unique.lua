-- Creates a task that waits in a group, if nobody holds its uniqueness lock (wire section 3.6).
-- Unlike the other two the hash does not name the lock, so deleting the task by hand does not free it.
--
-- KEYS[1]  task hash
-- KEYS[2]  group set
-- KEYS[3]  set of group names
-- KEYS[4]  uniqueness lock
-- ARGV[1]  task message
-- ARGV[2]  task ID
-- ARGV[3]  now, Unix seconds
-- ARGV[4]  group name
-- ARGV[5]  seconds that the lock lives, 1 or more
--
-- Returns 1; -1 when the lock is held; 0 when the task ID is taken, and then the lock just taken stays until its time is over.

if not redis.call("SET", KEYS[4], ARGV[2], "NX", "EX", ARGV[5]) then
    return -1
end
if redis.call("EXISTS", KEYS[1]) == 1 then
    return 0
end
redis.call("HSET", KEYS[1], "msg", ARGV[1], "state", "aggregating", "group", ARGV[4])
redis.call("ZADD", KEYS[2], ARGV[3], ARGV[2])
redis.call("SADD", KEYS[3], ARGV[4])
return 1
