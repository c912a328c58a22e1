"""The store in Redis: one script for a commit, one to read many keys as of one moment.

docs/adr/0002-one-commit.md says why. Redis, Redis Cluster and Valkey serve alike: all keys that a script
touches are named in its keys and share one slot.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Any, Final

import hiredis
from redis.asyncio import Connection, Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import NoPermissionError, RedisClusterException, RedisError

from agents.store import keys as k
from agents.store.api import (
    NOTHING,
    SCHEMA,
    Beat,
    Changes,
    Commit,
    Delta,
    Head,
    Loaded,
    SchemaMismatchError,
    Snapshot,
    StoreError,
)
from streams.windows import Buckets

#: A commit answers within this, or is taken for failed and tried again.
TIMEOUT_S: Final = 2.0

#: As many commits are kept for readers who lag.
LOG_LENGTH: Final = 200

#: Fields and values of one HSET: Lua's stack holds no more than some 8,000.
CHUNK: Final = 4_000

#: KEYS: the head, then all keys touched. ARGV: base offset, base token, then commands, each as its name, the
#: number of its key, how many arguments follow, and those. FORGET is none of Redis' own: it deletes from a hash the
#: fields that hold the value given.
COMMIT: Final = """
local head = redis.call('HMGET', KEYS[1], 'offset', 'token')
if (head[1] or '-1') ~= ARGV[1] or (head[2] or '') ~= ARGV[2] then return 0 end
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
return 1
"""

#: Reads hashes, and with ARGV[1] the newest id of the log, as of one moment.
READ: Final = """
local found = {}
for at, key in ipairs(KEYS) do
  local kind = string.sub(ARGV[at], 1, 1)
  if kind == 'h' then found[at] = redis.call('HGETALL', key)
  elseif kind == 's' then found[at] = redis.call('SMEMBERS', key)
  else found[at] = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1) end
