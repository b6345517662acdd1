"""Bundles made again from the archives they name: untouched ones hold, and no digit changed by hand passes.

The bundles in question were made from archives that came in another order, from another folder, by a pool of processes; what
verifies them works alone. That they hold to the byte is also the test that bundles do not depend on such things.
"""

import hashlib
import json
import re
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ContentStream
from typer.testing import CliRunner

from pipeline import cli, dbt, verify
from pipeline.archive import tables
from pipeline.charts.draw import draw
from pipeline.errors import DataError, ReleaseError, SettingError
from pipeline.fiche import bind, index, rapprochement
from pipeline.fiche.provenance import Provenance
from pipeline.marts import Marts
from pipeline.paths import Paths
from pipeline.settings import Settings
from pipeline.territoires import FRANCE, departement, regions
from tests.archives import keep
from tests.integration.test_runs import PARTS

MADE = (departement("94"), departement("20"))


# Forgeries: each changes one thing in a bundle ------------------------------------------------------------------------------


def other_digit(text: str) -> str:
    return str((int(text) + 1) % 10)


def forge_csv(bundle: Path) -> None:
    path = bundle / "donnees" / "balance.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    cells = lines[3].split(",")
    cells[2] = cells[2][:-1] + other_digit(cells[2][-1])
    path.write_text("".join([*lines[:3], ",".join(cells), *lines[4:]]), encoding="utf-8")


def forge_text(path: Path, pattern: str) -> None:
    """Another digit at the end of the first group of the first match."""
    text = path.read_text(encoding="utf-8")
    found = re.search(pattern, text)
    assert found
    end = found.end(1)
    path.write_text(text[: end - 1] + other_digit(text[end - 1]) + text[end:], encoding="utf-8")


def forge_html(bundle: Path) -> None:
    forge_text(bundle / "fiche.html", r"<td[^>]*>([\d\u202f]+,\d)")


def forge_figure_of_page(bundle: Path) -> None:
    forge_text(bundle / "fiche.html", r'<script type=[^>]*>[^<]*?"text":\["[^<]*?([\d\u202f]+,\d)')


def forge_svg(bundle: Path) -> None:
    forge_text(bundle / "graphiques" / "balance.svg", r">([\d\u202f]+,\d)[^<]*</t")


def forge_pdf(bundle: Path) -> None:
    """Another digit in the text of page 3, in its compressed drawing."""
    writer = PdfWriter(clone_from=PdfReader(bundle / "fiche.pdf"))
    page: Any = writer.pages[2]
    content = ContentStream(page.get_contents(), writer)
    font = b""
    for operands, operator in content.operations:
        if operator == b"Tf":
            cmap = page["/Resources"]["/Font"][operands[0]]["/ToUnicode"].get_data().decode()
            font = {chr(int(char, 16)): bytes.fromhex(code) for code, char in re.findall(r"<(\w{4})> <(\w{4})>", cmap)}
        strings = operands[0] if operator == b"TJ" else operands[:1] if operator == b"Tj" else []
        for at, string in enumerate(strings):
            raw = getattr(string, "original_bytes", b"")
            codes = [raw[n : n + 2] for n in range(0, len(raw), 2)]
            if font and (old := next((digit for digit in "123456789" if font.get(digit) in codes), None)):
                new = next(digit for digit in "123456789" if digit != old and digit in font)
                codes[codes.index(font[old])] = font[new]
                strings[at] = type(string)(b"".join(codes))
                if operator == b"Tj":
                    operands[0] = strings[at]
                page.replace_contents(content)
                writer.write(bundle / "fiche.pdf")
                return
    raise AssertionError("no digit found")


def forge_png(bundle: Path) -> None:
    path = bundle / "graphiques" / "produits.png"
    png = path.read_bytes()
    at = png.index(b"IDAT") - 4
    [size] = struct.unpack(">I", png[at : at + 4])
    parts, end = [], at
    while png[end + 4 : end + 8] == b"IDAT":
        [size] = struct.unpack(">I", png[end : end + 4])
        parts.append(png[end + 8 : end + 8 + size])
        end += 12 + size
    pixels = bytearray(zlib.decompress(b"".join(parts)))
    pixels[len(pixels) // 2] ^= 255
    body = b"IDAT" + zlib.compress(bytes(pixels))
    path.write_bytes(png[:at] + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) + png[end:])


