"""The gallery's page is what scripts/gallery.py wrote: its numbers, its pictures, and experiments that exist."""

import json
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "gallery"


def test_every_number_of_the_gallery_was_printed_by_its_script() -> None:
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    results = json.loads((PAGES / "gallery.json").read_text(encoding="utf-8"))
    assert len(results) >= 11
    for name, result in results.items():
        assert (ROOT / "conf" / "experiment" / f"{name}.yaml").is_file(), name
        assert (PAGES / f"{name}.svg").is_file(), name
        for line in result["lines"]:
            assert line in page, name
