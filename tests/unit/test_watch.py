"""What is new on a source: told from what is kept, and from what was seen before."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.archive.fetch import Validators
from pipeline.errors import ComexError, ReleaseError, SettingError, SourceError
from pipeline.paths import Paths
from pipeline.settings import Settings
from pipeline.sources import open_source, watch
from tests.archives import keep, row, write_archive
from tests.kiosk import Fault, Kiosk

EXPORT, IMPORT = (f"202502-Regional-2024-{flux}.zip" for flux in ("export", "import"))
NEXT = "202505-Regional-2024-export.zip"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a pair of archives."""
    for name in (EXPORT, IMPORT):
        write_archive(tmp_path / "source" / name, [row("I" if "import" in name else "E")])
    return tmp_path / "source"


def look(place: Path, **arguments) -> list[watch.Seen]:
    settings = Settings(source=str(place), home=place.parent / "home")
    return watch.look(settings, Paths(settings.home), **arguments)


def store_of(place: Path) -> Path:
    settings = Settings(source=str(place), home=place.parent / "home")
    return Paths(settings.home).raw / open_source(settings, Paths(settings.home)).id


def fingerprints(offered: list[watch.Seen]) -> dict[str, str]:
    return {offer.origin: offer.fingerprint for offer in offered}


def new(place: Path, seen: dict[str, str] | None = None) -> list[str]:
    return [offer.name for offer in watch.news(seen or {}, look(place))]


def test_all_is_new_until_it_is_kept_or_seen(place: Path) -> None:
    assert new(place) == [EXPORT, IMPORT]
    assert new(place, fingerprints(look(place))) == []
    keep(place / EXPORT, store_of(place))
    assert new(place) == [IMPORT]


def test_looking_changes_nothing(place: Path) -> None:
    look(place)
    assert not (place.parent / "home").exists()


def test_an_archive_that_is_kept_is_not_new_under_another_date(place: Path) -> None:
    for name in (EXPORT, IMPORT):
        keep(place / name, store_of(place))
        os.utime(place / name, (1, 1))
    assert new(place) == []


