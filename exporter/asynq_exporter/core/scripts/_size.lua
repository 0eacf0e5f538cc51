-- The tasks of a queue that are work to be done; put in front of the scripts that say "Uses: size".

-- Up to here every group is counted; of more, so many are taken by chance and stand for all.
local GROUPS_COUNTED = 32

-- A key of another type counts nothing, and whoever uses it next will say so.
local function count(command, key)
    local answer = redis.pcall(command, key)
    return type(answer) == "number" and answer or 0
end

local function grouped(groups, group_prefix)
    local number = count("SCARD", groups)
    if number == 0 then
        return 0
    end
    local names = redis.call("SRANDMEMBER", groups, GROUPS_COUNTED)
    local tasks = 0
    for _, name in ipairs(names) do
        tasks = tasks + count("ZCARD", group_prefix .. name)
    end
    return math.floor(tasks * number / #names)
end

local function queue_size(pending, active, scheduled, retry, groups, group_prefix)
    return count("LLEN", pending) + count("LLEN", active) + count("ZCARD", scheduled) + count("ZCARD", retry)
        + grouped(groups, group_prefix)
end
