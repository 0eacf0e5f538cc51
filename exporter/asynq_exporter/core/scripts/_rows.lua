-- Reads tasks as rows; put in front of the scripts that say "Uses: rows".

-- IDs in reading order, from an offset in that order, with scores or false; and how many there are in all.
local function read_range(key, is_list, offset, count)
    local ids, scores = {}, {}
    if is_list then
        -- Lists are read from their tail: the next to run, the one that runs longest.
        local total = redis.call("LLEN", key)
        local last = total - offset - 1
        if last >= 0 and count > 0 then
            local found = redis.call("LRANGE", key, math.max(last - count + 1, 0), last)
            for i = #found, 1, -1 do
                table.insert(ids, found[i])
                table.insert(scores, false)
            end
        end
        return ids, scores, total
    end
    local total = redis.call("ZCARD", key)
    if offset < total and count > 0 then
        local found = redis.call("ZRANGE", key, offset, offset + count - 1, "WITHSCORES")
        for i = 1, #found, 2 do
            table.insert(ids, found[i])
            table.insert(scores, found[i + 1])
        end
    end
    return ids, scores, total
end

-- A row: ID, score, state, pending_since, lease end, bytes of message and result, message, result, whether there is a hash.
-- Message and result are false where they are longer than `whole` or the budget of bytes is used up: read these one by one.
local function read_rows(ids, scores, task_prefix, lease, whole, budget)
    local rows = {}
    for i, id in ipairs(ids) do
        local task = task_prefix .. id
        local words = redis.call("HMGET", task, "state", "pending_since")
        local sizes = {redis.call("HSTRLEN", task, "msg"), redis.call("HSTRLEN", task, "result")}
        local values = {false, false}
        if sizes[1] <= whole and sizes[2] <= whole and sizes[1] + sizes[2] <= budget then
            budget = budget - sizes[1] - sizes[2]
            values = redis.call("HMGET", task, "msg", "result")
        end
        local exists = words[1] and 1 or redis.call("EXISTS", task)
        local lease_end = lease and redis.call("ZSCORE", lease, id)
        rows[i] = {id, scores[i], words[1], words[2], lease_end, sizes[1], sizes[2], values[1], values[2], exists}
    end
    return rows
end
