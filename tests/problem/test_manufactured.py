"""Manufactured solutions: of every operator × condition × domain the exact solution satisfies all rows,
also those drawn anew.
"""

import math

import pytest
import torch

from pinn_ntk.geometry import ball, box, l_shape, over_time
from pinn_ntk.operators import OPERATORS
from pinn_ntk.problem import (
    dirichlet,
    drawn,
    inconsistencies,
    initial_value,
    initial_velocity,
    measured,
    neumann,
    periodic,
    pose,
    problem_from_text,
    robin_condition,
    second_order_in_time,
)

ROUNDING = 1e-11
SIZES = {"points": 12, "boundary_points": 24, "test_points": 8}


def A(x):
    return torch.eye(2).to(x) * (2 + torch.sin(x[:, 0]))[:, None, None] + 0.3 * torch.outer(
        torch.ones(2), torch.ones(2)
    ).to(x)


def b(x):
    return torch.stack([x[:, 1], -x[:, 0]], 1)


AXIS = torch.tensor([0.6, 0.8], dtype=torch.float64)
SPACE = {
    "identity": OPERATORS["identity"](2),
    "laplacian": OPERATORS["laplacian"](2),
    "elliptic": OPERATORS["elliptic"](2, A, b, lambda x: -1 - x[:, 0] ** 2),
    "advection_diffusion": OPERATORS["advection_diffusion"](2, 0.3, torch.tensor([1.0, -2.0])),
    "helmholtz": OPERATORS["helmholtz"](2, 3.0),
    "normal_derivative": OPERATORS["normal_derivative"](2, AXIS),
    "robin": OPERATORS["robin"](2, AXIS, 2.0, lambda x: 1 + x[:, 0] ** 2),
}
TIME = {
    "heat": OPERATORS["heat"](1, 0.2),
    "wave": OPERATORS["wave"](1, 1.5),
    "black_scholes": OPERATORS["black_scholes"](),
    "time_derivative": OPERATORS["time_derivative"](1),
    "heat in the plane": OPERATORS["heat"](2),
    "wave in the plane": OPERATORS["wave"](2),
    "time_derivative in the plane": OPERATORS["time_derivative"](2),
}
SQUARE, LINE = box([0.0, -1.0], [1.0, 0.5]), box([0.0, 0.25], [1.0, 2.0])
PLANE = {"square": SQUARE, "disc": ball([0.2, 0.1], 1.3), "L": l_shape()}
CYLINDERS = {
    "square over time": over_time(SQUARE, 0.25, 2.0),
    "disc over time": over_time(PLANE["disc"], 0.25, 2.0),
    "L over time": over_time(PLANE["L"], 0.25, 2.0),
}


def exact(x):
    """Of period 1 in x; no derivative of it vanishes."""
    rest = 0.4 * x[:, 1:].sum(1)
    return torch.sin(2 * math.pi * x[:, 0] + rest) * torch.exp(0.3 * x[:, -1]) + 0.5 * rest**2


def data(domain):
    x = domain.interior(5, seed=3)
    return measured(x, exact(x))


KINDS = {
    "dirichlet": lambda _: [dirichlet()],
    "neumann": lambda _: [neumann()],
    "robin": lambda _: [robin_condition(alpha=lambda x: 2 + x[:, 0], beta=3.0)],
    "periodic": lambda _: [periodic("x")],
    "initial": lambda _: [initial_value()],
    "velocity": lambda _: [initial_value(), initial_velocity()],
    "data": lambda domain: [dirichlet(), data(domain)],
}
CASES = [
    (o, d, k)
    for o in SPACE
    for d in PLANE
    for k in KINDS
    if k not in ("initial", "velocity") and (k != "periodic" or d == "square")
]
CASES += [(o, "line over time", k) for o in TIME if "plane" not in o for k in KINDS]
CASES += [
    (o, d, k)
    for o in TIME
    if "plane" in o
    for d in CYLINDERS
    for k in KINDS
    if k != "periodic" or d == "square over time"
]


def domain_of(name):
    return {**PLANE, **CYLINDERS, "line over time": LINE}[name]


def operator_of(name):
    return {**SPACE, **TIME}[name]


