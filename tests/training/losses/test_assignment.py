"""Each person is learnt by the cells that find them best, and a small one by some cell at least."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from hiseg_training.losses.assignment import CANDIDATES, assign, near, pair_iou
from hiseg_training.models.finder import cell_centres

POINTS = cell_centres(8, 8, 8, torch.zeros(()))
STRIDES = torch.full((64,), 8.0)


def around(points: torch.Tensor, side: float = 16.0) -> torch.Tensor:
    return torch.cat([points - side / 2, points + side / 2], dim=1)


def test_iou_of_pairs() -> None:
    a = torch.tensor([[0.0, 0.0, 2.0, 2.0], [4.0, 4.0, 6.0, 6.0]])
    b = torch.tensor([[1.0, 0.0, 3.0, 2.0]])
    assert torch.allclose(pair_iou(a, b), torch.tensor([[1 / 3], [0.0]]))


def test_nobody_is_assigned_where_nobody_is() -> None:
    assigned = assign(torch.rand(64), around(POINTS), POINTS, STRIDES, torch.zeros(0, 4))
    assert (assigned.person == -1).all()
    assert not assigned.quality.any()


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 60), st.floats(2, 40), st.floats(2, 40)), max_size=6))
def test_cells_learn_people_that_they_are_near(corners: list[tuple[float, float, float, float]]) -> None:
    people = torch.tensor([[x, y, min(64, x + w), min(64, y + h)] for x, y, w, h in corners]).reshape(-1, 4)
    scores = torch.full((64,), 0.01)
    boxes = around(POINTS)
    assigned = assign(scores, boxes, POINTS, STRIDES, people)
    taken = assigned.person >= 0
    assert ((assigned.quality > 0) <= taken).all()
    assert float(assigned.quality.max()) <= 1
    for index in range(len(people)):
        mine = assigned.person == index
        assert int(mine.sum()) <= CANDIDATES
        assert (near(POINTS, STRIDES, people[index : index + 1])[0] | ~mine).all()
        if mine.any():
            best = pair_iou(people[index : index + 1], boxes[mine]).max()
            assert torch.isclose(assigned.quality[mine].max(), best, rtol=1e-3)


def test_somebody_smaller_than_a_cell_is_learnt() -> None:
    person = torch.tensor([[14.0, 14.0, 17.0, 17.0]])  # between the centres of four cells
    assigned = assign(torch.full((64,), 0.01), around(POINTS, 8), POINTS, STRIDES, person)
    assert int((assigned.person == 0).sum()) > 0
