-- Keeps an archive within its age and size; put in front of the scripts that say "Uses: trim".

local function drop(archived, task_prefix, ids)
    for _, id in ipairs(ids) do
        redis.call("DEL", task_prefix .. id)
        redis.call("ZREM", archived, id)
    end
    return #ids
end

-- Removes at most `limit` tasks by age and as many by size, with their hashes; how many. Size minus one stay, as in asynq.
local function trim(archived, task_prefix, cutoff, size, limit)
    local old = redis.call("ZRANGEBYSCORE", archived, "-inf", cutoff, "LIMIT", 0, limit)
    local trimmed = drop(archived, task_prefix, old)
    local excess = redis.call("ZCARD", archived) - (size - 1)
    if excess > 0 then
        trimmed = trimmed + drop(archived, task_prefix, redis.call("ZRANGE", archived, 0, math.min(excess, limit) - 1))
    end
    return trimmed
end
