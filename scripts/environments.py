"""Environments of the peers, made once under .peers/ by the scripts that compare with them."""

import subprocess
import venv
from collections.abc import Sequence
from pathlib import Path

CACHE = Path(__file__).resolve().parent.parent / ".peers"
TORCH = ("torch==2.13.0",)
DEEPXDE = (TORCH, ("deepxde==1.15.0", "scikit-fem==12.0.2"))
JAX = (("jax==0.4.30", "jaxlib==0.4.30", "numpy<2", "scipy<1.14", "neural-tangents==0.6.5"),)


def environment(name: str, wanted: Sequence[Sequence[str]]) -> Path:
    """The Python of an environment with those packages, made where it is missing.

    Args:
        name: of its folder.
        wanted: packages of one pip call after another, so that torch is chosen by itself and nothing else chooses its
            build.
    """
    python, done = CACHE / name / "bin" / "python", CACHE / f"{name}.installed"
    words = "\n".join(package for packages in wanted for package in packages)
    if done.is_file() and python.is_file() and done.read_text(encoding="utf-8") == words:
        return python
    print(f"making {CACHE / name} with {words.replace(chr(10), ', ')}: a minute", flush=True)
    venv.create(CACHE / name, with_pip=True)
    for packages in wanted:
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages]
        if subprocess.run(pip, check=False).returncode:
            raise SystemExit(
                f"peers: pip could not install {', '.join(packages)} into {CACHE / name}; expected an index "
                "that has them"
            )
    done.write_text(words, encoding="utf-8")
    return python
