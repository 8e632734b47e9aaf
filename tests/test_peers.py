"""Peers solve our cases: the same equations, points and values; their rows and ours become one picture."""

import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pinn_ntk.problem import problem_from_text

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "peers.py"))


def worker(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "peers"))
    monkeypatch.delitem(sys.modules, "cases", raising=False)
    return runpy.run_path(str(ROOT / "scripts" / "peers" / f"{name}.py"))


@pytest.mark.parametrize(("case", "name"), [("A1", "a01_poisson"), ("A8", "a08_full_matrix")])
def test_cases_are_those_of_the_benchmarks(case: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = worker("cases", monkeypatch)["CASES"][case]
    text = yaml.safe_load((ROOT / "benchmarks" / "conf" / "problem" / f"{name}.yaml").read_text(encoding="utf-8"))
    problem = problem_from_text({key: value for key, value in text.items() if key != "kind"})
    (equation,) = [c for c in problem.posed if c.kind == "interior"]
    domain = problem.domain
    assert domain is not None and problem.exact is not None and callable(equation.target)
    assert (domain.low, domain.high) == ((peer.low,) * 2, (peer.high,) * 2)
    x = domain.interior(50)
    points = x.numpy().T
    np.testing.assert_allclose(peer.exact(points), problem.exact(x).numpy(), rtol=1e-12)
    np.testing.assert_allclose(peer.source(points), equation.target(x).numpy(), rtol=1e-9, atol=1e-9)
    A = equation.operator.coefficients(x)[0].numpy()
    np.testing.assert_allclose(np.array(peer.matrix(points)), np.array([A[:, 0, 0], A[:, 0, 1], A[:, 1, 1]]))


def test_the_table_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = worker("cases", monkeypatch)
    x, u = cases["measured_at"](cases["CASES"]["A6"])
    near = np.argmin((x**2).sum(0))
    assert x.shape == (2, len(u)) and u[near] == pytest.approx(0.2336, abs=5e-3)


@pytest.mark.parametrize("case", ["A1", "A6", "A8"])
def test_finite_elements_of_the_peers_have_order_three(
    case: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fem = worker("finite_elements", monkeypatch)
    fem["main"].__globals__.update(CELLS=(16, 32), ELEMENTS={"scikit-fem P2": fem["ElementTriP2"]})
    fem["main"](10.0, [case])
    coarse, fine = (
        float(line.split(",")[4]) for line in capsys.readouterr().out.splitlines() if line.startswith("row,")
    )
    assert 6.5 < coarse / fine < 10.5


def test_the_picture_takes_whatever_rows_there_are(tmp_path: Path) -> None:
    picture = tmp_path / "docs" / "peers.svg"
    SCRIPT["draw"](tmp_path, picture)
    empty = picture.read_bytes()
    rows = [
        dict(zip(SCRIPT["COLUMNS"], ("A1", "scikit-fem P2", t, e, "9"), strict=True))
        for t, e in (("0.1", "1e-3"), ("1", "1e-5"))
    ]
    SCRIPT["write"](rows, tmp_path / "peers.csv")
    (tmp_path / "accuracy.csv").write_text(
        "case,features,relative_l2_median,seconds\na01_poisson,all,1e-12,2.5\nA8,all,,3\n", encoding="utf-8"
    )
    SCRIPT["draw"](tmp_path, picture)
    assert picture.read_bytes() != empty
    assert SCRIPT["points"](SCRIPT["rows_of"](tmp_path / "accuracy.csv"), "A1") == [(2.5, 1e-12)]
    assert SCRIPT["points"](SCRIPT["rows_of"](tmp_path / "accuracy.csv"), "A8") == []
