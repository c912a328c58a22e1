"""The store in Redis, by the scripts of ``scripts.py``.

docs/adr/0002-one-commit.md says why. Redis, Redis Cluster and Valkey serve alike: all keys that a script
touches are named in its keys and share one slot.
"""

from asyncio import to_thread
from collections.abc import AsyncIterator, Collection, Mapping
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
    bucket_names,
)
from agents.store.packed import merged_digests, merged_rows, packed_anew
from agents.store.scripts import CHUNK, COMMIT, READ, TAKE_AWAY, Script
from streams.contact import Place
from streams.measures import Row
from streams.windows import Buckets

#: A commit answers within this, or is taken for failed and tried again.
TIMEOUT_S: Final = 2.0

#: As many commits are kept for readers who lag.
LOG_LENGTH: Final = 200


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
        """Return hashes (h), sets (s), strings (b) and a stream's newest entry (x), all as of one moment."""
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
                await self._read([(keys.head, "h"), (keys.buckets, "s"), (keys.log, "x"), (keys.packed("s0"), "b")])
                for partition in await self.partitions() if writes else ():
                    (head,) = await self._read([(k.Keys(partition).head, "h")])
                    _check_schema(dict(k.pairs(head)), partition)
                if writes:
                    # What a user without the rights began is torn; it must not keep the next from trying.
                    await self._client.unlink(keys.head)
                    await self._run(self._commit, COMMIT, *_all_writes(keys))
                    await self._client.unlink(keys.head)
                else:
                    await self.partitions()
                    await self._client.xrange(keys.log, count=1)
        except StoreError as error:
            # In a script an older Redis gives what is forbidden no code of its own.
            if isinstance(error.__cause__, NoPermissionError) or "user executing" in str(error):
                raise

    async def load(self, partition: str) -> Loaded:
        """Return what a worker goes on with: nothing, if what there is was torn; that is taken away."""
        keys = k.Keys(partition)
        async with _errors():
            torn = await self._forget_if_torn(keys, partition)
        loaded = await self._load(keys, partition)
        loaded.torn = torn
        return loaded

    async def _forget_if_torn(self, keys: k.Keys, partition: str) -> bool:
        head, buckets = await self._read([(keys.head, "h"), (keys.buckets, "s")])
        fields = dict(k.pairs(head))
        if not _is_torn(fields):
            return False
        _check_schema(fields, partition)
        names = [keys.head, keys.open, keys.now, keys.totals, keys.stats, keys.outbox, keys.buckets, keys.log]
        known = {member.decode() for member in buckets}
        names += [keys.packed(name[1:]) if name[0] == "p" else keys.bucket(name) for name in known]
        return bool(await self._client.eval(TAKE_AWAY, len(names), *names))

    async def _load(self, keys: k.Keys, partition: str) -> Loaded:
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
            loose=k.loose(buckets),
            outbox={name.decode(): message for name, message in k.pairs(outbox)},
            terms=k.unpack_terms(fields[b"terms"]) if b"terms" in fields else None,
        )

    async def rows(self, partition: str, fine: Collection[int], intervals: Collection[int]) -> tuple[Buckets, Buckets]:
        """Return single buckets."""
        found = await self._rows(partition, bucket_names(fine, intervals))
        return _buckets(fine, found), _buckets(intervals, found[len(fine) :])

    async def day_rows(self, partition: str, days: Collection[int]) -> Buckets:
        """Return single days."""
        return _buckets(days, await self._rows(partition, bucket_names(days=days)))

    async def _rows(self, partition: str, names: list[str]) -> list[dict[Place, Row]]:
        keys, found = k.Keys(partition), list[Any]()
        wanted = [both for name in names for both in keys.both(name)]
        async with _errors():
            for start in range(0, len(wanted), CHUNK):
                found += await self._read(wanted[start : start + CHUNK])
        return [merged_rows(*both) for both in k.pairs(found)]

    async def settled(self, partition: str, hours: Collection[int]) -> dict[int, bytes]:
        """Return digests by hour."""
        keys = k.Keys(partition)
        if not hours:
            return {}
        wanted = [both for name in bucket_names(settled=hours) for both in keys.both(name)]
        async with _errors():
            found = await self._read(wanted)
        return {hour: merged_digests(*both) for hour, both in zip(hours, k.pairs(found), strict=True)}

    async def commit(self, partition: str, base: Head, commit: Commit) -> Head | None:
        """Apply ``commit`` if ``base`` still is the head."""
        keys, head = k.Keys(partition), Head(commit.offset, token_hex(8))
        script = Script(base, keys.head)
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
        script = Script(base, keys.head)
        script.do("HSET", keys.head, ["beat", k.pack(beat)])
        async with _errors():
            return bool(await self._run(self._commit, COMMIT, list(script.keys), script.arguments))

    async def pack(self, partition: str, base: Head, names: Collection[str]) -> bool:
        """Keep buckets in less room if ``base`` still is the head."""
        keys, script = k.Keys(partition), Script(base, k.Keys(partition).head)
        async with _errors():
            found = await self._read([both for name in names for both in keys.both(name)])
            script.do("SADD", keys.buckets, [f"p{name}" for name in names])
            for name, (loose, packed) in zip(names, k.pairs(found), strict=True):
                # Some 100 ms for a large bucket, in which others go on.
                anew = await to_thread(packed_anew, name, loose, packed)
                script.touch("UNLINK", keys.packed(name))
                # In place of SET: a right that a worker needs anyway.
                script.do("APPEND", keys.packed(name), [anew])
                script.touch("UNLINK", keys.bucket(name))
            script.do("SREM", keys.buckets, list(names))
            return bool(await self._run(self._commit, COMMIT, list(script.keys), script.arguments))

    async def partitions(self) -> list[str]:
        """Return all names, sorted."""
        async with _errors():
            return sorted(name.decode() for name in await self._client.smembers(k.PARTITIONS))

    async def snapshot(self, partition: str, fine: Collection[int], intervals: Collection[int]) -> Snapshot:
        """Return what a reader starts from."""
        keys = k.Keys(partition)
        wanted = [(keys.head, "h"), (keys.now, "h"), (keys.totals, "h"), (keys.stats, "h"), (keys.log, "x")]
        wanted += [both for name in bucket_names(fine, intervals) for both in keys.both(name)]
        async with _errors():
            head, now, totals, stats, log, *found = await self._read(wanted)
        fields = dict(k.pairs(head))
        _check_schema(fields, partition)
        if _is_torn(fields):
            raise StoreError(f"Redis has applied half of a commit of {partition}: its worker counts it anew from Kafka")
        buckets = [merged_rows(*both) for both in k.pairs(found)]
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
    script = Script(NOTHING, keys.head)
    script.do("HSET", keys.open, ["name", ""])
    script.do("HDEL", keys.open, ["name"])
    script.do("SADD", keys.buckets, ["s0"])
    script.do("SREM", keys.buckets, ["s0"])
    script.do("APPEND", keys.bucket("s0"), ["digests"])
    script.do("XADD", keys.log, ["*", "base", ""])
    script.touch("UNLINK", keys.bucket("s0"))
    script.touch("UNLINK", keys.log)
    return list(script.keys), script.arguments


