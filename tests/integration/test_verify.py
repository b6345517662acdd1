"""Bundles made again from the archives they name: untouched ones hold, and no digit changed by hand passes.

The bundles in question were made from archives that came in another order, from another folder, by a pool of processes; what
verifies them works alone. That they hold to the byte is also the test that bundles do not depend on such things.
"""

import hashlib
import json
import os
import re
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
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
from pipeline.fiche import bind, etat, index, rapprochement
from pipeline.fiche.provenance import Provenance, empreinte_du_code
from pipeline.marts import Marts
from pipeline.paths import Paths
from pipeline.settings import Settings
from pipeline.territoires import FRANCE, departement, regions
from tests.archives import keep, write_archive, year
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


def forge_copy(bundle: Path) -> None:
    forge_text(bundle / "graphiques" / "france-flux-export.svg", r">([\d\u202f]+,\d)[^<]*</t")


def forge_value(bundle: Path) -> None:
    """The number that a reader's pointer shows, not the one that is printed."""
    forge_text(bundle / "fiche.html", r'<data value="(\d+)"')


def forge_bar(bundle: Path) -> None:
    forge_text(bundle / "graphiques" / "balance.svg", r' d="M(\d+)')


def forge_size(bundle: Path) -> None:
    path = bundle / "graphiques" / "produits.png"
    png = path.read_bytes()
    path.write_bytes(png[:16] + struct.pack(">I", 99) + png[20:])


def forge_title(bundle: Path) -> None:
    path = bundle / "graphiques" / "produits.png"
    path.write_bytes(path.read_bytes().replace("Produits importés".encode(), "Produits exportés".encode()))


def forge_column(bundle: Path) -> None:
    path = bundle / "donnees" / "balance.csv"
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([head + ",corrige_eur", *(line + ",5" for line in lines)]) + "\n", encoding="utf-8")


def be_of(slug: str) -> Callable[[Path], None]:
    """The whole bundle of another territory, in this one's folder."""

    def replace(bundle: Path) -> None:
        shutil.rmtree(bundle)
        shutil.copytree(bundle.parents[1] / slug / slug, bundle)

    return replace


def move(*names: str) -> Callable[[Path], None]:
    """Into a folder of another name, or of another period."""

    def rename(bundle: Path) -> None:
        target = bundle.parent.joinpath(*names)
        target.parent.mkdir(parents=True, exist_ok=True)
        bundle.rename(target)

    return rename


def set_key(*keys: str | int, to: Any) -> Callable[[Path], None]:
    def change(manifest: Any) -> None:
        for key in keys[:-1]:
            manifest = manifest[key]
        manifest[keys[-1]] = to

    return lambda bundle: change_manifest(bundle, change)


def be_manifest(content: str | bytes) -> Callable[[Path], None]:
    raw = content.encode() if isinstance(content, str) else content
    return instead("manifest.json", lambda path: path.write_bytes(raw))


def be_large(nom: str, size: int) -> Callable[[Path], None]:
    def grow(bundle: Path) -> None:
        with (bundle / nom).open("r+b") as file:
            file.truncate(size)

    return grow


