"""A bundle on disk and its manifest, read as if a stranger had written them: bounded, typed, and refused in a sentence.

Add here: another thing that a bundle must say before it can be made again. Keep out: how a manifest is written (`lot.py`),
what two copies of a bundle differ in (`ecarts.py`). Nothing is opened but plain files inside the folder, and no more of them
than a bundle has; a name that a manifest gives is never used as a path.
"""

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

MAX_MANIFESTE = 2 * 1024**2  # bytes; that of France is below 60 kB
MAX_ENTREES = 500  # files and folders of a bundle; there are about thirty
MAX_PROFONDEUR = 4  # folders inside each other; there are two
ESPACES = "\u00a0\u202f"
NATURES = {
    stat.S_ISLNK: "a symbolic link",
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}

Texte = Annotated[str, StringConstraints(max_length=2000)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True)


class _Territoire(_Strict):
    niveau: Literal["departement", "region", "france"]
    code: Annotated[str, StringConstraints(max_length=3)]


class _Release(_Strict):
    sha256: Sha256
    archive: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    millesime: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]
    origine: Texte


class _Chaine(_Strict):
    releases: list[_Release] = Field(min_length=1, max_length=1000)


class _Admis(_Strict):
    controle: Annotated[str, StringConstraints(max_length=100)]


class Declaration(_Strict):
    """What a bundle says that it was made from; all else in its manifest is compared, and followed nowhere."""

    territoire: _Territoire
    periode: Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}(T[1-4])?$")]
    niveau_produit: Literal["A38", "A129", "CPF4"]
    quarantaine_max_pct: float = Field(1.0, ge=0, le=100, allow_inf_nan=False)  # bundles made before it was said have none
    admis: list[_Admis] = Field(default=[], max_length=1000)
    edition: Texte
    versions: dict[Texte, Texte] = Field(max_length=50)
    chaine: _Chaine


@dataclass(frozen=True)
class Inventaire:
    """The plain files of a folder, by their path in it, with their size; `fautes`: what else lies there, in words, by path."""

    fichiers: dict[str, int] = field(default_factory=dict)
    fautes: dict[str, str] = field(default_factory=dict)


def declaration(dossier: Path) -> Declaration:
    """What the bundle at `dossier` says of itself. Raises OSError, or ValueError with a sentence."""
    try:
        said = Declaration.model_validate(lire(dossier))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise ValueError(f"{where}: {first['msg']}{more}") from None
    if len({release.sha256 for release in said.chaine.releases}) < len(said.chaine.releases):
        raise ValueError("chaine.releases: an archive stands there twice")
    return said


def lire(dossier: Path) -> dict[str, Any]:
    """The manifest of the bundle at `dossier`. Raises OSError, or ValueError with a sentence."""
    return charger(octets(dossier / "manifest.json", MAX_MANIFESTE))


def charger(content: bytes) -> dict[str, Any]:
    """A JSON object, without the liberties that readers take differently. Raises ValueError with a sentence."""
    try:
        value = json.loads(content.decode("utf-8"), object_pairs_hook=_sans_doublon, parse_constant=_refuser)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError(f"an object was expected, found {type(value).__name__}")
    return value


def _sans_doublon(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _refuser(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def octets(path: Path, limite: int) -> bytes:
    """The bytes of a plain file. Raises ValueError for anything else and for more than `limite` bytes, else OSError."""
    infos = path.lstat()
    if not stat.S_ISREG(infos.st_mode):
        raise ValueError(f"{path.name} is {_nature(infos.st_mode)}, not a file")
    if infos.st_size > limite:
        raise ValueError(f"{path.name} has {infos.st_size:,} bytes; at most {limite:,} are read")
    return path.read_bytes()


def inventaire(dossier: Path) -> Inventaire:
    """What lies in `dossier`; links are not followed. Never raises."""
    found = Inventaire()
    for count, (nom, entry) in enumerate(_entrees(dossier, found.fautes)):
        if count >= MAX_ENTREES:
            found.fautes[nom] = f"more than {MAX_ENTREES} files are in the bundle; these and the others were not looked at"
            break
        try:
            infos = entry.stat(follow_symlinks=False)
        except OSError as error:
            found.fautes[nom] = f"it cannot be read ({error.strerror})"
            continue
        if stat.S_ISREG(infos.st_mode):
            found.fichiers[nom] = infos.st_size
        elif not stat.S_ISDIR(infos.st_mode):
            found.fautes[nom] = f"{_nature(infos.st_mode)}, not a file"
    return found


def _entrees(
    dossier: Path, fautes: dict[str, str], avant: str = "", profondeur: int = 0
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    try:
        with os.scandir(dossier) as scanned:
            entries = sorted(islice(scanned, MAX_ENTREES + 1), key=lambda entry: entry.name)
    except OSError as error:
        fautes[avant or "."] = f"it cannot be read ({error.strerror})"
        return
    for entry in entries:
        nom = f"{avant}{entry.name}"
        yield nom, entry
        if entry.is_dir(follow_symlinks=False):
            if profondeur >= MAX_PROFONDEUR:
                fautes[nom] = "folders are nested too deeply; it was not looked at"
            else:
                yield from _entrees(Path(entry.path), fautes, f"{nom}/", profondeur + 1)


def _nature(mode: int) -> str:
    return next((name for test, name in NATURES.items() if test(mode)), "no plain file")


def lisible(texte: str) -> str:
    """`texte` on one line of a terminal: what would move its cursor, hide or turn words, or is no character, is spelt out."""
    return "".join(char if char.isprintable() or char in ESPACES else f"\\u{ord(char):04x}" for char in texte)
