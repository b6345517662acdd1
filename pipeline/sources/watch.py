"""What a source offers now, told apart from what is kept and from what was seen before; nothing is downloaded or changed.

Add here: another way to tell that an archive changed. Keep out: when one looks, and what is launched then (`defs/sensors.py`).
"""

import hashlib
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from time import monotonic

from pipeline.archive import inspect, store
from pipeline.archive.fetch import WITHDRAWN, Http, Offer, Validators
from pipeline.errors import SourceError
from pipeline.paths import Paths
from pipeline.settings import Settings
from pipeline.sources import open_source

DEADLINE_S = 40  # Dagster gives up a tick after 60 s, and tells less about it
AT_A_TIME = 4  # requests to one server


@dataclass(frozen=True)
class Seen:
    """One archive on offer. `fingerprint` changes when its bytes do; `kept`: the store's newest archive of that origin is it."""

    name: str
    origin: str
    fingerprint: str
    kept: bool


def look(settings: Settings, paths: Paths, deadline: float = DEADLINE_S) -> list[Seen]:
    """All that the source offers now (nothing, for the embedded example), within `deadline` seconds.

    A page costs one GET, and one HEAD for each archive.
    Raises what `open_source` raises, and SourceError when the time is over.
    """
    if settings.source == "example":
        return []  # it never changes
    end = monotonic() + deadline
    pool = ThreadPoolExecutor(AT_A_TIME)
    try:
        source = pool.submit(open_source, settings, paths).result(timeout=deadline)
        newest = store.newest(paths.raw / source.id)
        return list(pool.map(partial(_seen, newest, source.http), source.offers, timeout=end - monotonic()))
    except TimeoutError as error:
        raise SourceError(
            f"An answer within {deadline} s was expected; {settings.source} had not answered everything by then.",
            where=settings.source,
            cause="a slow or overloaded server, a network that drops connections, or a disk that does not answer",
            remedy="nothing if the next look succeeds; otherwise open the address by hand, from this machine and as this user",
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def news(seen: dict[str, str], offered: Iterable[Seen]) -> list[Seen]:
    """The archives on offer that are neither kept nor `seen` (fingerprints by origin) in this state."""
    return [offer for offer in offered if not offer.kept and seen.get(offer.origin) != offer.fingerprint]


def nothing(offered: list[Seen]) -> str:
    """Why nothing is launched, for people."""
    if not offered:
        return "The embedded example never changes; set COMEX_SOURCE to a folder or a page that does."
    return f"Nothing new: {len(offered)} archives on offer, all kept or already seen."


def digest(*parts: dict[str, str]) -> str:
    """Sixteen hexadecimal digits that stand for these fingerprints."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def named(offers: list[Seen]) -> str:
    """The archives for people: the first three by name, and how many others."""
    names = [offer.name for offer in offers] or ["none"]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} others" if len(names) > 3 else "")


def _seen(newest: dict[str, store.Entry], http: Http | None, offer: Offer) -> Seen:
    kept = newest.get(offer.origin, {})
    if offer.path is None:
        assert http, "offers without a path come with a client"
        try:
            said = http.head(offer.origin)
        except SourceError as error:
            if error.check != WITHDRAWN or not kept:
                raise
            return Seen(offer.name, offer.origin, WITHDRAWN, kept=True)  # what left the source is no news; a run tells of it
        fingerprint = said.etag or f"{said.last_modified} {said.size}"
        return Seen(offer.name, offer.origin, fingerprint, _is_described(kept, said))
    facts = offer.path.stat()
    # Bytes are read only where the size does not tell: a copy can keep its date, or get a new one.
    same = facts.st_size == kept.get("bytes") and kept["hash"] == f"sha256:{inspect.digest(offer.path)}"
    return Seen(offer.name, offer.origin, f"{facts.st_size} {facts.st_mtime_ns}", same)


def _is_described(kept: dict, said: Validators) -> bool:
    """Are these the bytes that the server describes? By the best thing that both sides know."""
    if said.etag and kept.get("etag"):
        return said.etag.removeprefix("W/") == kept["etag"].removeprefix("W/")
    if said.last_modified and kept.get("last_modified") and said.last_modified != kept["last_modified"]:
        return False
    return said.size is not None and said.size == kept.get("bytes")