def change_manifest(bundle: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_bytes())
    change(manifest)
    path.write_text(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def sign_again(bundle: Path) -> None:
    """What a careful forger does: the manifest gets the digests and sizes of the files as they are now."""

    def change(manifest: dict[str, Any]) -> None:
        for entry in manifest["fichiers"]:
            content = (bundle / entry["chemin"]).read_bytes()
            entry |= {"sha256": hashlib.sha256(content).hexdigest(), "taille": len(content)}

    change_manifest(bundle, change)


def forge_manifest(bundle: Path) -> None:
    change_manifest(bundle, lambda manifest: manifest["chaine"]["releases"][-1].update(valeur_eur=5))


def claim_other_versions(bundle: Path) -> None:
    change_manifest(bundle, lambda manifest: manifest["versions"].update(plotly="6.0.0"))


@dataclass(frozen=True)
class Forgery:
    """What is done, whether the manifest is signed again, and patterns that the verdict's lines must match."""

    done: tuple[Callable[[Path], None], ...]
    told: tuple[str, ...]
    signed: bool = True


NUMBER = r"found « .*\d.* », expected « .*\d.* »"
FORGERIES = {
    "csv": Forgery((forge_csv,), (r"donnees/balance\.csv, line 4 \(\w\w\), column import_eur: found \d+, expected \d+$",)),
    "html": Forgery((forge_html,), (rf"fiche\.html, {NUMBER}, after « .+ »$",)),
    "figure-of-page": Forgery((forge_figure_of_page,), (rf"fiche\.html, {NUMBER}",)),
    "svg": Forgery((forge_svg,), (rf"graphiques/balance\.svg, {NUMBER}, after « .+ »$",)),
    "pdf": Forgery((forge_pdf,), (rf"fiche\.pdf, page 3: {NUMBER}",)),
    "png": Forgery((forge_png,), (r"graphiques/produits\.png, the picture itself differs",)),
    "unsigned": Forgery((forge_csv,), (r"donnees/balance\.csv, line 4",), signed=False),
    "manifest": Forgery(
        (forge_manifest,), (r"manifest\.json, chaine\.releases\.\[\w{12}\]\.valeur_eur: found 5, expected \d+$",)
    ),
    "missing": Forgery(
        (lambda b: (b / "graphiques/produits.png").unlink(),), (r"graphiques/produits\.png: the file is missing",), signed=False
    ),
    "extra": Forgery((lambda b: (b / "avis.txt").touch(),), (r"avis\.txt: no such file",)),
    "no-manifest": Forgery((lambda b: (b / "manifest.json").unlink(),), (r"found FileNotFoundError",), signed=False),
    "unknown-archive": Forgery(
        (lambda b: change_manifest(b, lambda m: m["chaine"]["releases"][0].update(sha256="0" * 64)),),
        (r"sha256 0{64} was expected; 4 arrivals are on record",),
    ),
    # A forger may also say that the bundle was made with other versions, which lets bytes differ: numbers still may not.
    "csv-versions": Forgery((forge_csv, claim_other_versions), (r"donnees/balance\.csv, line 4",)),
    "html-versions": Forgery((forge_html, claim_other_versions), (rf"fiche\.html, {NUMBER}",)),
    "svg-versions": Forgery((forge_svg, claim_other_versions), (rf"graphiques/balance\.svg, {NUMBER}",)),
    "pdf-versions": Forgery((forge_pdf, claim_other_versions), (rf"fiche\.pdf, page 3: {NUMBER}",)),
    "png-versions": Forgery((forge_png, claim_other_versions), (r"produits\.png: altered since it was made",), signed=False),
}


# The bundles ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def home(kiosk: Path, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """Two bundles, made from archives that arrived the last first, from a folder of another name, by two processes."""
    folder = tmp_path_factory.mktemp("elsewhere") / "Téléchargements"
    shutil.copytree(kiosk, folder)
    paths = Paths(tmp_path_factory.mktemp("verified") / "home")
    kept = [keep(path, paths.raw / "source") for path in sorted(folder.glob("*.zip"), reverse=True)]
    releases = tables.build(kept, paths.raw_tables)
    dbt.build(paths, "A129", "2024")
    marts = Marts(paths.marts, "2024")
    origin = bind.provenance(releases, marts)
    shown = [*reversed(MADE), regions()["11"], regions()["94"], FRANCE]
    assert not [drawn for drawn in draw(shown, marts, paths.charts / "2024", mention=origin.mention) if drawn.erreur]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bind, "ALONE_UP_TO", 0)
        assert not [made for made in bind.bind(MADE, marts, origin, Settings(home=paths.home), paths) if made.erreur]
    return paths


