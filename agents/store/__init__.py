"""The store: what is counted, kept per partition, changed by one atomic commit at a time.

``api`` says what a store does, ``redis`` and ``memory`` do it; one suite of tests holds both to it.
"""

from agents.store.api import (
    NOTHING,
    Beat,
    Changes,
    Commit,
    Delta,
    Head,
    Loaded,
    Reader,
    SchemaMismatchError,
    Snapshot,
    Store,
    StoreError,
    bucket_names,
)

__all__ = [
    "NOTHING",
    "Beat",
    "Changes",
    "Commit",
    "Delta",
    "Head",
    "Loaded",
    "Reader",
    "SchemaMismatchError",
    "Snapshot",
    "Store",
    "StoreError",
    "bucket_names",
]
