"""The two forms of Σ∇φ·∇φ: the same numbers for whatever rows there are, and a choice that follows the cost."""

import pytest
import torch

from pinn_ntk.geometry import Box
from pinn_ntk.kernels import Rectangle, Square, chosen_directions, gram, prefers_free
from pinn_ntk.networks import System, TwoLayer
from pinn_ntk.operators import SecondOrderOperator, heat, laplacian
from pinn_ntk.problem import Problem, dirichlet, initial_value, periodic, pose

CUBE = Box([0.0] * 3, [1.0, 2.0, 0.5])


def mixed(c: float = 1.0) -> SecondOrderOperator:
    return SecondOrderOperator(3, A=[[2.0, 0.5, 0.0], [0.5, 1.0, 0.1], [0.0, 0.1, 3.0]], b=[1.0, -2.0, 0.3], c=c)


PROBLEMS = {
    "A, b, c constant": lambda: pose(mixed(), CUBE, given=[dirichlet()], exact="x*y + z"),
    "a(x) times a constant matrix": lambda: pose(
        SecondOrderOperator(3, A=lambda x: 1 + x[:, 0] ** 2), CUBE, given=[dirichlet()], exact="x*y + z"
    ),
    "heat with blocks": lambda: pose(heat(2), CUBE, given=[dirichlet(0), initial_value("x")], time=True, exact="x*y*t"),
    "condition on one face": lambda: pose(laplacian(3), CUBE, given=[dirichlet(on="x=0")], exact="x*y + z"),
    "transport": lambda: pose(SecondOrderOperator(3, b=[1.0, 0.0, 2.0]), CUBE, given=[dirichlet()], exact="x*y + z"),
}


def system_of(problem: Problem, activation: str = "tanh", width: int = 37) -> tuple[System, torch.Tensor, torch.Tensor]:
    network = TwoLayer(3, width, activation)
    return problem.system(network), network.weights.w, network.weights.a


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("activation", ["tanh", "relu3"])
def test_both_forms_give_the_same_kernel(name: str, activation: str, device: torch.device) -> None:
    system, w, a = system_of(PROBLEMS[name]().to(torch.float64, device), activation)
    w, a = w.to(device), a.to(device)
    for weights in (1 / 37, torch.rand(37, dtype=torch.float64, device=device)):
        plain, free = (gram(system, None, w, a, weights, 10, form) for form in ("plain", "free"))
        assert torch.equal(plain[0], free[0]) and plain[1] is not None and free[1] is not None
        assert float((plain[1] - free[1]).abs().max()) <= 1e-13 * float(plain[1].abs().max())
        assert torch.equal(free[1], free[1].mT) and torch.equal(plain[1], plain[1].mT)


def test_both_forms_of_a_cross_kernel_and_of_a_batch() -> None:
    left, w, a = system_of(pose(mixed(), CUBE, given=[dirichlet()], exact="x*y + z"))
    right, _, _ = system_of(pose(mixed(-3.0), CUBE, given=[dirichlet(on="z=0")], exact="x*y + z"))
    plain, free = (gram(left, right, w, a, 0.1, 8, form)[1] for form in ("plain", "free"))
    assert plain is not None and free is not None and plain.shape == (left.points, right.points)
    assert float((plain - free).abs().max()) <= 1e-13 * float(plain.abs().max())
    batch = [
        gram(left, None, torch.stack([w, 2 * w]), torch.stack([a, a + 1]), 0.1, 8, form)[1]
        for form in ("plain", "free")
    ]
    assert batch[0] is not None and batch[1] is not None
    assert float((batch[0] - batch[1]).abs().max()) <= 1e-13 * float(batch[0].abs().max())


def test_the_choice_follows_the_cost() -> None:
    laplacian_like, convection = 1, 2  # directions: A_1 w, and b
    for points in (128, 512, 4096):
        assert not prefers_free(points, 3, convection) and not prefers_free(points, 2, laplacian_like)
        assert prefers_free(points, 11, convection) and prefers_free(points, 51, convection)
    free = [prefers_free(512, D, laplacian_like) for D in range(2, 52)]
    assert free == sorted(free)
    assert not prefers_free(512, 3, 6)
    wide = Box([0.0] * 10, [1.0] * 10)
    rows = pose(laplacian(10), wide, given=[dirichlet()], exact="x1").system(TwoLayer(10, 4, "tanh"))
    assert chosen_directions([rows]) is not None and chosen_directions([rows], "plain") is None


def test_rows_without_a_dimension_free_form_say_so() -> None:
    turning = pose(SecondOrderOperator(3, A=1.0, b=lambda x: x), CUBE, exact="x")
    paired = pose(
        heat(2),
        CUBE,
        given=[periodic("x"), dirichlet(on=["y=0", "y=2"]), initial_value()],
        exact="cos(2*pi*x)*y",
        time=True,
    )
    for problem in (turning, paired):
        system, w, a = system_of(problem)
        assert chosen_directions([system]) is None
        with pytest.raises(ValueError, match="form: got 'free', expected rows without"):
            gram(system, None, w, a, 0.1, 8, "free")
    with pytest.raises(ValueError, match="form: got 'fast', expected plain, free"):
        gram(system, None, w, a, 0.1, 8, "fast")


@pytest.mark.parametrize("n", [1, 63, 64, 65, 200])
def test_one_triangle_is_the_whole(n: int) -> None:
    torch.manual_seed(0)
    x, y = (torch.randn(2, n, 9, dtype=torch.float64) for _ in range(2))
    for left, right in ((x, y), (x[0], y[0])):
        square, rectangle = Square(left), Rectangle(left, right)
        square.add(left)
        square.add_both(left, right)
        rectangle.add(left, right)
        rectangle.add_both([left, right], [right, left])
        cross = left @ right.mT
        torch.testing.assert_close(square.whole(2.0), 2.0 * (left @ left.mT + cross + cross.mT), rtol=1e-13, atol=1e-13)
        torch.testing.assert_close(rectangle.whole(), cross + left @ left.mT + right @ right.mT, rtol=1e-13, atol=1e-13)
