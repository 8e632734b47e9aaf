"""What is asked of an answer beside u: ± that cover the truth, integrals and fluxes against exact ones."""

import math
from collections.abc import Callable
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pinn_ntk.activations import ACTIVATIONS
from pinn_ntk.geometry import Box, ball, box, difference, l_shape, over_time
from pinn_ntk.networks import TwoLayer
from pinn_ntk.operators import heat, identity, laplacian
from pinn_ntk.problem import Answer, Block, Problem, neumann, pose
from pinn_ntk.solving import Fits, Quantity, Solution, solve, spreads_of

SQUARE = Box((0.0, 0.0), (1.0, 1.0))
TOLERANCES = {"wave": 1e-6, "peak": 1e-4, "disc": 1e-6, "heat": 1e-6, "corner": 1e-3, "floating": 1e-6}


def posed(name: str) -> Problem:
    match name:
        case "wave":
            return pose(-1.0 * laplacian(2), SQUARE, exact="sin(pi*x)*sin(2*pi*y) + x")
        case "peak":
            return pose(-1.0 * laplacian(2), box([-1, -1], [1, 1]), exact="1/(1 + 4*(x**2 + y**2))")
        case "disc":
            return pose(laplacian(2), ball([0.3, -1.0], 2.0), exact="exp(x/2)*sin(y)")
        case "heat":
            return pose(heat(1), over_time(box(0, 1), 0, 2), exact="exp(-t)*cos(3*x)")
        case "corner":
            return pose(-1.0 * laplacian(2), l_shape(), exact="sin(5*x)*exp(y)")
        case _:
            return pose(-1.0 * laplacian(2), SQUARE, 0.0, [neumann()], exact="cos(pi*x)*cosh(pi*y)/4")


@cache
def solved(name: str) -> Solution:
    return solve(posed(name), tolerance=TOLERANCES[name], seconds=40, widest=900)


def truth(name: str, x: Tensor) -> tuple[Tensor, Tensor]:
    exact = solved(name).problem.exact
    assert exact is not None
    y = x.clone().requires_grad_()
    u = exact(y)
    return u.detach(), torch.autograd.grad(u.sum(), y)[0]


def fits(*networks: TwoLayer, error: float | None = None) -> Fits:
    """Fits of no problem at all, on (−1, 1)ᵈ."""
    d = networks[0].dim
    problem = Problem([Block(identity(d), torch.zeros(1, d, dtype=torch.float64), 0.0)])
    answers = tuple(Answer(problem, network) for network in networks)
    spreads = spreads_of(answers, box([-1.0] * d, [1.0] * d).interior(4096))
    return Fits(answers, spreads[0].rms if error is None else error, spreads)


def wave(amplitude: float, *k: float) -> TwoLayer:
    """A sin(k·x) by one neuron."""
    network = TwoLayer(len(k), 1, "sin")
    w = torch.tensor([[*k, 0.0]], dtype=torch.float64)
    a = torch.tensor([amplitude], dtype=torch.float64)
    return network.with_weights(network.weights.__class__(a, w, 0.0 * a, 0.0 * w, a.new_zeros(0)))


@pytest.mark.parametrize("name", TOLERANCES)
def test_the_truth_lies_within_three_times_the_uncertainty(name: str) -> None:
    solution = solved(name)
    domain = solution.problem.domain
    assert domain is not None
    x = domain.test_points(2000)
    u, slope = truth(name, x)
    error, uncertainty = (solution.u(x) - u).abs(), solution.uncertainty(x)
    assert float((error <= 3.0 * uncertainty).double().mean()) >= 0.98
    tilt, beside = (solution.gradient(x) - slope).abs(), solution.gradient_uncertainty(x)
    assert beside.shape == slope.shape
    assert float((tilt <= 3.0 * beside).double().mean()) >= 0.95
    rounding = float(solution.answer.rounding(identity(2), x).max())
    assert float(uncertainty.square().mean().sqrt()) <= 30.0 * float(error.square().mean().sqrt()) + rounding


@pytest.mark.parametrize("k", [20.0, 55.0])
def test_where_two_fits_cross_the_uncertainty_is_that_beside(k: float) -> None:
    """D = A sin(kx): ± is A everywhere, of the slope Ak."""
    both = fits(wave(3e-4, k), wave(0.0, k))
    x = torch.linspace(-1.0, 1.0, 401, dtype=torch.float64)[:, None]
    assert float((both.answers[0].u(x) - both.answers[1].u(x)).abs().min()) < 1e-18
    torch.testing.assert_close(both.uncertainty(x), torch.full((401,), 3e-4, dtype=torch.float64), rtol=0.1, atol=0.0)
    torch.testing.assert_close(
        both.gradient_uncertainty(x), torch.full((401, 1), 3e-4 * k, dtype=torch.float64), rtol=0.1, atol=0.0
    )


