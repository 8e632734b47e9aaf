"""The operator algebra: what the coefficients say is what acts, and every operation stays in the class."""

from dataclasses import replace

import pytest
import torch
from cases import CASES, OPERATORS, bubble, full_matrix, points
from torch import Tensor

from pinn_ntk.operators import (
    SecondOrderOperator,
    check_operator,
    elliptic,
    hard_constraint,
    identity,
    laplacian,
    lift_bias,
)
from pinn_ntk.problem import Block

NAMED = sorted({(c.values[0], c.values[2]) for c in CASES})


def u(x: Tensor) -> Tensor:
    return torch.sin(x @ torch.arange(1.0, x.shape[1] + 1.0).to(x)) + (x**3).sum(1)


def dense(operator: SecondOrderOperator, function, x: Tensor) -> Tensor:
    """Σ A_ab u_ab + Σ b_a u_a + cu from the written-out coefficients and torch's own Hessian, point by point."""
    A, b, c = operator.coefficients(x)
    values = []
    for i in range(len(x)):
        one = lambda p: function(p[None])[0]  # noqa: E731
        H = torch.autograd.functional.hessian(one, x[i])
        g = torch.autograd.functional.jacobian(one, x[i])
        values.append((A[i] * H).sum() + b[i] @ g + c[i] * one(x[i]))
    return torch.stack(values)


