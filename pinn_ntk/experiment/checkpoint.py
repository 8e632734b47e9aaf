"""Checkpoints: what a run needs to go on to the same bits, in its folder, whole or not at all.

Each is a safetensors file (Δ, the optimiser's memory, losses, tracked rows; no code, no pickle) and a manifest with its
SHA-256, written aside, flushed and renamed, the manifest last. The last two are kept.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinn_ntk import parallel
from pinn_ntk.networks.storage import replacing
from pinn_ntk.training.journal import Journal
from pinn_ntk.training.memory import Memory
from pinn_ntk.training.states import State, Status

CHECKPOINTS = "checkpoints"
"""The folder of a run's checkpoints, in the run's own."""
FORMAT, VERSION, KEPT = "pinn_ntk.checkpoint", 1, 2
_TENSOR, _NUMBER = "tensor", "number"


@dataclass
class Held:
    """What a run has in hand between two steps.

    Attributes:
        memory: of the method.
        journal: of the trackers.
    """

    memory: Memory = field(default_factory=Memory)
    journal: Journal = field(default_factory=Journal)


class CheckpointError(ValueError):
    """A run that cannot be gone on with: no checkpoint, a foreign one, or none that is whole."""


def write_checkpoint(folder: Path, held: Held, identity: Mapping[str, Any]) -> Path:
    """Write the state that comes next, and drop all but the last two.

    Args:
        folder: of the run.
        held: memory and journal; the losses before its step are what is kept of those.
        identity: what a run that goes on has to share, plain.

    Returns:
        The manifest.

    Raises:
        OSError: it cannot be written; earlier checkpoints are as they were.
    """
    from safetensors.torch import save

    # on the CPU: to be written
    tensors: dict[str, Tensor] = {"losses": torch.tensor(held.journal.losses[: held.memory.step], dtype=torch.float64)}
    content = {
        "step": held.memory.step,
        "seconds": held.journal.seconds,
        "values": _plain(held.memory.values, tensors),
        "rows": _plain([row for row in held.journal.rows if float(row["step"]) < held.memory.step], tensors),
    }
    header = {"format": FORMAT, "version": str(VERSION), "content": json.dumps(content)}
    # on the CPU: to be written
    data = save({name: t.detach().to("cpu", copy=True).contiguous() for name, t in tensors.items()}, header)
    place = folder / CHECKPOINTS
    place.mkdir(exist_ok=True)
    name = f"{held.memory.step:012d}"
    with replacing(place / f"{name}.safetensors") as aside:
        aside.write_bytes(data)
    about = {
        "format": FORMAT,
        "version": VERSION,
        "step": held.memory.step,
        "sha256": _sha(data),
        "bytes": len(data),
        "identity": dict(identity),
    }
    with replacing(place / f"{name}.json") as aside:
        aside.write_text(json.dumps({**about, "seal": _seal(about)}, indent=1), encoding="utf-8")
    for old in sorted(place.glob("*.json"))[:-KEPT]:
        old.unlink(missing_ok=True)
        old.with_suffix(".safetensors").unlink(missing_ok=True)
    return place / f"{name}.json"


def read_checkpoint(folder: Path, identity: Mapping[str, Any], device: torch.device) -> tuple[Held, list[str]]:
    """The last checkpoint that is whole.

    Args:
        folder: of the run.
        identity: as it was written.
        device: where its tensors go.

    Returns:
        Memory and journal, and a warning for each later checkpoint that is damaged.

    Raises:
        CheckpointError: there is none that is whole, or it is of another version or of a run that was configured
            otherwise.
    """
    from safetensors import SafetensorError

    manifests, notes = sorted((folder / CHECKPOINTS).glob("*.json"), reverse=True), list[str]()
    for manifest in manifests:
        try:
            about, data = _whole(manifest)
            held = _held(data, device)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            notes.append(f"checkpoint {manifest.stem} is damaged ({error}); the one before it is taken")
            continue
        if about["version"] != VERSION:
            raise CheckpointError(
                f"{manifest}: of version {about['version']!r}, expected {VERSION}; go on with the package that wrote it"
            )
        differing = [
            f"{k}: {about['identity'].get(k)!r} then, {v!r} now"
            for k, v in identity.items()
            if about["identity"].get(k) != v
        ]
        if differing:
            raise CheckpointError(f"{manifest}: of another run: {'; '.join(differing)}")
        return held, notes
    found = "; ".join(notes) if notes else "none there"
    raise CheckpointError(f"got {str(folder)!r}, expected the folder of a run with a checkpoint: {found}")


def _whole(manifest: Path) -> tuple[dict[str, Any], bytes]:
    """The manifest and the tensors that it seals.

    Raises:
        ValueError: a bit of either is not as it was written.
    """
    about = json.loads(manifest.read_text(encoding="utf-8"))
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise ValueError("a foreign manifest")
    if about.pop("seal", None) != _seal(about):
        raise ValueError("its manifest was changed")
    data = manifest.with_suffix(".safetensors").read_bytes()
    if len(data) != about["bytes"] or _sha(data) != about["sha256"]:
        raise ValueError(f"its tensors are {len(data)} bytes with another SHA-256 than written")
    return about, data


def _held(data: bytes, device: torch.device) -> Held:
    from safetensors.torch import load

    size = int.from_bytes(data[:8], "little")
    content = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["content"])
    tensors = load(data)
    losses = tensors["losses"].tolist()
    memory = Memory(content["step"], losses, _filled(content["values"], tensors, device))
    return Held(memory, Journal(_filled(content["rows"], tensors, device), list(losses), content["seconds"]))


def _plain(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The value as JSON, its tensors put aside; numbers as text that reads back to the same bits."""
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value)  # on the CPU: to be written
    if isinstance(value, Tensor):
        name = f"{len(tensors)}"
        tensors[name] = value
        return {_TENSOR: name, "moves": value.device.type != "cpu"}
    if isinstance(value, float):
        return {_NUMBER: value.hex()}
    if isinstance(value, Mapping):
        return {"mapping": {str(k): _plain(v, tensors) for k, v in value.items()}}
    if isinstance(value, (list, tuple)):
        return [_plain(v, tensors) for v in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    raise TypeError(
        f"checkpoint: got a {type(value).__name__}, expected tensors, numbers, texts, None, lists and mappings"
    )


def _filled(value: Any, tensors: Mapping[str, Tensor], device: torch.device) -> Any:
    """What `_plain` was given."""
    if isinstance(value, list):
        return [_filled(v, tensors, device) for v in value]
    if not isinstance(value, dict):
        return value
    if _TENSOR in value:
        return tensors[value[_TENSOR]].to(device) if value["moves"] else tensors[value[_TENSOR]]
    if _NUMBER in value:
        return float.fromhex(value[_NUMBER])
    return {k: _filled(v, tensors, device) for k, v in value["mapping"].items()}


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _seal(about: Mapping[str, Any]) -> str:
    return _sha(json.dumps(about, sort_keys=True).encode())


@dataclass
class Keeper:
    """Writes checkpoints of a run: every so many seconds, and when it is asked to stop.

    Attributes:
        folder: of the run.
        identity: what a run that goes on has to share.
        held: memory and journal of the run.
        seconds: between two of them; None for none but the last.
        warn: told, once, that one could not be written.
        written: whether there is one.
    """

    folder: Path
    identity: Mapping[str, Any]
    held: Held
    seconds: float | None
    warn: Callable[[str], None]
    written: bool = False
    _last: float = field(default_factory=lambda: time.monotonic())
    _warned: bool = False

    def perhaps(self, state: State) -> None:
        """Write one where it is time, and of the last state, so that a run may be given more steps."""
        if state.status is Status.MAX_STEPS or (
            self.seconds is not None and time.monotonic() - self._last >= self.seconds
        ):
            self.now(state)

    def now(self, state: State) -> None:
        """Write one, unless the state is no good or its method has no memory; one more try, then a warning,
        when it cannot be.
        """
        self.written = False
        if not self.held.memory.values or self.held.memory.step != state.step or not math.isfinite(state.loss):
            return
        self._last = time.monotonic()
        for last in (False, True):
            try:
                if parallel.first():
                    write_checkpoint(self.folder, self.held, self.identity)
                self.written = True
                return
            except OSError as error:
                if last and not self._warned:
                    self._warned = True
                    self.warn(
                        f"warning: no checkpoint ({error}); the run goes on, and those written before are as they were"
                    )
