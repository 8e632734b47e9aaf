"""Mathematics as MathML, which browsers draw themselves: no script, no network."""

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

# accents that stay small and close, and primes that are not made small twice
_ACCENT = re.compile(r"<mover[^>]*>(<mi>[^<]*</mi>)<mo[^>]*>(&#x0005E;|&#x002D9;|&#x0007E;)</mo></mover>")
_PRIME = re.compile(r"<msup>(<mi>[^<]*</mi>)<mi>(&#x0203[234];)</mi></msup>")


def _mathml(text: str, display: str) -> str:
    made = _ACCENT.sub(r'<mover accent="true">\1<mo stretchy="false">\2</mo></mover>', convert(text, display=display))
    return _PRIME.sub(r'<mrow>\1<mo lspace="0" rspace="0">\2</mo></mrow>', made)


def _inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(_mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def _block(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(f'<div class="equation">{_mathml(node.astext(), "block")}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer `mathml`."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
