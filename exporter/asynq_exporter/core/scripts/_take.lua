-- Takes a task out of the collection that its state names; put in front of the scripts that say "Uses: take".

-- Up to here a list is searched to its end, so that no second entry of the ID stays behind.
local SHORT_LIST = 10000

-- The search costs the distance from the end at which it begins, and the list is in the order of pending_since.
local function remove_pending(pending, task, task_prefix, id)
    local length = redis.call("LLEN", pending)
    if length <= SHORT_LIST then
        return redis.call("LREM", pending, 0, id) > 0
    end
    local middle = redis.call("LINDEX", pending, math.floor(length / 2))
    local since = tonumber(redis.call("HGET", task, "pending_since"))
    local middle_since = tonumber(redis.call("HGET", task_prefix .. middle, "pending_since"))
    local newer = since and middle_since and since > middle_since
    return redis.call("LREM", pending, newer and 1 or -1, id) > 0
end

local function remove_grouped(task, groups, group_prefix, id)
    local group = redis.call("HGET", task, "group")
    if not group or redis.call("ZREM", group_prefix .. group, id) == 0 then
        return false
    end
    if redis.call("EXISTS", group_prefix .. group) == 0 then
        redis.call("SREM", groups, group)
    end
    return true
end

-- Places: pending, groups (keys), sets (state -> key), task_prefix, group_prefix. Refused: state -> true. Only: a state, "" for any.
-- Returns 1 when taken, 0 without a task, -1 in a state that is refused or unknown, -2 when it is not where its state says;
-- and the state.
local function take(task, id, places, refused, only)
    local state = redis.call("HGET", task, "state")
    if not state then
        return -redis.call("EXISTS", task), ""
    end
    if refused[state] or (only ~= "" and only ~= state) then
        return -1, state
    end
    local taken
    if state == "pending" then
        taken = remove_pending(places.pending, task, places.task_prefix, id)
    elseif state == "aggregating" then
        taken = remove_grouped(task, places.groups, places.group_prefix, id)
    elseif places.sets[state] then
        taken = redis.call("ZREM", places.sets[state], id) > 0
    else
        return -1, state
    end
    return taken and 1 or -2, state
end
