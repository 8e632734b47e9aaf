"""The rules of `device_rules` over the whole chain, on a GPU that is pretended: the same bits as on the CPU."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import FEW, network_of, points, problem_of
from device_rules import PACKAGE, Watch, package_files, reads_per_step, source_faults, watched

from pinn_ntk import (
    MLP,
    PROBLEMS,
    Settings,
    TwoLayer,
    autograd_kernel,
    closed_form_kernel,
    extreme_eigenvalues,
    infinite_width_kernel,
    kernel_spectrum,
    run,
    run_ensemble,
)
from pinn_ntk.experiment import Held, read_checkpoint, write_checkpoint
from pinn_ntk.kernels import batched_kernel, batched_spectrum
from pinn_ntk.networks import load_network, residual_and_gradient, save_network
from pinn_ntk.problem import Answer, Problem
from pinn_ntk.reporting import Record
from pinn_ntk.training import METHODS, exponential_flow, stacked, train_ensemble

OPTIONS = {"sgd": {"batch_size": 3, "momentum": 0.5}, "lbfgs": {"history_size": 5}}
TWINS = {
    "particle_flow": [{}, {"temperature": 0.01}, {"method": "adaptive", "rtol": 1e-3}],
    "least_squares": [{}, {"cutoff": 1e-9}],
}
READS = {
    "gradient_descent": 1,
    "heavy_ball": 1,
    "nesterov": 1,
    "particle_flow": 1,
    "adam": 1,
    "sgd": 1,
    "gradient_flow": 30,
    "lbfgs": 30,
    "levenberg_marquardt": 12,
    "spring": 5,
    "least_squares": 5,
    "variable_projection": 12,
}
"""How often the device is waited for in a step, at most: a problem of 6 rows, 16 neurons (4 where they have to be
fewer than rows), in float64. Those above 1 depend on what is tried in a step: a flow waits at each evaluation, a line
search at each trial.
"""


@pytest.fixture
def watch() -> Iterator[Watch]:
    with watched() as watch:
        yield watch
    assert not watch.faults, "\n".join(watch.faults)


def problem(dtype: torch.dtype, device: torch.device | str, name: str = "poisson_1d", **options: object) -> Problem:
    return PROBLEMS[name](points=6, test_points=16, **options).to(dtype, device)  # type: ignore[arg-type]


def network(method: str, dtype: torch.dtype, device: torch.device | str, dim: int = 1) -> TwoLayer:
    scaling = "mean_field" if method == "particle_flow" else "sum"
    width = 4 if method == "variable_projection" else 16
    return TwoLayer(dim, width, scaling=scaling).to(dtype=dtype, device=device)


KERNELS = [case for case in FEW if case.values[0] in ("identity", "full", "hard", "paired")]
PAIRS = [(m, "float64") for m in METHODS] + [(m, "float32") for m in METHODS if m != "gradient_flow"]
"""The flow's tolerances are below float32's rounding: there it takes a hundred thousand evaluations."""


@pytest.mark.parametrize(("method", "dtype"), PAIRS)
def test_a_run_of_every_optimizer_gives_the_bits_of_the_cpu(method: str, dtype: str, watch: Watch) -> None:
    def work(device: str) -> Record:
        settings = Settings(
            optimizer=method, steps=6, tracked=3, theory=False, compile="never", device=device, dtype=dtype,
            options=OPTIONS.get(method, {}),
        )  # fmt: skip
        return run(problem(torch.float64, "cpu"), network(method, torch.float64, "cpu"), settings)

    here, there = work("cpu"), work("cuda")
    assert there.network.device.type == "cuda" and there.history.final.residual.device.type == "cuda"
    assert np.array_equal(here.history.losses, there.history.losses, equal_nan=True)
    for name, column in here.history.columns.items():
        assert name == "seconds" or np.array_equal(column, there.history.columns[name], equal_nan=True), name


@pytest.mark.parametrize(
    ("name", "options"),
    [("poisson_1d", {"boundary": "soft"}), ("heat_1d", {})],
)
def test_a_run_with_theory_is_predicted_and_written_alike(
    name: str, options: dict, watch: Watch, tmp_path: Path
) -> None:
    made = problem(torch.float64, "cpu", name, **options)

    def work(device: str) -> Record:
        settings = Settings(steps=6, tracked=3, compile="never", device=device)
        return run(made, TwoLayer(made.dim, 16), settings)

    here, there = work("cpu"), work("cuda")
    for one, other in zip(here.statements, there.statements, strict=True):
        assert (one.name, one.verdict, repr(one.measured)) == (other.name, other.verdict, repr(other.measured))
    there.save(tmp_path)
    assert (tmp_path / "report.html").exists()


@pytest.mark.parametrize("method", ["gradient_descent", "adam", "levenberg_marquardt", "spring", "lbfgs"])
def test_a_module_is_trained_with_the_bits_of_the_cpu(method: str, watch: Watch) -> None:
    def work(device: str) -> Record:
        settings = Settings(optimizer=method, steps=4, tracked=3, compile="never", device=device)
        return run(problem(torch.float64, "cpu"), MLP(1, 6, 2), settings)

    here, there = work("cpu"), work("cuda")
    assert np.array_equal(here.history.losses, there.history.losses)


@pytest.mark.parametrize("method", ["gradient_descent", "nesterov"])
def test_an_ensemble_has_the_bits_of_the_cpu(method: str, watch: Watch) -> None:
    def losses(device: str) -> list[float]:
        theory = method == "gradient_descent"
        settings = Settings(optimizer=method, steps=6, tracked=3, device=device, compile="never", theory=theory)
        record = run_ensemble(problem(torch.float64, "cpu"), TwoLayer(1, 16), [0, 1, 2], settings)
        return [member.history.losses[-1] for member in record.members]

    assert losses("cpu") == losses("cuda")


@pytest.mark.parametrize(("method", "options"), [(m, o) for m, each in TWINS.items() for o in each])
def test_options_of_a_method_give_the_bits_of_the_cpu(method: str, options: dict, watch: Watch) -> None:
    def losses(device: torch.device | str) -> list[float]:
        net, rows = network(method, torch.float64, device), problem(torch.float64, device)
        return [state.loss for state in METHODS[method].states(net, rows, steps=5, **options)]

    assert losses("cpu") == losses("cuda:0")


@pytest.mark.parametrize(("operator", "activation", "d"), KERNELS)
def test_kernels_have_the_bits_of_the_cpu(operator: str, activation: str, d: int, watch: Watch) -> None:
    def kernels(device: torch.device | str) -> list[torch.Tensor]:
        rows, net = problem_of(operator, d, device=device), network_of(activation, d, device=device)
        made = [closed_form_kernel(net, rows).total, autograd_kernel(net, rows).total]
        made += [kernel_spectrum(net, rows).eigenvalues]
        made += [infinite_width_kernel(rows, activation).total] if operator in ("identity", "full") else []
        made += residual_and_gradient(rows.system(net), net.weights)[1]
        return made

    for here, there in zip(kernels("cpu"), kernels("cuda:0"), strict=True):
        assert there.device.type == "cuda" and torch.equal(here, there.inner)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_batched_and_matrix_free_kernels_have_the_bits_of_the_cpu(dtype: torch.dtype, watch: Watch) -> None:
    def numbers(device: torch.device | str) -> list[float]:
        rows, net = problem_of("full", 2, dtype=dtype, device=device), network_of("tanh", 2, dtype=dtype, device=device)
        system, weights = rows.system(net), stacked([net, net])
        kernel, spectrum = batched_kernel(system, weights)[0], batched_spectrum(system, weights)
        ends = extreme_eigenvalues(net, rows)
        left = exponential_flow(system, weights, kernel.new_ones(2), lambda s: s.time > 0.5)
        return [float(kernel.sum()), float(spectrum.eigenvalues.sum()), ends[0].value, ends[1].value, len(left)]

    assert numbers("cpu") == numbers("cuda:0")


def test_a_checkpoint_goes_on_with_the_bits_of_the_cpu(watch: Watch, tmp_path: Path) -> None:
    def losses(device: str) -> list[float]:
        rows, net, held = problem(torch.float64, device), network("adam", torch.float64, device), Held()
        for state in METHODS["adam"].states(net, rows, steps=6, memory=held.memory):
            held.journal.losses.append(state.loss)
            held.journal.ask([], state, 0.0)
            if state.step == 3:
                break
        folder = tmp_path / device.replace(":", "_")
        folder.mkdir()
        write_checkpoint(folder, held, {})
        again, _ = read_checkpoint(folder, {}, torch.device(device))
        rest = [state.loss for state in METHODS["adam"].states(net, rows, steps=6, memory=again.memory)]
        assert again.memory.values["means"][0].device.type == torch.device(device).type
        return again.memory.losses + rest

    assert losses("cpu") == losses("cuda:0")


def test_an_answer_is_given_where_its_network_is(watch: Watch, tmp_path: Path) -> None:
    def values(device: str) -> torch.Tensor:
        rows, net = problem(torch.float64, device, "poisson_2d"), network("adam", torch.float64, device, dim=2)
        answer, x = Answer(rows, net), points(5, 2, device=device)
        said = torch.cat([answer.u(x), answer.gradient(x).flatten(), answer.residual(x)])
        assert torch.equal(answer.u(x).cpu(), answer.u(x.tolist()))
        save_network(net, tmp_path / "network.safetensors")
        assert torch.equal(load_network(tmp_path / "network.safetensors").w0, net.w0.cpu())
        return said.cpu()

    assert torch.equal(values("cpu"), values("cuda:0"))


@pytest.mark.parametrize("method", [*READS])
def test_a_step_waits_for_the_device_no_more_often_than_it_has_to(method: str, watch: Watch) -> None:
    net, rows = network(method, torch.float64, "cuda:0"), problem(torch.float64, "cuda:0")
    reads = reads_per_step(METHODS[method].states(net, rows, steps=10, **OPTIONS.get(method, {})), watch, 8)
    print(f"{method}: {reads:.2f} a step")  # pytest -rP
    assert 0 < reads <= READS[method]


def test_every_optimizer_has_its_limit() -> None:
    assert set(READS) == set(METHODS)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_step_of_an_ensemble_waits_for_the_device_once(momentum: float, watch: Watch) -> None:
    net, rows, counts = network("", torch.float64, "cuda:0"), problem(torch.float64, "cuda:0"), list[int]()
    train_ensemble(
        net, rows, [0, 1, 2], steps=6, momentum=momentum, nesterov=momentum > 0.0, kernel=False, errors=False,
        tracked=[0], on_state=lambda _: counts.append(watch.count),
    )  # fmt: skip
    assert {later - before for before, later in zip(counts[1:-2], counts[2:-1], strict=True)} == {1}


@pytest.mark.parametrize("path", package_files(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_the_source_names_devices_and_precisions(path: Path) -> None:
    assert not source_faults(path)
