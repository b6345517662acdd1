"""The bundle of one fiche: PDF, page, figures, data and manifest, written aside and moved into place whole.

Add here: another file of the bundle, and its line in the manifest (automatic). Keep out: content (`contexte.py`), looks.
No clock and no chance: the same content gives the same bytes.
"""

import hashlib
import json
import platform
import shutil
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from xml.sax.saxutils import escape

import pandas as pd

from pipeline.errors import OutputError, RenderError
from pipeline.fiche import page, pdf
from pipeline.fiche.contenu import Fiche
from pipeline.fiche.provenance import LICENCE

# First columns of each data file, a contract with those who read them; the mart's other columns follow.
COLONNES = {
    "reperes": ["niveau", "code", "nom", "flux", "valeur_eur", "part_region_pct", "part_france_pct"],
    "balance": ["pays_code", "pays", "import_eur", "export_eur", "solde_eur", "rang"],
    "produits": ["flux", "produit_code", "produit", "valeur_eur", "part_pct", "rang"],
    "classement": ["flux", "rang", "departement_code", "nom", "region_code", "valeur_eur", "part_france_pct"],
    "fiabilite": ["niveau", "code", "flux", "note"],
    "specificites": ["flux", "objet", "objet_code", "libelle", "rang", "valeur_eur", "part_pct"],
    "rapprochement": ["niveau", "code", "flux", "ordre", "etape", "valeur_eur", "mesure"],
    "publies": ["niveau", "code", "flux", "perimetre", "valeur_eur", "publie_eur"],
    "flux": ["produit_code", "produit", "pays_code", "pays", "valeur_eur", "part_pct", "est_principal"],
}
FACULTATIFS = ("classement", "fiabilite", "specificites", "rapprochement", "publies")  # where there are rows
LOGICIELS = ("comex", "dagster", "dbt-core", "dbt-duckdb", "duckdb", "pandas", "plotly", "kaleido", "typst")


def ecrire(fiche: Fiche, fiches: Path, figures: Path, logo: Path | None = None) -> Path:
    """Write the bundle of `fiche` to `fiches`/<periode>/<slug>, and return that folder.

    `figures` holds the drawn figures of the period: `<slug>/<sujet>.svg`, `.png` and `.json` (the plotly dict), for this
    territory and for those it is compared with. The former bundle stays until the new one is complete.
    Raises RenderError (a figure is missing, the compiler refuses) or OutputError (the disk).
    """
    final = fiches / fiche.periode / fiche.territoire.slug
    with _mis_en_place(final) as aside:
        svgs, specs, tailles = {}, {}, {}
        for illustration in fiche.illustrations:
            source = figures / illustration.dossier / illustration.sujet
            svgs[illustration.fichier] = _lire(source.with_suffix(".svg"))
            specs[illustration.fichier] = _lire(source.with_suffix(".json")).decode()
            layout = json.loads(specs[illustration.fichier])["layout"]
            tailles[illustration.fichier] = (layout["width"], layout["height"])
            if illustration.dossier == fiche.territoire.slug:
                svg, png = svgs[illustration.fichier], _lire(source.with_suffix(".png"))
                _poser(
                    aside / "graphiques" / f"{illustration.sujet}.svg", signer_svg(svg, illustration.titre, illustration.source)
                )
                _poser(
                    aside / "graphiques" / f"{illustration.sujet}.png", signer_png(png, illustration.titre, illustration.source)
                )
        _poser(aside / "fiche.pdf", pdf.composer(fiche, svgs, logo))
        nom_logo = f"logo{logo.suffix.lower()}" if logo else None
        if logo and nom_logo:
            _poser(aside / nom_logo, logo.read_bytes())
        _poser(aside / "fiche.html", page.composer(fiche, specs, tailles, nom_logo).encode())
        for nom, frame in donnees(fiche).items():
            _poser(aside / "donnees" / f"{nom}.csv", frame.to_csv(index=False, lineterminator="\n").encode())
        _poser(aside / "manifest.json", _manifeste(fiche, aside))
    return final


def donnees(fiche: Fiche) -> dict[str, pd.DataFrame]:
    """The data files, by name: contract columns, the mart's others, then vintage and source."""
    frames = fiche.frames
    tables = {
        "reperes": _concat([frames["reperes"], *fiche.reperes_compares]),
        "balance": frames["balance"],
        "produits": frames["produits"],
        **{f"flux-{flux}": frames["flux"].query("flux == @flux") for flux in ("export", "import")},
        **{nom: frames[nom] for nom in FACULTATIFS if nom in frames and len(frames[nom])},
    }
    return {nom: _colonnes(fiche, nom, frame) for nom, frame in tables.items()}