def _write_head(script: Script, keys: k.Keys, head: Head, commit: Commit) -> None:
    fields: list[str | bytes | int] = ["offset", head.offset, "token", head.token, "schema", SCHEMA]
    fields += ["beat", k.pack(commit.beat)]
    if commit.terms is not None:
        fields += ["terms", k.pack(commit.terms)]
    script.do("HSET", keys.head, fields)


def _write_state(script: Script, keys: k.Keys, commit: Commit) -> None:
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


def _write_buckets(script: Script, keys: k.Keys, commit: Commit) -> None:
    # What there is of a bucket can be told from its name at any moment, should the rest of the commit be torn off.
    hours, written = bucket_names(settled=commit.settled), (commit.fine, commit.intervals, commit.days)
    names = bucket_names(*written)
    script.do("SADD", keys.buckets, [*names, *hours])
    for name, rows in zip(names, (rows for buckets in written for rows in buckets.values()), strict=True):
        script.do("HSET", keys.bucket(name), k.packed_rows(rows))
    for name, digests in zip(hours, commit.settled.values(), strict=True):
        script.do("APPEND", keys.bucket(name), [digests])
    dropped = bucket_names(commit.drop_fine, commit.drop_intervals, commit.drop_days, commit.drop_settled)
    for name in dropped:
        script.touch("UNLINK", keys.bucket(name))
        script.touch("UNLINK", keys.packed(name))
    script.do("SREM", keys.buckets, [member for name in dropped for member in (name, f"p{name}")])


def _buckets(numbers: Collection[int], found: list[dict[Place, Row]]) -> Buckets:
    return {number: rows for number, rows in zip(numbers, found, strict=False) if rows}


def _head(fields: dict[bytes, bytes]) -> Head:
    if b"offset" not in fields:
        return NOTHING
    return Head(int(fields[b"offset"]), fields[b"token"].decode())


def _beat(fields: dict[bytes, bytes]) -> Beat | None:
    return k.unpack_beat(fields[b"beat"]) if b"beat" in fields else None


def _is_torn(fields: dict[bytes, bytes]) -> bool:
    return fields.get(b"commits") != fields.get(b"whole")


def _check_schema(fields: dict[bytes, bytes], partition: str) -> None:
    found = int(fields.get(b"schema", b"") or SCHEMA)
    if found != SCHEMA:
        raise SchemaMismatchError(
            f"Redis holds {partition} in form {found}, that of another version of callwatch; this one reads form "
            f"{SCHEMA}. Run that version, or give CALLWATCH_REDIS an empty database: it is rebuilt from Kafka."
        )
