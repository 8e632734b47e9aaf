"""The report of every kind of run is one whole, self-contained page that says what the record says."""

import base64
import html
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pinn_ntk.reporting import BADGES, Record, mathematics, number, write_report
from pinn_ntk.training import Status

RecordOf = Callable[[str], Record]
VOID = {"meta", "img", "br", "hr"}
HEADINGS = [
    "What was asked",
    "The solution",
    "Loss and forecast",
    "How fast the loss falls",
    "Spectrum of the tangent kernel",
    "Modes",
    "Does the kernel stay where it was?",
    "Theory beside measurement",
    "How this was made",
]
KINDS = [
    "1d",
    "theorem",
    "heat_in_space_and_time",
    "soft_3d",
    "5d",
    "no_theory",
    "no_kernel",
    "neither",
    "zero_steps",
    "one_point_one_neuron",
    "flow",
    "heavy_ball",
    "float32",
    "diverged",
    "not_finite",
    "singular",
    "hostile_names",
]


class Outline(HTMLParser):
    """Headings, pictures, text and identifiers of a page; fails on a tag that is not closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.headings: list[str] = []
        self.images: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.stack

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.add(tag)
        self.ids += [values["id"]] if values.get("id") else []
        self.images += [values["src"] or ""] if tag == "img" else []
        self.links += [v for k, v in attrs if k in ("href", "src", "action") and v and not v.startswith("data:")]
        self.headings += [""] if tag == "h2" else []
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.stack and self.stack[-1] == "style":
            return
        self.text += data
        if self.stack and self.stack[-1] == "h2":
            self.headings[-1] += data


@pytest.fixture(scope="session")
def page_of(record_of: RecordOf, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    written: dict[str, Path] = {}

    def page(kind: str) -> Path:
        if kind not in written:
            written[kind] = write_report(record_of(kind), record_of(kind).summary(), tmp_path_factory.mktemp("report"))
        return written[kind]

    return page


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_run_has_a_whole_and_self_contained_page(page_of: Callable[[str], Path], kind: str) -> None:
    path = page_of(kind)
    text = path.read_text(encoding="utf-8")
    outline = Outline(text)
    assert [h for h in outline.headings if h != "Width"] == HEADINGS
    assert not outline.links
    assert not outline.tags & {"script", "link", "iframe", "object", "video"}
    assert len(set(outline.ids)) == len(outline.ids)
    assert not re.search(r"\bnan\b|\binf\b", outline.text)
    pictures = [base64.b64decode(source.removeprefix("data:image/svg+xml;base64,")) for source in outline.images]
    assert all(ET.fromstring(p).tag.endswith("svg") for p in pictures)
    assert sorted(p.name for p in (path.parent / "figures").iterdir()) == sorted(f"{name}.svg" for name in outline.ids)
    assert len(text) < 3e6


def test_a_full_run_has_every_picture(page_of: Callable[[str], Path]) -> None:
    pictures = (
        "solution exact error residual loss bound ratio error_history dissipation share spectrum alignment "
        "drift lambda_min"
    )
    pictures += " relative_drift displacement mode_losses mode_times"
    assert set(pictures.split()) == set(Outline(page_of("theorem").read_text()).ids)
    assert "loss_by_block" in Outline(page_of("soft_3d").read_text()).ids


@pytest.mark.parametrize(
    ("kind", "missing"), [("no_kernel", "spectrum"), ("zero_steps", "drift"), ("not_finite", "solution")]
)
def test_what_cannot_be_drawn_is_left_out_and_said(page_of: Callable[[str], Path], kind: str, missing: str) -> None:
    outline = Outline(page_of(kind).read_text())
    assert missing not in outline.ids
    words = {
        "no_kernel": "The kernel was not tracked",
        "zero_steps": "No step was taken",
        "not_finite": "no solution to show",
    }
    assert words[kind] in outline.text


@pytest.mark.parametrize("kind", ["theorem", "soft_3d", "no_theory"])
def test_the_page_states_the_numbers_and_verdicts_of_the_record(
    page_of: Callable[[str], Path], record_of: RecordOf, kind: str
) -> None:
    record, text = record_of(kind), page_of(kind).read_text()
    shown = Outline(text).text
    for name in ("relative_l2", "relative_linf"):
        assert number(float(record.history.columns[name][-1])) in shown
    assert f"{number(float(record.history.losses[0]))} → {number(float(record.history.losses[-1]))}" in shown
    rows = re.findall(r"<tr>(.*?)</tr>", text)
    for s in record.statements:
        row = next(r for r in rows if f"<td>{mathematics(s.name)}<small>" in r)
        assert BADGES[s.verdict][1] in row
        assert f">{number(s.predicted)}<" in row
        assert f">{number(s.measured)}<" in row


def test_widths_are_listed_where_a_theorem_applies(page_of: Callable[[str], Path], record_of: RecordOf) -> None:
    prediction, shown = record_of("theorem").prediction, Outline(page_of("theorem").read_text()).text
    assert prediction is not None
    guarantee = prediction.guarantee
    assert guarantee is not None
    terms = guarantee.terms
    for value in (
        terms.first,
        terms.second,
        terms.third,
        guarantee.least.width,
        *(w.width for w in guarantee.sharper.values()),
    ):
        assert number(value) in shown


def test_names_with_html_and_latex_in_them_are_escaped(page_of: Callable[[str], Path], record_of: RecordOf) -> None:
    text, name = page_of("hostile_names").read_text(), record_of("hostile_names").problem.name
    assert name not in text
    assert "<script" not in text
    assert (
        text.count(html.escape("<script>alert(1)</script>")) >= 6
    )  # title, heading, equation, conditions, blocks, configuration
    assert Outline(text).text.count("100% & ") >= 6


def test_a_warning_of_the_run_is_shown(page_of: Callable[[str], Path], record_of: RecordOf) -> None:
    assert record_of("diverged").status is Status.DIVERGED
    assert record_of("diverged").warnings
    text = page_of("diverged").read_text()
    assert all(mathematics(warning) in text for warning in record_of("diverged").warnings)
    assert "Not solved" in text


def test_one_record_gives_one_report_to_the_byte(
    page_of: Callable[[str], Path], record_of: RecordOf, tmp_path: Path
) -> None:
    assert write_report(record_of("1d"), record_of("1d").summary(), tmp_path).read_bytes() == page_of("1d").read_bytes()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "R_S(t) ≤ e^{−(s²Nλ_S/n) t} R_S(0)",
            "R<sub>S</sub>(t) ≤ e<sup>−(s²Nλ<sub>S</sub>/n) t</sup> R<sub>S</sub>(0)",
        ),
        ("λ_min(K̂^(a)(θ⁰)) ≥ ¾ λ_S", "λ<sub>min</sub>(K̂<sup>(a)</sup>(θ⁰)) ≥ ¾ λ<sub>S</sub>"),
        ("u_tt − v²u_xx = 0", "u<sub>tt</sub> − v²u<sub>xx</sub> = 0"),
        ("u_x1x12 + (1 + x1) u_x3", "u<sub>x1x12</sub> + (1 + x1) u<sub>x3</sub>"),
        ("my_problem, test_points, a < b & c", "my_problem, test_points, a &lt; b &amp; c"),
        ("w_kᵀx, ‖w‖_∞", "w<sub>k</sub>ᵀx, ‖w‖<sub>∞</sub>"),
    ],
)
def test_indices_and_exponents_are_set_and_plain_names_are_left_alone(text: str, expected: str) -> None:
    assert mathematics(text) == expected


CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_chromium_shows_the_page_without_a_broken_image_or_sideways_scrolling(
    page_of: Callable[[str], Path], tmp_path: Path
) -> None:
    # a copy of the page that reports on itself: scripts are for this test only
    check = (
        "<script>addEventListener('load',()=>{document.title=JSON.stringify([document.images.length,"
        "[...document.images].filter(i=>i.complete&&i.naturalWidth>100).length,"
        "document.documentElement.scrollWidth<=innerWidth,document.querySelectorAll('h2').length])})</script></body>"
    )
    text = page_of("theorem").read_text(encoding="utf-8")
    copy = tmp_path / "page.html"
    copy.write_text(text.replace("</body>", check), encoding="utf-8")
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update"
    )
    command = [
        str(CHROMIUM),
        *flags.split(),
        "--disable-sync",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=500,900",
    ]
    done = subprocess.run(
        [*command, "--dump-dom", copy.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    images = text.count("<img ")
    assert images > 10
    assert f"<title>[{images},{images},true,{text.count('<h2>')}]</title>" in done.stdout
