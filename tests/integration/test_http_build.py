"""`comex build` from a real server that has a bad day: what is told, and what stays in place.

Add here: a fault that a whole run must survive. Keep out: each fault of the network by itself (`unit/test_fetch.py`).
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.sources import example
from tests.integration.test_runs import PARTS, comex, fingerprint
from tests.kiosk import PAGE, Fault, Kiosk

LAST = "202502-Regional-2024-export.zip"
QUICK = {"COMEX_ATTEMPTS": "2", "COMEX_RETRY_WAIT_S": "0.05", "COMEX_TIMEOUT_S": "1"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kiosk, Path]]:
    """A server with four archives, and a home with one fiche made from it: the first download broke twice on the way."""
    work = tmp_path_factory.mktemp("http")
    example.generate(work / "archives", echelle=0.01)
    with Kiosk(work / "site") as kiosk:
        for archive in sorted((work / "archives").glob("*.zip")):
            kiosk.publish(archive.name, archive)
        size = len((work / "archives" / LAST).read_bytes())
        kiosk.faults[kiosk.path(LAST)] = Fault(cut_at=size // 2, times=1, then=Fault(status=503, times=1))
        done = comex(work / "home", kiosk.url, "--departement", "48", **QUICK | {"COMEX_ATTEMPTS": "4"})
        assert done.returncode == 0, done.stderr
        assert "4 new archives" in done.stdout
        cut, broken, rest = kiosk.asked(kiosk.path(LAST))
        assert (cut.status, broken.status, rest.status) == (200, 503, 206)
        assert rest.headers["range"].startswith("bytes=") and cut.sent + rest.sent < 1.2 * size
        yield kiosk, work / "home"


def _state(home: Path) -> dict[str, str]:
    """Digests of the fiches, the index and the archive; what a broken download left to go on from is neither."""
    found = fingerprint(home)
    return {name: found[name] for name in found if name.startswith(("fiches/", "index", "raw/")) and "/incoming/" not in name}


def told(kiosk: Kiosk, home: Path) -> str:
    """The error of a run that cannot go on, after which the fiches and the archive are what they were."""
    before = _state(home)
    done = comex(home, kiosk.url, "--departement", "48", **QUICK)
    assert done.returncode == 1, done.stdout
    assert all(part in done.stderr for part in PARTS), done.stderr
    assert _state(home) == before
    return done.stderr


def test_a_page_that_changed_its_layout_is_not_nothing_new(built: tuple[Kiosk, Path]) -> None:
    kiosk, home = built
    kiosk.faults[PAGE] = Fault(body=b"<html><body>Nouveau portail</body></html>", validators=False)
    assert "layout" in told(kiosk, home)
    kiosk.faults.clear()


def test_a_new_release_that_cannot_be_had_leaves_all_as_it_was_and_the_next_run_goes_on(built: tuple[Kiosk, Path]) -> None:
    kiosk, home = built
    name = "202508-Regional-2024-export.zip"
    link = kiosk.publish(name, kiosk.folder / kiosk.path(LAST).lstrip("/"))
    kiosk.put(kiosk.path(name), kiosk.folder.joinpath(kiosk.path(LAST).lstrip("/")).read_bytes() + b"\0")  # other bytes
    for fault, words in (
        (Fault(status=404), "404"),
        (Fault(cut_at=1000), "cut"),
        (Fault(body=b"<!doctype html><p>Maintenance", headers={"Content-Type": "text/html"}), "web page"),
        (Fault(status=302, headers={"Location": "http://elsewhere.invalid/x.zip"}), "elsewhere.invalid"),
    ):
        kiosk.faults[kiosk.path(name)] = fault
        said = told(kiosk, home)
        assert words in said and (link in said or name in said), said
    kiosk.faults.clear()
    kiosk.requests.clear()
    done = comex(home, kiosk.url, "--departement", "48", **QUICK)
    assert done.returncode == 0, done.stderr
    assert "1 new archives, 4 unchanged" in done.stdout
    assert [request.status for request in kiosk.requests] == [200, 304, 304, 304, 304, 200]
    manifest = json.loads((home / "fiches/2024/48-lozere/manifest.json").read_text(encoding="utf-8"))
    assert {archive["nom"] for archive in manifest["archives"]} == {name, LAST.replace("export", "import")}
