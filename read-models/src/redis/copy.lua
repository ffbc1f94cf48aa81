-- Copies the rows of tables aside, so that they can be read slowly as they were at one vector.
-- KEYS: state, then of each table its rows and the copy. ARGV: seconds that the copies live.
local vector = redis.call('HGET', KEYS[1], 'vector')
if not vector then
  return false
end
local counts = {}
for i = 2, #KEYS, 2 do
  redis.call('COPY', KEYS[i], KEYS[i + 1], 'REPLACE')
  redis.call('EXPIRE', KEYS[i + 1], ARGV[1])
  counts[#counts + 1] = redis.call('HLEN', KEYS[i + 1])
end
return { vector, counts }
