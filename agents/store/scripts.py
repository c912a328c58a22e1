"""What Redis runs as one: a commit, a reading of many keys as of one moment, the end of what is torn."""

from collections.abc import Sequence
from typing import Final

from agents.store.api import Head

#: Fields and values of one HSET: Lua's stack holds no more than some 8,000.
CHUNK: Final = 4_000

#: KEYS: the head, then all keys touched. ARGV: base offset, base token, then commands, each as its name, the
#: number of its key, how many arguments follow, and those. FORGET is none of Redis' own: it deletes from a hash the
#: fields that hold the value given.
#:
#: ``commits`` counts up, ``whole`` is set to it. Where Redis has lost the end of a commit and later applied the rest of
#: it after all (docs/adr/0002-one-commit.md), the first has counted once more than the second says, from then on.
COMMIT: Final = """
local head = redis.call('HMGET', KEYS[1], 'offset', 'token', 'commits', 'whole')
if (head[1] or '-1') ~= ARGV[1] or (head[2] or '') ~= ARGV[2] or head[3] ~= head[4] then return 0 end
local commits = redis.call('HINCRBY', KEYS[1], 'commits', 1)
local at, last = 3, #ARGV
while at <= last do
  local count = tonumber(ARGV[at + 2])
  local key = KEYS[tonumber(ARGV[at + 1])]
  if ARGV[at] == 'FORGET' then
    for field = at + 3, at + 2 + count, 2 do
      if redis.call('HMGET', key, ARGV[field])[1] == ARGV[field + 1] then redis.call('HDEL', key, ARGV[field]) end
    end
  else
    redis.call(ARGV[at], key, unpack(ARGV, at + 3, at + 2 + count))
  end
  at = at + 3 + count
end
redis.call('HSET', KEYS[1], 'whole', commits)
return 1
"""

#: Takes away all keys of a partition that is torn. The head goes last: half of this, too, leaves it torn.
TAKE_AWAY: Final = """
local head = redis.call('HMGET', KEYS[1], 'commits', 'whole')
if head[1] == head[2] then return 0 end
for at = #KEYS, 1, -1 do redis.call('UNLINK', KEYS[at]) end
return 1
"""

#: Reads hashes (h), sets (s), strings (b, by MGET as elsewhere) and the newest entry of a stream, as of one moment.
READ: Final = """
local found = {}
for at, key in ipairs(KEYS) do
  local kind = string.sub(ARGV[at], 1, 1)
  if kind == 'h' then found[at] = redis.call('HGETALL', key)
  elseif kind == 's' then found[at] = redis.call('SMEMBERS', key)
  elseif kind == 'b' then found[at] = redis.call('MGET', key)[1]
  else found[at] = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1) end
end
return found
"""


class Script:
    """The commands of one commit, as the script reads them."""

    def __init__(self, base: Head, head_key: str) -> None:
        self.keys: dict[str, int] = {head_key: 1}
        self.arguments: list[str | bytes | int] = [base.offset, base.token]

    def do(self, command: str, key: str, arguments: Sequence[str | bytes | int]) -> None:
        """Add one command, in pieces where it is long; with nothing to do it is left out."""
        number = self.keys.setdefault(key, len(self.keys) + 1)
        for start in range(0, len(arguments), CHUNK):
            piece = arguments[start : start + CHUNK]
            self.arguments += (command, number, len(piece), *piece)

    def touch(self, command: str, key: str) -> None:
        """Add a command that takes nothing but its key."""
        self.arguments += (command, self.keys.setdefault(key, len(self.keys) + 1), 0)
