"""The browser that draws the figures: where one is found. A run that finds none fails and says so: nothing is downloaded.

Add here: another place to look. Keep out: getting one (`installation.py`), what is drawn with it (`render.py`).
"""

import os
import shutil
from pathlib import Path

from choreographer.browsers import Chromium

from pipeline.errors import RenderError
from pipeline.settings import ROOT

CACHE = ROOT / ".browser"
NOMS = (
    "chromium-headless-shell",  # the smallest, first
    "chrome-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)


def chercher(cache: Path = CACHE) -> Path | None:
    """A browser already here: BROWSER_PATH, then our cache, then a known name on PATH, then where Chrome usually lies.

    The cache comes before PATH: it is filled only where nothing on PATH would do.

    Raises RenderError when BROWSER_PATH is set and names no executable.
    """
    wanted = os.environ.get("BROWSER_PATH")
    if wanted:
        if not os.access(wanted, os.X_OK) or Path(wanted).is_dir():
            raise RenderError(
                f"BROWSER_PATH should name an executable browser; {wanted!r} is none.",
                where="environment variable BROWSER_PATH",
                cause="a typing error, or a browser that was removed",
                remedy="correct BROWSER_PATH, or unset it to let the program look by itself",
            )
        return Path(wanted)
    if (cached := cache / "chromium").is_file():
        return cached
    for name in NOMS:
        if found := shutil.which(name):
            return Path(found)
    found = Chromium.find_browser(skip_local=False)
    return Path(found) if found else None


def trouver() -> Path:
    """The browser to use. Raises RenderError when there is none."""
    if found := chercher():
        return found
    raise RenderError(
        f"A browser is needed to draw the figures; none of {', '.join(NOMS)} is on PATH, and {CACHE} is empty.",
        where="PATH, BROWSER_PATH and the usual places of Chrome",
        cause="`make setup` was not run, or could not install one",
        remedy="run `make setup`, or install Chromium or Chrome and give its path in BROWSER_PATH",
    )