@pytest.mark.parametrize(("name", "d"), NAMED)
def test_apply_is_the_sum_over_coefficients(name: str, d: int) -> None:
    x = points(4, d)
    torch.testing.assert_close(OPERATORS[name](d).apply(u, x), dense(OPERATORS[name](d), u, x), rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_operators_form_a_vector_space(d: int) -> None:
    x, L, M = points(5, d), OPERATORS["full"](d), laplacian(d)
    torch.testing.assert_close((L + M).apply(u, x), L.apply(u, x) + M.apply(u, x))
    torch.testing.assert_close((2.5 * L - M).apply(u, x), 2.5 * L.apply(u, x) - M.apply(u, x))
    torch.testing.assert_close((-L).apply(u, x), -L.apply(u, x))
    assert (M - M).order == 0
    assert (0.0 * L).order == 0


def test_scaling_by_a_function_scales_the_values() -> None:
    x, L = points(5, 2), OPERATORS["full"](2)
    torch.testing.assert_close((bubble * L).apply(u, x), bubble(x) * L.apply(u, x))


@pytest.mark.parametrize(("name", "d"), [(n, d) for n, d in NAMED if d <= 3])
def test_lifting_the_bias_leaves_the_action_on_x(name: str, d: int) -> None:
    x, L = points(4, d), OPERATORS[name](d)
    lifted = torch.cat([x, torch.ones(4, 1, dtype=x.dtype)], 1)
    torch.testing.assert_close(lift_bias(L).apply(lambda p: u(p[:, :d]) * p[:, d], lifted), L.apply(u, x))
    for mine, rows in zip(lift_bias(L).coefficients(lifted), (L.rows(x).lifted().second_order(),), strict=False):
        assert torch.equal(mine, rows)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_hard_constraint_is_the_operator_of_the_ansatz(d: int) -> None:
    x, L = points(5, d), OPERATORS["full"](d)
    g = lambda p: torch.cos(p.sum(1))  # noqa: E731
    transformed, shift = hard_constraint(L, bubble, g)
    expected = L.apply(lambda p: g(p) + bubble(p) * u(p), x)
    torch.testing.assert_close(transformed.apply(u, x) + shift(x), expected, rtol=1e-13, atol=2e-14)


def test_hard_constraint_keeps_the_patterns_of_A() -> None:
    rows = hard_constraint(laplacian(3), bubble)[0].rows(points(5, 3))
    assert rows.patterns is not None
    assert rows.patterns.shape == (1, 3, 3)


def test_bound_is_the_largest_entry() -> None:
    x = points(50, 2)
    A, b, c = OPERATORS["full"](2).coefficients(x)
    assert OPERATORS["full"](2).bound(x) == max(float(t.abs().max()) for t in (A, b, c))


def test_entries_written_one_by_one_equal_the_whole_matrix() -> None:
    x = points(6, 2)
    entries = elliptic(
        2,
        [
            [lambda p: full_matrix(p)[:, 0, 0], lambda p: full_matrix(p)[:, 0, 1]],
            [lambda p: full_matrix(p)[:, 1, 0], lambda p: full_matrix(p)[:, 1, 1]],
        ],
    )
    torch.testing.assert_close(entries.apply(u, x), elliptic(2, full_matrix).apply(u, x))


def test_constant_zero_and_isotropic_coefficients_take_their_fast_path() -> None:
    x = points(7, 3)
    rows = (laplacian(3) + 3.0 * identity(3)).rows(x)
    assert rows.alpha is not None and rows.alpha.shape == (1, 1)
    assert rows.b is None
    assert rows.c is not None and rows.c.shape == (1,)


def test_symmetry_is_checked_and_made_on_request() -> None:
    A = [[1.0, 0.5], [0.0, 1.0]]
    with pytest.raises(ValueError, match="symmetric.*symmetrise=True"):
        SecondOrderOperator(2, A=A)
    made = SecondOrderOperator(2, A=A, symmetrise=True)
    assert made.coefficients(points(1, 2))[0][0].tolist() == [[1.0, 0.25], [0.25, 1.0]]
    moving = lambda x: torch.tensor(A).to(x).expand(len(x), 2, 2)  # noqa: E731
    with pytest.raises(ValueError, match="not symmetric at x"):
        SecondOrderOperator(2, A=moving).rows(points(3, 2))
    x = points(3, 2)
    torch.testing.assert_close(SecondOrderOperator(2, A=moving, symmetrise=True).apply(u, x), made.apply(u, x))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"A": torch.eye(3)}, r"A of 'operator': got shape \(3, 3\), expected \(2, 2\)"),
        ({"b": [1.0, 2.0, 3.0]}, r"b of .* got shape \(3,\), expected \(2,\)"),
        ({"b": 1.0}, "b of"),
        ({"c": float("nan")}, "finite"),
        ({"A": "x"}, "expected a finite number or finite real numbers as a tensor"),
    ],
)
def test_a_wrong_coefficient_is_named_with_shapes(options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SecondOrderOperator(2, **options)


@pytest.mark.parametrize(
    ("c", "words"),
    [
        (lambda x: 1 / 0, "raised ZeroDivisionError"),
        (lambda x: x, r"returned shape \(3, 2\)"),
        (lambda x: 3.0, "returned float"),
        (lambda x: x[:, 0].to(torch.float32), "float32"),
        (lambda x: torch.log(x[:, 0] - 2.0), "at x = .*expected a finite number"),
    ],
)
def test_row_44_a_faulty_function_is_caught_on_three_points(c, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_operator(SecondOrderOperator(2, c=c, name="mine"), points(9, 2))


def test_dimensions_must_agree() -> None:
    with pytest.raises(ValueError, match="2 and 3 coordinates"):
        laplacian(2) + laplacian(3)
    with pytest.raises(ValueError, match=r"expected \(n, 2\)"):
        laplacian(2).rows(points(4, 3))


def test_conjugated_rows_are_those_of_the_product_with_an_exponential() -> None:
    """e^{−g·x}𝓛(e^{g·x}v), by autograd on the product."""
    x = torch.rand(7, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    g = torch.tensor([0.7, -1.3], dtype=torch.float64)
    operators = [
        SecondOrderOperator(2, A=[[2.0, 0.5], [0.5, 1.0]], b=[1.0, -2.0], c=lambda x: x[:, 0]),
        SecondOrderOperator(2, A=[[0.0, 0.0], [0.0, 1.0]]),
        SecondOrderOperator(2, b=[0.0, 3.0]),
        SecondOrderOperator(2, c=2.0),
    ]

    def v(p: torch.Tensor) -> torch.Tensor:
        return torch.sin(p[:, 0] + 2.0 * p[:, 1]) + p[:, 0] * p[:, 1]

    for operator in operators:
        rows = Block(operator, x, 0.0).rows()
        paired = replace(rows, minus=Block(operator, x.flip(0), 0.0).rows())
        for one in (rows, paired):
            expected = torch.exp(-x @ g) * one.apply(lambda p: torch.exp(p @ g) * v(p))
            assert torch.allclose(one.conjugated(g).apply(v), expected, rtol=1e-12, atol=1e-12)
