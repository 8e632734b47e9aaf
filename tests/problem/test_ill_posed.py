"""What is ill-posed or contradictory is said before any compute, with where and what to do; and nothing is said of
problems that are well posed.
"""

from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pinn_ntk.geometry import annulus, ball, box, difference, over_time, polygon, union
from pinn_ntk.operators import SecondOrderOperator, advection_diffusion, heat, helmholtz, laplacian, wave
from pinn_ntk.problem import (
    check_problem,
    dirichlet,
    ill_posed,
    initial_value,
    initial_velocity,
    measured,
    neumann,
    periodic,
    pose,
    posedness,
    problem_from_text,
    robin_condition,
)
from pinn_ntk.solving import solve

ROOT = Path(__file__).parents[2]
LINE, SQUARE, DISC = box(0.0, 1.0), box([0.0, 0.0], [1.0, 1.0]), ball([0.0, 0.0], 1.0)
STRIP, PRISM = over_time(LINE, 0, 1), over_time(SQUARE, 0, 1)
FEW = {"points": 16, "boundary_points": 64, "test_points": 16, "boundary": "soft"}
START, SPEED, END = initial_value("sin(pi*x)"), initial_velocity(0), dirichlet(0, "t=1", name="end")
WALLS = ["x=0", "y=0", "y=1"]
TURN = [lambda x: x[:, 1], lambda x: -x[:, 0]]


def diagonal(entries, b=0.0):
    return SecondOrderOperator(len(entries), A=torch.diag(torch.tensor(entries, dtype=torch.float64)), b=b)


def along(b, c=0.0):
    return SecondOrderOperator(len(b), b=b, c=c)


def found(operator, domain, conditions, source=0.0, **more):
    return ill_posed(pose(operator, domain, source, conditions, **FEW, **more))


CAUCHY = {  # and what is said of them
    "backward heat": (diagonal([1.0, 0.0], [0.0, 1.0]), STRIP, [dirichlet(0), START], "write a minus before A"),
    "in the plane": (diagonal([1.0, 1.0, 0.0], [0.0, 0.0, 1.0]), PRISM, [dirichlet(0), START], "backward heat"),
    "along y alone": (diagonal([-1.0, 0.01, 0.0], [0.0, 0.0, 1.0]), PRISM, [dirichlet(0), START], "backward heat"),
    "degenerate": (diagonal([1.0, 0.0, 0.0], [0.0, 0.0, 1.0]), PRISM, [dirichlet(0), START], "backward heat"),
    "half of it": (SecondOrderOperator(2, A=[[lambda x: x[:, 0] - 0.5, 0.0], [0.0, 0.0]], b=[0.0, 1.0]), STRIP,
                   [dirichlet(0), START], "in about 50 % of Ω, as at x = ["),
    "heat from its end": (heat(1), STRIP, [dirichlet(0), END], "write the value at t=0 in place of that at t=1"),
    "an axis that is no time": (diagonal([1.0, 0.0], [0.0, 1.0]), SQUARE, [dirichlet(0, ["x=0", "x=1", "y=0"])],
                                "against u_y has the wrong sign"),
    "elliptic": (laplacian(2), STRIP, [dirichlet(0), START, SPEED], "elliptic, as u_tt + Δu = 0"),
    "elliptic from a value": (-laplacian(2), STRIP, [dirichlet(0), START], "a condition at t=1"),
    "ultrahyperbolic": (diagonal([-1.0, 1.0, 1.0]), PRISM, [dirichlet(0), START, SPEED], "not hyperbolic in t"),
    "value and flux": (laplacian(2), SQUARE, [dirichlet(0, WALLS), neumann(0, "x=0")],
                       "value and normal derivative are given on x=0 and nothing on x=1"),
    "value and Robin": (laplacian(2), SQUARE, [dirichlet(0, WALLS), robin_condition(0, "x=0")], "nothing on x=1"),
    "outside of a ring": (laplacian(2), annulus([0, 0], 1, 2), [dirichlet(0, "outer"), neumann(0, "outer")],
                          "nothing on inner"),
    "heat sideways": (heat(1), STRIP, [dirichlet(0, "x=0"), neumann(0, "x=0"), START], "nothing on x=1"),
}  # fmt: skip


