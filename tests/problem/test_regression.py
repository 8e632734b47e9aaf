"""Regression: values at points, from a function or a file."""

import pytest
import torch

from pinn_ntk.problem import read_points, regression


def test_the_default_target_is_a_sine():
    problem = regression(points=16)
    (block,) = problem.blocks
    assert block.operator.order == 0
    assert torch.allclose(block.target, torch.sin(2 * torch.pi * block.x[:, 0]), rtol=0, atol=1e-15)
    assert torch.equal(block.operator.apply(problem.exact, block.x), block.target)


@pytest.mark.parametrize("target", ["x*y + exp(x)", lambda x: x[:, 0] * x[:, 1] + torch.exp(x[:, 0])])
def test_text_and_function_say_the_same(target):
    problem = regression(target=target, low=[0.0, -1.0], high=[1.0, 1.0], points=20)
    x = problem.x
    assert problem.dim == 2
    assert torch.allclose(problem.target, x[:, 0] * x[:, 1] + torch.exp(x[:, 0]), rtol=0, atol=1e-15)


def test_equispaced_has_the_ends_and_grid_does_not():
    assert regression(points=5, sampling="equispaced").x[:, 0].tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert regression(points=3, sampling="grid").x[:, 0].tolist() == [0.25, 0.5, 0.75]
    assert len(regression(points=9, dim=2, sampling="equispaced").x.unique(dim=0)) == 9


def test_points_may_be_given():
    points = [[0.0, 0.0], [1.0, 0.5]]
    problem = regression(target="x - y", points=points)
    assert problem.x.tolist() == points
    assert problem.target.tolist() == [0.0, 0.5]
    with pytest.raises(ValueError, match="set low and high"):
        regression(target="x", points=[[2.0]])


def test_a_file_gives_points_values_and_their_box(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("x1, x2, value\n0, 1, 2.5\n\n1, 3, -1e-3\n")
    problem = regression(csv=path)
    assert problem.x.tolist() == [[0.0, 1.0], [1.0, 3.0]]
    assert problem.target.tolist() == [2.5, -0.001]
    assert (problem.domain.low, problem.domain.high) == ((0.0, 1.0), (1.0, 3.0))
    assert problem.exact is None
    assert problem.test_points is None
    assert regression(csv=path, target="x*y").test_points.shape == (4096, 2)


@pytest.mark.parametrize(
    "header", ["x,value", "x1,value", "x,y,z,value", "x,t,value", "x1,x2,t,value", "x1,x2,x3,x4,x5,value"]
)
def test_headers_that_name_coordinates(header, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(header + "\n" + ",".join("1" * (header.count(",") + 1)) + "\n", encoding="utf-8-sig")
    assert read_points(path)[0].shape == (1, header.count(","))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "header"),
        ("x1,value\n", "no rows"),
        ("a,b\n1,2\n", "expected x1"),
        ("value\n1\n", "expected x1"),
        ("x1,value\n1,2\n1,two\n", "line 3"),
        ("x1,value\n1,nan\n", "finite"),
        ("x1,value\n1\n", "line 2"),
        ("x1,x2,value\n1,2,3\n", "expected x1, value"),
    ],
)
def test_faulty_files_are_refused_with_the_line(text, words, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        regression(csv=path, dim=1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"target": "log(x - 1)"}, "target"),
        ({"target": "sin(q)"}, "unknown name q"),
        ({"points": 0}, "points: got 0"),
        ({"points": 10**12}, "points: got .* at most 10,000,000"),
        ({"test_points": 10**12}, "test_points: got .* at most 10,000,000"),
        ({"dim": 30000}, "dim: got 30000, .* at most 1,000"),
        ({"seed": 10**30}, "seed: got .* at most 9,223"),
        ({"points": 10, "dim": 2, "sampling": "equispaced"}, "expected m.2"),
        ({"dim": 2, "low": [0.0]}, "agree"),
        ({"csv": "missing.csv"}, "cannot be read"),
        ({"sampling": "equispace"}, "did you mean equispaced"),
        ({"weights": {"boundary": 1.0}}, "blocks interior"),
    ],
)
def test_mistakes_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        regression(**arguments)
