"""`comex doctor` on a source: a server that does what real ones do, folders, and archives that are not what was expected."""

import json
import os
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from pipeline.archive.fetch import Answer, Http, Offer
from pipeline.doctor import Finding, sample, source
from pipeline.doctor import archive as looked_into
from pipeline.doctor.parts import BLOCK, Remote
from pipeline.doctor.source import NEAR, passed_over
from pipeline.errors import SourceError
from pipeline.settings import Settings
from tests.archives import country, row, seed, text, write_archive, year
from tests.kiosk import PAGE, Fault, Kiosk

EXPORT, IMPORT = (f"202502-Regional-2024-{flux}.zip" for flux in ("export", "import"))
DATASET = "/api/1/datasets/5369a0c7a3a729239d206446/"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Kiosk]:
    with Kiosk(tmp_path / "site") as site:
        yield site


def labels() -> dict[str, bytes]:
    """Label files in the customs' names, columns and encodings, from our seeds."""
    a129 = "".join(f'{r["a129_code"]};"{r["libelle_douane"]}";200901;999912\r\n' for r in seed("nomenclature_a129"))
    cpf4 = "".join(f'{r["cpf4_code"]};"{r["libelle_douane"]}";201501;999912\r\n' for r in seed("nomenclature_cpf4"))
    pays = "".join(
        f"{r['pays_code']};{r['libelle_douane']};{r['debut']};{r['fin']}\r\n" for r in seed("pays") if r["libelle_douane"]
    )
    zones = "".join(
        f"{r['douane_code']};{r['libelle_douane']};{r['region_douane_code']};{r['region_libelle_douane']}\r\n"
        for r in seed("departements")
    )
    return {
        "Libelle_A129.txt": a129.encode("utf-8-sig"),
        "Libelle_CPF4_rev2.1.txt": cpf4.encode("cp1252"),
        "Libelle_PAYS.txt": pays.encode(),
        "Departement_region.txt": zones.encode(),
    }


def archive(folder: Path, name: str = EXPORT, rows: object = None, **others) -> Path:
    flux = "I" if "import" in name.lower() else "E"
    given = {"labels": labels()} | others
    return write_archive(folder / name, country(flux, 2024, 1, lignes=4) if rows is None else rows, **given)  # pyright: ignore[reportArgumentType]


def look(place: str | Path, tmp_path: Path, **choices) -> list[Finding]:
    temp = tmp_path / "temp"
    temp.mkdir(exist_ok=True)
    quick = {"retry_wait_s": 0.01, "attempts": 2, "timeout_s": 1}
    return source.look(Settings(source=str(place), home=tmp_path / "home", **quick | choices), temp)


def customs(site: Kiosk, tmp_path: Path, **choices) -> list[Finding]:
    return look("douane", tmp_path, douane_page=site.url, douane_dataset=site.origin + DATASET, **choices)


def by_subject(findings: list[Finding]) -> dict[str, Finding]:
    """The worst finding of each subject."""
    order = ("ok", "to watch", "wrong")
    return {each.subject: each for each in sorted(findings, key=lambda finding: order.index(finding.verdict))}


def bad(findings: list[Finding], verdict: str = "wrong") -> set[str]:
    return {finding.subject for finding in findings if finding.verdict == verdict}


# --- places ---------------------------------------------------------------------------------------------------------------


def test_the_customs_two_places_as_they_should_be(site: Kiosk, tmp_path: Path) -> None:
    for name in (EXPORT, IMPORT):
        site.publish(name, archive(tmp_path / "made", name))
    resources = [{"url": f"{site.origin}/x/202002_regional_2019_export.zip", "last_modified": "2020-04-07T1", "checksum": None}]
    site.faults[DATASET] = Fault(body=json.dumps({"resources": resources}).encode())
    findings = customs(site, tmp_path)
    found = by_subject(findings)
    assert bad(findings) == set()
    assert "Status 200" in found["page"].found and "iso-8859-1" in found["page"].found and "« Le kiosque »" in found["page"].found
    assert found["links of the page"].facts["taken"] == [EXPORT, IMPORT]
    assert {each["name"]: each["reason"] for each in found["links of the page"].facts["passed_over"]} == {
        "202308-National-2022-import.zip": "base of the whole country, without départements",
        "region_18.zip": "base of one région: k€, with a header",
    }
    assert found["dataset"].facts == {"resources": 1, "newest": "2020-04-07", "checksums": 0}
    assert found["links of the dataset"].facts["taken"] == ["202002_regional_2019_export.zip"]
    assert [each["name"] for each in found["archives on offer"].facts["archives"]] == [
        "202002_regional_2019_export.zip",
        EXPORT,
        IMPORT,
    ]
    assert found["archives on offer"].facts["archives"][1] | {"origin": ""} == {
        "name": EXPORT,
        "origin": "",
        "flux": "export",
        "year": "2024",
        "vintage": "202502",
    }
    assert found["pairs"].lines == ["2019 of 202002: export only"]
    assert found["clock"].verdict == "ok"
    size = (tmp_path / "made" / EXPORT).stat().st_size
    assert found["server"].facts["size"] == size and found["server"].facts["etag"]
    assert "the server gives parts of files" in found["download"].found
    for subject in ("labels A129", "labels CPF4", "labels PAYS", "zones", "text", "first rows"):
        assert found[subject].verdict == "ok", found[subject]
    for n, field in enumerate(sample.FIELDS, start=1):
        assert found[f"field {n}, {field}"].facts["share_pct"] == 100
    assert len(found["first rows"].lines) == 5


