"""A small picture of a figure, for those who look at a run rather than at its outputs.

Add here: nothing, ideally. Keep out: figures for readers (`render.py`).
"""

import base64
import io
from pathlib import Path

import typst
from PIL import Image

from pipeline.charts.texte import DOSSIER_POLICES


def preview(svg: Path, limit: int = 40_000) -> bytes | None:
    """The sharpest PNG of a figure that fits in `limit` bytes; None when none does."""
    page = f'#set page(width: 180mm, height: auto, margin: 2mm)\n#image("{svg.name}", width: 100%)'.encode()
    drawing = svg.read_bytes()
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(DOSSIER_POLICES)])
    for ppi in (96.0, 84.0, 72.0, 54.0, 40.0, 30.0):
        png = typst.compile({"main.typ": page, svg.name: drawing}, format="png", ppi=ppi, font_paths=fonts)  # pyright: ignore[reportArgumentType]
        if isinstance(png, bytes) and len(small := _few_colours(png)) <= limit:
            return small
    return None


def _few_colours(png: bytes) -> bytes:
    """The same picture with a palette: a quarter of the bytes, and letters that can be read where there was room for none."""
    with Image.open(io.BytesIO(png)) as picture, io.BytesIO() as made:
        picture.convert("RGB").quantize(32, dither=Image.Dither.NONE).save(made, "PNG", optimize=True)
        return made.getvalue()


def shown(svg: Path) -> str:
    """A figure in Markdown: its picture within the text, small since it goes into an event log, or its path."""
    png = preview(svg)
    return f"![{svg.stem}](data:image/png;base64,{base64.b64encode(png).decode()})" if png else f"`{svg}`"
