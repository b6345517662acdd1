"""What differs between two copies of a bundle is found and named, whatever kind of file it is in."""

import hashlib
import json
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfWriter

from pipeline.fiche import epreuve
from pipeline.fiche.ecarts import comparer, ecarts

HEAD = "pays_code,pays,import_eur,niveau\n"


@pytest.fixture
def told(tmp_path: Path):
    """The differences of one file with two contents."""

    def compare(name: str, found: str | bytes, expected: str | bytes, *, octets: bool = True) -> list[str]:
        for folder, content in (("found", found), ("expected", expected)):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        if not octets:
            (tmp_path / "found" / "manifest.json").write_text('{"fichiers": []}')
            (tmp_path / "expected" / "manifest.json").write_text('{"fichiers": []}')
        lines = ecarts(tmp_path / "found", tmp_path / "expected", octets=octets)
        return [line for line in lines if "altered since it was made" not in line]

    return compare


def test_the_same_bytes_are_no_difference(told) -> None:
    assert told("a.csv", "x\n", "x\n") == []


def test_a_cell_is_named_by_line_key_and_column(told) -> None:
    good = HEAD + "DE,Allemagne,5,france\nNA,Namibie,12,france\n"
    assert told("balance.csv", good.replace("12", "13"), good) == [
        "balance.csv, line 3 (NA), column import_eur: found 13, expected 12"
    ]
    assert "line 3 (NA), column import_eur: found 1" in told("balance.csv", good.replace("12", "1\r2"), good)[1]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ("pays_code,pays,import_eur\nDE,Allemagne,5\n", "columns: found « pays_code;pays;import_eur »"),
        (HEAD, "0 rows found, 1 expected"),
        ("", "columns: found «  »"),
        (HEAD + '"DE",Allemagne,5,france\n', "all cells hold; quotation marks or line ends differ"),
        (HEAD + "DE,Allemagne,5,france,9\n", "line 2 (), column : found 9, expected "),
        (b"\xff", "the text is not UTF-8"),
    ],
)
def test_a_table_of_another_shape_is_told(told, found: str | bytes, words: str) -> None:
    assert words in told("a.csv", found, HEAD + "DE,Allemagne,5,france\n")[0]


def test_a_text_is_shown_with_what_stands_before_it(told) -> None:
    good = "<tr><th>Allemagne</th><td class='n'>1 234,5</td><td>7</td></tr>"
    assert told("fiche.html", good.replace("4,5", "9,5"), good) == [
        "fiche.html, found « 1 239,5 », expected « 1 234,5 », after « Allemagne »"
    ]
    assert "class='m'" in told("fiche.html", good.replace("'n'", "'m'"), good)[0]
    assert "found «  », expected « <td>7</td> »" in told("fiche.html", good.replace("<td>7</td>", ""), good)[0]


def test_the_digit_is_shown_wherever_it_is_in_a_long_text(told) -> None:
    good = "<script>" + "x" * 500 + "123456" + "y" * 500 + "</script>"
    [line] = told("fiche.html", good.replace("123456", "123956"), good)
    assert "123956" in line and "123456" in line and len(line) < 300


def test_a_manifest_is_told_by_key(told) -> None:
    good = {"periode": "2024", "fichiers": [{"chemin": "a", "taille": 1}, {"chemin": "b", "taille": 2}]}
    forged = json.loads(json.dumps(good))
    forged["fichiers"][1]["taille"] = 3
    del forged["periode"]
    assert told("manifest.json", json.dumps(forged), json.dumps(good)) == [
        'manifest.json, periode: found nothing, expected "2024"',
        "manifest.json, fichiers.[b].taille: found 3, expected 2",
    ]
    assert "all values hold" in told("manifest.json", json.dumps(good, indent=1), json.dumps(good))[0]
    assert "found true, expected 1" in told("manifest.json", '{"a": true}', '{"a": 1}')[0]


def test_many_differences_are_cut_short(told) -> None:
    lines = told("a.html", "".join(f"<p>{n}</p>" for n in range(100)), "".join(f"<p>{n + 1}</p>" for n in range(100)))
    assert len(lines) == 6 and lines[-1] == "a.html: more differences follow"


def test_across_versions_words_count_and_tags_do_not(told) -> None:
    good = "<p class='a'>Total</p><p>12</p>"
    assert told("fiche.html", good.replace("'a'", "'b'"), good, octets=False) == []
    assert told("fiche.html", good.replace("12", "13"), good, octets=False) != []


def test_across_versions_the_numbers_behind_the_words_count(told) -> None:
    good = '<p><data value="12" data-cellule="a:b:c">12</data></p><img alt="Total 12"><a href="x">PNG</a>'
    assert told("fiche.html", good.replace('<a href="x">PNG</a>', ""), good, octets=False) == []  # a link to another format
    assert "value 13" in told("fiche.html", good.replace('"12"', '"13"'), good, octets=False)[0]
    assert "alt Total 13" in told("fiche.html", good.replace("Total 12", "Total 13"), good, octets=False)[0]


def test_the_version_that_a_page_names_is_no_difference_between_versions(told) -> None:
    good = '<meta name="generator" content="comex a"><meta name="description" content="12 M€"><p>5</p>'
    assert told("index.html", good.replace("comex a", "comex b"), good, octets=False) == []
    assert "comex b" in told("index.html", good.replace("comex a", "comex b"), good)[0]
    assert "13 M€" in told("index.html", good.replace("12 M€", "13 M€"), good, octets=False)[0]


