"""What an operator may choose, as one typed object read from the environment (prefix `COMEX_`).

Add here: a choice that a user makes, with its default and its meaning. Keep out: paths derived from `home`
(`paths.py`), facts (dbt seeds), looks (`charts/theme.py`).
"""

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.errors import SettingError

ROOT = Path(__file__).resolve().parent.parent
# What the customs have called the archives so far; _0, _1 …: what a Drupal site adds to the name of a file put there again,
# and (1), (2) …: what a browser adds.
ARCHIVE = re.compile(r"(?i)\d{6}[-_ ](stat[-_ ])?regional([-_ ]ce)?[-_ ]?(\d{4})?[-_ ](import|export)(_\d+|[ _]?\(\d+\))?\.zip$")
HOSTS = "www.douane.gouv.fr lekiosque.finances.gouv.fr www.data.gouv.fr static.data.gouv.fr"
PAGE = "https://lekiosque.finances.gouv.fr/site_fr/telechargement/telechargement_SGBD.asp"
DATASET = "https://www.data.gouv.fr/api/1/datasets/5369a0c7a3a729239d206446/"
UI_HOST_RE = r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])"
HOST_RE, ADDRESS_RE = r"[\w.-]+(:\d+)?", r"^https?://[\w.-]+(:\d+)?(/\S*)?$"


