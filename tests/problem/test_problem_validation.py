"""What is wrong with a problem is found, and nothing is found wrong with a good one."""

import pytest
import torch

from pinn_ntk.geometry import box
from pinn_ntk.operators import SecondOrderOperator, hard_constraint, identity, laplacian
from pinn_ntk.problem import PROBLEMS, Ansatz, Block, Problem, check_problem, dirichlet_box, evolution_box

SQUARE = box([0.0, 0.0], [1.0, 1.0])
X = SQUARE.interior(24)


def wavy(x):
    return torch.sin(3 * x[:, 0]) * torch.cos(x[:, 1])


def source(x):
    return -10 * wavy(x)


def found(problem):
    return [(f.severity, f.message) for f in check_problem(problem)]


def only(problem):
    (finding,) = found(problem)
    return finding


def test_a_consistent_problem_has_no_findings():
    assert found(Problem([Block(laplacian(2), X, source)], exact=wavy, domain=SQUARE)) == []


@pytest.mark.parametrize("name", ["poisson_2d", "advection_diffusion_2d", "wave_1d"])
@pytest.mark.parametrize("boundary", ["hard", "soft"])
def test_nor_has_it_in_single_precision(name, boundary):
    assert found(PROBLEMS[name](points=64, boundary=boundary).to(torch.float32, "cpu")) == []


def test_a_wrong_source_is_shown_at_its_largest_residual():
    bump = X[:, 0] * 1e-3
    severity, message = only(Problem([Block(laplacian(2), X, source(X) + bump)], exact=wavy))
    worst = X[int(bump.argmax())]
    assert severity == "warning"
    assert str([round(v, 6) for v in worst.tolist()]) in message
    assert f"{float(bump.max()):.3g}" in message


@pytest.mark.parametrize("shift", [0.0, 1e-3])
def test_boundary_data_of_the_ansatz_are_compared_with_the_exact_solution(shift):
    ansatz = dirichlet_box(SQUARE, lambda x: wavy(x) + shift)
    operator, correction = hard_constraint(laplacian(2), ansatz.phi, ansatz.g)
    problem = Problem([Block(operator, X, source(X) - correction(X))], exact=wavy, ansatz=ansatz, domain=SQUARE)
    assert [s for s, m in found(problem) if "imposed condition" in m] == ["warning"] * (shift > 0)


def test_a_wrong_initial_velocity_is_found():
    problem = PROBLEMS["wave_1d"](points=32)
    zero = lambda x: 0.0 * x[:, 0]  # noqa: E731
    ansatz = evolution_box(problem.domain, None, lambda x: torch.sin(torch.pi * x[:, 0]), zero)
    messages = [m for _, m in found(Problem(problem.blocks, exact=problem.exact, ansatz=ansatz, domain=problem.domain))]
    assert any("derivative in the last coordinate" in m for m in messages)


def test_points_outside_are_an_error():
    severity, message = only(Problem([Block(laplacian(2), torch.cat([X, X[:1] + 1.0]), 0.0)], domain=SQUARE))
    assert severity == "error"
    assert "1 of 25 points" in message


@pytest.mark.parametrize("split", [False, True])
def test_the_same_point_twice_under_the_same_operator(split):
    copied = Block(laplacian(2), X[[*range(24), 3]], 0.0)
    apart = [Block(laplacian(2), X, 0.0), Block(laplacian(2), X[3:4], 0.0, "again")]
    severity, message = only(Problem(apart if split else [copied]))
    assert severity == "warning"
    assert "2 rows repeat" in message
    assert ("again" in message) is split


def test_points_that_repeat_are_compared_under_their_own_operators_only():
    """x₃ thrice: twice under Δ, once under the identity; x₅ under both, which is no repetition."""
    data = Block(identity(2), X[[5, 3]], 0.0, "data")
    severity, message = only(Problem([Block(laplacian(2), X, 0.0), data, Block(laplacian(2), X[3:4], 0.0, "again")]))
    assert severity == "warning"
    assert "2 rows repeat one another" in message
    assert "in again, interior:" in message


def test_many_coordinates_are_checked_in_little_memory():
    """Written out at once, A of these rows would be 3·10⁷ numbers."""
    domain, asked = box([0.0] * 400, [1.0] * 400), []

    def reaction(x):
        asked.append(len(x))
        return x[:, 0]

    operator = SecondOrderOperator(400, A=1.0, c=reaction)
    assert found(Problem([Block(operator, domain.interior(200), 0.0)], domain=domain)) == []
    assert max(asked) * 400**2 <= 2**22


def test_the_same_point_under_two_operators_is_fine():
    assert found(Problem([Block(laplacian(2), X, 0.0), Block(identity(2), X, 0.0, "data")])) == []


def test_the_box_ansatz_vanishes_at_corners_but_not_on_edges():
    """𝓛̃ = ϕΔ + 2∇ϕ·∇ + Δϕ has no term left at a corner: K has a zero row."""
    ansatz = dirichlet_box(SQUARE)
    operator, _ = hard_constraint(laplacian(2), ansatz.phi)
    edge, corner = torch.tensor([[0.0, 0.5]], dtype=X.dtype), torch.tensor([[0.0, 1.0]], dtype=X.dtype)
    assert found(Problem([Block(operator, torch.cat([X, edge]), 0.0)], ansatz=ansatz)) == []
    assert (
        "vanishes at x = [0.0, 1.0]" in only(Problem([Block(operator, torch.cat([X, corner]), 0.0)], ansatz=ansatz))[1]
    )


FAULTY = {
    "raises": (lambda x: x.missing, "raised AttributeError"),
    "shape": (lambda x: x, "shape"),
    "dtype": (lambda x: x[:, 0].float(), "float32"),
    "detached": (lambda x: wavy(x.detach()), "graph"),
    "half detached": (lambda x: wavy(x) + x[:, 0].detach(), "graph"),
}


@pytest.mark.parametrize("fault", FAULTY)
def test_a_faulty_exact_solution_is_named(fault):
    function, words = FAULTY[fault]
    severity, message = only(Problem([Block(laplacian(2), X, source)], exact=function))
    assert severity == "error"
    assert "exact solution" in message
    assert words in message


def test_an_exact_solution_of_values_alone_is_a_note():
    """Errors need its values; what another library evaluates cannot be tried in the equation."""
    function = lambda x: torch.from_numpy(x.numpy().prod(1))  # noqa: E731
    severity, message = only(Problem([Block(laplacian(2), X, source)], exact=function))
    assert severity == "note"
    assert "no derivatives" in message


def test_a_phi_or_g_that_leaves_the_graph_is_named():
    ansatz = Ansatz(lambda x: (x * (1 - x)).prod(1).detach(), lambda x: wavy(x.detach()))
    messages = [m for _, m in found(Problem([Block(laplacian(2), X, source)], ansatz=ansatz))]
    assert ["ϕ" in messages[0], "g of" in messages[1]] == [True, True]


@pytest.mark.parametrize("fault", ["raises", "shape", "dtype"])
def test_a_faulty_coefficient_is_named_with_its_operator_and_block(fault):
    operator = SecondOrderOperator(2, A=1.0, c=FAULTY[fault][0], name="mine")
    severity, message = only(Problem([Block(operator, X, 0.0, "inside")]))
    assert severity == "error"
    assert "'inside'" in message
    assert "'mine'" in message