end
return found
"""


class _Script:
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


class _Connection(Connection):
    """Has hiredis pack commands in C: redis-py's asyncio connections do it in Python, 1 us for each argument.

    Without TLS only; with it redis-py's own connection is used.
    """

    def pack_command(self, *args: Any) -> list[bytes]:
        """Return one command as it goes over the wire."""
        name = args[0].encode() if isinstance(args[0], str) else args[0]
        return [hiredis.pack_command((*name.split(), *args[1:]))]


class RedisStore:
    """Both sides of the store in Redis, a Redis Cluster, or Valkey."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S, **options: Any) -> None:
        """Take ``redis://``, ``rediss://`` or ``redis-cluster://`` (and ``rediss-cluster://``) addresses."""
        retry = Retry(ExponentialBackoff(cap=0.2, base=0.02), retries=1)
        common = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s, "retry": retry, **options}
        self._client: Any
        if "-cluster://" in url:
            self._client = RedisCluster.from_url(url.replace("-cluster://", "://"), **common)
        else:
            self._client = Redis.from_url(url, connection_class=_Connection, **common)
        self._commit = self._client.register_script(COMMIT) if not self._clustered else None
        self._read_script = self._client.register_script(READ) if not self._clustered else None

    @property
    def _clustered(self) -> bool:
        return isinstance(self._client, RedisCluster)

    async def _run(self, script: Any, source: str, keys: list[str], arguments: list[Any]) -> Any:
        if script is not None:
            return await script(keys=keys, args=arguments)
        return await self._client.eval(source, len(keys), *keys, *arguments)

    async def _read(self, wanted: list[tuple[str, str]]) -> list[Any]:
        """Return hashes (h), sets (s) and a stream's newest entry (x), all as of one moment."""
        names = [key for key, _ in wanted]
        found: list[Any] = await self._run(self._read_script, READ, names, [kind for _, kind in wanted])
        return found

    async def ping(self) -> None:
        """Raise StoreError unless Redis answers."""
        async with _errors():
            await self._client.ping()

    async def probe(self, *, writes: bool) -> None:
        """Raise StoreError if this user may not do all that a board does, or a worker, who ``writes``.

        Nothing of it stays. What else stands in the way, such as a full memory, may pass: that is left to those who
        can wait. For one who writes raise SchemaMismatchError if another version has written what there is.
        """
        keys = k.Keys("probe/0")
        try:
            async with _errors():
                await self._read([(keys.head, "h"), (keys.buckets, "s"), (keys.log, "x")])
                for partition in await self.partitions() if writes else ():
                    (head,) = await self._read([(k.Keys(partition).head, "h")])
                    _check_schema(dict(k.pairs(head)), partition)
                if writes:
                    await self._client.mget([keys.settled(0)])
                    await self._run(self._commit, COMMIT, *_all_writes(keys))
                else:
                    await self.partitions()
                    await self._client.xrange(keys.log, count=1)
        except StoreError as error:
            # In a script an older Redis gives what is forbidden no code of its own.
            if isinstance(error.__cause__, NoPermissionError) or "user executing" in str(error):
                raise

    async def load(self, partition: str) -> Loaded:
        """Return what a worker goes on with."""
        keys = k.Keys(partition)
        wanted = [(keys.head, "h"), (keys.open, "h"), (keys.totals, "h"), (keys.stats, "h"), (keys.buckets, "s")]
        wanted += [(keys.outbox, "h")]
        async with _errors():
            await self._client.sadd(k.PARTITIONS, partition)
            head, opened, totals, stats, buckets, outbox = await self._read(wanted)
        fields = dict(k.pairs(head))
        _check_schema(fields, partition)
        beat = _beat(fields)
        return Loaded(
            head=_head(fields),
            watermark=beat.watermark if beat else None,
            open={name.decode(): value for name, value in k.pairs(opened)},
            totals=k.totals(totals),
            stats={name.decode(): int(value) for name, value in k.pairs(stats)},
            fine=k.numbers(buckets, "f"),
            intervals=k.numbers(buckets, "i"),
            settled=k.numbers(buckets, "s"),
            days=k.numbers(buckets, "d"),
            outbox={name.decode(): message for name, message in k.pairs(outbox)},
            terms=k.unpack_terms(fields[b"terms"]) if b"terms" in fields else None,
        )

    async def rows(self, partition: str, fine: Collection[int], intervals: Collection[int]) -> tuple[Buckets, Buckets]:
        """Return single buckets."""
        keys = k.Keys(partition)
        found = await self._hashes([*map(keys.fine, fine), *map(keys.interval, intervals)])
        return _buckets(fine, found), _buckets(intervals, found[len(fine) :])

    async def day_rows(self, partition: str, days: Collection[int]) -> Buckets:
        """Return single days."""
        return _buckets(days, await self._hashes([*map(k.Keys(partition).day, days)]))

    async def _hashes(self, names: list[str]) -> list[Any]:
        found: list[Any] = []
        async with _errors():
            for start in range(0, len(names), CHUNK):
                found += await self._read([(name, "h") for name in names[start : start + CHUNK]])
        return found

    async def settled(self, partition: str, hours: Collection[int]) -> dict[int, bytes]:
        """Return digests by hour."""
        keys = k.Keys(partition)
        if not hours:
            return {}
        async with _errors():
            found = await self._client.mget([keys.settled(hour) for hour in hours])
        return {hour: digests or b"" for hour, digests in zip(hours, found, strict=True)}

    async def commit(self, partition: str, base: Head, commit: Commit) -> Head | None:
        """Apply ``commit`` if ``base`` still is the head."""
        keys, head = k.Keys(partition), Head(commit.offset, token_hex(8))
        script = _Script(base, keys.head)
        _write_head(script, keys, head, commit)
        _write_state(script, keys, commit)
        _write_buckets(script, keys, commit)
        entry = ("base", base.token, "token", head.token, "delta", k.pack(commit.delta))
        script.do("XADD", keys.log, ["MAXLEN", "~", LOG_LENGTH, "*", *entry])
        async with _errors():
            applied = await self._run(self._commit, COMMIT, list(script.keys), script.arguments)
        return head if applied else None

    async def beat(self, partition: str, base: Head, beat: Beat) -> bool:
        """Note a sign of life if ``base`` still is the head."""
        keys = k.Keys(partition)
        script = _Script(base, keys.head)
        script.do("HSET", keys.head, ["beat", k.pack(beat)])
        async with _errors():
            return bool(await self._run(self._commit, COMMIT, list(script.keys), script.arguments))

    async def partitions(self) -> list[str]:
        """Return all names, sorted."""
        async with _errors():
            return sorted(name.decode() for name in await self._client.smembers(k.PARTITIONS))

    async def snapshot(self, partition: str, fine: Collection[int], intervals: Collection[int]) -> Snapshot:
        """Return what a reader starts from."""
        keys = k.Keys(partition)
        wanted = [(keys.head, "h"), (keys.now, "h"), (keys.totals, "h"), (keys.stats, "h"), (keys.log, "x")]
        wanted += [(keys.fine(number), "h") for number in fine]
        wanted += [(keys.interval(number), "h") for number in intervals]
        async with _errors():
            head, now, totals, stats, log, *buckets = await self._read(wanted)
        fields = dict(k.pairs(head))
        _check_schema(fields, partition)
        return Snapshot(
            cursor=f"{log[0][0].decode() if log else '0-0'} {_head(fields).token}",
            beat=_beat(fields),
            fine=_buckets(fine, buckets),
            intervals=_buckets(intervals, buckets[len(fine) :]),
            totals=k.totals(totals),
            now={name.decode(): k.unpack_now(value) for name, value in k.pairs(now)},
            stats={name.decode(): int(value) for name, value in k.pairs(stats)},
        )

    async def changes(self, partition: str, cursor: str) -> Changes | None:
        """Return what came since ``cursor``, or None."""
        keys = k.Keys(partition)
        last, token = cursor.split(" ")
        async with _errors():
            pipeline = self._client.pipeline(transaction=False)
            pipeline.hmget(keys.head, "token", "beat")
            pipeline.xrange(keys.log, min=f"({last}")
            (stored, packed), entries = await pipeline.execute()
        beat = k.unpack_beat(packed) if packed else None
        if not entries:
            return Changes(cursor, [], beat) if (stored or b"").decode() == token else None
        deltas: list[Delta] = []
        for entry_id, fields in entries:
            if fields[b"base"].decode() != token:
                return None
            token, last = fields[b"token"].decode(), entry_id.decode()
            deltas.append(k.unpack_delta(fields[b"delta"]))
        return Changes(f"{last} {token}", deltas, beat)

    async def intervals(self, partition: str) -> set[int]:
        """Return the numbers of the stored intervals."""
        async with _errors():
            return k.numbers(await self._client.smembers(k.Keys(partition).buckets), "i")

    async def days(self, partition: str) -> set[int]:
        """Return the stored days."""
        async with _errors():
            return k.numbers(await self._client.smembers(k.Keys(partition).buckets), "d")

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()


