"""Blocks whose rows pair two points, 𝓛u(x) − 𝓜u(x') = f: what they are, what is said against them,
and how an ansatz maps them.
"""

import pytest
import torch
from cases import OPERATORS, full, network_of, points, problem_of

from pinn_ntk.activations import ACTIVATIONS
from pinn_ntk.geometry import box
from pinn_ntk.networks import MLP, AnyModule, feature_gradients, neuron_terms
from pinn_ntk.operators import SecondOrderOperator, identity, laplacian, unpaired
from pinn_ntk.problem import (
    Block,
    Condition,
    Partner,
    Problem,
    Region,
    check_problem,
    constrained,
    drawn,
    evolution_box,
)
from pinn_ntk.theory import shared_prediction

SQUARE = box([0.0, 0.0], [1.0, 1.0])
X = points(7, 2)
FIRST, SECOND = full(2), OPERATORS["robin"](2)


def reflected(x):
    return 1.0 - x


def pair(x=X, target=0.2, at=reflected, **options):
    return Block(FIRST, x, target, "jump", partner=Partner(SECOND, at), **options)


def wavy(x):
    return torch.sin(3 * x[:, 0]) * torch.cos(x[:, 1])


@pytest.mark.parametrize(
    "network", [network_of("tanh", 2), AnyModule(MLP(2, 6, 2).double(), 2)], ids=["two layers", "module"]
)
def test_the_residual_is_the_difference_less_the_target(network):
    problem = Problem([Block(laplacian(2), X, 0.0), pair(weight=5.0)])
    expected = FIRST.apply(network, X) - SECOND.apply(network, 1.0 - X) - 0.2
    part, scale = problem.slices["jump"], problem.row_scales[1]
    torch.testing.assert_close(problem.residual(network)[part], (scale * expected).detach(), rtol=1e-12, atol=1e-12)


def test_points_may_be_given_or_mapped():
    by_map, by_points = pair(), pair(at=1.0 - X)
    assert torch.equal(by_map.partner.at, by_points.partner.at)
    assert not pair(at=(1.0 - X).requires_grad_()).partner.at.requires_grad
    assert (by_map.order, Block(identity(2), X, 0.0, partner=Partner(laplacian(2), X)).order) == (2, 2)


def test_a_difference_of_the_same_functional_at_one_place_is_a_difference_operator():
    """𝓛u(x) − 𝓜u(x) = (𝓛 − 𝓜)u(x)."""
    net = network_of("tanh", 2)
    paired, plain = Problem([pair(at=X)]), Problem([Block(FIRST - SECOND, X, 0.2)])
    torch.testing.assert_close(paired.residual(net), plain.residual(net), rtol=1e-11, atol=1e-11)


def test_parts_and_precision_keep_the_partners():
    block, index = pair(), torch.tensor([4, 1])
    part = block.select(index)
    assert torch.equal(part.partner.at, block.partner.at[index])
    assert torch.equal(part.rows().apply(wavy), block.rows().select(index).apply(wavy))
    single = Problem([block]).to(torch.float32, "cpu").blocks[0]
    assert single.partner.at.dtype == torch.float32
    torch.testing.assert_close(single.rows().apply(wavy).double(), block.rows().apply(wavy), rtol=1e-4, atol=1e-4)
    moved = block.rows().to(torch.float32, "cpu")
    assert (moved.x.dtype, moved.minus.x.dtype) == (torch.float32, torch.float32)


def test_rows_scale_lift_and_come_apart():
    rows, s = pair().rows(), torch.rand(7, dtype=torch.float64)
    torch.testing.assert_close(rows.scaled(s).apply(wavy), s * rows.apply(wavy), rtol=1e-12, atol=1e-12)
    assert torch.equal(rows.lifted().minus.x, torch.cat([1.0 - X, torch.ones(7, 1).double()], 1))
    plain = laplacian(2).rows(X)
    own, minus, other = unpaired((rows, plain))
    assert torch.equal(own.apply(wavy) - minus.apply(wavy), rows.apply(wavy))
    assert other is plain


def test_the_bound_holds_for_the_difference():
    """|φ − φ'| ≤ (5/3)M‖w‖₁³ and |∇φ − ∇φ'|_∞ ≤ 5M‖w‖₁² in the unit box, as the PDE theorem bounds φ."""
    rows, w = pair().rows(), 3.0 * torch.randn(500, 2, dtype=torch.float64)
    M, size = max(1.0, rows.bound()), w.abs().sum(1)
    terms = neuron_terms(rows, ACTIVATIONS["relu3"], w, gradient=True)
    large = size >= 1.0
    assert bool((terms.phi.abs() <= 5 / 3 * M * size**3)[:, large].all())
    for component in feature_gradients(rows, terms, w):
        assert bool((component.abs() <= 5 * M * size**2)[:, large].all())