class Settings(BaseSettings):
    """One run's choices. `Settings()` reads `COMEX_*`; arguments win over the environment."""

    model_config = SettingsConfigDict(env_prefix="COMEX_")

    home: Path = Field(ROOT / "assets_out", description="Folder that receives everything the machine writes.")
    source: str = Field(
        "example", description="`example`, `douane`, the http(s) address of an index page, or a folder of archives."
    )
    periode: str | None = Field(None, description="`2024`, or `2025T3` for the four quarters that end there. None: latest year.")
    vintage: str | None = Field(None, description="`202502`: the fiches as known at that month. None: the newest releases.")
    niveau_produit: Literal["A38", "A129", "CPF4"] = Field("A129", description="Level of the goods in charts and tables.")
    quarantaine_max_pct: float = Field(
        1.0,
        description="Above this share of a flow (the worst of rows, euros, zones, goods, partners), what is kept out blocks; marks a fiche.",
    )
    ecart_lignes_max_pct: float = Field(
        50.0, gt=0, description="Refused above: change of a quarter's number of rows against the former release of that quarter."
    )
    accept: str = Field(
        "",
        description="Checks of plausibility that an operator lets a release fail, by name, separated by spaces; `plausibility` for all.",
    )
    logo: Path | None = Field(None, description="An SVG or PNG shown on the cover; none by default.")
    archive_pattern: re.Pattern[str] = Field(ARCHIVE, description="Regular expression that the names of archives hold.")
    douane_page: str = Field(
        PAGE, pattern=ADDRESS_RE, description="Source `douane`: the customs' page with the links to all full bases."
    )
    douane_dataset: str = Field(
        DATASET, pattern=ADDRESS_RE, description="Source `douane`: the data.gouv.fr API of their dataset, asked second."
    )
    hosts: str = Field(
        HOSTS,
        pattern=rf"^({HOST_RE}([ ,]+|$))*$",
        description="Sites that archives may come from (`host` or `host:port`), beside the page's own.",
    )
    archive_max_mib: int = Field(1024, gt=0, description="A larger archive is not downloaded.")
    attempts: int = Field(5, gt=0, description="Tries of one request, when the answer is a passing fault.")
    retry_wait_s: float = Field(1.0, ge=0, description="Wait before the second try; doubled before each other.")
    timeout_s: float = Field(20.0, gt=0, description="A try is given up after so many seconds of silence, or of too slow a flow.")
    slowest_kib_s: float = Field(4.0, ge=0, description="Too slow a flow: less than this, on average over `timeout_s`.")
    ui_hosts: str = Field(
        "",
        pattern=rf"^({UI_HOST_RE}([ ,]+|$))*$",
        description="Names that the Dagster UI answers to beside those of this machine's loopback, without port: a reverse proxy's.",
    )
    ui_read_only: bool = Field(False, description="The Dagster UI launches and changes nothing.")

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            told = "; ".join(f"COMEX_{str(e['loc'][0]).upper()}={e['input']!r}: {e['msg']}" for e in error.errors())
            raise SettingError(
                f"{error.error_count()} setting(s) cannot be used: {told}.",
                where="the environment (COMEX_…) or the command's options",
                cause="a typing error, or a value of another kind",
                remedy="correct or unset it; the settings and their values are listed in pipeline/settings.py",
            ) from error

    @field_validator("home")
    @classmethod
    def _has_no_wildcard(cls, value: Path) -> Path:
        if found := set(str(value)) & set("'*?[]"):
            raise SettingError(
                f"A folder whose path can be named in a query was expected; {str(value)!r} holds {' '.join(sorted(found))}.",
                where="--home or COMEX_HOME",
                cause="DuckDB reads these characters as wildcards or as the end of a name",
                remedy="give another folder, without them, with --home or COMEX_HOME",
            )
        return value

    @field_validator("home", "source")
    @classmethod
    def _is_utf8(cls, value: Path | str) -> Path | str:
        try:
            str(value).encode()
        except UnicodeEncodeError as error:
            raise SettingError(
                f"A path or address in UTF-8 was expected; {str(value)!a} has other bytes.",
                where="--home or COMEX_HOME, --source or COMEX_SOURCE",
                cause="a folder that was named in another encoding, that of this terminal maybe",
                remedy="rename the folder in plain letters, or give another one",
            ) from error
        return value

    @field_validator("home", "logo")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().resolve() if value else value

    @field_validator("logo")
    @classmethod
    def _logo_is_a_picture(cls, value: Path | None) -> Path | None:
        if value and (not value.is_file() or value.suffix.lower() not in (".svg", ".png")):
            raise SettingError(
                f"A logo is an SVG or PNG file; {value} is {'none' if value.is_file() else 'not there'}.",
                where="COMEX_LOGO",
                cause="a typing error, or another kind of picture",
                remedy="give the path of an .svg or .png file, or leave COMEX_LOGO unset",
            )
        return value

    @field_validator("accept")
    @classmethod
    def _accepts_checks_that_exist(cls, value: str) -> str:
        from pipeline.archive.plausibility import FAMILY, WHOLE  # late: what judges archives knows the settings' paths

        names = value.replace(",", " ").split()
        if unknown := [name for name in names if name not in (*FAMILY, WHOLE)]:
            raise SettingError(
                f"Checks of plausibility were expected, by name; {len(unknown)} of {len(names)} are none: {' '.join(unknown)}.",
                where="--accept or COMEX_ACCEPT",
                cause="a typing error, or a check that nobody may let fail",
                remedy=f"give one of these, or several: {', '.join(FAMILY)}; or {WHOLE} for all of them",
            )
        return " ".join(names)

    @property
    def accepted(self) -> frozenset[str]:
        """The names in `accept`."""
        return frozenset(self.accept.split())

    @field_validator("periode", mode="before")
    @classmethod
    def _periode_shape(cls, value: str | None) -> str | None:
        if not value:
            return None
        if not re.fullmatch(r"20\d\d(T[1-4])?", str(value)):
            raise SettingError(
                f"A period is a year such as 2024, or the last of four quarters such as 2025T3; found {value!r}.",
                where="--periode or COMEX_PERIODE",
                cause="a typing error, or another notation of quarters",
                remedy="write the year in four digits, followed by T1 to T4 for rolling quarters",
            )
        return str(value)

    @field_validator("vintage", mode="before")
    @classmethod
    def _vintage_shape(cls, value: str | None) -> str | None:
        if not value:
            return None
        if not re.fullmatch(r"20\d\d(0[1-9]|1[0-2])", str(value)):
            raise SettingError(
                f"A vintage is a year and a month such as 202502; found {value!r}.",
                where="--vintage or COMEX_VINTAGE",
                cause="a typing error, or another notation of months",
                remedy="write the year in four digits and the month in two; comex tells the vintages kept if none is as old",
            )
        return str(value)
