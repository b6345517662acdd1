"""The customs' own releases: their page of full bases and, for what it does not offer, their dataset on data.gouv.fr.

Add here: a third place where they publish. Keep out: what pages and requests have in common (`page.py`, `archive/fetch.py`).
"""

from contextlib import suppress
from datetime import datetime

import httpx

from pipeline.archive.fetch import Http, Offer, bare, is_address
from pipeline.errors import ComexError, SourceError
from pipeline.settings import Settings
from pipeline.sources import page
from pipeline.sources.arrival import in_order
from pipeline.sources.passed import Passed


def offers(http: Http, settings: Settings) -> tuple[list[Offer], list[ComexError], list[Passed]]:
    """The archives of both places, in their order of arrival; which place did not answer, if the other one did; and the ZIP files
    that the page links and that are passed over.

    Raises SourceError when neither has anything to offer, ReleaseError when the page is there and has no archive.
    """
    notices: list[ComexError] = []
    found: list[Offer] = []
    passed: list[Passed] = []
    try:
        found, passed = page.offers(http, settings.douane_page, settings.archive_pattern)
    except SourceError as error:
        notices.append(error)
    try:
        names = {offer.name.lower() for offer in found}
        found += [offer for offer in _dataset(http, settings) if offer.name.lower() not in names]
    except SourceError as error:
        notices.append(error)
    if not found:
        told = "; ".join(f"{notice.where}: {notice.expected_found}" for notice in notices)
        raise SourceError(
            f"Archives from one of 2 places were expected; neither offers any. {told}"
            + ("" if len(notices) > 1 else f" {settings.douane_dataset}: 0 of its resources are archives."),
            where=f"{settings.douane_page} and {settings.douane_dataset}",
            cause=" / ".join(dict.fromkeys(notice.cause for notice in notices)),
            remedy="open both addresses in a browser on this machine; if they moved, set COMEX_DOUANE_PAGE and"
            " COMEX_DOUANE_DATASET; or save the archives by hand and give their folder as --source",
        )
    return in_order(found), notices, passed


def _dataset(http: Http, settings: Settings) -> list[Offer]:
    """The archives among the resources of the dataset: a permalink has no file name, then the title tells it."""
    said = http.json(settings.douane_dataset)
    resources = said.get("resources") if isinstance(said, dict) else None
    if not isinstance(resources, list):
        raise SourceError(
            f"A dataset with a list of resources was expected; {type(said).__name__} without one came.",
            where=settings.douane_dataset,
            cause="the interface changed, or the address is that of something else",
            remedy="open the address in a browser; if the dataset moved, set COMEX_DOUANE_DATASET",
        )
    found: dict[tuple[str, str], float | None] = {}
    for resource in (each for each in resources if isinstance(each, dict)):
        url, title = (str(resource.get(key) or "") for key in ("url", "title"))
        url = url or str(resource.get("latest") or "")
        named = (page.archive_name(text, settings.archive_pattern) for text in (url, title, f"{title}.zip"))
        with suppress(httpx.InvalidURL):
            if is_address(url) and (name := next(filter(None, named), None)):
                found[name, bare(url)] = _moment(resource.get("last_modified"))
    return [Offer(*named, saved_at=moment) for named, moment in found.items()]


def _moment(written: object) -> float | None:
    try:
        return datetime.fromisoformat(str(written)).timestamp()
    except (ValueError, OverflowError):
        return None