@given(
    scale=st.sampled_from([1e-6, 1e-2, 1e3, 1e9]),
    k=st.tuples(st.floats(3.0, 40.0), st.floats(3.0, 40.0)),
    error=st.floats(1e-3, 1e3),
)
@settings(max_examples=20, deadline=None)
def test_uncertainties_scale_as_u_does_and_are_no_smaller_than_the_estimate(
    scale: float, k: tuple[float, float], error: float
) -> None:
    """u → su makes ± s times as large; its rms is the estimate at least, however large that was raised."""
    x = box([-1.0, -1.0], [1.0, 1.0]).interior(512)
    one = fits(wave(1.0, *k), wave(1.1, k[0], -k[1]), error=error)
    other = fits(wave(scale, *k), wave(1.1 * scale, k[0], -k[1]), error=scale * error)
    torch.testing.assert_close(other.uncertainty(x), scale * one.uncertainty(x), rtol=1e-9, atol=0.0)
    torch.testing.assert_close(
        other.gradient_uncertainty(x), scale * one.gradient_uncertainty(x), rtol=1e-9, atol=1e-12 * scale
    )
    assert float(one.uncertainty(x).square().mean().sqrt()) >= 0.9 * error
    assert float(one.uncertainty(x).min()) >= 0.1 * error


def test_no_uncertainty_is_below_rounding() -> None:
    """Outer weights of 1e9 that cancel: two fits are the same to the bit, and neither has more than seven digits."""
    network = TwoLayer(1, 2, "tanh")
    a, w = torch.tensor([1e9, -1e9], dtype=torch.float64), torch.tensor([[1.0, 0.5]] * 2, dtype=torch.float64)
    big = network.with_weights(network.weights.__class__(a, w, 0.0 * a, 0.0 * w, a.new_zeros(0)))
    x = torch.tensor([[0.3]], dtype=torch.float64)
    tanh = ACTIVATIONS["tanh"](torch.tensor(0.8, dtype=torch.float64))
    expected = 2.0**-52 * 2e9 * float(tanh)
    assert float(fits(big, big).uncertainty(x)) == pytest.approx(expected, rel=1e-12)


def test_the_networks_are_the_fits_and_all_of_mean_zero_where_u_floats() -> None:
    solution = solved("floating")
    assert solution.floating
    first, second = solution.networks
    assert first is solution.network
    assert not torch.equal(first.w, second.w)
    x = SQUARE.interior(4096)
    for network in (first, second):
        assert abs(float(network(x).detach().mean())) <= 1e-2 * float(network(x).detach().std())
    assert float(solution.fits.answers[1].u(x).sub(solution.u(x)).square().mean().sqrt()) <= 3.0 * solution.error
    assert solution.error == pytest.approx(solution.estimate * float(solution.u(x).square().mean().sqrt()), rel=0.1)


INTEGRALS: dict[str, tuple[str, Callable[[Solution], Quantity], float]] = {
    "Ω": ("wave", lambda s: s.integral(), 0.5),
    "u²": ("wave", lambda s: s.integral(of=lambda x, u: u**2), 0.25 + 1.0 / 3.0),
    "𝓛u": ("wave", lambda s: s.integral(of=laplacian(2)), 0.0),
    "a quarter": ("wave", lambda s: s.integral(on=box([0, 0], [0.5, 0.5])), 2.0 / math.pi**2 * 0.5 + 0.0625),
    "a face": ("wave", lambda s: s.integral(on="x=1"), 1.0),
    "two faces": ("wave", lambda s: s.integral(on=["x = 0", "y=0"]), 0.5),
    "a disc inside": ("peak", lambda s: s.integral(on=ball([0, 0], 0.5)), 0.25 * math.pi * math.log(2.0)),
    "a time": ("heat", lambda s: s.integral(at=1.5), math.exp(-1.5) * math.sin(3.0) / 3.0),
    "all times": ("heat", lambda s: s.integral(), (1.0 - math.exp(-2.0)) * math.sin(3.0) / 3.0),
    "an end at a time": ("heat", lambda s: s.integral(on="x=1", at=1.5), math.exp(-1.5) * math.cos(3.0)),
    "flux at a time": ("heat", lambda s: s.flux(on="x=1", at=1.5), -3.0 * math.exp(-1.5) * math.sin(3.0)),
    "flux of a face": ("wave", lambda s: s.flux(on="x=1"), 1.0),
    "flux, k in text": ("wave", lambda s: s.flux(on="y=1", k="1 + x"), 2.0 * (1.0 + 2.0)),
    "flux, k a number": ("wave", lambda s: s.flux(on=["x=0"], k=2.5), -2.5),
    "flux, k a function": ("wave", lambda s: s.flux(on="x=1", k=lambda x: 2.0 * x[:, 1]), 2.0),
}


