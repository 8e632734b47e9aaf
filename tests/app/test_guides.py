"""The plugins that the guides show are taken by the command."""

from pathlib import Path

from test_docs import DOCS, blocks


def test_the_network_of_the_guide_is_taken(ran) -> None:
    code, keys = blocks(DOCS / "guides" / "network.md", "python")[0], blocks(DOCS / "guides" / "network.md", "yaml")[0]
    wanted = code[: code.index("torch.manual_seed")]
    Path("my_network.py").write_text(wanted + 'NETWORKS = {"residual": Residual}\n', encoding="utf-8")
    Path("my_conf/network").mkdir(parents=True)
    Path("my_conf/network/residual.yaml").write_text(keys, encoding="utf-8")
    outcome = ran("--config-dir", "my_conf", "plugins=[my_network.py]", "network=residual", "network.width=7")
    assert outcome.code == 0, outcome.err
    assert outcome.summary["parameters"] == 2 * 7 + 7 * 8 + 8


def test_the_plugins_of_the_pages_are_taken(ran) -> None:
    pages = {"my_operators.py": "operator.md", "my_problem.py": "problem.md"}
    for name, page in pages.items():
        (text,) = [block for block in blocks(DOCS / "guides" / page, "python") if f"# {name}" in block]
        Path(name).write_text(
            "import torch\nfrom pinn_ntk import Problem, box, laplacian, pose\n" + text, encoding="utf-8"
        )
    Path("conf/problem").mkdir(parents=True)
    Path("conf/problem/bump.yaml").write_text("kind: bump\n", encoding="utf-8")
    sheared = "{kind: text, dim: 2, operator: {kind: sheared, shear: 2}, exact: x*y, points: 5}"
    Path("conf/problem/sheared.yaml").write_text(sheared, encoding="utf-8")
    words = (
        "--config-dir",
        "conf",
        "plugins=[my_operators.py,my_problem.py]",
        "problem.points=5",
        "~problem.test_points",
    )
    outcome = ran(*words, "problem=bump", "problem.height=2")
    assert outcome.code == 0, outcome.err
    assert outcome.summary["points"] == 5
    outcome = ran(*words, "problem=sheared")
    assert outcome.code == 0, outcome.err
    assert outcome.summary["problem"] == "sheared"