@asynccontextmanager
async def _errors() -> AsyncIterator[None]:
    """Turn what Redis' client raises into StoreError, in one line."""
    try:
        yield
    # AttributeError: redis-py's cluster client closes a node that it no longer has when a master dies.
    except (RedisError, RedisClusterException, OSError, TimeoutError, AttributeError) as error:
        raise StoreError(f"Redis: {str(error) or type(error).__name__}") from error


def _all_writes(keys: k.Keys) -> tuple[list[str], list[Any]]:
    """Return the keys and arguments of a commit that does all that commits do, and undoes it."""
    script = _Script(NOTHING, keys.head)
    script.do("HSET", keys.open, ["name", ""])
    script.do("HDEL", keys.open, ["name"])
    script.do("SADD", keys.buckets, ["s0"])
    script.do("SREM", keys.buckets, ["s0"])
    script.do("APPEND", keys.settled(0), ["digests"])
    script.do("XADD", keys.log, ["*", "base", ""])
    script.touch("UNLINK", keys.settled(0))
    script.touch("UNLINK", keys.log)
    return list(script.keys), script.arguments


def _write_head(script: _Script, keys: k.Keys, head: Head, commit: Commit) -> None:
    fields: list[str | bytes | int] = ["offset", head.offset, "token", head.token, "schema", SCHEMA]
    fields += ["beat", k.pack(commit.beat)]
    if commit.terms is not None:
        fields += ["terms", k.pack(commit.terms)]
    script.do("HSET", keys.head, fields)


