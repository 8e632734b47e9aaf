"""Medians, quantiles and alignment over seeds are what numpy says of the members."""

import math

import numpy as np
import pytest
from cases import network_of, problem_of

from pinn_ntk.reporting import aligned, losses_at, median_of, quantiles_over_seeds
from pinn_ntk.training import History, StopRule, train_ensemble


def histories(tolerance: float = 0.0, steps: int = 40) -> list[History]:
    return train_ensemble(
        network_of("tanh", 2, width=40),
        problem_of("full", 2),
        range(6),
        steps=steps,
        stop=StopRule(tolerance=tolerance),
    )


def test_medians_of_summaries_go_leaf_by_leaf() -> None:
    values = [
        {"a": 1.0, "b": {"c": 3, "d": None}, "e": True, "exit_time": None, "t": [1.0, 9.0], "s": "x"},
        {"a": 2.0, "b": {"c": 5, "d": 4.0}, "e": False, "exit_time": 7.0, "t": [2.0, 8.0], "s": "y"},
        {"a": 9.0, "b": {"c": 4, "d": 6.0}, "e": True, "exit_time": None, "t": [3.0, 7.0], "s": "z"},
    ]
    merged = median_of(values, values[1])
    assert merged == {"a": 2.0, "b": {"c": 4, "d": 5.0}, "e": True, "exit_time": None, "t": [2.0, 8.0], "s": "y"}
    assert median_of([{"k": None}, {"k": {"v": 2}}, {"k": {"v": 4}}], {"k": None}) == {"k": {"v": 2}}
    assert median_of([v | {"exit_time": 7.0 + i} for i, v in enumerate(values)], values[0])["exit_time"] == 8.0


def test_aligned_columns_hold_every_member_that_still_ran() -> None:
    members = histories(tolerance=1.0)
    ends = [h.final.step for h in members]
    assert len(set(ends)) > 2
    table = aligned(members)
    for t, step in enumerate(table["step"]):
        there = np.isfinite(table["loss"][t])
        assert there.tolist() == [end >= step for end in ends]
        for s in np.flatnonzero(there):
            assert table["loss"][t, s] == members[s].losses[int(step)]
            assert table["time"][t, s] == pytest.approx(step * members[s].step_size)
    assert table["lambda_min"].shape == table["loss"].shape


def test_losses_at_common_times_are_the_losses_at_those_steps() -> None:
    members = histories(steps=12)
    for s, history in enumerate(members):
        times = np.arange(13) * history.step_size
        found = losses_at(members, times)
        assert found[:, s] == pytest.approx(history.losses, rel=1e-12)
        between = losses_at([history], times[:-1] + 0.5 * history.step_size)[:, 0]
        assert between == pytest.approx(np.sqrt(history.losses[:-1] * history.losses[1:]), rel=1e-12)
    assert math.isnan(losses_at(members, np.array([1e9]))[0, 0])


def test_quantiles_leave_out_what_is_missing() -> None:
    values = np.array([[1.0, 2.0, 3.0], [5.0, math.nan, 7.0], [math.nan] * 3])
    low, middle, high = quantiles_over_seeds(values)
    assert middle[:2].tolist() == [2.0, 6.0]
    assert (low[1], high[1]) == (5.1, 6.9)
    assert math.isnan(middle[2])