def test_only_parts_of_an_archive_come(site: Kiosk, tmp_path: Path) -> None:
    noise = {f"Lisez-moi-{n}.bin": os.urandom(5 * BLOCK) for n in range(4)}
    path = archive(tmp_path / "made", others=noise)
    site.publish(EXPORT, path)
    findings = look(site.url, tmp_path)
    assert bad(findings) == set()
    assert by_subject(findings)["labels CPF4"].facts["codes"] == len(seed("nomenclature_cpf4"))
    asked = [request for request in site.asked(site.path(EXPORT)) if request.method == "GET"]
    assert sum(request.sent for request in asked) < path.stat().st_size - 10 * BLOCK
    assert {request.status for request in asked} == {206}


def test_a_file_read_in_parts_is_the_file(site: Kiosk, tmp_path: Path) -> None:
    payload = os.urandom(3 * BLOCK + 123)
    url = site.publish(EXPORT, payload)
    remote = Remote(Http(Settings(source=site.url)), url, tmp_path / "copy")
    assert remote.read(10) == payload[:10]
    remote.seek(-100, 2)
    assert remote.read() == payload[-100:]
    remote.seek(BLOCK - 5)
    assert remote.read(BLOCK + 10) == payload[BLOCK - 5 : 2 * BLOCK + 5]
    assert remote.read(0) == b""
    assert remote.requests == 3
    assert remote.copy.stat().st_size == len(payload)
    site.put(site.path(EXPORT), payload[::-1])
    remote.seek(2 * BLOCK + 10)
    assert remote.read(5) == payload[2 * BLOCK + 10 :][:5], "that block came before"
    fresh = Remote(Http(Settings(source=site.url)), url, tmp_path / "other")
    site.put(site.path(EXPORT), payload + b"1")
    fresh.seek(2 * BLOCK)
    with pytest.raises(SourceError, match="the file was replaced"):
        fresh.read(5)


def test_without_parts_of_files_the_archive_is_downloaded_and_thrown_away(site: Kiosk, tmp_path: Path) -> None:
    site.publish(EXPORT, archive(tmp_path / "made"))
    site.faults[site.path(EXPORT)] = Fault(ranges=False)
    findings = look(site.url, tmp_path)
    assert bad(findings) == set()
    assert "it was downloaded, for this look alone" in by_subject(findings)["download"].found
    assert by_subject(findings)["all rows"].facts["lignes"] == 4 * 4 * len(seed("departements"))
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(status=403), "403 Forbidden"),
        (Fault(status=503), "503"),
        (Fault(status=404), "404"),
        (Fault(pause_s=1.6), "no byte within"),
        (Fault(status=302, headers={"Location": "https://login.example/?next=x"}), "login.example"),
    ],
)
def test_a_page_that_cannot_be_had_is_told_and_the_rest_goes_on(site: Kiosk, tmp_path: Path, fault: Fault, words: str) -> None:
    link = site.publish(EXPORT, archive(tmp_path / "made"))
    site.faults[PAGE] = fault
    site.faults[DATASET] = Fault(body=json.dumps({"resources": [{"url": link, "title": "x"}]}).encode())
    findings = customs(site, tmp_path, timeout_s=0.6)
    found = by_subject(findings)
    assert bad(findings) == {"page"}
    assert words in found["page"].found
    assert found["page"].where == site.url and found["page"].cause and found["page"].remedy
    assert found["a run's notice"].verdict == "to watch"
    assert found["field 1, flux"].verdict == "ok"


