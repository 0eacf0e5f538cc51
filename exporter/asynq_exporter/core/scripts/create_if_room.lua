-- Creates a task as the scripts of wire section 3.1 to 3.6 do, if its queue has room for it (guide section 4.2).
-- Uses: size
--
-- KEYS[1]  pending list
-- KEYS[2]  active list
-- KEYS[3]  scheduled set
-- KEYS[4]  retry set
-- KEYS[5]  set of group names
-- KEYS[6]  backpressure hash
-- KEYS[7]  task hash
-- KEYS[8]  uniqueness lock; only for a unique task
-- ARGV[1]  beginning of the keys of groups
-- ARGV[2]  size of the queue from which on it is refused
-- ARGV[3]  task message
-- ARGV[4]  task ID
-- ARGV[5]  state: pending, scheduled or aggregating
-- ARGV[6]  its time: now in Unix nanoseconds, Unix second of the run, now in Unix seconds
-- ARGV[7]  group name; only for aggregating
-- ARGV[8]  seconds that the lock lives, 1 or more; only for a unique task
--
-- Returns the outcome, the size before, and the state last announced, empty for none. The outcome is 1; -1 when the lock is
-- held; 0 when the task ID is taken, and then the lock just taken stays; -2 without room, and then nothing is written.

local announced = redis.call("HGET", KEYS[6], "state") or ""
local size = queue_size(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if size >= tonumber(ARGV[2]) then
    return {-2, size, announced}
end

local task, lock, id, state = KEYS[7], KEYS[8], ARGV[4], ARGV[5]
if lock and not redis.call("SET", lock, id, "NX", "EX", ARGV[8]) then
    return {-1, size, announced}
end
if redis.call("EXISTS", task) == 1 then
    return {0, size, announced}
end
redis.call("HSET", task, "msg", ARGV[3], "state", state)
if state == "pending" then
    redis.call("HSET", task, "pending_since", ARGV[6])
    redis.call("LPUSH", KEYS[1], id)
elseif state == "scheduled" then
    redis.call("ZADD", KEYS[3], ARGV[6], id)
else
    redis.call("HSET", task, "group", ARGV[7])
    redis.call("ZADD", ARGV[1] .. ARGV[7], ARGV[6], id)
    redis.call("SADD", KEYS[5], ARGV[7])
end
-- The hash of a task in a group does not name its lock, as in asynq.
if lock and state ~= "aggregating" then
    redis.call("HSET", task, "unique_key", lock)
end
return {1, size, announced}
