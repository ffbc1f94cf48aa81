-- Takes a generation away that is not live; its number stays used.
-- KEYS: generations, live, dropped, state. ARGV: projection/number, projection, number.
local keys = redis.call('HGET', KEYS[4], 'keys')
if not keys then
  return redis.call('SISMEMBER', KEYS[3], ARGV[1]) == 1 and 'dropped' or 'unknown'
end
if redis.call('HGET', KEYS[2], ARGV[2]) == ARGV[3] then
  return 'live'
end
redis.call('SADD', KEYS[3], ARGV[1])
redis.call('SREM', KEYS[1], ARGV[1])
for _, name in ipairs(cjson.decode(keys)) do
  redis.call('UNLINK', name)
end
redis.call('UNLINK', KEYS[4])
return 'dropped'
