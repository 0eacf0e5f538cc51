-- Takes a task away from its worker; put in front of the scripts that say "Uses: release".

-- False when the worker no longer holds the task. Not undone then: a task without a lease is out of the list by now.
local function release(active, lease, id)
    return redis.call("LREM", active, 0, id) > 0 and redis.call("ZREM", lease, id) > 0
end

-- A lock that another task holds by now stays.
local function unlock(lock, id)
    if redis.call("GET", lock) == id then
        redis.call("DEL", lock)
    end
end