@pytest.mark.parametrize("name", CAUCHY)
def test_cauchy_problems_of_the_wrong_type_are_told(name):
    operator, domain, conditions, words = CAUCHY[name]
    (finding,) = found(operator, domain, conditions)
    assert "u depends on the data without bound" in finding.message
    assert words in finding.message
    (other,) = found(-3.0 * operator, domain, conditions)  # the same equation
    assert other == finding


TYPES = {
    "heat": (heat(1), STRIP, [dirichlet(0), START]),
    "heat backwards from its end": (diagonal([1.0, 0.0], [0.0, 1.0]), STRIP, [dirichlet(0), END]),
    "heat between its ends": (diagonal([1.0, 0.0], [0.0, 1.0]), STRIP, [dirichlet(0), START, END]),
    "periodic in time": (diagonal([1.0, 0.0], [0.0, 1.0]), STRIP, [dirichlet(0), periodic("t")]),
    "elliptic between ends": (laplacian(2), STRIP, [dirichlet(0), START, END]),
    "wave": (wave(2), PRISM, [dirichlet(0), START, SPEED]),
    "wave in a wind": (SecondOrderOperator(2, A=[[-1.0, 0.5], [0.5, 1.0]]), STRIP, [dirichlet(0), START, SPEED]),
    "wave that starts slowly": (SecondOrderOperator(2, A=[[lambda x: -x[:, 1], 0.0], [0.0, 1.0]]), STRIP,
                                [dirichlet(0), START, SPEED]),
    "wave from one wall": (wave(1), STRIP, [dirichlet(0, "x=0"), neumann(0, "x=0"), START, SPEED]),
    "Goursat": (SecondOrderOperator(2, A=[[0.0, 0.5], [0.5, 0.0]]), STRIP, [dirichlet(0, "x=0"), initial_value(0)]),
    "an ordinary equation": (laplacian(1), LINE, [dirichlet(0, "x=0"), neumann(0, "x=0")]),
    "too much on one wall": (laplacian(2), SQUARE, [dirichlet(0), neumann(0, "x=0")]),
    "marching along y": (diagonal([-1.0, 0.0], [0.0, 1.0]), SQUARE, [dirichlet(0, ["x=0", "x=1", "y=0"])]),
}  # fmt: skip


@pytest.mark.parametrize("name", TYPES)
def test_equations_that_march_the_right_way_are_not_alarmed(name):
    assert found(*TYPES[name]) == []