def instead(nom: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Something else than the file `nom`, which may not be there."""

    def put(bundle: Path) -> None:
        (bundle / nom).unlink(missing_ok=True)
        make(bundle / nom)

    return put


def be_link(bundle: Path) -> None:
    bundle.symlink_to(bundle.rename(bundle.with_name("elsewhere-" + bundle.name)))


def half_character(bundle: Path) -> None:
    path = bundle / "manifest.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"archive": "', '"archive": "\\ud800'), encoding="utf-8")


def deep_folder(path: Path) -> None:
    path.joinpath(*"abcdefgh").mkdir(parents=True)


def many_files(path: Path) -> None:
    path.mkdir()
    for number in range(600):
        (path / f"{number}.txt").touch()


@dataclass(frozen=True)
class Forgery:
    """What is done, whether the manifest is signed again, patterns that the verdict's lines must match, and its word."""

    done: tuple[Callable[[Path], None], ...]
    told: tuple[str, ...]
    signed: bool = True
    word: str = verify.DIFFERS


NUMBER = r"found « .*\d.* », expected « .*\d.* »"
FORGERIES = {
    "csv": Forgery((forge_csv,), (r"donnees/balance\.csv, line 4 \(\w\w\), column import_eur: found \d+, expected \d+$",)),
    "html": Forgery((forge_html,), (rf"fiche\.html, {NUMBER}, after « .+ »$",)),
    "figure-of-page": Forgery((forge_figure_of_page,), (rf"fiche\.html, {NUMBER}",)),
    "svg": Forgery((forge_svg,), (rf"graphiques/balance\.svg, {NUMBER}, after « .+ »$",)),
    "copy": Forgery((forge_copy,), (rf"graphiques/france-flux-export\.svg, {NUMBER}",)),
    "pdf": Forgery((forge_pdf,), (rf"fiche\.pdf, page 3: {NUMBER}",)),
    "png": Forgery((forge_png,), (r"graphiques/produits\.png, the picture itself differs",)),
    "unsigned": Forgery((forge_csv,), (r"donnees/balance\.csv, line 4",), signed=False),
    "everywhere": Forgery(
        (forge_csv, forge_html, forge_svg, forge_pdf),
        (r"balance\.csv, line 4", rf"fiche\.html, {NUMBER}", rf"balance\.svg, {NUMBER}", rf"fiche\.pdf, page 3: {NUMBER}"),
    ),
    "manifest": Forgery(
        (forge_manifest,), (r"manifest\.json, chaine\.releases\.\[\w{12}\]\.valeur_eur: found 5, expected \d+$",)
    ),
    "made-of": Forgery((set_key("fabrication", "comparaison", to={}),), (r"fabrication\.comparaison\.\w{12}: found nothing",)),
    "missing": Forgery(
        (lambda b: (b / "graphiques/produits.png").unlink(),), (r"graphiques/produits\.png: the file is missing",), signed=False
    ),
    "extra": Forgery((lambda b: (b / "avis.txt").touch(),), (r"avis\.txt: no such file",)),
    # Its place.
    "exchanged": Forgery(
        (be_of("20-corse"),), (r"its folder is called 94-val-de-marne; the bundle of Corse is called 20-corse",)
    ),
    "other-year": Forgery((move("2023", "94-val-de-marne"),), (r"it lies in a folder called 2023; it is a bundle of 2024",)),
    "renamed": Forgery((move("val-de-marne"),), (r"its folder is called val-de-marne",)),
    "other-territory": Forgery(
        (set_key("territoire", "code", to="20"), move("20-corse")),
        (r"fiche\.html, found « .*Val-de-Marne", r"manifest\.json, territoire\.nom: found \"Val-de-Marne\", expected \"Corse\""),
    ),
    # A forger may also say that the bundle was made with other versions, which lets bytes differ: numbers still may not.
    "csv-versions": Forgery((forge_csv, claim_other_versions), (r"donnees/balance\.csv, line 4",)),
    "html-versions": Forgery((forge_html, claim_other_versions), (rf"fiche\.html, {NUMBER}",)),
    "figure-versions": Forgery((forge_figure_of_page, claim_other_versions), (rf"fiche\.html, {NUMBER}",)),
    "value-versions": Forgery(
        (forge_value, claim_other_versions), (r"fiche\.html, found « value \d+ », expected « value \d+ »",)
    ),
    "svg-versions": Forgery((forge_svg, claim_other_versions), (rf"graphiques/balance\.svg, {NUMBER}",)),
    "copy-versions": Forgery((forge_copy, claim_other_versions), (rf"graphiques/france-flux-export\.svg, {NUMBER}",)),
    "pdf-versions": Forgery((forge_pdf, claim_other_versions), (rf"fiche\.pdf, page 3: {NUMBER}",)),
    "unsigned-versions": Forgery((forge_png, claim_other_versions), (r"produits\.png: altered since it was made",), signed=False),
    "size-versions": Forgery((forge_size, claim_other_versions), (r"produits\.png, it is no PNG, or of another size in pixels",)),
    "title-versions": Forgery((forge_title, claim_other_versions), (r"produits\.png, the title or source written in the file",)),
    "column-versions": Forgery((forge_column, claim_other_versions), (r"donnees/balance\.csv, columns: found",)),
    "missing-versions": Forgery(
        (lambda b: (b / "graphiques/produits.png").unlink(), claim_other_versions),
        (r"graphiques/produits\.png: its own manifest lists it, and it is missing",),
        signed=False,
    ),
    "key-versions": Forgery(
        (set_key("versions_note", to="5"), claim_other_versions), (r'manifest\.json, versions_note: found "5", expected nothing',)
    ),
    "place-versions": Forgery((claim_other_versions, move("2023", "94-val-de-marne")), (r"it lies in a folder called 2023",)),
    "png-versions": Forgery((forge_png, claim_other_versions), (r"produits\.png, the picture",), word=verify.PARTLY),
    "bar-versions": Forgery((forge_bar, claim_other_versions), (r"balance\.svg, the picture",), word=verify.PARTLY),
    "chain-versions": Forgery(
        (set_key("chaine", "marts", 0, "sha256", to="0" * 64), claim_other_versions),
        (r"manifest\.json, digests and keys that other versions write otherwise",),
        word=verify.PARTLY,
    ),
}
# Bundles that no one can have made: each is one line, and costs nothing but itself.
HOSTILE = {
    "no-manifest": Forgery((lambda b: (b / "manifest.json").unlink(),), (r"No such file",)),
    "deep": Forgery((be_manifest("[" * 100_000 + "]" * 100_000),), (r"nested too deeply",)),
    "deep-key": Forgery((be_manifest('{"titre": ' + '{"a":' * 50_000 + "1" + "}" * 50_001),), (r"nested too deeply",)),
    "huge": Forgery((be_large("manifest.json", 50 * 1024**2),), (r"manifest\.json has 52,428,800 bytes; at most",)),
    "nan": Forgery((be_manifest('{"periode": NaN}'),), (r"NaN is no JSON",)),
    "digits": Forgery((be_manifest('{"periode": ' + "9" * 10_000 + "}"),), (r"Exceeds the limit",)),
    "twice": Forgery((be_manifest('{"periode": "2024", "periode": "2023"}'),), (r"a key stands twice",)),
    "list": Forgery((be_manifest("[]"),), (r"an object was expected, found list",)),
    "bytes": Forgery((be_manifest(b'{"periode": "\xff"}'),), (r"'utf-8' codec",)),
    "numbers": Forgery((set_key("periode", to=2024),), (r"periode: Input should be a valid string",)),
    "list-for-dict": Forgery((set_key("versions", to=["plotly"]),), (r"versions: Input should be a valid dictionary",)),
    "dict-for-list": Forgery((set_key("chaine", "releases", to={}),), (r"chaine\.releases: Input should be a valid list",)),
    "no-chain": Forgery((lambda b: change_manifest(b, lambda m: m.pop("chaine") and None),), (r"chaine: Field required",)),
    "injected": Forgery((set_key("periode", to="2024; drop table x"),), (r"periode: String should match",)),
    "lines": Forgery((set_key("periode", to="2024\nholds  2024/94-val-de-marne"),), (r"periode: String should match",)),
    "digits-of-others": Forgery((set_key("periode", to="20\u0662\u0664"),), (r"periode: String should match",)),
    "far-period": Forgery((set_key("periode", to=str(10**9)),), (r"periode: String should match",)),
    "level": Forgery((set_key("niveau_produit", to="A1"),), (r"niveau_produit: Input should be 'A38', 'A129' or 'CPF4'",)),
    "territory": Forgery((set_key("territoire", "code", to="99"),), (r"departement/99 has no fiche",)),
    "traversal": Forgery((set_key("territoire", "code", to="../../etc"),), (r"territoire\.code: String should have at most",)),
    "releases": Forgery(
        (lambda b: change_manifest(b, lambda m: m["chaine"].update(releases=m["chaine"]["releases"] * 300)),),
        (r"List should have at most 1000 items",),
    ),
    "same-release": Forgery(
        (lambda b: change_manifest(b, lambda m: m["chaine"].update(releases=m["chaine"]["releases"] * 2)),),
        (r"an archive stands there twice",),
    ),
    "digest": Forgery(
        (set_key("chaine", "releases", 0, "sha256", to="../../../../etc/passwd"),), (r"sha256: String should match",)
    ),
    "half-character": Forgery((half_character,), (r"archive: Input should be a valid string",)),
    "manifest-link": Forgery(
        (instead("manifest.json", lambda path: path.symlink_to("/etc/passwd")),),
        (r"manifest\.json is a symbolic link, not a file",),
    ),
    "manifest-pipe": Forgery((instead("manifest.json", os.mkfifo),), (r"manifest\.json is a pipe, not a file",)),
    "manifest-folder": Forgery((instead("manifest.json", Path.mkdir),), (r"manifest\.json is a folder, not a file",)),
    "whole-link": Forgery(
        (be_link,),
        (r"the folder is a symbolic link",),
    ),
    "large-logo": Forgery(
        (instead("logo.png", lambda path: path.write_bytes(b"\x89PNG" * 10**6)),), (r"logo\.png has 4,000,000",)
    ),
    # Those that are judged or refused later, still alone.
    "logo": Forgery(
        (instead("logo.svg", lambda path: path.write_text("not a picture")),), (r"logo\.svg cannot be set into a page: .+",)
    ),
    "link": Forgery(
        (instead("donnees/flux-export.csv", lambda path: path.symlink_to("/etc/passwd")),),
        (r"donnees/flux-export\.csv: a symbolic link, not a file",),
    ),
    "pipe": Forgery((instead("fiche.pdf", os.mkfifo),), (r"fiche\.pdf: a pipe, not a file",)),
    "folder": Forgery((instead("fiche.html", Path.mkdir),), (r"fiche\.html: the file is missing",)),
    "nested": Forgery((instead("x", deep_folder),), (r"x/a/b/c/d: folders are nested too deeply",)),
    "many": Forgery((instead("many", many_files),), (r"more than 500 files are in the bundle",)),
    "large-pdf": Forgery((be_large("fiche.pdf", 2 * 1024**3),), (r"fiche\.pdf: 2,147,483,648 bytes, .* not looked into",)),
    "no-pdf": Forgery((instead("fiche.pdf", lambda path: path.write_bytes(b"%PDF-1.7\n")),), (r"fiche\.pdf, it cannot be read",)),
    "open-tags": Forgery(
        (instead("fiche.html", lambda path: path.write_text("<" * 500_000 + "<a")),), (r"fiche\.html, found « <",)
    ),
    "unknown-archive": Forgery(
        (set_key("chaine", "releases", 0, "sha256", to="0" * 64),), (r"sha256 0{64} was expected; 4 arrivals",)
    ),
    "archive-name": Forgery(
        (set_key("chaine", "releases", 0, "archive", to="../../../etc/passwd"),),
        (r"archive \.\./\.\./\.\./etc/passwd with sha256",),
    ),
    "unknown-period": Forgery((set_key("periode", to="2031"),), (r"Four quarters of both flows are needed for the period 2031",)),
    "rolling-period": Forgery((set_key("periode", to="2031T2"),), (r"needed for the period 2031T2",)),
}
LINE = {name for name in HOSTILE if name not in ("folder", "many", "nested", "link", "pipe", "open-tags", "no-pdf", "large-pdf")}


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
    """Of the two bundles, of one that says it is of other versions, and of a copy for each forgery; all made again once, far
    from home, in one call."""
    place = tmp_path_factory.mktemp("mailed")
    own = home.fiches / "2024"
    copies = {**{territoire.slug: Forgery((), ()) for territoire in MADE}, "versions": Forgery((claim_other_versions,), ())}
    for name, forgery in (copies | FORGERIES | HOSTILE).items():
        slug = name if (own / name).exists() else MADE[0].slug
        bundle = place / name / slug
        shutil.copytree(own / slug, bundle)
        for step in forgery.done:
            step(bundle)
        if name in FORGERIES and forgery.signed:
            [manifest] = bundle.parent.rglob("manifest.json")
            sign_again(manifest.parent)
    broken = home.raw / "broken"  # a store of another source: it concerns no bundle
    broken.mkdir()
    (broken / "datapackage.json").write_text("{")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Pacific/Kiritimati")
        patch.setenv("COMEX_NIVEAU_PRODUIT", "A38")  # the bundle's own choice counts
        found = [
            (verdict.path.relative_to(place).parts, verdict)
            for verdict in verify.verify(place, home)
            if "elsewhere" not in verdict.path.name
        ]
    shutil.rmtree(broken)
    assert len(found) == len({parts[0] for parts, _ in found}) == len(copies | FORGERIES | HOSTILE)
    return {parts[0]: verdict for parts, verdict in found}


@pytest.mark.parametrize("territoire", MADE, ids=lambda territoire: territoire.slug)
def test_a_bundle_made_again_elsewhere_has_the_same_bytes(verdicts: dict[str, verify.Verdict], territoire) -> None:
    assert verdicts[territoire.slug] == verify.Verdict(verdicts[territoire.slug].path)


@pytest.mark.parametrize("name", FORGERIES)
def test_what_was_changed_by_hand_is_named(verdicts: dict[str, verify.Verdict], name: str) -> None:
    verdict = verdicts[name]
    told = "\n".join([*verdict.differences, *verdict.uncompared])
    for pattern in FORGERIES[name].told:
        assert re.search(pattern, told, re.MULTILINE), told
    assert verdict.word == FORGERIES[name].word
    if name not in ("everywhere", "other-territory"):
        named = {line.partition(",")[0].partition(":")[0] for line in (verdict.differences or verdict.uncompared)}
        assert len(named - {"manifest.json"}) <= 1, told  # nothing else is accused


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_bundle_is_a_verdict_in_lines_that_it_cannot_break(verdicts: dict[str, verify.Verdict], name: str) -> None:
    verdict = verdicts[name]
    told = verdict.told()
    assert verdict.word == verify.DIFFERS and "Traceback" not in told
    for pattern in HOSTILE[name].told:
        assert re.search(pattern, told), told
    assert len([line for line in told.split("\n") if not line.startswith("  ")]) == 1
    if name in LINE:
        assert len(verdict.differences) == 1, told


def test_bytes_count_before_what_is_said_of_versions(verdicts: dict[str, verify.Verdict]) -> None:
    verdict = verdicts["versions"]
    assert verdict.word == verify.HOLDS
    assert "plotly 6.0.0 (here 7.1.0): all its files have the same bytes" in verdict.notes[0]
    assert verdict.told().splitlines()[0] == f"holds  versions/{MADE[0].slug}"
    assert verdicts["png-versions"].told().startswith("data and words agree; pictures not compared  png-versions/")


def test_the_place_counts_below_the_home(home: Paths, tmp_path: Path) -> None:
    """A bundle lies in `fiches/<period>/<slug>` there, and nowhere else."""
    claim = verify.read_claim(home.fiches / "2024" / MADE[0].slug)
    assert verify.misplaced(claim, home) == []
    for place in ("", "2023", "2024/copies"):
        bundle = home.fiches / place / MADE[0].slug
        [told] = verify.misplaced(replace(claim, bundle=bundle), home)
        assert f"it lies in {bundle.parent}" in told
    assert verify.misplaced(replace(claim, bundle=tmp_path / "mail" / MADE[0].slug), home) == []


def test_what_the_archives_give_since_is_told(home: Paths, tmp_path: Path) -> None:
    """The year before was revised: the bundle is what its archives gave, and not what those that are kept now give."""
    shutil.copytree(home.raw / "source", tmp_path / "raw" / "source")
    claim = verify.read_claim(home.fiches / "2024" / MADE[0].slug)
    paths = Paths(tmp_path / "scratch" / "1")

    def since() -> dict[str, str]:
        return verify._since(verify._archives(claim, tmp_path / "raw"), ["2024"], paths)

    assert since() == {}
    same = write_archive(tmp_path / "202505-Regional-2019-export.zip", year("E", 2019), member="Region_2019_Export.txt")
    keep(same, tmp_path / "raw" / "source")
    assert since() == {}  # of no quarter that the fiche prints
    later = write_archive(tmp_path / "202506-Regional-2023-export.zip", year("E", 2023, (1, 2)), member="Region_2023_Export.txt")
    keep(later, tmp_path / "raw" / "source")
    assert since() == {"2024": "2023T1 2023T2 came otherwise since, in 202506-Regional-2023-export.zip"}


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
    releases = tables.read_releases(home.raw_tables)
    etats = etat.composer(home, releases, "A129")
    assert etats == {"2024": {}}
    etat.ecrire(home, etats)
    index.ecrire(home.index, home.fiches, "2024", marts.reperes, origin)
    rapprochement.ecrire(home, marts, origin)
    made = [verify._Made(home, "A129", releases, {"2024": (marts, origin)})]
    told = {verdict.path: verdict.differences for verdict in verify._judge_pages(home, made, tmp_path / "whole")}
    assert told == {home.index: (), home.rapprochement: (), home.etat: ()}
    page = home.rapprochement.read_text(encoding="utf-8")
    amount = re.search(r"(\d{3})\u00a0€</data>", page)
    assert amount
    altered = f"{(int(amount[1]) + 1) % 1000:03}"
    home.rapprochement.write_text(page[: amount.start(1)] + altered + page[amount.end(1) :], encoding="utf-8")
    told = {verdict.path: verdict.differences for verdict in verify._judge_pages(home, made, tmp_path / "altered")}
    assert told[home.index] == () and re.search(rf"rapprochement\.html, .*{altered}", "\n".join(told[home.rapprochement]))
    # Of another version: words are compared. Of an older run, or of none that can be made again: said, not raised.
    home.rapprochement.write_text(page.replace(empreinte_du_code(), "0" * 12), encoding="utf-8")
    home.index.write_text(home.index.read_text(encoding="utf-8").replace("580\u202f354,5", "579\u202f354,5"), encoding="utf-8")
    told = {verdict.path: verdict for verdict in verify._judge_pages(home, made, tmp_path / "older")}
    assert told[home.rapprochement].word == verify.PARTLY and "made by comex 000000000000" in told[home.rapprochement].notes[0]
    assert told[home.index].word == verify.DIFFERS and "of an older run" in told[home.index].notes[0]
    home.etat.unlink()
    told = {verdict.path: verdict.differences for verdict in verify._judge_pages(home, [], tmp_path / "none")}
    assert told[home.etat] == ("the file is missing",) and "no bundle could be made again" in told[home.index][0]


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
    with pytest.raises(DataError, match="chaine: Field required") as caught:
        verify.read_claim(tmp_path / "old")
    assert all(part in str(caught.value) for part in PARTS)


def test_the_command_ends_well_only_when_all_hold(verdicts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def command(*names: str):
        monkeypatch.setattr(verify, "verify", lambda place, paths: iter([verdicts[name] for name in names]))
        return CliRunner().invoke(cli.app, ["verify", "--home", str(tmp_path)])

    good = command(MADE[0].slug)
    assert (good.exit_code, good.stdout.splitlines()[-1]) == (0, "1 of 1 hold")
    partly = command(MADE[0].slug, "png-versions")
    told = "1 of 2 hold; 1 agree in data and words, their pictures were not compared"
    assert (partly.exit_code, partly.stdout.splitlines()[-1]) == (2, told)
    bad = command(MADE[0].slug, "csv", "png-versions")
    assert bad.exit_code == 1 and "1 of 3 hold; 1 agree" in bad.stdout and "; 1 differ or could not be judged" in bad.stdout
    assert "DIFFERS" in bad.stdout and "column import_eur" in bad.stdout
