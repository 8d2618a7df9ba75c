/**
 * What is done in one step at the store: Lua, by the store's own clock. Everything has a name per key of the key file, so that each
 * script takes its names in rows, one a key. Times are milliseconds.
 */

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`

/**
 * Two machines' clocks may differ by so much. What is of a later moment was there before the clock was put back: nobody knows how old
 * it is.
 */
export const DIFFERENCE_MS = 5000

/**
 * Row: value, lock, flushes, refusals (of the credential, of the operation, of the resource).
 * Arguments: number of rows, replica, lock's life, least life of a value, `p` where the mint has time, the moment since which alone
 * it will do, then the flush fields of its operations, as many a row.
 * Answers: {won, now}, {held}, or {value or refused, row, column, life, age, since, sealed}.
 * What was there at the time of a flush, or before, does not count.
 */
const CLAIM = `${NOW}
local rows = tonumber(ARGV[1])
local least = tonumber(ARGV[4])
local newer = tonumber(ARGV[6])
local width = #KEYS / rows
local fields = (#ARGV - 6) / rows
local flushed = {}
-- what somebody else has put there is not there, nor what was there at the time of a flush
local function read(key, flushed)
  local text = redis.pcall('GET', key)
  if type(text) ~= 'string' then return end
  local colon = string.find(text, ':', 1, true)
  local made = colon and tonumber(string.sub(text, 1, colon - 1))
  if made and made > flushed then return made, string.sub(text, colon + 1), math.max(now, flushed + 1) - made end
end
for row = 1, rows do
  local at = (row - 1) * width
  local since = 0
  local first = 6 + (row - 1) * fields
  for i = first + 1, first + fields do
    since = math.max(since, tonumber(redis.call('HGET', KEYS[at + 3], ARGV[i]) or 0))
  end
  flushed[row] = since
  local made, sealed, age = read(KEYS[at + 1], since)
  if made and made > newer then
    local life = redis.call('PTTL', KEYS[at + 1])
    if life > least then return {'value', row, 1, life, age, string.format('%.0f', made), sealed} end
  end
  local any = tonumber(redis.call('HGET', KEYS[at + 3], 'any') or 0)
  for i = 4, width do
    made, sealed, age = read(KEYS[at + i], any)
    if made and made > newer then
      return {'refused', row, i, redis.call('PTTL', KEYS[at + i]), age, string.format('%.0f', made), sealed}
    end
  end
end
for row = 1, rows do
  local made, rest, age = read(KEYS[(row - 1) * width + 2], flushed[row])
  if made and age > -${DIFFERENCE_MS} and (string.sub(rest, 1, 1) ~= 'p' or ARGV[5] == 'p') then return {'held'} end
end
-- a claim in the millisecond of a flush is none of before
for row = 1, rows do now = math.max(now, flushed[row] + 1) end
for row = 1, rows do
  redis.call('SET', KEYS[(row - 1) * width + 2], string.format('%.0f', now) .. ':' .. ARGV[5] .. ' ' .. ARGV[2], 'PX', ARGV[3])
end
return {'won', string.format('%.0f', now)}
`

/**
 * Names: the lock's, one a row, then those of the values. Arguments: number of rows, what the lock holds, life of the values (0:
 * none), the values. The lock is given back if it is still ours.
 */
const PUT = `
local rows = tonumber(ARGV[1])
for i = rows + 1, #KEYS do redis.call('SET', KEYS[i], ARGV[3 + i - rows], 'PX', ARGV[3]) end
for i = 1, rows do
  if redis.call('GET', KEYS[i]) == ARGV[2] then redis.call('DEL', KEYS[i]) end
end
`

/**
 * Names: list of replicas and flushes, a row; then locks to be kept. Arguments: number of rows, replica, its life, the locks' life,
 * then what each lock holds. Answers: {now, replicas, flushes of each row…}. A lock that was lost (the store has been restarted,
 * say) is taken again, if it is free.
 */
const BEAT = `${NOW}
local rows = tonumber(ARGV[1])
local answer = {string.format('%.0f', now), 0}
for row = 1, rows do
  local replicas = KEYS[row * 2 - 1]
  redis.call('ZADD', replicas, now, ARGV[2])
  redis.call('ZREMRANGEBYSCORE', replicas, '-inf', now - ARGV[3])
  redis.call('ZREMRANGEBYSCORE', replicas, '(' .. string.format('%.0f', now), '+inf')
  redis.call('PEXPIRE', replicas, ARGV[3])
  answer[2] = math.max(answer[2], redis.call('ZCARD', replicas))
  answer[2 + row] = redis.call('HGETALL', KEYS[row * 2])
end
for i = rows * 2 + 1, #KEYS do
  local mine = ARGV[4 + i - rows * 2]
  local holds = redis.call('GET', KEYS[i])
  if not holds or holds == mine then redis.call('SET', KEYS[i], mine, 'PX', ARGV[4]) end
end
return answer
`

/** Names: list of replicas, one a row. Argument: replica. */
const LEAVE = `
for i = 1, #KEYS do redis.call('ZREM', KEYS[i], ARGV[1]) end
`

const WEEK_MS = 604_800_000

/** Names: flushes, one a row. Arguments: a field a row. */
const FLUSH = `${NOW}
-- later than the last one, also where the clock is behind: what is later is learned of
for i = 1, #KEYS do
  for _, field in ipairs({ARGV[i], 'any'}) do now = math.max(now, tonumber(redis.call('HGET', KEYS[i], field) or 0) + 1) end
end
local text = string.format('%.0f', now)
for i = 1, #KEYS do
  redis.call('HSET', KEYS[i], ARGV[i], text, 'any', text)
  redis.call('PEXPIRE', KEYS[i], ${WEEK_MS})
end
return text
`

const HOUR_MS = 3_600_000
/** Replicas that have not asked for so long no longer wait. They ask every second at the least. */
const ABSENT_MS = 3000
const MOST_PENALTY = 16
/** A bucket that is full and of which Amazon has said nothing is as good as none, and anybody can make one with a token that is worth nothing. */
const GRACE_MS = 10_000

/**
 * A bucket is a hash: \`full\`, when all permits that were used are back (they come back one by one, \`interval\` apart); \`told\`, the
 * rate that Amazon last named; \`row\`, its 429s in a row, the last one at \`bad\`; a lease for each permit in use (\`l:\` and its
 * name), which ends by itself where its replica has died; and who waits (\`w:\` and its name: since when, last seen).
 */
const BUCKET = `${NOW}
local burst = tonumber(ARGV[1])
local interval = tonumber(ARGV[2])
local latest = math.huge -- no lease ends later
local function open(key)
  local all = redis.call('HGETALL', key)
  local one = {key = key, full = 0, interval = interval, row = 0, bad = 0, used = 0, waiting = {}, leases = {}, gone = {}, fresh = #all == 0}
  for i = 1, #all, 2 do
    local field, value = all[i], all[i + 1]
    local kind, name = string.sub(field, 1, 2), string.sub(field, 3)
    if kind == 'l:' then
      one.leases[name] = tonumber(value)
    elseif kind == 'w:' then
      local since, seen = string.match(value, '^(%d+) (%d+)$')
      one.waiting[name] = {tonumber(since), tonumber(seen)}
    else
      one[field] = tonumber(value)
    end
  end
  one.full = math.max(one.full, now)
  if one.interval ~= interval then one.full = now + (one.full - now) * interval / one.interval end
  for name, ends in pairs(one.leases) do
    if ends <= now or ends > latest then
      one.full = one.full + interval
      one.leases[name] = nil
      table.insert(one.gone, 'l:' .. name)
    else
      one.used = one.used + 1
    end
  end
  for name, waits in pairs(one.waiting) do
    if math.abs(now - waits[2]) > ${ABSENT_MS} then
      one.waiting[name] = nil
      table.insert(one.gone, 'w:' .. name)
    end
  end
  -- a clock that has jumped heals
  one.bad = math.min(one.bad, now)
  one.full = math.min(one.full, now + (burst + ${MOST_PENALTY}) * interval)
  return one
end
local function owed(one) return math.ceil((one.full - now) / interval) end
-- the first write is one that a store which is full refuses: after another one it would let this pass
local function close(one, leaseMs, ...)
  local own = ...
  redis.call('HSET', one.key, 'full', string.format('%.0f', one.full), 'interval', interval, 'row', one.row, 'bad', string.format('%.0f', one.bad), ...)
  for _, gone in ipairs(one.gone) do if gone ~= own then redis.call('HDEL', one.key, gone) end end
  local life = math.max(one.full - now, leaseMs) + ${GRACE_MS}
  if one.told or one.row > 0 then life = ${HOUR_MS} end
  redis.call('PEXPIRE', one.key, string.format('%.0f', math.max(life, redis.call('PTTL', one.key))))
end
`

/**
 * Names: the bucket, one a row. Arguments: burst, interval, replica, lease, its life; how long a bucket that was lost takes to be full,
 * as the replica last heard; by how much it takes longer for what the replica took while the store was out of its reach. Answers:
 * {granted, rate, milliseconds until it is full, now} or {queued, rate, the same, wait}: until it is worth asking again. Who waits
 * longest goes first; a replica waits in one place.
 */
const TAKE = `${BUCKET}
latest = now + 10 * ARGV[5]
local buckets, told, wait, rest = {}, '', 0, 0
for i, key in ipairs(KEYS) do
  local one = open(key)
  if one.fresh then one.full = now + ARGV[6] end
  one.full = one.full + ARGV[7]
  rest = math.max(rest, math.ceil(one.full - now + one.used * interval))
  buckets[i] = one
  if one.told then told = tostring(one.told) end
  local mine = one.waiting[ARGV[3]] or {now, now}
  local ahead = 0
  for name, waits in pairs(one.waiting) do
    if name ~= ARGV[3] and (waits[1] < mine[1] or (waits[1] == mine[1] and name < ARGV[3])) then ahead = ahead + 1 end
  end
  local back = owed(one)
  local lacking = ahead + 1 - (burst - one.used - back)
  if lacking > 0 then wait = math.max(wait, math.ceil(one.full - now + (lacking - back) * interval)) end
  one.mine = mine
end
for _, one in ipairs(buckets) do
  if wait == 0 then
    table.insert(one.gone, 'w:' .. ARGV[3])
    close(one, ARGV[5], 'l:' .. ARGV[4], string.format('%.0f', now + ARGV[5]))
  else
    close(one, 0, 'w:' .. ARGV[3], string.format('%.0f %.0f', one.mine[1], now))
  end
end
if wait == 0 then return {'granted', told, rest + interval, string.format('%.0f', now)} end
return {'queued', told, rest, wait}
`

/**
 * Names: the bucket, one a row. Arguments: burst, interval, lease, when it was granted, what became of it (unused, answered,
 * throttled), the rate that Amazon named or '', a number from 0 to 1. A 429 empties the bucket and makes all wait longer,
 * twice as long each time; one for a request that had left before the last 429 came tells nothing new.
 */
const SETTLE = `${BUCKET}
local granted = tonumber(ARGV[4])
for _, key in ipairs(KEYS) do
  local one = open(key)
  if one.leases[ARGV[3]] then
    one.used = one.used - 1
    table.insert(one.gone, 'l:' .. ARGV[3])
  end
  -- also where the lease is gone: the store may have lost it, Amazon has not
  if ARGV[5] ~= 'unused' then one.full = one.full + interval end
  if granted > one.bad then
    if ARGV[5] == 'throttled' then
      one.row = one.row + 1
      one.bad = now
      local penalty = math.min(2 ^ one.row, ${MOST_PENALTY}) - 1
      one.full = math.max(one.full, now + (burst - one.used) * interval) + interval * penalty * ARGV[7]
    elseif ARGV[5] == 'answered' then
      one.row = 0
    end
  end
  if ARGV[6] ~= '' then
    one.told = ARGV[6]
    close(one, 0, 'told', ARGV[6])
  else
    close(one, 0)
  end
end
`

export const SCRIPTS = {
  claim: CLAIM,
  put: PUT,
  beat: BEAT,
  leave: LEAVE,
  flush: FLUSH,
  take: TAKE,
  settle: SETTLE,
} as const
export type Script = keyof typeof SCRIPTS
