-- Takes the first tasks out of a collection, whatever their hashes say; put in front of the scripts that say "Uses: batch".

-- The next to run of the pending list, which no new task then takes the place of; the lowest scores of a sorted set.
local function take_first(source, count)
    if redis.call("TYPE", source).ok == "list" then
        local ids = redis.call("LRANGE", source, -count, -1)
        redis.call("LTRIM", source, 0, -#ids - 1)
        return ids
    end
    local ids = redis.call("ZRANGE", source, 0, count - 1)
    if #ids > 0 then
        redis.call("ZREM", source, unpack(ids))
    end
    return ids
end

-- A group without tasks is not listed; a name of "" is no group.
local function unlist_if_empty(source, groups, group)
    if group ~= "" and redis.call("EXISTS", source) == 0 then
        redis.call("SREM", groups, group)
    end
end
