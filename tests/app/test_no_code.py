"""A configuration runs no code: nothing that a file, or a word of Hydra's, names is imported,
called or given to a shell.
"""

import os

import pytest
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from omegaconf import OmegaConf

from pinn_ntk.app import BadInputError, check_no_code, compose, session

TEXT = (
    'kind: text\ndomain: {kind: box, low: [0, 0], high: [1, 1]}\noperator: {kind: laplacian}\nexact: "x*y"\npoints: 9\n'
)
MINE = ("--config-dir", "my_conf", "problem=mine")
CANARY = "import pathlib\npathlib.Path('hatched').touch()\ndef fly(*a, **k): pathlib.Path('flown').touch()\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("kind: !!python/object/apply:canary.fly []\n", "problem/mine.yaml"),
        ("kind: text\nx: !!python/name:canary.fly\n", "problem/mine.yaml"),
        (TEXT + "_target_: canary.fly\n", "problem/mine.yaml"),
        (TEXT + "extra: [{deep: {_target_: canary.fly}}]\n", "problem/mine.yaml"),
        (
            f"# @package _global_\nproblem:\n  {TEXT.strip().replace(chr(10), chr(10) + '  ')}\nplugins: [canary.py]\n",
            "problem/mine.yaml",
        ),
        ("# @package _global_\nhydra: {callbacks: {x: {_target_: canary.fly}}}\n", "problem/mine.yaml"),
        ("# @package _global_\nhydra: {launcher: {_target_: canary.fly}}\n", "problem/mine.yaml"),
        ("# @package _global_\nhydra: {sweeper: {_target_: hydra.x.canary.fly}}\n", "problem/mine.yaml"),
        ("# @package _global_\nhydra: {job_logging: {handlers: {x: {(): canary.fly}}}}\n", "problem/mine.yaml"),
        ("# @package _global_\nhydra: {hydra_logging: {formatters: {x: {(): canary.fly}}}}\n", "problem/mine.yaml"),
        ("# @package _global_\nhydra: {searchpath: ['pkg://canary']}\n", "problem/mine.yaml"),
        ("# @package _global_\nhydra: {job: {env_set: {PATH: canaries}}}\n", "problem/mine.yaml"),
        (
            "# @package _global_\nhydra: {overrides: {hydra: ['hydra.job.env_set.PATH=canaries']}}\n",
            "problem/mine.yaml",
        ),
        ("# @package _global_\nhydra: {overrides: {task: ['x=1']}}\n", "problem/mine.yaml"),
        ("# @package _global_\nhydra: {sweeper: {params: {hydra.job.env_set.PATH: canaries}}}\n", "problem/mine.yaml"),
        (
            "# @package _global_\nhydra: {sweeper: {params: {hydra.searchpath: '[pkg://canary]'}}}\n",
            "problem/mine.yaml",
        ),
        ("# @package _global_\nhydra: {sweeper: {params: {+hydra/job_logging: canary}}}\n", "problem/mine.yaml"),
    ],
)
@pytest.mark.parametrize("mode", [(), ("-m",)])
def test_row_7_files_run_no_code(
    refused, mine, workplace, monkeypatch, text: str, name: str, mode: tuple[str, ...]
) -> None:
    (workplace / "canary.py").write_text(CANARY, encoding="utf-8")
    monkeypatch.syspath_prepend(str(workplace))
    mine(text, name)
    message = refused(*MINE, *mode)
    assert any(word in message for word in ("_target_", "python/", "plugins", "hydra."))
    assert not (workplace / "hatched").exists()
    assert not (workplace / "flown").exists()


def test_row_7_nor_does_a_file_that_is_one_of_a_sweep(command, mine, workplace, monkeypatch) -> None:
    (workplace / "canary.py").write_text(CANARY, encoding="utf-8")
    monkeypatch.syspath_prepend(str(workplace))
    mine(
        "# @package _global_\nhydra: {job_logging: {incremental: false, handlers: {x: {(): canary.fly}}}}\n",
        "experiment/mine.yaml",
    )
    outcome = command("--config-dir", "my_conf", "-m", "experiment=quick,mine")
    assert outcome.code == 2
    assert "hydra.job_logging" in outcome.err
    assert not list(workplace.rglob("summary.json"))
    assert not (workplace / "flown").exists()


