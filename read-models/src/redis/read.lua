-- Answers questions from the live generation of a projection, all at one moment.
-- KEYS: live. ARGV: what all names begin with, projection, then of each question its table and
-- either 'keys', how many, and them; or 'range', the index, the command, both ends, and the limit.
local arg = 2
local function take()
  arg = arg + 1
  return ARGV[arg]
end
local number = redis.call('HGET', KEYS[1], ARGV[2])
if not number then
  return false
end
local state = redis.call(
  'HMGET', ARGV[1] .. ':state:' .. ARGV[2] .. '/' .. number,
  'version', 'vector', 'continuity', 'newest'
)
if not state[1] then
  return false
end
local function load(rows, fields)
  local found = {}
  for from = 1, #fields, 1000 do
    local last = math.min(from + 999, #fields)
    for _, row in ipairs(redis.call('HMGET', rows, unpack(fields, from, last))) do
      if row then
        found[#found + 1] = row
      end
    end
  end
  return found
end
local answers = {}
while arg < #ARGV do
  local physical = take() .. '_g' .. number
  local rows = ARGV[1] .. ':rows:' .. physical
  local fields = {}
  if take() == 'keys' then
    for i = 1, tonumber(take()) do
      fields[i] = take()
    end
  else
    local index = ARGV[1] .. ':index:' .. physical .. ':' .. take()
    local command, from, to, limit = take(), take(), take(), take()
    for i, member in ipairs(redis.call(command, index, from, to, 'LIMIT', 0, limit)) do
      -- A member ends with its row's key and that key's length.
      local length = struct.unpack('>I4', member:sub(-4))
      fields[i] = member:sub(-4 - length, -5)
    end
  end
  answers[#answers + 1] = load(rows, fields)
end
return { number, state[1], state[2], state[3], state[4] or '', answers }