def _write_state(script: _Script, keys: k.Keys, commit: Commit) -> None:
    for key, changes in ((keys.open, commit.open), (keys.now, commit.delta.now)):
        kept: list[str | bytes | int] = []
        for name, value in changes.items():
            if value is not None:
                kept += (name, value if isinstance(value, bytes) else k.pack(value))
        script.do("HSET", key, kept)
        script.do("HDEL", key, [name for name, value in changes.items() if value is None])
    script.do("HSET", keys.totals, k.packed_rows(commit.totals))
    script.do("HSET", keys.stats, _flat(commit.delta.stats))
    # First what was sent, then what is to be sent: a message told again is sent again.
    script.do("FORGET", keys.outbox, _flat(commit.sent))
    script.do("HSET", keys.outbox, _flat(commit.outbox))


def _flat(fields: Mapping[str, int] | Mapping[str, bytes]) -> list[str | bytes | int]:
    flat: list[str | bytes | int] = []
    for name, value in fields.items():
        flat += (name, value)
    return flat


def _write_buckets(script: _Script, keys: k.Keys, commit: Commit) -> None:
    for number, places in commit.fine.items():
        script.do("HSET", keys.fine(number), k.packed_rows(places))
    for number, places in commit.intervals.items():
        script.do("HSET", keys.interval(number), k.packed_rows(places))
    for number, places in commit.days.items():
        script.do("HSET", keys.day(number), k.packed_rows(places))
    for hour, digests in commit.settled.items():
        script.do("APPEND", keys.settled(hour), [digests])
    script.do("SADD", keys.buckets, _names(f=commit.fine, i=commit.intervals, d=commit.days, s=commit.settled))
    dropped = [keys.fine(number) for number in commit.drop_fine]
    dropped += [keys.interval(number) for number in commit.drop_intervals]
    dropped += [keys.day(number) for number in commit.drop_days]
    dropped += [keys.settled(hour) for hour in commit.drop_settled]
    for key in dropped:
        script.touch("UNLINK", key)
    gone = _names(f=commit.drop_fine, i=commit.drop_intervals, d=commit.drop_days, s=commit.drop_settled)
    script.do("SREM", keys.buckets, gone)


def _names(**numbers: Iterable[int]) -> list[str]:
    return [f"{kind}{number}" for kind, found in numbers.items() for number in found]


def _buckets(numbers: Collection[int], found: list[list[bytes]]) -> Buckets:
    return {number: k.rows(flat) for number, flat in zip(numbers, found, strict=False) if flat}


def _head(fields: dict[bytes, bytes]) -> Head:
    if b"offset" not in fields:
        return NOTHING
    return Head(int(fields[b"offset"]), fields[b"token"].decode())


def _beat(fields: dict[bytes, bytes]) -> Beat | None:
    return k.unpack_beat(fields[b"beat"]) if b"beat" in fields else None


def _check_schema(fields: dict[bytes, bytes], partition: str) -> None:
    found = int(fields.get(b"schema", b"") or SCHEMA)
    if found != SCHEMA:
        raise SchemaMismatchError(
            f"Redis holds {partition} in form {found}, that of another version of callwatch; this one reads form "
            f"{SCHEMA}. Run that version, or give CALLWATCH_REDIS an empty database: it is rebuilt from Kafka."
        )
