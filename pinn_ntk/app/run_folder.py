"""A run's folder: made under a lock, with a copy of the configuration and a log."""

import errno
import fcntl
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from pinn_ntk.app.faults import BadInputError, Fault
from pinn_ntk.experiment.checkpoint import CHECKPOINTS
from pinn_ntk.reporting.files import write_text
from pinn_ntk.reporting.loggers import TENSORBOARD

LOCK, LOG, SUMMARY, HYDRA = ".lock", "run.log", "summary.json", ".hydra"
RUN_FILES = (
    SUMMARY,
    "report.html",
    "history.csv",
    "arrays.nc",
    "network.safetensors",
    "solution.safetensors",
    "solution.nc",
    "figures",
    TENSORBOARD,
    "table.csv",
    "ensemble.csv",
    CHECKPOINTS,
    HYDRA,
    LOG,
)
LOGGER = logging.getLogger("pinn_ntk")
_FORMAT = "%(asctime)s %(levelname)s %(message)s"


class FolderError(OSError):
    """A run's folder that cannot be written."""


def default_folder(problem: str) -> Path:
    """outputs/<problem>/<time in microseconds>, so that runs of one second do not meet."""
    return (
        Path("outputs")
        / (re.sub(r"[^\w.-]+", "_", problem).strip("._") or "problem")
        / f"{datetime.now():%Y-%m-%d_%H-%M-%S-%f}"
    )


@contextmanager
def run_folder(folder: Path, chdir: bool, goes_on: bool = False) -> Iterator[Path]:
    """The folder, made, locked and logged to; all of it is undone at the end but the files.

    Args:
        folder: made when missing.
        chdir: whether the working directory is the folder meanwhile.
        goes_on: whether the run there is continued: its checkpoints, log, events and configuration stay.

    Yields:
        Its absolute path.

    Raises:
        BadInputError: the path is a file, or a live run holds the folder.
        FolderError: it cannot be made or written.
    """
    path, before = _made(folder), Path.cwd()
    with _locked(path):
        _set_aside(path, (CHECKPOINTS, LOG, TENSORBOARD, HYDRA) if goes_on else ())
        with _logged(path), _inside(path if chdir else before, before):
            yield path


@contextmanager
def _inside(path: Path, before: Path) -> Iterator[None]:
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


def _set_aside(path: Path, staying: Sequence[str]) -> None:
    """An earlier run's files go to earlier/<its time>: a folder named twice loses nothing."""
    told = next(
        (path / name for name in (SUMMARY, CHECKPOINTS) if name not in staying and (path / name).exists()), None
    )
    if told is None:
        return
    moment = datetime.fromtimestamp(told.stat().st_mtime)
    kept = path / "earlier" / f"{moment:%Y-%m-%d_%H-%M-%S-%f}"
    try:
        kept.mkdir(parents=True)
        for name in RUN_FILES:
            if name not in staying and (path / name).exists():
                (path / name).rename(kept / name)
    except OSError as error:
        raise FolderError(
            f"the earlier run in {path} cannot be set aside ({error.strerror}); choose another with output=FOLDER"
        ) from error


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise BadInputError(
            Fault("output", f"got {str(folder)!r}, which is or lies in a file; expected a folder")
        ) from None
    except ValueError as error:  # a null byte
        raise BadInputError(Fault("output", f"got {str(folder)!r}: {error}; expected a path")) from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise BadInputError(Fault("output", f"a path of {len(str(folder))} characters is too long")) from None
        raise FolderError(
            f"the folder {folder} cannot be made ({error.strerror}); choose another with output=FOLDER"
        ) from error
    return folder.resolve()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """An exclusive lock, which the kernel drops with its process: what a dead one left is taken over."""
    lock = path / LOCK
    descriptor = _acquire(lock)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        lock.unlink(missing_ok=True)  # while it is still held: see _acquire
        os.close(descriptor)


def _acquire(lock: Path) -> int:
    while True:
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise FolderError(
                f"the folder {lock.parent} cannot be written ({error.strerror}); choose another with output=FOLDER"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if lock.exists() and os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor
        except BlockingIOError:
            pid = os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            message = (
                f"{lock.parent} is in use by a run that is alive (process {pid or 'unknown'}); wait for it or "
                "choose another folder"
            )
            raise BadInputError(Fault("output", message)) from None
        os.close(descriptor)  # its holder finished and removed it between our open and our lock: again with the new one


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    try:
        handler = logging.FileHandler(path / LOG, encoding="utf-8")
    except OSError as error:
        raise FolderError(
            f"{path / LOG} cannot be written ({error.strerror}); choose another folder with output=FOLDER"
        ) from error
    handler.setFormatter(logging.Formatter(_FORMAT))
    LOGGER.addHandler(handler)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        handler.close()


def save_config(
    path: Path, config: DictConfig, hydra: DictConfig, words: Sequence[str], extra: Mapping[str, str]
) -> None:
    """.hydra/config.yaml, hydra.yaml and overrides.yaml (the words as typed), and files beside them.

    Args:
        path: the run's folder.
        config: what was run.
        hydra: Hydra's own node.
        words: of the command line.
        extra: name → text of further files, such as copies of plugins.
    """
    folder = path / HYDRA
    folder.mkdir(exist_ok=True)
    texts = {
        "config.yaml": OmegaConf.to_yaml(config),
        "hydra.yaml": OmegaConf.to_yaml(OmegaConf.create({"hydra": hydra})),
        "overrides.yaml": OmegaConf.to_yaml(OmegaConf.create(list(words))),
    }
    for name, text in {**texts, **extra}.items():
        write_text(folder / name, text)  # whole: another process of a run that goes on may be reading it
