-- Moves the live pointer, if neither vector has moved since they were compared.
-- KEYS: live, state of the next, state of the present one. ARGV: projection, the next number and
-- its vector, the present number and its vector.
local live = redis.call('HGET', KEYS[1], ARGV[1])
if live ~= ARGV[4]
  or redis.call('HGET', KEYS[2], 'vector') ~= ARGV[3]
  or redis.call('HGET', KEYS[3], 'vector') ~= ARGV[5]
then
  return 'moved'
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 'promoted'
