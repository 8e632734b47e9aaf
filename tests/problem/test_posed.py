"""What blocks were drawn from: conditions about u itself, which any number of points may be asked of."""

import pytest
import torch

from pinn_ntk.problem import PROBLEMS, drawn, problem_from_text

READY = [name for name in PROBLEMS if name not in ("regression", "points")]


def gap(condition, exact, n, seed=5):
    """max |𝓛_b u − f_b| on fresh points, relative."""
    block = drawn(condition, n, seed)
    return float((condition.operator.apply(exact, block.x) - block.target).abs().max() / (1 + block.target.abs().max()))


@pytest.mark.parametrize("boundary", ["hard", "soft"])
@pytest.mark.parametrize("name", READY)
def test_the_exact_solution_satisfies_every_condition(name, boundary):
    problem = PROBLEMS[name](points=8, boundary=boundary, boundary_points=8, test_points=8)
    assert [c.kind for c in problem.posed][:2] == ["interior", "dirichlet"]
    for condition in problem.posed:
        assert gap(condition, problem.exact, 300) < 1e-12, condition.name


@pytest.mark.parametrize("name", READY)
def test_hard_and_soft_problems_are_posed_alike_and_soft_blocks_are_drawn_from_it(name):
    hard, soft = (PROBLEMS[name](points=16, boundary=b, boundary_points=8, test_points=8) for b in ("hard", "soft"))
    assert [c.name for c in hard.posed] == [c.name for c in soft.posed] == [b.name for b in soft.blocks]
    for condition, block in zip(hard.posed, soft.blocks, strict=True):
        assert torch.equal(block.target, Target(condition)(block.x))


class Target:
    def __init__(self, condition):
        self.condition = condition

    def __call__(self, x):
        f = self.condition.target
        return f(x) if callable(f) else torch.full_like(x[:, 0], f)


def test_regions_know_where_they_are_and_how_large():
    inside, boundary, start, speed = PROBLEMS["wave_1d"](final_time=2.0, points=8, test_points=8).posed
    assert [r.region.dim for r in (inside, boundary, start, speed)] == [2, 1, 1, 1]
    assert [r.region.measure for r in (inside, boundary, start, speed)] == [2.0, 4.0, 1.0, 1.0]
    x = boundary.region.sample(50, 0)
    assert ((x[:, 0] == 0) | (x[:, 0] == 1)).all()
    assert (start.region.sample(50, 0)[:, 1] == 0).all()
    assert len(set(boundary.region.pieces)) == 2
    assert not set(boundary.region.pieces) & set(start.region.pieces)


def test_weights_reach_the_conditions():
    posed = PROBLEMS["poisson_2d"](boundary="soft", points=8, weights={"boundary": 7.0}).posed
    assert [c.weight for c in posed] == [1.0, 7.0]
    listed = [{"type": "dirichlet", "weight": 3}]
    problem = problem_from_text(
        {"dim": 2, "operator": {"kind": "laplacian"}, "exact": "x*y", "conditions": listed, "weights": {"interior": 2}}
    )
    assert [c.weight for c in problem.posed] == [b.weight for b in problem.blocks] == [2.0, 3.0]


def test_regression_is_posed_on_the_box_or_at_its_points(tmp_path):
    drawn_points = PROBLEMS["regression"](points=16)
    (condition,) = drawn_points.posed
    assert (condition.kind, condition.region.dim) == ("interior", 1)
    assert gap(condition, drawn_points.exact, 100) == 0.0
    path = tmp_path / "data.csv"
    path.write_text("x,y,value\n0,0,1\n0.5,1,2\n1,0,3\n")
    (condition,) = PROBLEMS["regression"](csv=str(path)).posed
    block = drawn(condition, 1000, 3)
    assert (condition.kind, condition.region.dim, condition.region.measure) == ("data", 0, 3.0)
    assert block.target.tolist() == [1.0, 2.0, 3.0]
    assert len(block.x) == 3


def test_points_given_one_by_one_are_not_posed():
    assert PROBLEMS["points"]().posed == ()
