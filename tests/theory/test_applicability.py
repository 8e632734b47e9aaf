"""Each assumption of the theorems, dropped alone and all together."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from pinn_ntk.theory import PDE, REGRESSION, Setting, applicability

POINTS = torch.tensor([[0.0, 1.0], [0.5, 1.0], [1.0, 1.0]], dtype=torch.float64)
LECTURE = Setting("relu", 0, POINTS, "sum", "lecture", 0.1, 0, 300, 5.6e-3, 1e-15)


@pytest.mark.parametrize(
    ("activation", "order", "theorem"),
    [("relu", 0, REGRESSION), ("relu3", 0, PDE), ("relu3", 1, PDE), ("relu3", 2, PDE)],
)
def test_lecture_setting_has_its_theorem(activation: str, order: int, theorem: object) -> None:
    verdict = applicability(replace(LECTURE, activation=activation, order=order))
    assert (verdict.applicable, verdict.theorem, verdict.reason) == (True, theorem, "")


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"activation": "tanh"}, "proved for relu"),
    ({"order": 1}, "proved for relu3 only"),
    ({"scaling": "ntk"}, "scaling is ntk"),
    ({"init": "centred"}, "initialisation is centred"),
    ({"gamma": 1.0}, "γ = 1"),
    ({"extra": 2}, "2 fixed functions"),
    ({"paired": ("periodic_x",)}, "rows of periodic_x pair two points"),
    ({"points": POINTS * 1.5}, "2 of 3|3 of 3"),
    ({"points": POINTS * float("nan")}, "not finite"),
    ({"parameters": 2}, "more points"),
    ({"lambda_s": 1e-16}, "rounding floor"),
    ({"lambda_s": float("nan")}, "rounding floor"),
]


@pytest.mark.parametrize(("change", "words"), BROKEN)
def test_one_broken_assumption_gives_one_reason(change: dict[str, Any], words: str) -> None:
    verdict = applicability(replace(LECTURE, **change))
    assert not verdict.applicable
    assert len(verdict.reasons) == 1
    with pytest.raises(ValueError, match=words):
        raise ValueError(verdict.reason)


def test_all_broken_assumptions_are_listed_together() -> None:
    verdict = applicability(Setting("tanh", 2, POINTS * 2, "mean_field", "uniform", 2.0, 1, 2, 0.0, 1e-15))
    assert len(verdict.reasons) == 8
    assert verdict.reason.count("; ") == 7
