"""A solution that was saved is the same one, to the bit; what is no solution of ours is refused with its reason."""

import json
import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pinn_ntk.experiment import Solver, solved_run
from pinn_ntk.geometry import Box, ball, box, difference
from pinn_ntk.networks import save_network
from pinn_ntk.operators import identity, laplacian
from pinn_ntk.problem import Ansatz, Block, Problem, constrained, dirichlet, measured, neumann, pose
from pinn_ntk.solving import SOLUTION, SavedSolution, Solution, load_solution, solve

SQUARE = Box((0.0, 0.0), (1.0, 1.0))


def given_rows() -> Problem:
    """Rows that are known at their own points only, under an ansatz."""
    ansatz = Ansatz(lambda x: (x * (1.0 - x)).prod(1), lambda x: x[:, 0])
    inside = Block(-1.0 * laplacian(2), SQUARE.interior(300), lambda x: torch.sin(3.0 * x[:, 0]))
    return Problem([constrained(inside, ansatz)], ansatz=ansatz, domain=SQUARE)


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "plain": lambda: pose(-1.0 * laplacian(2), SQUARE, exact="sin(3*x)*exp(y)"),
    "extra functions": lambda: pose(
        laplacian(2), difference(box([-1, -1], [1, 1]), ball([0, 0], 0.3)), exact="log(x**2 + y**2) + x*y"
    ),
    "floating": lambda: pose(-1.0 * laplacian(2), SQUARE, 0.0, [neumann()], exact="cos(pi*x)*cosh(pi*y)/4"),
    "ansatz": given_rows,
    "u = 0": lambda: pose(-1.0 * laplacian(2), SQUARE, 0.0, [dirichlet(0.0)]),
    "undetermined": lambda: pose(
        identity(1), box(0, 1), 0.0, [measured([[0.2], [0.7]], [1.0, 2.0])]
    ),
}  # fmt: skip


@cache
def solved(name: str) -> Solution:
    return solve(PROBLEMS[name](), tolerance=1e-6, seconds=40, widest=500)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    solved("plain").save(tmp_path / "plain.safetensors")
    return tmp_path / "plain.safetensors"


@pytest.mark.parametrize("name", PROBLEMS)
def test_everything_comes_back_to_the_bit(tmp_path: Path, name: str) -> None:
    solution, path = solved(name), tmp_path / "a.safetensors"
    solution.save(path)
    back = Solution.load(path, PROBLEMS[name]())
    domain = solution.problem.domain
    assert domain is not None
    x = domain.interior(50)
    for ask in ("u", "gradient", "residual", "uncertainty", "gradient_uncertainty"):
        if ask != "residual" or solution.answer.knows_residual:
            assert torch.equal(getattr(back, ask)(x), getattr(solution, ask)(x)), ask
    for key in ("reason", "words", "estimate", "error", "levels", "extras", "floating", "seconds"):
        assert getattr(back, key) == getattr(solution, key), key
    assert back.fits.spreads == solution.fits.spreads
    assert back.integral() == solution.integral()
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]
    back.save(tmp_path / "b.safetensors")
    assert described(tmp_path / "b.safetensors") == described(path)


def test_without_its_problem_it_still_gives_u_and_says_what_it_lacks(plain: Path) -> None:
    solution, back = solved("plain"), load_solution(str(plain))
    x = SQUARE.interior(20)
    assert isinstance(back, SavedSolution)
    assert torch.equal(back.u(x), solution.u(x))
    assert torch.equal(back.uncertainty(x), solution.uncertainty(x))
    with pytest.raises(ValueError, match=r"residual: the equation .* read it with load_solution\(path, problem=…\)"):
        back.residual(x)
    with pytest.raises(ValueError, match=r"the domain of problem .* or load the solution with problem="):
        back.integral()
    assert back.integral(on=SQUARE) == solution.integral()


def test_h_of_an_ansatz_is_not_given_out_as_u(tmp_path: Path) -> None:
    solved("ansatz").save(tmp_path / "a")
    with pytest.raises(ValueError, match=r"problem: .* holds h of u = g \+ ϕh, expected the problem"):
        load_solution(tmp_path / "a")


