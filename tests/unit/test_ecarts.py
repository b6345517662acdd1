"""What differs between two copies of a bundle is found and named, whatever kind of file it is in."""

import json
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfWriter

from pipeline.fiche.ecarts import ecarts

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
