"""What the README shows is what works."""

import re
from pathlib import Path

import pytest
import torch

README = Path(__file__).parent.parent / "README.md"


def test_the_python_examples_run_as_printed(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict = {}
    for code in re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(code, str(README), "exec"), names)
    assert [c.name for c in names["manufactured"].posed] == ["interior", "boundary"]
    assert names["record"].status == "MAX_STEPS"
    assert names["state"].step == 200
    assert names["record"].statements
    assert torch.isfinite(names["K_inf"].total).all()


def test_the_commands_named_exist() -> None:
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"^make ([a-z-]+)", README.read_text(encoding="utf-8"), re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