def test_a_page_that_moved_to_another_layout(site: Kiosk, tmp_path: Path) -> None:
    site.put(PAGE, b"<title>Connexion</title><form><input type='password'></form><a href='/2025-regional-exports.zip'>")
    findings = look(site.url, tmp_path)
    found = by_subject(findings)
    assert bad(findings) == {"links of the page", "archives on offer"}
    assert found["page"].verdict == "to watch" and "password" in found["page"].found
    assert "COMEX_ARCHIVE_PATTERN" in found["links of the page"].remedy
    assert found["links of the page"].facts["passed_over"][0]["reason"] == NEAR
    assert "1 of them to ZIP files" in found["archives on offer"].found


def test_a_dataset_that_is_a_page_stops_nothing(site: Kiosk, tmp_path: Path) -> None:
    site.publish(EXPORT, archive(tmp_path / "made"))
    site.faults[DATASET] = Fault(body=b"<html>")
    findings = customs(site, tmp_path)
    assert bad(findings) == set()
    assert by_subject(findings)["dataset"].verdict == "to watch"


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("https://x.example/202308-National-2022-import.zip", "whole country"),
        ("/region_18.zip", "one région"),
        ("/get.asp?f=region_93.zip", "one région"),
        ("/202502-drom-2024-export.zip", "DROM"),
        ("/202502-Regional-2024-export.7z", "a .7z file"),
        ("/Regional-2024-imp.zip", NEAR),
        ("/2025-02-regional-exports.zip", NEAR),
        ("/202502-Regional-2024.zip", "does not say"),
        ("/autre.zip", "does not say"),
        ("/202502-Regional-2024-export%0a.zip", "control characters"),
        ("/page.html", None),
        ("mailto:x@example.org", None),
        ("javascript:history.back()", None),
    ],
)
def test_why_a_link_is_passed_over(link: str, reason: str | None) -> None:
    said = passed_over(link)
    assert said is None if reason is None else said and reason in said


@pytest.mark.parametrize(
    ("date", "verdict"), [("Mon, 01 Jan 2001 00:00:00 GMT", ["wrong"]), ("now", ["ok"]), ("soon", []), ("", [])]
)
def test_a_clock_that_differs_from_the_server_s(date: str, verdict: list[str]) -> None:
    said = {"date": formatdate(usegmt=True) if date == "now" else date}
    assert [finding.verdict for finding in source._clock(Answer("https://x.example/", 200, said, b""))] == verdict


def test_names_tell_pairs_dates_and_doubles() -> None:
    offers = [
        Offer(EXPORT, "https://x.example/1"),
        Offer(EXPORT, "https://x.example/2"),
        Offer("205202-Regional-2024-import.zip", "https://x.example/3"),
        Offer("regional_export.zip", "https://x.example/4"),
    ]
    found = by_subject(source.names(offers))
    assert found["names"].lines == [EXPORT]
    assert len(found["pairs"].lines) == 3
    assert {f.lines[0] for f in source.names(offers) if f.subject == "vintages" and f.lines} == {offers[2].name, offers[3].name}


def test_an_archive_on_another_host_is_asked_and_told(site: Kiosk, tmp_path: Path) -> None:
    site.put(PAGE, f'<a href="https://elsewhere.example/{EXPORT}">'.encode())
    findings = look(site.url, tmp_path)
    assert "COMEX_HOSTS" in by_subject(findings)[f"server of {EXPORT}"].remedy
    assert bad(findings) == {f"server of {EXPORT}", "download"}


def test_an_archive_without_marks_or_too_large(site: Kiosk, tmp_path: Path) -> None:
    site.publish(EXPORT, archive(tmp_path / "made"))
    site.faults[site.path(EXPORT)] = Fault(validators=False)
    assert by_subject(look(site.url, tmp_path))["server"].verdict == "to watch"
    site.faults[site.path(EXPORT)] = Fault(headers={"Content-Length": str(2**31)})
    finding = by_subject(look(site.url, tmp_path, archive_max_mib=1))["server"]
    assert (finding.verdict, "COMEX_ARCHIVE_MAX_MIB" in finding.remedy) == ("wrong", True)