@pytest.fixture(scope="module")
def verdicts(home: Paths, tmp_path_factory: pytest.TempPathFactory) -> dict[str, verify.Verdict]:
    """Of the two bundles, of one from other versions, and of a copy for each forgery; all made again once, far from home."""
    place = tmp_path_factory.mktemp("mailed")
    own = home.fiches / "2024"
    copies = {**{territoire.slug: Forgery((), ()) for territoire in MADE}, "versions": Forgery((claim_other_versions,), ())}
    for name, forgery in (copies | FORGERIES).items():
        bundle = place / name
        shutil.copytree(own / (name if (own / name).exists() else MADE[0].slug), bundle)
        for step in forgery.done:
            step(bundle)
        if forgery.signed and (bundle / "manifest.json").exists():
            sign_again(bundle)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Pacific/Kiritimati")
        patch.setenv("COMEX_NIVEAU_PRODUIT", "A38")  # the bundle's own choice counts
        return {verdict.path.name: verdict for verdict in verify.verify(place, home)}


@pytest.mark.parametrize("territoire", MADE, ids=lambda territoire: territoire.slug)
def test_a_bundle_made_again_elsewhere_has_the_same_bytes(verdicts: dict[str, verify.Verdict], territoire) -> None:
    assert verdicts[territoire.slug].differences == ()
    assert verdicts[territoire.slug].notes == ()


@pytest.mark.parametrize("name", FORGERIES)
def test_what_was_changed_by_hand_is_named(verdicts: dict[str, verify.Verdict], name: str) -> None:
    told = "\n".join(verdicts[name].differences)
    for pattern in FORGERIES[name].told:
        assert re.search(pattern, told, re.MULTILINE), told
    named = {line.partition(",")[0].partition(":")[0] for line in verdicts[name].differences}
    assert len(named - {"manifest.json"}) <= 1, told  # nothing else is accused


def test_other_versions_are_told_first_and_their_bytes_are_not_held_against_a_bundle(verdicts) -> None:
    assert verdicts["versions"].differences == ()
    assert "plotly 6.0.0 (here 7.1.0)" in verdicts["versions"].notes[0]
    assert verdicts["versions"].told().splitlines()[0] == "holds  " + "/".join(verdicts["versions"].path.parts[-2:])


