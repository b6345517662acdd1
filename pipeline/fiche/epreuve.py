"""Files of a stranger, read by a process of its own that is ended when it takes too long or too much.

A few thousand bytes of PDF or SVG can keep their reader busy for days. Add here: another kind of file whose reader has no bound
of its own. Keep out: what is made of what was read (`ecarts.py`, `verify.py`).
"""

import hashlib
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

SECONDES = 120  # a fiche of fifteen pages takes one
MEMOIRE = 4 * 1024**3  # bytes of addresses, of which a reader uses a tenth
MAX_TEXTE = 200_000  # characters of a page; a full one has about 6 000
MAX_PAGES = 100  # there are about fifteen


def pages(path: Path) -> list[tuple[str, str]]:
    """Words of each page of a PDF, and a digest of its drawing. Raises ValueError with a sentence."""
    return [(words, drawing) for words, drawing in _isoler("pages", path)]


def eprouver_logo(path: Path) -> None:
    """Raise ValueError with a sentence when a picture cannot be set into a page within bounds."""
    _isoler("logo", path)


def _isoler(travail: str, path: Path) -> Any:
    command = [sys.executable, "-m", "pipeline.fiche.epreuve", travail, str(path)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDES, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise ValueError(f"reading it took more than {SECONDES} seconds") from None
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or [f"its reader ended with {done.returncode}"]
        raise ValueError(words[0][:200])
    return json.loads(done.stdout)


def lire_pages(path: Path) -> list[tuple[str, str]]:
    """The same as `pages`, in this process: of a file of our own making."""
    from pypdf import PdfReader

    found = PdfReader(path).pages
    if len(found) > MAX_PAGES:
        raise ValueError(f"it has {len(found):,} pages; at most {MAX_PAGES} are read")
    read = []
    for page in found:
        drawing = contents.get_data() if (contents := page.get_contents()) else b""
        read.append((page.extract_text()[:MAX_TEXTE], hashlib.sha256(drawing).hexdigest()))
    return read


def _logo(path: Path) -> None:
    import typst

    name = f"logo{path.suffix.lower()}"
    typst.compile({"main.typ": f'#image("{name}")'.encode(), name: path.read_bytes()})  # pyright: ignore[reportArgumentType]


def main() -> None:
    """`python -m pipeline.fiche.epreuve pages|logo FILE`: what was read on standard output, or one line on standard error."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMOIRE, MEMOIRE))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDES, SECONDES))
    travail, path = sys.argv[1], Path(sys.argv[2])
    try:
        sys.stdout.write(json.dumps({"pages": lire_pages, "logo": _logo}[travail](path)))
    except Exception as error:  # what was altered by hand may break its reader anywhere
        sys.stderr.write(" ".join((str(error) or type(error).__name__).split()))
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