def test_a_web_page_in_the_archive_s_place(site: Kiosk, tmp_path: Path) -> None:
    for ranges in (True, False):
        site.publish(EXPORT, b"<!DOCTYPE html><html><title>Connexion</title></html>")
        site.faults[site.path(EXPORT)] = Fault(ranges=ranges)
        findings = look(site.url, tmp_path)
        [finding] = [finding for finding in findings if finding.verdict == "wrong"]
        assert "is a web page" in finding.found
        assert finding.facts["check"] == "is_not_an_html_page"


# --- folders --------------------------------------------------------------------------------------------------------------


def test_a_folder_and_what_it_passes_over(tmp_path: Path) -> None:
    place = tmp_path / "source"
    archive(place)
    write_archive(place / "Base-regionale-2013-exp.zip", [row()], member="Regional-2013/Base_2013_exp.txt")
    write_archive(place / "202308-National-2022-import.zip", [row()], member="National_2022_Import.txt")
    (place / "._x.zip").write_bytes(b"")
    (place / "notes.pdf").write_bytes(b"")
    findings = look(place, tmp_path)
    assert bad(findings) == set()
    finding = by_subject(findings)["files passed over"]
    assert finding.verdict == "to watch"
    assert [line.split(" - ")[0].strip() for line in finding.lines] == [
        "._x.zip",
        "202308-National-2022-import.zip",
        "Base-regionale-2013-exp.zip",
    ]
    assert by_subject(findings)["directories"].verdict == "ok"


def test_a_folder_whose_page_does_not_link_all(tmp_path: Path) -> None:
    place = tmp_path / "source"
    archive(place)
    archive(place, IMPORT)
    (place / "index.html").write_text(f'<a href="{EXPORT}">')
    finding = by_subject(look(place, tmp_path))["folder"]
    assert (finding.verdict, finding.lines) == ("to watch", [IMPORT])


@pytest.mark.parametrize("place", ["nowhere", "empty", "http://[x/", "ftp://x.example/"])
def test_a_source_that_is_none(tmp_path: Path, place: str) -> None:
    (tmp_path / "empty").mkdir()
    findings = look(tmp_path / place if place in ("nowhere", "empty") else place, tmp_path)
    assert "archives on offer" in bad(findings)
    assert all(finding.remedy for finding in findings if finding.verdict == "wrong")


def test_a_damaged_archive_among_good_ones(tmp_path: Path) -> None:
    place = tmp_path / "source"
    archive(place)
    (place / IMPORT).write_bytes((place / EXPORT).read_bytes()[:2000])
    findings = look(place, tmp_path)
    assert bad(findings) == {"directories"}
    assert by_subject(findings)["directories"].lines[0].startswith(IMPORT)


def test_an_archive_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real = archive(tmp_path / "source"), Path.open

    def refused(self: Path, *given, **named):
        if self == path:
            raise PermissionError(13, "Permission denied", str(path))
        return real(self, *given, **named)

    monkeypatch.setattr(Path, "open", refused)
    findings = look(tmp_path / "source", tmp_path)
    assert {"directories", "verdict on the archive"} <= bad(findings)
    assert "Permission denied" in by_subject(findings)["verdict on the archive"].found


# --- an archive's inside --------------------------------------------------------------------------------------------------


def inside(tmp_path: Path, rows: object = None, **others) -> list[Finding]:
    archive(tmp_path / "source", rows=rows, **others)
    return look(tmp_path / "source", tmp_path)


def test_a_data_member_under_another_name(tmp_path: Path) -> None:
    findings = inside(tmp_path, member="Regional-2024-export/Base_2024.txt")
    found = by_subject(findings)
    assert bad(findings) == {"directories", "verdict on the archive"}
    assert any("Base_2024.txt" in line and line.endswith("not read") for line in found["members"].lines)
    assert found["verdict on the archive"].facts["check"] == "has_exactly_one_data_member"


def test_label_files_that_are_missing(tmp_path: Path) -> None:
    findings = inside(tmp_path, labels={})
    assert bad(findings) == set()
    assert "A129, CPF4, PAYS" in by_subject(findings)["label files"].found


def test_label_files_that_differ_from_ours(tmp_path: Path) -> None:
    other = labels()
    other["Libelle_PAYS.txt"] = (
        other["Libelle_PAYS.txt"].replace(b"AD;Andorre", b"AD;Principaut\xc3\xa9 d'Andorre") + b"YX;Nouveau;202501;999912\r\n"
    )
    other["Libelle_A129.txt"] = b"\r\n".join(other["Libelle_A129.txt"].split(b"\r\n")[1:])
    other["Departement_region.txt"] = b"".join(line + b";84;X\r\n" for line in other["Departement_region.txt"].splitlines())
    findings = inside(tmp_path, labels=other)
    found = by_subject(findings)
    assert found["labels PAYS"].facts["unknown"] == ["YX"]
    assert found["labels PAYS"].facts["differ"] == ["AD: Principauté d'Andorre - ours: Andorre"]
    assert found["labels A129"].facts["missing"] == [seed("nomenclature_a129")[0]["a129_code"]]
    assert bad(findings) == set()
    assert found["zones"].facts["columns"] == [6] and found["zones"].verdict == "to watch"


