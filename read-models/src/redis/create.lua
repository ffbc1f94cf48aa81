-- Creates an empty generation; the first of a projection is live at once.
-- KEYS: generations, live, numbers, dropped, format, state, sums, then everything that may be left
-- of a generation whose state was lost. ARGV: projection/number, projection, number, version, the
-- format, a JSON list of what to take away when it is dropped, then the names of the tables.
if redis.call('EXISTS', KEYS[6]) == 1 then
  return 'exists'
end
if redis.call('SISMEMBER', KEYS[4], ARGV[1]) == 1 then
  return 'dropped'
end
redis.call('SETNX', KEYS[5], ARGV[5])
for i = 7, #KEYS do
  redis.call('UNLINK', KEYS[i])
end
local empty = '0 ' .. string.rep('0', 32)
for i = 7, #ARGV do
  redis.call('HSET', KEYS[7], ARGV[i], empty)
end
redis.call('HSET', KEYS[6], 'version', ARGV[4], 'vector', '', 'continuity', '', 'keys', ARGV[6])
redis.call('SADD', KEYS[1], ARGV[1])
if tonumber(redis.call('HGET', KEYS[3], ARGV[2]) or '0') < tonumber(ARGV[3]) then
  redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])
end
redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[3])
return 'created'
