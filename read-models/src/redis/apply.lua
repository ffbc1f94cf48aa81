-- Writes one batch, all of it or nothing. Nothing is undone when a script fails, so everything is
-- checked before the first write, and the first write is the vector: a server that is read-only or
-- full refuses that one.
--
-- KEYS: state, sums, parked; then of each table its rows and its indexes.
-- ARGV: the vector expected and the next, the continuity expected and the next, the newest instant;
-- the tables; then streams to park (with what to say) and to take off the list.
local arg, key = 0, 3
local function take()
  arg = arg + 1
  return ARGV[arg]
end
local function number()
  return tonumber(take())
end
local function pass(count)
  local from = arg + 1
  arg = arg + count
  return { from = from, count = count }
end
-- Adds two numbers of 128 bits in hexadecimal, modulo 2^128.
local function add(a, b)
  local carry, parts = 0, {}
  for i = 8, 1, -1 do
    local first, last = 4 * i - 3, 4 * i
    local sum = tonumber(a:sub(first, last), 16) + tonumber(b:sub(first, last), 16) + carry
    carry = sum >= 65536 and 1 or 0
    parts[i] = string.format('%04x', sum % 65536)
  end
  return table.concat(parts)
end
-- Runs a command over arguments, a thousand at a time: the stack of a script is small.
local function each(command, name, part)
  local last = part.from + part.count - 1
  for from = part.from, last, 1000 do
    redis.call(command, name, unpack(ARGV, from, math.min(from + 999, last)))
  end
end

local state = redis.call('HMGET', KEYS[1], 'vector', 'continuity', 'newest')
local expected, next_vector, expected_continuity, continuity, newest =
  take(), take(), take(), take(), take()
if not state[1] then
  return { 'unknown' }
end
if state[1] ~= expected or state[2] ~= expected_continuity then
  return { 'superseded' }
end

local tables = {}
for _ = 1, number() do
  key = key + 1
  local t = { name = take(), rows = KEYS[key], indexes = {} }
  local rows, sum = number(), take()
  local kept = redis.call('HGET', KEYS[2], t.name)
  if not kept then
    return { 'no table', t.name }
  end
  local count, old = kept:match('^(%d+) (%x+)$')
  if redis.call('HLEN', t.rows) ~= tonumber(count) then
    return { 'corrupt', t.name .. ' holds other rows than the ' .. count .. ' that were written' }
  end
  t.kept = string.format('%.0f %s', tonumber(count) + rows, add(old, sum))
  t.new, t.changed, t.gone = pass(2 * number()), pass(2 * number()), pass(number())
  for i = t.new.from, t.new.from + t.new.count - 1, 2 do
    if redis.call('HEXISTS', t.rows, ARGV[i]) == 1 then
      return { 'corrupt', t.name .. ' holds a row already that the batch inserts' }
    end
  end
  for i = t.changed.from, t.changed.from + t.changed.count - 1, 2 do
    if redis.call('HEXISTS', t.rows, ARGV[i]) == 0 then
      return { 'corrupt', t.name .. ' lacks a row that the batch changes' }
    end
  end
  for i = t.gone.from, t.gone.from + t.gone.count - 1 do
    if redis.call('HEXISTS', t.rows, ARGV[i]) == 0 then
      return { 'corrupt', t.name .. ' lacks a row that the batch deletes' }
    end
  end
  for _ = 1, number() do
    key = key + 1
    local index = { name = KEYS[key] }
    index.gone, index.come = pass(number()), pass(2 * number())
    t.indexes[#t.indexes + 1] = index
  end
  tables[#tables + 1] = t
end

redis.call('HSET', KEYS[1], 'vector', next_vector, 'continuity', continuity)
if newest ~= '' and (not state[3] or state[3] < newest) then
  redis.call('HSET', KEYS[1], 'newest', newest)
end
for _, t in ipairs(tables) do
  redis.call('HSET', KEYS[2], t.name, t.kept)
  each('HDEL', t.rows, t.gone)
  each('HSET', t.rows, t.new)
  each('HSET', t.rows, t.changed)
  for _, index in ipairs(t.indexes) do
    each('ZREM', index.name, index.gone)
    each('ZADD', index.name, index.come)
  end
end
local parked = pass(2 * number())
each('HDEL', KEYS[3], pass(number()))
for i = parked.from, parked.from + parked.count - 1, 2 do
  redis.call('HSETNX', KEYS[3], ARGV[i], ARGV[i + 1])
end
return { 'committed' }