def test_a_label_file_that_a_run_would_refuse_is_told_in_the_same_words(tmp_path: Path) -> None:
    findings = inside(tmp_path, labels=labels() | {"Libelle_CPF4_rev2.1.txt": b"<html>"})
    assert bad(findings) == {"label files"}
    assert "Libelle_CPF4_rev2.1.txt, line 1" in str(by_subject(findings)["label files"])


@pytest.mark.parametrize(("encoding", "end"), [("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("utf-8", "\r")])
def test_what_is_tolerated_in_a_text_is_told(tmp_path: Path, encoding: str, end: str) -> None:
    findings = inside(tmp_path, text(year(), end).decode().encode(encoding))
    assert bad(findings) == set()
    facts = by_subject(findings)["text"].facts
    assert facts["line_ends"] == {{"\n": "LF", "\r\n": "CR LF", "\r": "CR"}[end]: 4}
    assert facts["encoding"] == ("UTF-8 with BOM" if encoding == "utf-8-sig" else "ASCII")


@pytest.mark.parametrize(
    ("payload", "subject", "words"),
    [
        (text(year()).decode().encode("utf-16"), "text", "UTF-16"),
        (text(year()).replace(b"DE", b"D\xc9"), "text", "Windows-1252"),
        (text(year()).replace(b";", b","), "first rows", "','"),
        (text([(*fields, "") for fields in year()]), "first rows", "4 rows of 11"),
        (b"FLUX;TRIM;ANNEE;DEP;REG;A129;CPF4;PAYS;VALEUR;MASSE\r\n" + text(year()), "first rows", "header"),
        (text([(*fields[:5], fields[6], fields[5], *fields[7:]) for fields in year()]), "field 6, a129", "Field 7 looks like it"),
        (text([(*fields[:8], "1,5", "3") for fields in year()]), "field 9, valeur", "1,5 x4"),
        (text([row(departement="4A", trimestre=n) for n in (1, 2)]), "field 4, departement", "4A x2"),
        (text([row(departement="1", region="18", trimestre=n) for n in (1, 2)]), "field 4, departement", "with a zero before"),
        (text(year("I")), "field 1, flux", "E, as the member's name announces"),
        (text([row(), *[row(valeur="")] * 3]), "field 9, valeur", "(empty) x3"),
        (text([row(region="32", trimestre=n) for n in (1, 2)]), "région of the département", "0 of 2"),
        (text([row(a129="C30A", trimestre=n) for n in (1, 2)]), "A129 of the CPF4", "0 of 2"),
        (text(year() * 2), "keys and amounts", "4 are twins"),
        (b"", "first rows", "no rows"),
    ],
)  # fmt: skip
def test_rows_that_are_not_what_was_expected(tmp_path: Path, payload: bytes, subject: str, words: str) -> None:
    finding = by_subject(inside(tmp_path, payload))[subject]
    assert finding.verdict == "wrong"
    assert words in finding.found
    assert finding.remedy


def test_the_verdict_on_all_rows_quotes_the_first_that_offend(tmp_path: Path) -> None:
    finding = by_subject(inside(tmp_path, [*year(), row(valeur="2,5")]))["all rows"]
    assert (finding.verdict, finding.lines) == ("wrong", ["line 5: E;1;2024;94;03;C29A;2910;DE;2,5;10"])


def test_a_total_is_compared_with_the_published_one(tmp_path: Path) -> None:
    assert "published (0.00 %)" in by_subject(inside(tmp_path, year()))["total of France"].found


def test_rows_that_stand_twice_far_from_each_other(tmp_path: Path) -> None:
    assert "repeated rows" in bad(inside(tmp_path, country("E", 2024, 1, lignes=6) * 2))


def test_the_newest_export_is_looked_into() -> None:
    names = ("202502-Regional-2024-import.zip", "202402-Regional-2023-export.zip", EXPORT, "202505-stat-regional-ce-import.zip")
    assert looked_into.newest_export([Offer(name, name) for name in names]).name == EXPORT