@pytest.mark.parametrize("name", INTEGRALS)
def test_integrals_and_fluxes_are_the_exact_ones(name: str) -> None:
    case, number, exact = INTEGRALS[name]
    solution = solved(case)
    found = number(solution)
    assert abs(found.value - exact) <= 3.0 * found.error
    assert 0.0 < found.error <= 1e-3 * max(1.0, abs(exact))


@pytest.mark.parametrize("name", ["wave", "peak", "disc", "corner"])
def test_what_flows_out_is_the_source(name: str) -> None:
    """∮ ∂u/∂ν = ∫ Δu = ∫ f (of −Δu = −f)."""
    solution = solved(name)
    problem = solution.problem
    assert problem.domain is not None
    through, source = solution.flux(), solution.integral(of=laplacian(2))
    assert abs(through.value - source.value) <= 3.0 * (through.error + source.error)
    length = sum(piece.measure for piece in problem.domain.pieces)
    assert through.error <= 3.0 * length * float(solution.gradient_uncertainty(problem.domain.boundary(400)).max())


def test_a_domain_with_a_hole_is_integrated_slice_by_slice() -> None:
    ring = difference(box([-1, -1], [1, 1]), ball([0, 0], 0.3))
    solution = solve(pose(laplacian(2), ring, exact="x**2 - y**2 + 3"), tolerance=1e-8, seconds=8)
    found = solution.integral()
    assert abs(found.value - 3.0 * (4.0 - math.pi * 0.09)) <= 3.0 * found.error
    assert found.error <= 1e-6
    assert abs(solution.flux(on="circle").value) <= 3.0 * solution.flux(on="circle").error


BAD: list[tuple[str, Callable[[Solution], object], str]] = [
    ("wave", lambda s: s.integral(on="x=3"), "on: got 'x=3', expected one of"),
    ("wave", lambda s: s.integral(on=box([0, 0], [2, 1])), "reaches outside [0, 1] × [0, 1]"),
    ("wave", lambda s: s.integral(on=box(0, 1)), "of 1 coordinates, expected 2"),
    ("wave", lambda s: s.integral(at=0.5), "has no time"),
    ("heat", lambda s: s.integral(at=3.0), "at: got 3.0, expected a time from 0 to 2"),
    ("heat", lambda s: s.integral(on="t=0", at=1.0), "on: got t=0 with at = 1"),
    ("wave", lambda s: s.integral(of=laplacian(3)), "of: got an operator on 3 coordinates, expected 2"),
    ("wave", lambda s: s.integral(of="u"), "of: got 'u', expected None for u, an operator"),
    ("wave", lambda s: s.integral(of=lambda x, _: x), "of: got (64, 2) from the function at 64 points"),
    ("wave", lambda s: s.flux(on=ball([0.5, 0.5], 0.1)), "a flux goes through a boundary"),
    ("wave", lambda s: s.flux(k=math.nan), "k: got nan, expected a finite number"),
    ("wave", lambda s: s.uncertainty([[2.0, 2.0]]), "outside the domain"),
]


@pytest.mark.parametrize(("name", "call", "message"), BAD, ids=[message for *_, message in BAD])
def test_what_cannot_be_asked_is_refused(name: str, call: Callable[[Solution], object], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        call(solved(name))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        (Quantity(1.23456789, 2.1e-6), "1.234568 ± 2e-6"),
        (Quantity(-0.5, 3e-17), "-0.5000000000000000 ± 3e-17"),
        (Quantity(1234567.0, 300.0), "1.2346e6 ± 3e2"),
        (Quantity(2e-9, 1e-6), "2e-9 ± 1e-6"),
        (Quantity(3.0, 0.0), "3 ± 0"),
        (Quantity(3.0, math.inf), "3 ± inf"),
    ],
)
def test_a_quantity_shows_the_digits_that_its_error_leaves(quantity: Quantity, text: str) -> None:
    assert str(quantity) == text
    assert float(quantity) == quantity.value