def test_conditions_are_drawn_in_pairs():
    region = Region(lambda n, seed: points(n, 2, seed=seed), 1.0, 1)
    condition = Condition("jump", "periodic", identity(2), 0.5, region, 2.0, partner=Partner(laplacian(2), reflected))
    block = drawn(condition, 9, seed=3)
    assert torch.equal(block.partner.at, 1.0 - points(9, 2, seed=3))
    assert (condition.order, block.weight) == (2, 2.0)


@pytest.mark.parametrize(
    ("partner", "words"),
    [
        (Partner(identity(3), X), r"partner of block 'jump': got an operator on 3 coordinates, expected 2"),
        (
            Partner(identity(2), X[:3]),
            r"partner of block 'jump': got points of shape \(3, 2\), expected \(7, 2\), one for each x",
        ),
        (Partner(identity(2), lambda x: x[:, 0]), r"got points of shape \(7,\)"),
        (Partner(identity(2), lambda x: x / 0.0), r"partner of block 'jump': got \[inf, inf\] at x ="),
    ],
)
def test_partners_that_do_not_fit_are_named(partner, words):
    with pytest.raises(ValueError, match=words):
        Block(identity(2), X, 0.0, "jump", partner=partner)


def messages(problem):
    return [(f.severity, f.message) for f in check_problem(problem)]


def test_a_good_pair_has_no_findings():
    def target(x):
        return FIRST.apply(wavy, x) - SECOND.apply(wavy, 1.0 - x)

    inside = Block(laplacian(2), SQUARE.interior(12), lambda x: -10 * wavy(x))
    assert messages(Problem([inside, pair(target=target)], exact=wavy, domain=SQUARE)) == []
    ((severity, message),) = messages(
        Problem([inside, pair(target=lambda x: target(x) + x[:, 0])], exact=wavy, domain=SQUARE)
    )
    assert severity == "warning"
    assert "block 'jump': the exact solution gives" in message


def test_partners_outside_are_an_error():
    severity, message = messages(Problem([pair(at=lambda x: x + 0.5)], domain=SQUARE))[0]
    assert severity == "error"
    assert "points are outside [0, 1] × [0, 1]" in message


def test_a_faulty_partner_operator_is_an_error():
    broken = SecondOrderOperator(2, c=lambda x: x[:, 0] / 0.0)
    ((severity, message),) = messages(Problem([Block(identity(2), X, 0.0, "jump", partner=Partner(broken, X))]))
    assert severity == "error"
    assert "block 'jump'" in message


def test_repeated_pairs_are_whole_pairs():
    """The same first point with another partner is another row; with the same one it is a repetition."""
    same, other = Partner(identity(2), X), Partner(identity(2), X.roll(1, 0))
    plain, one, two = (
        Block(laplacian(2), X, 0.0, n, partner=p) for n, p in (("plain", None), ("one", same), ("two", other))
    )
    assert messages(Problem([plain, one, two])) == []
    again = Block(laplacian(2), X[:2], 0.0, "again", partner=Partner(identity(2), X[:2]))
    ((severity, message),) = messages(Problem([plain, one, again]))
    assert severity == "warning"
    assert "4 rows repeat one another" in message
    assert "in again, one:" in message


def test_a_point_less_itself_is_an_empty_row():
    (severity, message), *_ = messages(Problem([Block(identity(2), X, 0.0, "jump", partner=Partner(identity(2), X))]))
    assert severity == "warning"
    assert "the operator vanishes" in message


def test_hard_conditions_map_both_functionals():
    """(u − g)/ϕ satisfies the mapped pair when u satisfies the pair; and 𝓛̃h − 𝓜̃h' less the shift is 𝓛(g + ϕh)
    − 𝓜(g + ϕh)'.
    """
    ansatz, net = evolution_box(SQUARE, None, lambda x: torch.sin(torch.pi * x[:, 0])), network_of("tanh", 2)
    u, block = ansatz.solution(net), pair()
    mapped = constrained(block, ansatz)
    mine, theirs = mapped.rows().apply(net) - mapped.target, block.rows().apply(u) - block.target
    torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-10)
    assert (mapped.name, mapped.weight) == (block.name, block.weight)


def test_no_theorem_is_claimed_but_the_forecast_is_there():
    problem = problem_of("paired", 2)
    shared = shared_prediction(problem, network_of("relu3", 2, width=40), draws=10)
    assert shared.lazy is not None
    assert shared.guarantee is None
    assert "rows of jump pair two points" in shared.verdict.reason
