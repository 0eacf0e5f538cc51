-- Shortens a protobuf message without knowing its type; put in front of the scripts that say "Uses: cut".

-- A message of asynq has some twenty fields and its headers.
local MAX_FIELDS = 4096

local function read_varint(data, at)
    local value, scale = 0, 1
    for i = at, math.min(at + 9, #data) do
        local byte = string.byte(data, i)
        value = value + byte % 128 * scale
        if byte < 128 then
            return value, i + 1
        end
        scale = scale * 128
    end
    return nil
end

local function write_varint(value)
    local bytes = ""
    while value >= 128 do
        bytes = bytes .. string.char(value % 128 + 128)
        value = math.floor(value / 128)
    end
    return bytes .. string.char(value)
end

-- Cuts before a character rather than in it, or the text could not be decoded.
local function cut_text(data, first, size)
    while size > 0 do
        local byte = string.byte(data, first + size)
        if byte < 128 or byte >= 192 then
            break
        end
        size = size - 1
    end
    return string.sub(data, first, first + size - 1)
end

-- The byte behind a field, where its body begins, and the length of that; nil in what is no protobuf.
local function field_end(data, kind, at)
    if kind == 0 then
        local _, stop = read_varint(data, at)
        return stop, at, 0
    elseif kind == 1 then
        return at + 8, at, 8
    elseif kind == 5 then
        return at + 4, at, 4
    elseif kind == 2 then
        local size, body = read_varint(data, at)
        if size then
            return body + size, body, size
        end
    end
    return nil
end

-- Takes the field `payload` out and gives its first `limit` bytes and its length beside the rest. Other texts longer than `text_limit`
-- are cut, entries of the field `map` that are too long or too many are left out. Returns nil for what is no protobuf.
local function cut(data, payload, map, limit, text_limit)
    local kept, map_bytes, prefix, length, at, fields = {}, 0, "", 0, 1, 0
    while at <= #data do
        local tag, behind = read_varint(data, at)
        local stop, body, size
        if tag then
            stop, body, size = field_end(data, tag % 8, behind)
        end
        fields = fields + 1
        if not stop or stop > #data + 1 or fields > MAX_FIELDS then
            return nil
        end
        local number = math.floor(tag / 8)
        local piece = ""
        if tag % 8 == 2 and number == payload then
            prefix, length = string.sub(data, body, body + math.min(size, limit) - 1), size
        elseif number == map then
            map_bytes = map_bytes + size
            piece = map_bytes <= text_limit and string.sub(data, at, stop - 1) or ""
        elseif size > text_limit then
            local text = cut_text(data, body, text_limit)
            piece = write_varint(tag) .. write_varint(#text) .. text
        else
            piece = string.sub(data, at, stop - 1)
        end
        table.insert(kept, piece)
        at = stop
    end
    return table.concat(kept), prefix, length
end
