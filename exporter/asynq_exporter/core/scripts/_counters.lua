-- The two ways of counting a finished attempt (wire section 3.0); put in front of the scripts that say "Uses: counters".

-- Compared as a Lua double, so in effect the totals turn at 2^63 - 512.
local MAX_INT64 = 9223372036854775807

local function count_day(day_key, expire_at)
    if redis.call("INCR", day_key) == 1 then
        redis.call("EXPIREAT", day_key, expire_at)
    end
end

local function at_maximum(total_key)
    return tonumber(redis.call("GET", total_key) or "0") == MAX_INT64
end

-- An attempt that succeeded.
local function count_success(processed_day, processed, expire_at)
    count_day(processed_day, expire_at)
    if at_maximum(processed) then
        redis.call("SET", processed, 1)
    else
        redis.call("INCR", processed)
    end
end

-- An attempt that failed; it is also processed. Only the processed total decides whether both start again.
local function count_failure(processed_day, failed_day, processed, failed, expire_at)
    count_day(processed_day, expire_at)
    count_day(failed_day, expire_at)
    if at_maximum(processed) then
        redis.call("SET", processed, 1)
        redis.call("SET", failed, 1)
    else
        redis.call("INCR", processed)
        redis.call("INCR", failed)
    end
end
