"""Sends rounds to Kafka, whatever befalls it, and knows how far Kafka has come."""

import asyncio
import json
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.faults.load import Round
from tests.generate import Event, written

#: The producer tries for as long; no fault lasts as long.
DELIVERY_S: Final = 300.0
#: Kafka tells its bounds within this, a broker that is away included.
TELLS_S: Final = 60.0
#: Between two handfuls of records.
TICK_S: Final = 0.05


class Feed:
    """Sends rounds at a steady pace, each record until it is acknowledged; in a thread of its own."""

    def __init__(self, kafka: str, topics: Sequence[str], partitions: int) -> None:
        """Send to ``topics``, a contact's events always to the same; each has as many ``partitions``."""
        self._kafka = kafka.split(",")
        self._topics = topics
        self._numbers = range(partitions)
        self._hurry = threading.Event()
        self._acknowledged: dict[TopicPartition, int] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="feed", daemon=True)
        self._thread.start()
        self._do(self._start()).result(TELLS_S)

    async def _start(self) -> None:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._kafka,
            enable_idempotence=True,
            linger_ms=5,
            request_timeout_ms=int(DELIVERY_S * 1000),
            metadata_max_age_ms=2_000,
        )
        self._consumer = AIOKafkaConsumer(bootstrap_servers=self._kafka, metadata_max_age_ms=2_000)
        await self._producer.start()
        await self._consumer.start()

    def _do(self, work: Any) -> "Future[Any]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def send(self, part: Round, pace_s: float) -> "Future[None]":
        """Send a round, ever more slowly, a third of what is left within ``pace_s``, until it is told to ``finish``.

        Return what is done once all is acknowledged, the round's close too.
        """
        self._hurry.clear()
        return self._do(self._send(part, pace_s))

    def finish(self) -> None:
        """Send the rest of the round at once."""
        self._hurry.set()

    def acknowledged(self) -> dict[TopicPartition, int]:
        """Return how many records of each partition are known to be in Kafka; asks nobody."""
        return dict(self._acknowledged)

    def ends(self) -> dict[TopicPartition, int]:
        """Return how many records each partition has."""
        wanted = [TopicPartition(topic, number) for topic in self._topics for number in self._numbers]
        found: dict[TopicPartition, int] = self._do(self._consumer.end_offsets(wanted)).result(TELLS_S)
        return found

    async def _send(self, part: Round, pace_s: float) -> None:
        sent, done, total = list[Any](), 0, len(part.arrivals)
        while done < total:
            most = total if self._hurry.is_set() else done + 1 + int((total - done) * TICK_S / pace_s)
            for arrival in part.arrivals[done:most]:
                sent.append(await self._put(arrival.event))
            done = most
            await asyncio.sleep(0 if self._hurry.is_set() else TICK_S)
        for topic in self._topics:
            sent += [await self._put(_closing(part, topic, number), topic, number) for number in self._numbers]
        await asyncio.gather(*sent)

    async def _put(self, event: Event, topic: str = "", partition: int | None = None) -> "asyncio.Future[Any]":
        name = event["contact_id"]
        topic = topic or self._topics[int(name.rpartition("c")[2]) % len(self._topics)]
        sent: asyncio.Future[Any] = await self._producer.send(
            topic, json.dumps(event).encode(), name.encode(), partition
        )
        sent.add_done_callback(self._note)
        return sent

    def _note(self, sent: "asyncio.Future[Any]") -> None:
        if not sent.cancelled() and sent.exception() is None:
            place, end = sent.result().topic_partition, sent.result().offset + 1
            self._acknowledged[place] = max(end, self._acknowledged.get(place, 0))

    def close(self) -> None:
        """Let go of Kafka."""
        self._do(self._stop()).result(TELLS_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _stop(self) -> None:
        await self._producer.stop()
        await self._consumer.stop()


def _closing(part: Round, topic: str, partition: int) -> Event:
    """Return an event that says nothing but how late it is, so that a partition's watermark comes to the close."""
    name = f"r{part.number}-close-{topic.rpartition('.')[2]}-{partition}"
    return {
        "id": name,
        "type": "contact.started",
        "time": written(part.close),
        "contact_id": name,
        "channel": "voice",
    }