def gap(block):
    """max |𝓛_b u − f_b|, relative."""
    return float((block.rows().apply(exact) - block.target).abs().max() / (1.0 + block.target.abs().max()))


@pytest.mark.parametrize(("operator", "where", "kind"), CASES)
def test_the_solution_satisfies_blocks_and_conditions_drawn_anew(operator, where, kind):
    domain = domain_of(where)
    problem = pose(
        operator_of(operator),
        domain,
        given=KINDS[kind](domain),
        exact=exact,
        time=operator in TIME,
        boundary="soft",
        **SIZES,
    )
    assert [c.name for c in problem.posed] == [block.name for block in problem.blocks]
    for block in [*problem.blocks, *(drawn(c, 40, seed=7) for c in problem.posed)]:
        assert gap(block) < ROUNDING, block.name
    assert list(inconsistencies(problem)) == []


@pytest.mark.parametrize(
    ("operator", "where", "kind"), [c for c in CASES if c[1] in ("square", "line over time") and c[2] == "data"]
)
def test_hard_problems_have_the_same_solution(operator, where, kind):
    """On boxes, u = g + ϕh with g of the data: rows of the h that u has, beside data as a block,
    where ϕ is not small.
    """
    domain, made, time = domain_of(where), operator_of(operator), operator in TIME
    start = [initial_value()] * time + [initial_velocity()] * (time and second_order_in_time(made, domain))
    problem = pose(made, domain, given=[*KINDS[kind](domain), *start], exact=exact, time=time, boundary="hard", **SIZES)
    assert [block.name for block in problem.blocks] == ["interior", "data"]
    assert [c.kind for c in problem.posed] == ["interior", "dirichlet", "data", *["initial", "velocity"][: len(start)]]
    phi, g = problem.ansatz.phi, problem.ansatz.g
    for block in problem.blocks:
        inside = block.select(phi(block.x) > 0.03)
        left = inside.operator.apply(lambda x: (exact(x) - g(x)) / phi(x), inside.x)
        assert float((left - inside.target).abs().max() / (1.0 + block.target.abs().max())) < 1e-10
    for condition in problem.posed:
        assert gap(drawn(condition, 40, seed=7)) < ROUNDING
    on = domain.boundary(40, pieces=[p.name for p in domain.pieces[: len(domain.pieces) - time]])
    assert float((problem.solution(lambda x: x.sum(1))(on) - exact(on)).abs().max()) < ROUNDING
    assert list(inconsistencies(problem)) == []


TEXTS = {
    "divergence": {"k": [["2 + x*y", "x"], ["y", "3 - x"]], "b": ["y", 1], "c": "-1 - x*y"},
    "identity": {},
    "laplacian": {},
    "elliptic": {"A": [["2 + x", 0.1], [0.1, 3]], "b": ["y", 1], "c": "-1 - x*y"},
    "advection_diffusion": {"diffusivity": 0.3, "velocity": [1, -2]},
    "helmholtz": {"wavenumber": 3},
    "heat": {"diffusivity": 0.2},
    "wave": {"speed": "3/2"},
    "black_scholes": {"volatility": 0.4},
    "normal_derivative": {"normal": [0.6, 0.8]},
    "robin": {"normal": [0.6, 0.8], "alpha": 2, "beta": "1 + x*x"},
    "time_derivative": {},
}


@pytest.mark.parametrize("kind", OPERATORS)
def test_every_preset_can_be_written_in_text(kind):
    time = kind in TIME
    second = "t" if time else "y"
    u = f"sin(2*pi*x + 0.4*{second})*exp(0.3*{second}) + 0.08*{second}**2"
    listed = [
        {"type": t} for t in ("dirichlet", "neumann", "robin", *(["initial", "initial_velocity"] if time else []))
    ]
    spec = {"dim": 2, "time": time, "operator": {"kind": kind, **TEXTS[kind]}, "exact": u}
    problem = problem_from_text(spec | {"conditions": [*listed, {"type": "periodic", "axis": "x"}], **SIZES})
    assert len(problem.blocks) == 6 + 2 * time
    for block in [*problem.blocks, *(drawn(c, 40, seed=7) for c in problem.posed)]:
        assert gap(block) < ROUNDING, block.name
