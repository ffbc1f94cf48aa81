-- The generations that there are, or one of them: projection/number, version, vector, continuity,
-- newest instant, whether it is live.
-- KEYS: generations, live. ARGV: what names of states begin with, and the one asked for, if one is.
local members = ARGV[2] and { ARGV[2] } or redis.call('SMEMBERS', KEYS[1])
local found = {}
for _, member in ipairs(members) do
  local state =
    redis.call('HMGET', ARGV[1] .. member, 'version', 'vector', 'continuity', 'newest')
  if state[1] then
    local projection, number = member:match('^(.*)/(%d+)$')
    local live = redis.call('HGET', KEYS[2], projection) == number
    found[#found + 1] =
      { member, state[1], state[2], state[3], state[4] or '', live and '1' or '0' }
  end
end
return found