def test_row_7_nor_does_a_file_whose_environment_names_the_programs_that_a_run_starts(refused, mine, workplace) -> None:
    (workplace / "canaries").mkdir()
    for program in ("git", "g++"):
        path = workplace / "canaries" / program
        path.write_text(f"#!/bin/sh\n: > {workplace / 'flown'}\n", encoding="utf-8")
        path.chmod(0o755)
    mine(f"# @package _global_\nhydra: {{job: {{env_set: {{PATH: {workplace / 'canaries'}}}}}}}\n")
    assert "hydra.job.env_set.PATH: set in a file, which is not allowed" in refused(*MINE)
    assert not (workplace / "flown").exists()


@pytest.mark.parametrize("mode", [(), ("-m",)])
@pytest.mark.parametrize("sign", ["", "+", "++"])
def test_row_7_no_package_is_imported_to_look_for_files(
    refused, workplace, monkeypatch, sign: str, mode: tuple[str, ...]
) -> None:
    (workplace / "canary").mkdir()
    (workplace / "canary" / "__init__.py").write_text(CANARY, encoding="utf-8")
    monkeypatch.syspath_prepend(str(workplace))
    said = refused(*mode, f"{sign}hydra.searchpath=[pkg://canary]")
    assert "hydra.searchpath: cannot be changed" in said
    assert "--config-dir FOLDER" in said
    assert not (workplace / "hatched").exists()


def test_an_environment_that_is_typed_is_that_of_the_run(command, mine, workplace, monkeypatch) -> None:
    monkeypatch.setenv("MINE", "shell")
    (workplace / "mine.py").write_text(
        "import os\nfrom pathlib import Path\nfrom pinn_ntk.problem import poisson_1d\n\n\n"
        "def mine():\n    Path('seen').write_text(os.environ['MINE'])\n    return poisson_1d(points=4, "
        "test_points=8)\n\n\n"
        "PROBLEMS = {'mine': mine}\n"
    )
    words = ("plugins=[mine.py]", "problem=mine", "optimizer.steps=1", "theory=none", "network.width=4", "report=quiet")
    assert command(*words, "+hydra.job.env_set.MINE=typed").code == 0
    assert (workplace / "seen").read_text() == "typed"
    assert os.environ["MINE"] == "shell"


SLURM = {
    "partition": "cpu",
    "setup": None,
    "additional_parameters": {},
    "comment": None,
    "name": "${hydra.job.name}",
    "timeout_min": 60,
}


@pytest.mark.parametrize(
    ("launcher", "words", "key"),
    [
        ({"setup": ["touch owned"]}, [], "hydra.launcher.setup"),
        (
            {"setup": ["touch owned"]},
            ["hydra.launcher.partition=cpu", "x=hydra.launcher.setup"],
            "hydra.launcher.setup",
        ),
        ({"additional_parameters": {"wrap": "touch owned"}}, [], "hydra.launcher.additional_parameters.wrap"),
        ({"comment": "a\ntouch owned #"}, [], "hydra.launcher.comment"),
        ({"comment": "a\r\ntouch owned #"}, ["hydra.launcher.comment=x"], "hydra.launcher.comment"),
        ({"comment": "${problem.name}"}, [], "hydra.launcher.comment"),
        ({"setup": ["module load cuda"]}, ["hydra.launcher.setup=[module load cuda]"], None),
        ({"additional_parameters": {"wrap": "a"}}, ["+hydra.launcher.additional_parameters.wrap=a"], None),
        ({}, [], None),
        ({"comment": "a sweep, ${hydra.job.num}"}, [], None),
    ],
)
def test_row_7_the_script_of_a_job_on_a_cluster_is_not_written_by_a_file(
    launcher: dict[str, object], words: list[str], key
) -> None:
    with session(None) as hydra:
        cfg = compose(hydra, [], True, None)
    OmegaConf.set_struct(cfg, False)
    OmegaConf.set_readonly(cfg, False)
    target = f"{BasicLauncher.__module__}.{BasicLauncher.__name__}"
    cfg.hydra.launcher = OmegaConf.create({"_target_": target, **SLURM, **launcher})
    cfg.hydra.overrides.hydra = words
    cfg.problem = {"name": "two\nlines"}
    if key is None:
        check_no_code(cfg, words)
        return
    with pytest.raises(BadInputError) as caught:
        check_no_code(cfg, words)
    assert [fault.key for fault in caught.value.faults] == [key]