def _concat(frames: list[pd.DataFrame]) -> pd.DataFrame:
    # Columns that one level leaves empty (a région has no share of its région) keep the type of the first frame.
    types = frames[0].dtypes.to_dict()
    return pd.concat([frames[0], *(frame.reindex(columns=list(types)).astype(types) for frame in frames[1:])], ignore_index=True)


def _colonnes(fiche: Fiche, nom: str, frame: pd.DataFrame) -> pd.DataFrame:
    first = COLONNES[nom.partition("-")[0]]
    frame = frame.reindex(columns=[*first, *(column for column in frame.columns if column not in first)])
    for column in frame.columns[frame.columns.str.startswith("est_")]:
        frame[column] = ["" if pd.isna(est) else str(bool(est)).lower() for est in frame[column]]
    return frame.assign(millesime=fiche.provenance.millesime, source=fiche.provenance.producteur)


def signer_svg(svg: bytes, titre: str, source: str) -> bytes:
    """The SVG with its title and its source inside, for a figure that leaves its fiche."""
    debut = svg.index(b">", svg.index(b"<svg")) + 1
    return svg[:debut] + f"<title>{escape(titre)}</title><desc>{escape(source)}</desc>".encode() + svg[debut:]


def signer_png(png: bytes, titre: str, source: str) -> bytes:
    """The PNG with its title and its source as text chunks, right after its header (33 bytes)."""
    chunks = b""
    for cle, texte in ((b"Title", titre), (b"Source", source)):
        content = b"iTXt" + cle + b"\0\0\0fr\0\0" + texte.encode()
        chunks += struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    return png[:33] + chunks + png[33:]


def _manifeste(fiche: Fiche, dossier: Path) -> bytes:
    provenance, territoire = fiche.provenance, fiche.territoire
    files = sorted(path for path in dossier.rglob("*") if path.is_file())
    manifest = {
        "titre": fiche.titre,
        "territoire": {"niveau": territoire.niveau, "code": territoire.code, "nom": territoire.nom, "slug": territoire.slug},
        "periode": fiche.periode,
        "niveau_produit": fiche.niveau_produit,
        "est_exemple": provenance.est_exemple,
        "mention": provenance.mention,
        "source": provenance.ligne,
        "millesime": provenance.millesime,
        "licence": LICENCE,
        "archives": [
            {
                "nom": archive.nom,
                "sha256": archive.sha256,
                "millesime": archive.millesime,
                "flux": archive.flux,
                "taille": archive.taille,
                "origine": archive.origine,
            }
            for archive in provenance.archives
        ],
        "versions": {"python": platform.python_version(), **{nom: version(nom) for nom in LOGICIELS}},
        "fichiers": [
            {
                "chemin": path.relative_to(dossier).as_posix(),
                "taille": path.stat().st_size,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
            for path in files
        ],
    }
    return (json.dumps(manifest, ensure_ascii=False, indent=1) + "\n").encode()


def _lire(path: Path) -> bytes:
    if not path.is_file() or not path.stat().st_size:
        raise RenderError(
            f"The figure {path.name} of {path.parent.name} was expected; it is {'empty' if path.exists() else 'missing'}.",
            where=str(path),
            cause="the figure could not be drawn, or was drawn for another period",
            remedy="read the errors of the charts step, then run it again before the fiches",
        )
    return path.read_bytes()


def _poser(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@contextmanager
def _mis_en_place(final: Path) -> Iterator[Path]:
    """A folder aside, which takes the place of `final` when all went well; else `final` is left as it was."""
    aside = final.with_name(f".{final.name}.part")  # one run at a time holds the outputs: a killed one's is cleared
    former = final.with_name(f".{final.name}.ancien")
    try:
        if former.exists() and not final.exists():
            former.rename(final)  # a run was killed between the two renames below
        shutil.rmtree(former, ignore_errors=True)
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        yield aside
        # No portable call swaps two folders: the former one steps aside for the time of a rename, and comes back if it fails.
        if final.exists():
            final.rename(former)
        try:
            aside.rename(final)
        except OSError:
            if former.exists():
                former.rename(final)
            raise
        shutil.rmtree(former, ignore_errors=True)
    except OSError as error:
        raise OutputError(
            f"The bundle of {final.name} was to be written; the system answered: {error.strerror}.",
            where=str(error.filename or final),
            cause="a disk that is full or read-only, or a folder of another user",
            remedy="free some space or choose another folder with COMEX_HOME, then run again; the former bundle is still there",
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
