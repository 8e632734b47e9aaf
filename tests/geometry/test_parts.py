"""Connected parts: exact for unions of boxes, and for what is cut, however thin the cut or narrow the passage."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pinn_ntk.geometry import Box, annulus, ball, box, difference, intersection, over_time, parts, union

SQUARE = box([0.0, 0.0], [1.0, 1.0])
BAR = box([-2.0, 0.4], [2.0, 0.6])
DOMAINS = {  # and how many parts each has
    "square": (SQUARE, 1),
    "apart": (union(SQUARE, box([2, 0], [3, 1])), 2),
    "a gap of 1e-4": (union(SQUARE, box([1.0001, 0], [2, 1])), 2),
    "a common face": (union(SQUARE, box([1, 0], [2, 1])), 1),
    "a common corner": (union(SQUARE, box([1, 1], [2, 2])), 2),
    "a channel of 5e-4": (union(SQUARE, box([1, 0.5], [2, 0.5005]), box([2, 0], [3, 1])), 1),
    "one in another": (union(ball([0, 0], 1), ball([0, 0], 0.1)), 1),
    "cut": (difference(SQUARE, BAR), 2),
    "a cut of 1e-3": (difference(SQUARE, box([-1, 0.5], [2, 0.501])), 2),
    "a passage of 2e-3": (difference(SQUARE, box([-1, 0.4], [0.998, 0.6])), 1),
    "a ring taken": (difference(ball([0, 0], 2), annulus([0, 0], 1, 1.5)), 2),
    "passages between holes": (difference(SQUARE, ball([0.5, 0.25], 0.249), ball([0.5, 0.75], 0.2495)), 1),
    "many holes": (difference(SQUARE, *[ball([0.1 + 0.2 * i, 0.3], 0.05) for i in range(5)]), 1),
    "lens": (intersection(ball([0, 0], 1), ball([1, 0], 1)), 1),
    "caps": (intersection(difference(ball([0, 0], 1), BAR), box([-2, -2], [2, 2])), 2),
    "interval": (difference(box(0, 1), box(0.4, 0.6)), 2),
    "ball": (difference(ball([0, 0, 0], 1), box([-2, -2, -0.1], [2, 2, 0.1])), 2),
    "in time": (over_time(union(SQUARE, box([2, 0], [3, 1])), 0, 1), 2),
}


@pytest.mark.parametrize("name", DOMAINS)
def test_parts_are_counted_and_their_places_are_inside_each(name):
    domain, count = DOMAINS[name]
    found = parts(domain)
    assert found.count == count
    assert found.label(found.places).tolist() == list(range(count))
    assert bool(domain.inside(found.places).all())


def test_a_domain_that_has_no_hash_has_parts_too():
    assert parts(Box([0.0, 0.0], [1.0, 1.0])).count == 1


def test_points_of_the_boundary_belong_to_the_part_that_they_bound():
    halves = difference(SQUARE, box([-1.0, 0.5], [2.0, 0.501]))
    label, upper = parts(halves).label, lambda x: (x[:, 1] > 0.5005).long()
    for x in (halves.interior(500), halves.boundary(500)):
        swap = label(x[:1]) != upper(x[:1])
        assert torch.equal(label(x), upper(x) ^ swap.long())


@settings(deadline=None, max_examples=15)
@given(st.sets(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=8))
def test_unions_of_cells_are_joined_by_faces(cells):
    def reached(start):
        seen, todo = {start}, [start]
        while todo:
            i, j = todo.pop()
            for other in {(i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)} & cells - seen:
                seen.add(other)
                todo.append(other)
        return frozenset(seen)

    found = parts(union(*(box([i, j], [i + 1, j + 1]) for i, j in sorted(cells))))
    islands = {reached(cell) for cell in cells}
    assert found.count == len(islands)
    for island in islands:
        middles = torch.tensor([[i + 0.5, j + 0.5] for i, j in island], dtype=torch.float64)
        assert len(set(found.label(middles).tolist())) == 1
