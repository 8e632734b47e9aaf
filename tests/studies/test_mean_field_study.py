"""The study of the mean field at a tiny size: one clock for all widths, shared particles,
and clouds at equal losses.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pinn_ntk.studies import STUDIES, Factory, Study, euler_step, mean_field, run_study
from pinn_ntk.training import step_limit

TINY = {
    "widths": [8, 16, 32],
    "reference": 256,
    "seeds": 2,
    "points": 6,
    "steps": 12,
    "cloud_width": 40,
    "remaining": 0.5,
}


@pytest.fixture
def made(factory: Callable[..., Factory]) -> Factory:
    return factory("problem.test_points=16")


def of_kind(study: Study, kind: str) -> dict[str, np.ndarray]:
    cell = next(c for c in study.cells if c.parameters["kind"] == kind)
    return dict(study.measure(cell).arrays)


def test_the_document_has_slopes_and_clouds(made: Factory, tmp_path: Path) -> None:
    finished = run_study(STUDIES["mean_field"](made, problems=["poisson_1d"], **TINY), tmp_path)
    assert finished.summary["status"] == "DONE", finished.failed
    found = {f["name"]: f for f in finished.summary["findings"]}
    assert found["poisson_1d: slope of E R_N(0) − R_∞(0)"]["value"] == pytest.approx(-1.0, abs=0.3)
    assert found["poisson_1d: excess of the loss at t = 0"]["value"] == pytest.approx(1.0, abs=0.3)
    assert found["poisson_1d: the lazy cloud stands still"]["value"] < 1.0
    names = {p.name for p in (tmp_path / "figures").iterdir()}
    assert names >= {
        f"poisson_1d_{n}.svg" for n in ("losses", "coupled", "cloud", "particles", "lazy", "moving", "inner")
    }
    assert "<script" not in finished.report.read_text(encoding="utf-8")


def test_all_widths_are_seen_at_the_same_times(made: Factory) -> None:
    study = mean_field(made, problems=["regression"], **TINY)
    times = [study.measure(c).arrays["time"] for c in study.cells if c.parameters["kind"] in ("width", "reference")]
    for other in times[1:]:
        np.testing.assert_allclose(other, times[0], rtol=1e-12)


def test_shared_particles_begin_together_and_come_apart(made: Factory) -> None:
    coupled = of_kind(mean_field(made, problems=["regression"], **TINY), "width")["coupled"]
    assert (coupled[:, 0] == 0.0).all()
    assert (coupled[:, -1] > 0.0).all()


def test_both_clouds_are_filmed_at_the_same_shares_of_their_loss(made: Factory) -> None:
    study = mean_field(made, problems=["regression"], **TINY)
    particles, lazy = (of_kind(study, kind) for kind in ("particles", "lazy"))
    np.testing.assert_allclose(
        particles["frames"][0], lazy["frames"][0], rtol=1e-6
    )  # the same neurons, a in units of γ
    np.testing.assert_allclose(particles["levels"][:-1], lazy["levels"][:-1])
    assert particles["levels"][-1] <= TINY["remaining"]


def test_the_common_step_is_the_stability_limit_of_wide_networks(made: Factory) -> None:
    one = made({"problem": "poisson_1d", "problem.points": 6, "network": "mean_field", "network.width": 20_000})
    assert euler_step(one.network, one.problem, 1.0) == pytest.approx(
        step_limit(one.network, one.problem) / 20_000, rel=0.1
    )


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"reference": 60}, "reference"),
        ({"reference": 513}, "reference"),
        ({"widths": []}, "widths"),
        ({"problems": ["no"]}, "problems"),
        ({"remaining": 2.0}, "remaining"),
        ({"seeds": 0}, "seeds"),
    ],
)
def test_bad_options_are_refused(made: Factory, options: dict, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: got .*expected"):
        mean_field(made, **{**TINY, **options})
