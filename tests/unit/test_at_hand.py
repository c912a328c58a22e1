"""The rows at hand: what they come to, and which of them are kept."""

import random

from agents.processors.at_hand import AtHand
from streams.windows import Buckets, post
from tests.unit.counted import SALES

CARE = ("care", "chat")


def test_rows_come_to_what_was_learnt_and_all_that_was_added() -> None:
    chance, right, at_hand = random.Random(1), Buckets(), AtHand(10)
    at_hand.learn({3: {SALES: {1: 7, 2: 1}}})
    post(right, {3: {SALES: {1: 7, 2: 1}}})
    for _ in range(200):
        row = {chance.randrange(1, 4): chance.choice((-1, 1, 2))}
        deltas = {chance.randrange(5): {chance.choice((SALES, CARE)): row}}
        post(right, deltas)
        changed = at_hand.post(deltas)
        assert changed == {n: {place: right[n][place] for place in places} for n, places in deltas.items()}
    assert {number: at_hand.rows(number) for number in right} == right


def test_only_the_newest_buckets_are_kept() -> None:
    at_hand = AtHand(2)
    at_hand.post({number: {SALES: {1: 1}} for number in (5, 1, 9, 3)})
    at_hand.forget()
    assert [number for number in range(10) if number in at_hand] == [5, 9]


def test_a_row_that_came_to_nothing_is_one_that_changed() -> None:
    at_hand = AtHand(2)
    at_hand.learn({1: {SALES: {1: 1}}})
    assert at_hand.post({1: {SALES: {1: -1}}}) == {1: {SALES: {}}}