def test_a_folder_of_a_run_is_a_solution_too(tmp_path: Path) -> None:
    problem = pose(-1.0 * laplacian(1), box(0, 1), 2.0, [dirichlet(0.0)])
    record = solved_run(problem, Solver(tolerance=1e-8))
    record.save(tmp_path / "run")
    assert (tmp_path / "run" / SOLUTION).is_file()
    page, solution = (tmp_path / "run" / "report.html").read_text(encoding="utf-8"), record.solution
    assert solution is not None and solution.assessment.bound is not None
    loose = solution.assessment.bound.relative > 100.0 * solution.estimate
    assert ("is not shown beside it" in page) is loose
    assert ("<dt>bound</dt>" in page) is not loose
    assert re.search("<dt>estimate</dt><dd>± .* \\(rms, in u", page)
    back = load_solution(tmp_path / "run", problem)
    assert float(back.u([[0.5]])) == float(record.answer.u([[0.5]]))
    assert back.integral().value == pytest.approx(1.0 / 6.0, abs=1e-8)


def described(path: Path) -> tuple[dict, dict]:
    """The header and the tensors as numbers."""
    with safe_open(path, "pt") as file:
        return dict(file.metadata()), {name: tensor.tolist() for name, tensor in load_file(path).items()}


def rewritten(path: Path, change: Callable[[dict, dict], None], **header: str) -> None:
    """The file with its description, tensors or header changed."""
    old, tensors = described(path)[0], load_file(path)
    about = json.loads(old["about"])
    change(about, tensors)
    save_file(tensors, path, {**old, "about": json.dumps(about), **header})


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda p: p.unlink(), "no such file; expected a solution.safetensors"),
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:-9]), "is truncated or no safetensors file"),
    "empty": (lambda p: p.write_bytes(b""), "is truncated or no safetensors file"),
    "a network": (lambda p: save_network(solved("plain").network, p), "expected a solution of pinn_ntk"),
    "later": (lambda p: rewritten(p, lambda about, tensors: None, version="9"), "is of version '9', expected 1"),
    "no reason": (
        lambda p: rewritten(p, lambda about, tensors: about.pop("reason")),
        "is damaged (KeyError: 'reason')",
    ),
    "unknown reason": (lambda p: rewritten(p, lambda about, tensors: about.update(reason="MAYBE")), "'MAYBE'"),
    "one fit": (lambda p: rewritten(p, lambda about, tensors: about["networks"].pop()), "got 1 fits and 1 spreads"),
    "no tensor": (lambda p: rewritten(p, lambda about, tensors: tensors.pop("1.w0")), "tensor w0: got shape none"),
    "shape": (
        lambda p: rewritten(p, lambda about, tensors: tensors.update({"0.a0": torch.ones(3)})),
        "tensor a0: got shape (3,)",
    ),
    "not finite": (
        lambda p: rewritten(p, lambda about, tensors: tensors["1.delta_a"].__setitem__(0, torch.nan)),
        "got delta_a of fit 2 with entries that are not finite",
    ),
    "dimensions": (lambda p: rewritten(p, lambda about, tensors: about.update(dim=3)), "of dimensions [2, 3]"),
    "a number": (lambda p: rewritten(p, lambda about, tensors: about.update(error="much")), "'much'"),
    "levels": (lambda p: rewritten(p, lambda about, tensors: about.update(levels=7)), "is damaged (TypeError"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_refused_with_its_reason(plain: Path, name: str) -> None:
    damage, message = DAMAGE[name]
    damage(plain)
    with pytest.raises(ValueError) as caught:
        load_solution(plain)
    assert str(caught.value).startswith("solution: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (lambda: pose(laplacian(1), box(0, 1), exact="x"), "on 1 coordinates, expected"),
        (lambda: pose(laplacian(2), box([0, 0], [2, 1]), exact="x"), "whose domain reaches from (0, 0) to (1, 1)"),
    ],
)
def test_another_problem_is_refused(plain: Path, problem: Callable[[], Problem], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        load_solution(plain, problem())
    assert message in str(caught.value)


def test_a_write_that_fails_leaves_the_file_of_before(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = plain.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        solved("extra functions").save(plain)
    assert plain.read_bytes() == before
    assert [p.name for p in plain.parent.iterdir()] == [plain.name]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"path: got .*none/a'?, expected a file in a folder that exists"):
        solved("plain").save(tmp_path / "none" / "a")
