"""A method that is given its memory again goes on as if it had not been stopped, to the bit."""

from collections.abc import Iterator

import pytest
import torch
from cases import network_of, problem_of

from pinn_ntk.networks import MLP, Model, model_of
from pinn_ntk.training import METHODS, Memory, State, copied, track

STEPS, STOPPED = 9, 4
OPTIONS: dict[str, dict[str, object]] = {
    "gradient_descent": {},
    "gradient_flow": {"tracked": STEPS + 1, "step_size": 0.5},
    "heavy_ball": {"step_size": 0.1},
    "nesterov": {"step_size": 0.1},
    "particle_flow": {"temperature": 1e-4, "step_size": 0.1},
    "adam": {"decay": 0.9},
    "sgd": {"batch_size": 2, "momentum": 0.5, "step_size": 0.01},
    "lbfgs": {"history_size": 3},
    "levenberg_marquardt": {},
    "spring": {},
    "variable_projection": {},
}


def network(method: str) -> Model:
    if method == "particle_flow":
        return network_of("tanh", 2, 8, scaling="mean_field")
    return network_of("tanh", 2, 3 if method == "variable_projection" else 8)


def states(method: str, start: Model, memory: Memory | None = None) -> list[tuple[State, Memory]]:
    """Every state with what the method remembers there."""
    held = memory or Memory()
    found = []
    for state in METHODS[method].states(
        start, problem_of("laplacian", 2, 9), steps=STEPS, memory=held, **OPTIONS[method]
    ):
        found.append((state, Memory(held.step, [s.loss for s, _ in found], copied(held.values))))
    return found


def same(one: State, two: State) -> bool:
    pairs = zip(one.weights.displacement, two.weights.displacement, strict=True)
    numbers = ("step", "time", "loss", "gradient_norm", "status", "note", "step_size", "dynamics")
    return all(torch.equal(a, b) for a, b in pairs) and all(
        getattr(one, name) == getattr(two, name) for name in numbers
    )


@pytest.mark.parametrize("method", OPTIONS)
@pytest.mark.parametrize("stopped", [0, 1, STOPPED, -1])
def test_a_method_goes_on_to_the_bit(method: str, stopped: int) -> None:
    start = network(method)
    whole = states(method, start)
    assert len(whole) > STOPPED + 1
    place = range(len(whole))[stopped]
    state, memory = whole[place]
    assert memory.step == state.step
    rest = states(method, start, memory)
    assert len(rest) == len(whole) - place
    assert all(same(a, b) for (a, _), (b, _) in zip(whole[place:], rest, strict=True))


@pytest.mark.parametrize("method", ["gradient_descent", "adam", "lbfgs"])
def test_a_module_of_any_depth_goes_on_too(method: str) -> None:
    torch.manual_seed(0)
    start = model_of(MLP(2, 5, 2), 2)
    whole = states(method, start)
    rest = states(method, start, whole[STOPPED][1])
    assert all(same(a, b) for (a, _), (b, _) in zip(whole[STOPPED:], rest, strict=True))


def test_an_interrupt_before_the_first_state_is_an_interrupt() -> None:
    def none() -> Iterator[State]:
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        track(none(), [], [0])


def test_every_method_is_tried_but_the_one_of_a_single_step() -> None:
    assert set(METHODS) - set(OPTIONS) == {"least_squares"}
