"""The scripts that Redis runs: each is atomic, and small enough to be read at once. Sorted sets give doubles, exact here.

``KEYS`` and ``ARGV`` are named at the head of each script; microseconds are ``*_at``, milliseconds to keep a key ``kept``.
"""

from idp.store.redis_link import Script

# Sign-ins and slips alike: a version, a document and an end.
PUT_SIGN_IN = Script(
    """
local key, version, document, expires_at, kept = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
redis.call('HSET', key, 'version', version, 'document', document, 'until', expires_at)
redis.call('PEXPIRE', key, kept)
"""
)

SWAP_SIGN_IN = Script(
    """
local old, new = KEYS[1], KEYS[2]
local seen, document, expires_at, kept = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if redis.call('HGET', old, 'version') ~= seen then return 0 end
if old ~= new then redis.call('DEL', old) end
redis.call('HSET', new, 'version', seen + 1, 'document', document, 'until', expires_at)
redis.call('PEXPIRE', new, kept)
return 1
"""
)

TAKE_SIGN_IN = Script(
    """
local key, now = KEYS[1], ARGV[1]
local held = redis.call('HMGET', key, 'version', 'document', 'until')
if not held[1] or tonumber(held[3]) <= tonumber(now) then return nil end
redis.call('DEL', key)
return {held[1], held[2], held[3]}
"""
)

# Shared by the scripts that write or end sessions.
_COMMON = """
local SESSION, ACCOUNT = 'idp:session:', 'idp:sessions:'
local function ended(index, id)
    local held = redis.call('HMGET', SESSION .. id, 'document', 'seen', 'until')
    redis.call('DEL', SESSION .. id)
    redis.call('ZREM', index, id)
    if held[1] then return {id, held[1], held[2], held[3]} end
    return nil
end
local function begin(key, index)
    local kept = tonumber(ARGV[8])
    redis.call('HSET', key, 'document', ARGV[2], 'seen', ARGV[3], 'until', ARGV[4], 'account', ARGV[6], 'public', ARGV[7])
    redis.call('PEXPIRE', key, kept)
    redis.call('ZADD', index, ARGV[5], ARGV[1])
    if redis.call('PTTL', index) < kept then redis.call('PEXPIRE', index, kept) end
end
"""

# ARGV: id, document, seen_at, until_at, created_at, account, public id, kept, limit
PUT_SESSION = Script(
    _COMMON
    + """
local key, index, id, seen_at, limit = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[9])
begin(key, index)
local live = {}
for _, held in ipairs(redis.call('ZRANGE', index, 0, -1)) do
    if held ~= id then
        local ends = redis.call('HGET', SESSION .. held, 'until')
        if ends and tonumber(ends) > seen_at then live[#live + 1] = held else ended(index, held) end
    end
end
local gone = {}
for place = 1, #live - (limit - 1) do gone[#gone + 1] = ended(index, live[place]) end
return gone
"""
)

TOUCH_SESSION = Script(
    """
local key, seen_at, until_at, kept = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local account = redis.call('HGET', key, 'account')
if not account then return end
redis.call('HSET', key, 'seen', seen_at, 'until', until_at)
redis.call('PEXPIRE', key, kept)
local index = 'idp:sessions:' .. account
if redis.call('PTTL', index) < kept then redis.call('PEXPIRE', index, kept) end
"""
)

# ARGV: as PUT_SESSION up to kept, then the old id
REPLACE_SESSION = Script(
    _COMMON
    + """
local key, index, old, old_id = KEYS[1], KEYS[2], KEYS[3], ARGV[9]
local account = redis.call('HGET', old, 'account')
if not account then return 0 end
ended(ACCOUNT .. account, old_id)
begin(key, index)
return 1
"""
)

END_SESSION = Script(
    _COMMON
    + """
local key, id = KEYS[1], ARGV[1]
local account = redis.call('HGET', key, 'account')
if not account then return {} end
return {ended(ACCOUNT .. account, id)}
"""
)

# ARGV: 'public' and a public id to end that one, or 'all' and an id to keep (or '')
END_SESSIONS = Script(
    _COMMON
    + """
local index, which, name = KEYS[1], ARGV[1], ARGV[2]
local gone = {}
for _, id in ipairs(redis.call('ZRANGE', index, 0, -1)) do
    local chosen = id ~= name
    if which == 'public' then chosen = redis.call('HGET', SESSION .. id, 'public') == name end
    if chosen then gone[#gone + 1] = ended(index, id) end
end
return gone
"""
)

SESSIONS_OF_ACCOUNT = Script(
    """
local found = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    local held = redis.call('HMGET', 'idp:session:' .. id, 'document', 'seen', 'until')
    if held[1] then found[#found + 1] = {id, held[1], held[2], held[3]} end
end
return found
"""
)

FIRST_TIME = Script(
    """
local key, until_at, now, kept = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]
local held = redis.call('GET', key)
if held and tonumber(held) > now then return 0 end
redis.call('SET', key, until_at, 'PX', kept)
return 1
"""
)

ADD_COUNT = Script(
    """
local key, amount, window_ms = KEYS[1], ARGV[1], ARGV[2]
local hits = redis.call('INCRBY', key, amount)
if hits == tonumber(amount) then redis.call('PEXPIRE', key, window_ms) end
return hits
"""
)

READ_COUNT = Script(
    """
local time = redis.call('TIME')
local left = math.max(redis.call('PTTL', KEYS[1]), 0)
return {redis.call('GET', KEYS[1]) or '0', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + left)}
"""
)

CLEAR_COUNTS = Script(
    """
local gone, cursor = 0, '0'
repeat
    local found = redis.call('SCAN', cursor, 'MATCH', ARGV[1], 'COUNT', 1000)
    cursor = found[1]
    for _, key in ipairs(found[2]) do gone = gone + redis.call('UNLINK', key) end
until cursor == '0'
return gone
"""
)
