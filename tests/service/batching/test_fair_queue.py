"""Clients get their shares of the queue in turn."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from hiseg.batching.fair_queue import QUANTUM_MS, FairQueue

A, B = (64, 64), (48, 64)


@dataclass(eq=False)
class Item:
    client: str
    cost_ms: float = 10.0
    canvas: tuple[int, int] = A
    share: float = 1.0
    number: int = 0
    stream: int | None = None


def take(queue: FairQueue[Item], canvas: tuple[int, int] | None = None) -> Item | None:
    item = queue.next(canvas)
    if item is not None:
        queue.take(item)
    return item


def drain(queue: FairQueue[Item]) -> list[Item]:
    taken = []
    while (item := take(queue)) is not None:
        taken.append(item)
    return taken


ITEMS = st.lists(
    st.builds(Item, st.sampled_from("abc"), st.floats(0.01, 300), st.sampled_from([A, B]), st.sampled_from([1.0, 0.1])),
    max_size=40,
)


@given(ITEMS, st.lists(st.sampled_from([A, B, None]), max_size=80))
def test_everything_comes_out_once_and_a_clients_items_on_a_canvas_in_their_order(
    items: list[Item], asked: list[tuple[int, int] | None]
) -> None:
    queue: FairQueue[Item] = FairQueue()
    for number, item in enumerate(items):
        item.number = number
        queue.put(item)
    assert len(queue) == len(items)
    assert all(item in queue for item in items)
    assert Item("a") not in queue
    taken = []
    for canvas in asked:
        item = take(queue, canvas)
        if item is not None:
            assert canvas in (None, item.canvas)
            taken.append(item)
    taken += drain(queue)
    assert len(queue) == 0
    assert not any(item in queue for item in items)
    assert Counter(map(id, taken)) == Counter(map(id, items))
    for key in {(item.client, item.share, item.canvas) for item in items}:
        numbers = [item.number for item in taken if (item.client, item.share, item.canvas) == key]
        assert numbers == sorted(numbers)


@given(st.lists(st.floats(1, 50), min_size=60, max_size=60), st.lists(st.floats(1, 50), min_size=60, max_size=60))
def test_clients_that_always_wait_are_served_alike_to_within_a_job_and_a_quantum(
    ours: list[float], theirs: list[float]
) -> None:
    queue: FairQueue[Item] = FairQueue()
    for cost in ours:
        queue.put(Item("ours", cost))
    for cost in theirs:
        queue.put(Item("theirs", cost))
    served = Counter({"ours": 0.0, "theirs": 0.0})
    for _ in range(50):
        item = take(queue)
        assert item is not None
        served[item.client] += item.cost_ms
        assert abs(served["ours"] - served["theirs"]) <= 2 * (QUANTUM_MS + 50)


def test_a_share_of_a_tenth_gets_a_tenth() -> None:
    queue: FairQueue[Item] = FairQueue()
    for _ in range(300):
        queue.put(Item("fast"))
        queue.put(Item("slow", share=0.1))
    first = Counter(item.client for item in (take(queue) for _ in range(220)) if item)
    assert first == {"fast": 200, "slow": 20}


def test_a_newcomer_waits_for_one_turn_not_for_the_queue() -> None:
    queue: FairQueue[Item] = FairQueue()
    for _ in range(1000):
        queue.put(Item("flood"))
    for _ in range(5):
        take(queue)
    queue.put(Item("single"))
    assert "single" in [item.client for item in (take(queue), take(queue)) if item]


def test_a_client_without_work_on_the_batchs_canvas_keeps_its_turn() -> None:
    queue: FairQueue[Item] = FairQueue()
    queue.put(Item("other", canvas=B))
    for _ in range(10):
        queue.put(Item("flood", canvas=A))
    for _ in range(3):
        item = take(queue, A)
        assert item is not None
        assert item.client == "flood"
    following = queue.next()
    assert following is not None
    assert following.client == "other"


def test_a_turn_is_earned_also_while_batches_are_on_another_canvas() -> None:
    queue: FairQueue[Item] = FairQueue()
    queue.put(Item("dear", 100.0, canvas=B))
    for _ in range(400):
        queue.put(Item("flood", 10.0, canvas=A))
    spent = 0.0
    while (lead := queue.next()) is not None and lead.client == "flood":
        for _ in range(5):  # a batch of five on the leader's canvas
            item = take(queue, A)
            assert item is not None
            spent += item.cost_ms
    assert spent <= 150


def test_an_expensive_job_gets_its_turn_among_cheap_ones() -> None:
    queue: FairQueue[Item] = FairQueue()
    queue.put(Item("dear", 1000.0))
    for _ in range(400):
        queue.put(Item("cheap", 5.0))
    order = [item.client for item in drain(queue)]
    assert 150 <= order.index("dear") <= 250


def test_an_item_can_leave_from_anywhere_at_no_cost() -> None:
    queue: FairQueue[Item] = FairQueue()
    items = [Item("a"), Item("a"), Item("a", canvas=B), Item("b")]
    for item in items:
        queue.put(item)
    for item in (items[1], items[2], items[3]):
        queue.remove(item)
    assert len(queue) == 1
    assert list(queue) == [items[0]]
    assert drain(queue) == [items[0]]
    assert queue.next() is None


@given(ITEMS, st.lists(st.sampled_from([None, 1, 2]), min_size=40, max_size=40), st.data())
def test_streams_of_a_client_take_turns_whatever_is_removed_or_replaced(
    items: list[Item], streams: list[int | None], data: st.DataObject
) -> None:
    queue: FairQueue[Item] = FairQueue()
    for item, stream in zip(items, streams, strict=False):
        item.client, item.canvas, item.share, item.cost_ms, item.stream = "a", A, 1.0, 10.0, stream
        queue.put(item)
        if data.draw(st.booleans()):
            newer = Item("a", stream=stream)
            queue.replace(newer, item)
            assert item not in queue
            assert newer in queue
    waiting = Counter(item.stream for item in queue)
    order = [item.stream for item in drain(queue)]
    assert Counter(order) == waiting
    for stream, count in waiting.items():
        for other in set(waiting) - {stream}:
            # Until the last item of one has come, the other is never more than one ahead.
            last = max(k for k, each in enumerate(order) if each == stream)
            assert order[: last + 1].count(other) <= count


def test_nine_streams_of_one_client_have_the_share_of_one() -> None:
    queue: FairQueue[Item] = FairQueue()
    for stream in range(9):
        for _ in range(10):
            queue.put(Item("many", stream=stream))
    for _ in range(10):
        queue.put(Item("one"))
    first = [take(queue) for _ in range(20)]
    assert Counter(item.client for item in first if item) == {"many": 10, "one": 10}
    assert len({item.stream for item in first if item and item.client == "many"}) == 9


def test_a_frame_that_is_always_replaced_keeps_its_turn() -> None:
    queue: FairQueue[Item] = FairQueue()
    fast = Item("a", stream=1)
    queue.put(fast)
    for _ in range(5):
        queue.put(Item("a", stream=2))
        newer = Item("a", stream=1)
        queue.replace(newer, fast)
        fast = newer
    assert take(queue) is fast