def test_across_versions_a_figure_may_look_otherwise_and_not_say_otherwise(told) -> None:
    def page(data: int, text: str, colour: str) -> str:
        spec = {"data": [{"y": [data]}], "layout": {"colour": colour, "annotations": [{"text": text}]}}
        return f'<script type="application/json" id="a">{json.dumps(spec)}</script>'

    assert told("fiche.html", page(1, "12 M€", "red"), page(1, "12 M€", "blue"), octets=False) == []
    assert 'found « [[{"y": [2]' in told("fiche.html", page(2, "12 M€", "red"), page(1, "12 M€", "red"), octets=False)[0]
    assert "13 M€" in told("fiche.html", page(1, "13 M€", "red"), page(1, "12 M€", "red"), octets=False)[0]


def bundle(folder: Path, files: dict[str, str], **manifest: object) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    listed = [
        {"chemin": name, "taille": len(text.encode()), "sha256": hashlib.sha256(text.encode()).hexdigest()}
        for name, text in files.items()
    ]
    (folder / "manifest.json").write_text(json.dumps({"fichiers": listed, "versions": {"code": "b"}} | manifest))
    return folder


def test_what_other_versions_left_uncompared_is_listed(tmp_path: Path) -> None:
    again = {
        "a.csv": "pays_code,valeur_eur,rang\nDE,5,1\n",
        "graphiques/a.svg": "<svg><text>5</text></svg>",
        "graphiques/b.svg": "<svg/>",
    }
    expected = bundle(tmp_path / "again", again, fabrication={"periode": {}}, titre="x")
    older = {"a.csv": "pays_code,valeur_eur\nDE,5\n", "graphiques/a.svg": "<svg><g/><text>5</text></svg>"}
    told = comparer(bundle(tmp_path / "old", older, versions={"code": "a"}, titre="x"), expected, octets=False)
    assert told.differences == []
    assert told.non_compares == {
        "a.csv": "columns that it lacks (rang)",
        "graphiques/a.svg": "the picture",
        "graphiques/b.svg": "it is not in the bundle",
        "manifest.json": "digests and keys that other versions write otherwise",
    }
    forged = comparer(
        bundle(tmp_path / "old", older | {"a.csv": "pays_code,valeur_eur\nDE,6\n"}, titre="x"), expected, octets=False
    )
    assert forged.differences == ["a.csv, line 2 (), column valeur_eur: found 6, expected 5"]
    same = comparer(
        bundle(tmp_path / "same", again, fabrication={"periode": {}}, titre="x", versions={"code": "a"}), expected, octets=False
    )
    assert (same.differences, same.non_compares) == ([], {})


def test_a_name_and_a_cell_cannot_break_their_line(tmp_path: Path) -> None:
    expected = bundle(tmp_path / "again", {"a.csv": "pays,valeur_eur\nDE,5\n"})
    found = bundle(tmp_path / "found", {"a.csv": 'pays,valeur_eur\n"DE\n\x1b[2Jholds",5\n', "b\nholds": "\u202e"})
    told = comparer(found, expected).differences
    assert not any(set(line) & set("\n\x1b\u202e") for line in told)
    assert told[1].startswith("b\\u000aholds: no such file")
    assert "column pays: found DE\\u000a\\u001b[2Jholds, expected DE" in told[0]


@pytest.mark.parametrize("content", ["<" * 300_000, "<p>" * 100_000, "<p>x</p>" * 40_000, "<p>x</p>y" * 40_000])
@pytest.mark.parametrize("octets", [True, False])
def test_a_page_made_to_be_slow_is_told_at_its_first_difference(told, content: str, octets: bool) -> None:
    good = "".join(f"<p>x</p>{n}" for n in range(30_000))
    assert told("fiche.html", content, good, octets=octets)[0].startswith("fiche.html, found «")


def test_a_file_that_keeps_its_reader_busy_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that doubles what it draws forty times over, and one that is merely slow."""
    doubled = "".join(f'<g id="g{n}"><use href="#g{n - 1}"/><use href="#g{n - 1}"/></g>' for n in range(1, 41))
    head = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect id="g0" width="1" height="1"/>'
    logo = tmp_path / "logo.svg"
    logo.write_text(f"{head}</svg>")
    epreuve.eprouver_logo(logo)
    logo.write_text(f'{head}<defs>{doubled}</defs><use href="#g40"/></svg>')
    with pytest.raises(ValueError, match=r"failed to parse SVG|took more than"):
        epreuve.eprouver_logo(logo)
    monkeypatch.setattr(epreuve, "SECONDES", 0.01)  # less than any process takes to start
    with pytest.raises(ValueError, match=r"reading it took more than 0\.01 seconds"):
        epreuve.eprouver_logo(logo)


def test_a_broken_pdf_is_told(told) -> None:
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    good = BytesIO()
    writer.write(good)
    assert "it cannot be read (" in told("fiche.pdf", b"%PDF-1.7 nothing", good.getvalue())[0]
    assert "all words hold" in told("fiche.pdf", good.getvalue() + b"\n%", good.getvalue())[0]
    writer.add_blank_page(100, 100)
    more = BytesIO()
    writer.write(more)
    assert "2 pages found, 1 expected" in told("fiche.pdf", more.getvalue(), good.getvalue())[0]