def test_the_chain_leads_from_archives_to_files(home: Paths) -> None:
    bundle = home.fiches / "2024" / MADE[0].slug
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    chain = manifest["chaine"]
    given = {(r["archive"], r["trimestres"]) for r in chain["releases"]}
    assert given == {
        *((f"202402-Regional-2023-{flux}.zip", "") for flux in ("export", "import")),
        *((f"202502-Regional-2024-{flux}.zip", "2024T1 2024T2 2024T3 2024T4") for flux in ("export", "import")),
    }
    assert {entry["sha256"] for entry in manifest["archives"]} == {r["sha256"] for r in chain["releases"] if r["trimestres"]}
    assert all(r["origine"] == r["archive"] for r in chain["releases"])  # no path of the machine
    figures = {figure["figure"]: figure for figure in chain["figures"]}
    for name, figure in figures.items():
        drawn = home.charts / "2024" / name
        for key, suffix in (("donnees_sha256", ".json"), ("svg_sha256", ".svg"), ("png_sha256", ".png")):
            assert figure[key] == hashlib.sha256(drawn.with_suffix(suffix).read_bytes()).hexdigest()
    marts = {f"{lu['mart']}/{lu['territoire']}": lu for lu in chain["marts"]}
    sources = {entry["chemin"]: entry["issu_de"] for entry in manifest["fichiers"]}
    assert sources["graphiques/balance.svg"] == ["94-val-de-marne/balance"]
    assert sources["donnees/reperes.csv"] == [
        f"mart_{maille}_reperes/{key}"
        for maille, key in (("departement", "94"), ("national", "region-11"), ("national", "france"))
    ]
    assert sources["donnees/rapprochement.csv"] == [
        f"mart_national_reconciliation/{key}" for key in ("region-11", "france")
    ]  # a département has no step of its own
    assert all(names for name, names in sources.items() if name.startswith("donnees/"))
    assert sources["fiche.pdf"] == ["marts", "figures"]
    assert {name for names in sources.values() for name in names} <= {*marts, *figures, "marts", "figures"}
    rows = (bundle / "donnees" / "balance.csv").read_text(encoding="utf-8").count("\n") - 1
    assert marts["mart_departement_balance/94"]["lignes"] == rows
    assert re.search(r"/\d+\.\d+", manifest["versions"]["navigateur"]) and len(manifest["versions"]["code"]) == 12


def test_the_pages_beside_the_bundles_are_made_again(home: Paths, tmp_path: Path) -> None:
    marts, origin = Marts(home.marts, "2024"), Provenance(est_exemple=True, millesime="202502")
    index.ecrire(home.index, home.fiches, "2024", marts.reperes, origin)
    rapprochement.ecrire(home, marts, origin)
    made = [verify._Made(home, {"2024": (marts, origin)}, {})]
    told = {verdict.path: verdict.differences for verdict in verify._judge_pages(home, made, tmp_path / "whole")}
    assert told == {home.index: (), home.rapprochement: ()}
    page = home.rapprochement.read_text(encoding="utf-8")
    amount = re.search(r"(\d{3})\u00a0€</data>", page)
    assert amount
    altered = f"{(int(amount[1]) + 1) % 1000:03}"
    home.rapprochement.write_text(page[: amount.start(1)] + altered + page[amount.end(1) :], encoding="utf-8")
    told = {verdict.path: verdict.differences for verdict in verify._judge_pages(home, made, tmp_path / "altered")}
    assert told[home.index] == () and re.search(rf"rapprochement\.html, .*{altered}", "\n".join(told[home.rapprochement]))


def test_a_damaged_archive_is_told(home: Paths, tmp_path: Path) -> None:
    shutil.copytree(home.raw, tmp_path / "raw")
    damaged = next((tmp_path / "raw" / "source").rglob("*2023-export.zip"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    claim = verify.read_claim(home.fiches / "2024" / MADE[0].slug)
    with pytest.raises(ReleaseError, match=r"202402-Regional-2023-export\.zip .* its file has other bytes") as caught:
        verify.archives(claim, tmp_path / "raw")
    assert caught.value.where == str(damaged)


def test_a_place_without_bundles_and_a_manifest_without_chain_are_told(home: Paths, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="does not exist"):
        verify.bundles(tmp_path / "nowhere")
    shutil.copytree(home.fiches / "2024" / MADE[0].slug, tmp_path / "old")
    change_manifest(tmp_path / "old", lambda manifest: manifest.pop("chaine"))
    with pytest.raises(DataError, match="KeyError: 'chaine'") as caught:
        verify.read_claim(tmp_path / "old")
    assert all(part in str(caught.value) for part in PARTS)


def test_the_command_ends_well_only_when_all_hold(verdicts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def command(*names: str):
        monkeypatch.setattr(verify, "verify", lambda place, paths: iter([verdicts[name] for name in names]))
        return CliRunner().invoke(cli.app, ["verify", "--home", str(tmp_path)])

    good = command(MADE[0].slug)
    assert (good.exit_code, good.stdout.splitlines()[-1]) == (0, "1 of 1 hold")
    bad = command(MADE[0].slug, "csv")
    assert (bad.exit_code, bad.stdout.splitlines()[-1]) == (1, "1 of 2 hold")
    assert "DIFFERS" in bad.stdout and "column import_eur" in bad.stdout
