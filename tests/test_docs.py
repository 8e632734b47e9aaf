"""What the pages of the documentation show is what works; the site itself is built by `make docs`,
notebooks executed.
"""

import re
from pathlib import Path

import pytest
import torch
import yaml

from pinn_ntk import OPERATORS, SecondOrderOperator, problem_from_text

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("guides/*.md"))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": page.stem}
    torch.manual_seed(0)
    code = blocks(page, "python")
    assert code or page.stem == "runs"
    for block in code:
        exec(compile(block, str(page), "exec"), names)
    assert not list(tmp_path.iterdir())


def test_the_front_page_shows_what_the_readme_shows() -> None:
    """And tests/test_readme.py runs it."""
    assert blocks(DOCS / "index.md", "python")[0] == blocks(ROOT / "README.md", "python")[0]


def test_the_problems_in_yaml_are_problems() -> None:
    texts = blocks(DOCS / "guides" / "problem.md", "yaml")
    assert len(texts) >= 3
    for text in texts:
        spec = {k: v for k, v in yaml.safe_load(text).items() if k != "kind"}
        problem = problem_from_text(spec)
        assert torch.isfinite(problem.target).all()


def test_the_operators_in_yaml_are_operators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    values = [f"{x},{y},{1 + x * y}" for x in (0, 0.25, 0.5, 0.75, 1) for y in (0, 0.25, 0.5, 0.75, 1)]
    Path("k.csv").write_text("\n".join(["x,y,value", *values]), encoding="utf-8")
    texts = blocks(DOCS / "guides" / "operator.md", "yaml")
    assert len(texts) == 2
    for line in "".join(texts).splitlines():
        spec = yaml.safe_load(line)["operator"]
        assert problem_from_text({"dim": 2, "operator": spec, "exact": "x*y", "points": 4}, {**OPERATORS}).points


def test_every_fault_has_a_test_with_its_number() -> None:
    rows = re.findall(r"^\| (\d+b?) \|", (DOCS / "reference" / "faults.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == len(set(rows)) == 48
    names = [
        n
        for path in (ROOT / "tests").rglob("test_*.py")
        for n in re.findall(r"def (test_\w+)\(", path.read_text(encoding="utf-8"))
    ]
    tested: set[str] = set()
    for name in names:
        one = re.match(
            r"test_rows?_(\d+b?)_(?!to_)", name
        )  # a span says what a test is about, not that each of its rows is in it
        tested |= set() if one is None else {one[1], *re.findall(r"_and_(\d+b?)", name)}
    assert set(rows) - tested == set()


def test_every_picture_and_page_that_is_named_is_there() -> None:
    for page in [*DOCS.rglob("*.md"), ROOT / "README.md"]:
        if "_build" in page.parts or "api" in page.parts or page.name in ("configuration.md", "commands.md"):
            continue
        text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        for name in [*re.findall(r"!?\[[^\]]*\]\(([^)#:\s]+)(?:#[^)]*)?\)", text), *re.findall(r'src="([^"]+)"', text)]:
            made = "reference/api/" in name or name.endswith(("configuration.md", "commands.md"))  # by the build
            assert made or (page.parent / name).exists(), (page.name, name)


def test_an_operator_of_the_guide_is_what_it_says() -> None:
    x = torch.rand(7, 2, dtype=torch.float64)
    full = SecondOrderOperator(2, A=lambda p: torch.diag_embed(1.0 + p**2))
    torch.testing.assert_close(
        full.apply(lambda p: p[:, 0] ** 2 + p[:, 1] ** 3, x), (1 + x[:, 0] ** 2) * 2 + (1 + x[:, 1] ** 2) * 6 * x[:, 1]
    )