def test_a_release_issued_again_under_its_name_is_new_even_with_the_same_size_and_date(place: Path) -> None:
    keep(place / EXPORT, store_of(place))
    keep(place / IMPORT, store_of(place))
    dates = (place / EXPORT).stat()
    payload = bytearray((place / EXPORT).read_bytes())
    payload[len(payload) // 2] ^= 1
    (place / EXPORT).write_bytes(payload)
    os.utime(place / EXPORT, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    assert new(place) == [EXPORT]


def test_what_was_seen_is_new_when_it_changes_again(place: Path) -> None:
    seen = fingerprints(look(place))
    write_archive(place / EXPORT, [row("E"), row("E")])
    assert new(place, seen) == [EXPORT]


def test_a_page_is_read_anew_at_each_look(place: Path) -> None:
    (place / "index.html").write_text(f'<a href="{EXPORT}">', encoding="utf-8")
    seen = fingerprints(look(place))
    write_archive(place / NEXT, [row("E")])
    assert new(place, seen) == []
    (place / "index.html").write_text(f'<a href="{EXPORT}"><a href="{NEXT}">', encoding="utf-8")
    assert new(place, seen) == [NEXT]
    (place / "index.html").write_text("<p>Nous refaisons le site</p>", encoding="utf-8")
    with pytest.raises(ReleaseError, match="offers none"):
        look(place)


def test_a_source_that_is_gone_is_not_nothing_new(place: Path) -> None:
    with pytest.raises(SettingError) as caught:
        look(place.with_name("unmounted"))
    assert isinstance(caught.value, ComexError)


def test_a_source_that_does_not_answer_in_time(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "open_source", lambda *_: time.sleep(2))
    start = time.monotonic()
    with pytest.raises(SourceError, match=r"within 0.2 s was expected") as caught:
        look(place, deadline=0.2)
    assert time.monotonic() - start < 1
    assert all((caught.value.where, caught.value.cause, caught.value.remedy))


KEPT = {"etag": '"a"', "last_modified": "Fri, 07 Feb 2025 08:00:00 GMT", "bytes": 10}
OTHER_DAY = "Fri, 09 May 2025 08:00:00 GMT"


@pytest.mark.parametrize(
    ("said", "kept", "same"),
    [
        (Validators('"a"', OTHER_DAY, 10), KEPT, True),  # a tag says all
        (Validators('W/"a"', None, None), KEPT, True),
        (Validators('"b"', KEPT["last_modified"], 10), KEPT, False),
        (Validators(None, KEPT["last_modified"], 10), KEPT, True),
        (Validators(None, KEPT["last_modified"], 11), KEPT, False),
        (Validators(None, OTHER_DAY, 10), KEPT, False),
        (Validators('"a"', None, 10), {"bytes": 10}, True),  # kept by hand: the size is all that is known
        (Validators(None, None, 11), KEPT, False),
        (Validators(), KEPT, False),
        (Validators('"a"', None, 10), {}, False),
    ],
)
def test_what_a_server_says_is_compared_with_what_is_kept(said: Validators, kept: dict, same: bool) -> None:
    assert watch._is_described(kept, said) is same


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    """A server with the pair of archives, and links to both."""
    with Kiosk(tmp_path / "kiosk") as kiosk:
        for name in (EXPORT, IMPORT):
            kiosk.publish(name, write_archive(tmp_path / name, [row("I" if "import" in name else "E")]).read_bytes())
        yield kiosk


def ask(kiosk: Kiosk, **settings) -> list[watch.Seen]:
    chosen = Settings(source=kiosk.url, home=kiosk.folder.parent / "home", attempts=1, **settings)
    return watch.look(chosen, Paths(chosen.home))


def test_a_page_costs_one_get_and_one_head_an_archive(kiosk: Kiosk) -> None:
    offered = ask(kiosk)
    assert sorted(request.method for request in kiosk.requests) == ["GET", "HEAD", "HEAD"]
    assert [offer.name for offer in watch.news({}, offered)] == [EXPORT, IMPORT]
    assert watch.news(fingerprints(offered), ask(kiosk)) == []


def test_a_server_tells_what_was_issued_again(kiosk: Kiosk, tmp_path: Path) -> None:
    seen = fingerprints(ask(kiosk))
    kiosk.publish(EXPORT, write_archive(tmp_path / EXPORT, [row("E"), row("E")]).read_bytes())
    assert [offer.name for offer in watch.news(seen, ask(kiosk))] == [EXPORT]


def test_a_link_that_leads_nowhere_is_no_news_once_its_archive_is_kept(kiosk: Kiosk, tmp_path: Path) -> None:
    kiosk.faults[kiosk.path(EXPORT)] = Fault(status=404)
    with pytest.raises(SourceError, match="404"):
        ask(kiosk)
    settings = Settings(source=kiosk.url, home=tmp_path / "home")
    source = open_source(settings, Paths(settings.home))
    [origin] = [offer.origin for offer in source.offers if offer.name == EXPORT]
    keep(tmp_path / EXPORT, Paths(settings.home).raw / source.id, origin=origin)
    assert [offer.name for offer in watch.news({}, ask(kiosk))] == [IMPORT]


def test_a_server_that_stalls_is_given_up_in_time(kiosk: Kiosk) -> None:
    kiosk.faults[kiosk.path(IMPORT)] = Fault(pause_s=3)
    settings = Settings(source=kiosk.url, home=kiosk.folder.parent / "home")
    with pytest.raises(SourceError, match=r"within 1 s was expected"):
        watch.look(settings, Paths(settings.home), deadline=1)


def test_a_digest_depends_on_what_was_seen_and_not_on_its_order() -> None:
    assert watch.digest({"a": "1", "b": "2"}, {}) == watch.digest(json.loads('{"b": "2", "a": "1"}'), {})
    assert watch.digest({"a": "1"}, {"a": "2"}) != watch.digest({"a": "2"}, {"a": "1"})


def test_many_archives_are_named_shortly() -> None:
    offers = [watch.Seen(f"{n}.zip", f"{n}", "", kept=False) for n in range(5)]
    assert watch.named(offers[:2]) == "0.zip, 1.zip"
    assert watch.named(offers) == "0.zip, 1.zip, 2.zip and 2 others"
