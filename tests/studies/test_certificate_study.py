"""The study of the certificate, small: more seeds the wider, every certified run within its bound,
the theorem's width beside it.
"""

import pytest

from pinn_ntk.studies import certificate, run_study


def test_certified_from_some_width_on(factory, tmp_path):
    options = {"problems": ["poisson_3d"], "widths": [32, 2048], "seeds": 2, "points": 4, "steps": 200, "trained": 2048}
    finished = run_study(certificate(factory(), **options), tmp_path)
    assert not finished.failed
    found = {f["name"].split(": ")[1]: f for f in finished.summary["findings"]}
    assert found["certified width"]["value"] == 2048
    assert "the theorem asks for" in found["certified width"]["expected"]
    assert {f["verdict"] for f in found.values()} == {"holds"}
    assert found["certified runs obey"]["value"] <= 1.0
    assert {p.stem for p in (tmp_path / "figures").glob("*.svg")} == {"certified_poisson_3d", "rates_poisson_3d"}


def test_mistakes_are_named(factory):
    with pytest.raises(ValueError, match="activation: got"):
        certificate(factory(), activation="swish")
    with pytest.raises(ValueError, match="widths: got"):
        certificate(factory(), widths=[0])