def test_measured_data_make_a_backward_problem_a_warning():
    operator, domain, conditions, _ = CAUCHY["backward heat"]
    sensors = measured([[0.5, 0.5]], [1.0])
    problem = pose(operator, domain, 0.0, [*conditions, sensors], **FEW)
    assert ill_posed(problem) == []
    assert ["backward heat" in f.message for f in posedness(problem)] == [True]


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 3), st.integers(0, 10**6), st.floats(-3, 3).filter(lambda v: abs(v) > 1e-3), st.booleans())
def test_heat_has_one_direction_whatever_the_matrix_and_the_factor(space, seed, factor, degenerate):
    root = torch.randn(space, space, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    root[:, 1:] *= not degenerate
    A, b = torch.zeros(space + 1, space + 1, dtype=torch.float64), torch.zeros(space + 1, dtype=torch.float64)
    A[:space, :space], b[-1] = root @ root.mT, 1.0
    domain = over_time(box([0.0] * space, [1.0, 10.0, 0.1][:space]), 0, 1)
    for sign in (-1.0, 1.0):
        operator = factor * SecondOrderOperator(space + 1, A=sign * A, b=b)
        for condition in (initial_value(0), END):
            wrong = (sign > 0) == (condition.kind == "initial")
            assert len(found(operator, domain, [dirichlet(0), condition])) == wrong


MISSING = {  # and the inflow that is named
    "value at the outflow": (along([1.0, 1.0]), SQUARE, [START, dirichlet(0, "x=1")], "the inflow x=0 (b·ν < 0)"),
    "flux at the outflow": (along([1.0, 1.0]), STRIP, [START, neumann(0, "x=1")], "the inflow x=0 "),
    "steady": (along([1.0, 0.5]), SQUARE, [dirichlet(0, "x=0")], "the inflow y=0 "),
    "to the left": (along([-1.0, 1.0]), STRIP, [START, dirichlet(0, "x=0")], "the inflow x=1 "),
    "with decay": (along([1.0, 1.0], 2.0), STRIP, [START], "the inflow x=0 "),
    "ring": (along([1.0, 0.0]), annulus([0, 0], 0.5, 1.5), [dirichlet(0, "inner")], "the inflow outer "),
    "shadow of a hole": (along([1.0, 0.1]), difference(SQUARE, ball([0.5, 0.5], 0.1)), [dirichlet(0, ["x=0", "y=0"])],
                         "the inflow circle "),
    "triangle": (along([1.0, 0.3]), polygon([[0, 0], [1, 0], [0, 1]]), [dirichlet(0, "edge 1")], "inflow edge 3 "),
    "in space and time": (along([1.0, 1.0, 1.0]), PRISM, [START, dirichlet(0, "x=0")], "the inflow y=0 "),
    "about a corner": (along(TURN), box([0, -1], [1, 1]), [dirichlet(0, ["x=1", "y=1", "y=-1"])], "the inflow x=0 "),
    "a root at the wall": (along([lambda x: torch.sqrt(x[:, 0]), 1.0]), STRIP, [START], "the inflow x=0 "),
    "at the start": (along([*TURN, 1.0]), over_time(DISC, 0, 1), [dirichlet(0)], "the inflow t=0 "),
}  # fmt: skip


@pytest.mark.parametrize("name", MISSING)
def test_a_missing_inflow_is_named(name):
    operator, domain, conditions, words = MISSING[name]
    (finding,) = found(operator, domain, conditions, time=len(conditions) > 1 or "t=" in words or None)
    assert words in finding.message
    assert "u is not determined" in finding.message


CARRIED = {
    "inflow": (along([1.0, 1.0]), STRIP, [START, dirichlet(0, "x=0")]),
    "outflow of a steady one": (along([1.0, 0.5]), SQUARE, [dirichlet(0, ["x=1", "y=1"])]),
    "periodic": (along([1.0, 1.0]), STRIP, [initial_value("sin(2*pi*x)"), periodic("x")]),
    "flux at the inflow": (along([1.0, 1.0]), STRIP, [START, neumann(0, "x=0")]),
    "closed": (along(TURN), DISC, [dirichlet(0)]),
    "closed, with decay and a flux": (along(TURN, 1.0), DISC, [neumann(0)]),
    "turning in time": (along([*TURN, 1.0]), over_time(DISC, 0, 1), [initial_value("x")]),
    "to a sink": (along([lambda x: 0.5 - x[:, 0], 1.0]), STRIP, [START, dirichlet(0)]),
    "flux of an ordinary equation": (along([1.0], 1.0), LINE, [neumann(0, "x=1")]),
    "small holes": (along([1.0, 0.3]), difference(SQUARE, ball([0.3, 0.5], 0.02), ball([0.7, 0.5], 0.1)),
                    [dirichlet(0, ["x=0", "y=0", "2: circle", "3: circle"])]),
    "a speed that is no number at a wall": (along([lambda x: 1 + x[:, 0] * x[:, 0].log(), 1.0]), STRIP,
                                            [START, dirichlet(0, "x=0")]),
    "data": (along([1.0, 1.0]), STRIP, [START, measured([[0.1, 0.9]], [0.0])]),
}  # fmt: skip


@pytest.mark.parametrize("name", CARRIED)
def test_characteristics_with_a_value_are_not_alarmed(name):
    assert found(*CARRIED[name]) == []


@settings(deadline=None, max_examples=15)
@given(st.floats(-2, 2), st.floats(-2, 2), st.booleans())
def test_constant_transport_needs_its_inflow_and_no_more(first, second, drop):
    b = [v if abs(v) > 0.05 else 0.5 for v in (first, second)]
    inflow = ["x=0" if b[0] > 0 else "x=1", "y=0" if b[1] > 0 else "y=1"]
    findings = found(along(b), SQUARE, [dirichlet(0, inflow[drop:])])
    assert [f"the inflow {inflow[0]} " in f.message for f in findings] == [True] * drop


def test_values_at_both_ends_of_characteristics_have_to_agree():
    (finding,) = found(along([1.0, 1.0]), STRIP, [START, dirichlet(0)])
    assert "takes values at the inflow alone" in finding.message
    for exact in ("sin(3*(x - t))", "tanh((x - t - 0.3)/0.01)"):
        assert ill_posed(pose(along([1.0, 1.0]), STRIP, 0.0, [initial_value(), dirichlet()], exact=exact, **FEW)) == []
        assert ill_posed(pose(along([1.0, 2.0]), STRIP, None, [initial_value(), dirichlet()], exact=exact, **FEW)) == []


SCATTERED = torch.rand(30, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
NOISE = 0.02 * torch.randn(30, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
TWICE = measured(torch.cat([SCATTERED, SCATTERED]), torch.cat([s := torch.sin(3 * SCATTERED[:, 0]), s + NOISE]))
CLASHES = {
    "a datum twice": ([dirichlet(0), measured([[0.5, 0.5], [0.5, 0.5]], [2.0, 4.0])],
                      "u = 2 and u = 4 at x = [0.5, 0.5]: no u takes both; correct one of them, or give noise=σ"),
    "in two blocks": ([dirichlet(0), measured([[0.5, 0.5]], [2.0]), measured([[0.5, 0.5]], [4.0])],
                      "blocks 'data' and 'data_2'"),
    "a datum on a wall": ([dirichlet(0), measured([[0.5, 1.0], [0.5, 0.5]], [1.0, 2.0])], "blocks 'data' and 'bound"),
    "one among many": ([dirichlet(0), TWICE, measured(SCATTERED[:1], [5.0])], "blocks 'data' and 'data_2'"),
    "a piece twice": ([dirichlet(0), dirichlet(1, "x=0", name="o")], "the same thing twice on x=0, with the values 0"),
    "a flux twice": ([neumann(0), neumann(1, "x=0", name="o"), dirichlet(0, "x=1")], "twice on x=0"),
    "Robin twice": ([dirichlet(0, ["x=1", "y=0", "y=1"]), robin_condition(1, "x=0"),
                     robin_condition(1, "x=0", alpha=-2, beta=-2, name="o")], "1 and -0.5"),
    "not periodic": ([periodic("x"), dirichlet(0, ["x=0", "y=0", "y=1"]), dirichlet(1, "x=1")], "u is the same"),
}  # fmt: skip


@pytest.mark.parametrize("name", CLASHES)
def test_what_is_given_twice_with_two_values_is_told(name):
    conditions, words = CLASHES[name]
    messages = [f.message for f in found(laplacian(2), SQUARE, conditions)]
    assert any(words in message for message in messages), messages


AGREEING = {
    "corners": [dirichlet(0, "x=0"), dirichlet(1, ["x=1", "y=0", "y=1"])],
    "a datum in a corner": [dirichlet(0, "x=0"), dirichlet(1, ["x=1", "y=0", "y=1"]), measured([[0.0, 0.0]], [1.0])],
    "value and flux": [dirichlet(0), neumann(1, "x=0")],
    "noise of 2 %": [dirichlet(0), TWICE],
    "a sensor on a wall": [dirichlet(0), TWICE, measured([[0.0, 0.5]], [0.03])],
    "the same twice": [dirichlet("x"), dirichlet("x", "x=0", name="o")],
    "Robin twice, the same": [dirichlet(0, WALLS[1:]), robin_condition(1), robin_condition(2, alpha=2, beta=2,
                              name="o")],
    "periodic": [periodic("x"), dirichlet("sin(2*pi*x)", ["y=0", "y=1"])],
}  # fmt: skip


@pytest.mark.parametrize("name", AGREEING)
def test_what_agrees_or_only_meets_is_not_a_contradiction(name):
    assert found(laplacian(2), SQUARE, AGREEING[name]) == []


def test_data_contradict_one_another_beyond_what_they_span_or_their_noise():
    """Shifted and scaled data are judged alike; what may be noise is noted, and what is rounding is not."""
    for shift, scale in ((0.0, 1.0), (293.15, 1.0), (0.0, 1e-6), (-1e3, 1e3)):
        x = torch.cat([SCATTERED, SCATTERED[:1]])
        for gap, expected in ((1e-8, []), (0.1, ["note"]), (0.6, ["ill-posed"])):
            y = shift + scale * torch.cat([SCATTERED[:, 0], SCATTERED[:1, 0] + gap])
            given = [dirichlet(f"{shift} + {scale}*x"), measured(x, y)]
            assert [f.severity for f in posedness(pose(laplacian(2), SQUARE, 0.0, given, **FEW))] == expected
    slightly = pose(laplacian(2), SQUARE, 0.0, [dirichlet("1 + x"), dirichlet("1.0001 + x", "x=0", name="o")], **FEW)
    assert {f.severity for f in posedness(slightly)} == {"warning"}


TWO = union(SQUARE, box([2, 0], [3, 1]))
INSULATED = neumann(0, ["1: y=0", "1: y=1", "x=2", "x=3", "2: y=0", "2: y=1"])
HELD = dirichlet(1, ["x=0", "x=1"])


def test_a_constant_is_free_on_each_part_that_nothing_holds():
    def said(conditions, domain=TWO, operator=None, time=None):
        operator = operator or -laplacian(domain.dim)
        problem = pose(operator, domain, 0.0, conditions, time=time, **FEW)
        return [f.message for f in posedness(problem) if "constant" in f.message]

    (message,) = said([HELD, INSULATED])
    assert message.startswith("a constant is free on the part about x = [2.")
    assert len(said([neumann(0)])) == 2
    assert said([HELD, INSULATED, measured([[2.5, 0.5]], [1.0])]) == []
    assert said([dirichlet(0)]) == said([HELD, INSULATED], operator=helmholtz(2, 1.0)) == []
    assert said([HELD, INSULATED, START], over_time(TWO, 0, 1), heat(2), True) == []
    bar = difference(SQUARE, box([-1, 0.4], [2, 0.6]))
    names = [piece.name for piece in bar.pieces]
    low = next(name for name in names if "y=0" in name and "0.4" not in name and "0.6" not in name)
    (message,) = said([dirichlet(0, low), neumann(0, [name for name in names if name != low])], bar)
    assert ", 0.8" in message or ", 0.7" in message


WAVY = SecondOrderOperator(2, A=lambda x: -2 - torch.sin(2 * torch.pi * x[:, 0]),
                           b=[lambda x: -2 * torch.pi * torch.cos(2 * torch.pi * x[:, 0]), 0.0])  # fmt: skip
SHEAR = SecondOrderOperator(2, A=-1.0, b=[lambda x: torch.sin(2 * torch.pi * x[:, 1]), 0.0])
SKEW = SecondOrderOperator(2, A=[[2.0, 0.5], [0.5, 1.0]])
AROUND = [periodic("x"), periodic("y")]
BALANCE = {  # 𝓛, Ω, conditions, an f that has a solution
    "flux": (-laplacian(2), SQUARE, [neumann(-1)], "4"),
    "disc": (laplacian(2), DISC, [neumann("x*x + 1/2")], "2"),
    "Robin without u": (laplacian(2), DISC, [robin_condition(3, alpha=0, beta=3)], "2"),
    "around": (-laplacian(2), SQUARE, AROUND, "sin(2*pi*x)"),
    "full A around": (SKEW, SQUARE, AROUND, "cos(2*pi*(x + y))"),
    "wind around": (advection_diffusion(2, 1.0, torch.tensor([1.0, 2.0])), SQUARE, AROUND, "cos(2*pi*x)"),
    "divergence form": (WAVY, SQUARE, AROUND, "sin(2*pi*y)"),
    "shear": (SHEAR, SQUARE, [periodic("x"), neumann(0, ["y=0", "y=1"])], "x - 1/2"),
    "heat that repeats": (heat(1), STRIP, [neumann(0, ["x=0", "x=1"]), periodic("t")], "cos(pi*x)"),
    "a heater": (-laplacian(2), SQUARE, [neumann(-75)],
                 "477464.82927568606*exp(-((x-0.3)**2+(y-0.7)**2)/(2*0.01**2))"),
}  # fmt: skip


@pytest.mark.parametrize("name", BALANCE)
def test_sources_have_to_equal_fluxes(name):
    operator, domain, conditions, source = BALANCE[name]
    time = domain is STRIP
    assert found(operator, domain, conditions, source, time=time) == []
    more = source if name != "a heater" else f"3*{source}"
    (finding,) = found(operator, domain, conditions, f"{more} + 1", time=time)
    assert "got ∫f = " in finding.message


def test_each_part_has_its_own_balance():
    (finding,) = found(-laplacian(2), TWO, [HELD, INSULATED], 1.0)
    assert "in the part about x = [2." in finding.message
    assert len(found(-laplacian(2), TWO, [neumann(0)], "x - 3/2")) == 2  # ∫f = 0 over both together


NOT_JUDGED = {
    "wind through walls": (advection_diffusion(2, 1.0, torch.tensor([1.0, 2.0])), SQUARE, [neumann(0)]),
    "flux aslant": (SKEW, SQUARE, [neumann(0)]),
    "no divergence form": (SecondOrderOperator(2, A=lambda x: -2 - torch.sin(2 * torch.pi * x[:, 0])), SQUARE, AROUND),
    "a value": (-laplacian(2), SQUARE, [neumann(0), measured([[0.5, 0.5]], [1.0])]),
}


@pytest.mark.parametrize("name", NOT_JUDGED)
def test_where_fluxes_do_not_decide_nothing_is_said(name):
    assert found(*NOT_JUDGED[name], 1.0) == []


def test_a_spot_that_no_point_meets_is_no_contradiction():
    spot = "exp(-((x-0.3)**2+(y-0.7)**2)/(2*0.0001**2))/(2*pi*0.0001**2)"
    assert found(-laplacian(2), SQUARE, [neumann(-0.25)], spot) == []


def test_training_warns_and_the_solver_refuses():
    operator, domain, conditions, _ = CAUCHY["backward heat"]
    problem = pose(operator, domain, 0.0, conditions, **FEW)
    assert [f.severity for f in check_problem(problem) if "backward" in f.message] == ["ill-posed"]
    with pytest.raises(ValueError, match=r"problem: backward heat: .* write a minus before A"):
        solve(problem)


BENCHMARKS = sorted((ROOT / "benchmarks" / "conf" / "problem").glob("*.yaml"))


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_the_benchmarks_are_well_posed(path):
    spec = {k: v for k, v in yaml.safe_load(path.read_text(encoding="utf-8")).items() if k != "kind"}
    assert posedness(problem_from_text({**spec, "points": 16, "test_points": 16})) == []


CASES = {
    "wrong_sign_heat": ("backward heat", {"operator": {"A": [[1, 0], [0, 0]], "b": [0, 1]}, "time": True, "conditions":
        [{"type": "dirichlet", "value": 0}, {"type": "initial", "value": "x*(1-x)"}]}),
    "no_inflow": ("the inflow x=0", {"operator": {"b": [1, 1]}, "time": True, "conditions": [
        {"type": "initial", "value": "sin(2*pi*x)"}, {"type": "dirichlet", "on": "x=1", "value": "sin(2*pi*(1-t))"}]}),
    "resonance_none": ("", {"domain": {"kind": "box", "low": [0], "high": [1]}, "operator": {"A": 1, "c": "pi**2"},
                            "source": 1, "boundary_value": 0}),
    "two_layers_div": ("", {"operator": {
        "A": "-(200.69+199.31*tanh((y-0.5)/0.0001))", "b": [0, "-199.31/0.0001*(1-tanh((y-0.5)/0.0001)**2)"]},
        "conditions": [{"type": "dirichlet", "on": "y=0", "value": 293.15}, {"type": "neumann", "on": "y=1",
        "value": 0.5}, {"type": "neumann", "on": ["x=0", "x=1"], "value": 0}]}),
    "moving_laser": ("", {"operator": {"kind": "heat", "diffusivity": 0.1}, "time": True, "conditions": [
        {"type": "dirichlet", "value": 20}, {"type": "initial", "value": 20}],
        "source": "20000*exp(-((x-0.2-0.6*t)/0.0002)**2)"}),
    "heater_kelvin": ("", {"operator": {"A": -1}, "boundary_value": 293.15,
        "source": "477464.82927568606*exp(-((x-0.3)**2+(y-0.7)**2)/(2*0.01**2))"}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_cases_from_bug_reports(name):
    words, spec = CASES[name]
    plate = {"kind": "box", "low": [0, 0], "high": [1, 1]}
    findings = posedness(problem_from_text({"domain": plate, "source": 0, **spec, "points": 16}))
    assert [words in f.message and f.severity == "ill-posed" for f in findings] == [True] * bool(words)
