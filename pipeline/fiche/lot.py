"""The bundle of one fiche: PDF, page, figures, data and manifest, written aside and moved into place whole.

Add here: another file of the bundle, and its line in the manifest (automatic). Keep out: content (`contexte.py`), looks.
No clock and no chance: the same content gives the same bytes.
"""

import hashlib
import json
import shutil
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pandas as pd

from pipeline.charts import REDUITS
from pipeline.errors import RenderError
from pipeline.fiche import page, pdf
from pipeline.fiche.cellules import delier
from pipeline.fiche.contenu import Fiche
from pipeline.fiche.provenance import LICENCE, versions
from pipeline.marts import Lu
from pipeline.outputs import writing
from pipeline.pertes import raison
from pipeline.spreadsheets import RULE, neutralised

# First columns of each data file, a contract with those who read them; the mart's other columns follow.
COLONNES = {
    "reperes": ["niveau", "code", "nom", "flux", "valeur_eur", "part_region_pct", "part_france_pct"],
    "balance": ["pays_code", "pays", "import_eur", "export_eur", "solde_eur", "rang"],
    "produits": ["flux", "produit_code", "produit", "valeur_eur", "part_pct", "rang"],
    "classement": ["flux", "rang", "departement_code", "nom", "region_code", "valeur_eur", "part_france_pct"],
    "fiabilite": ["niveau", "code", "flux", "note"],
    "pertes": ["niveau", "code", "nom", "flux", "motif", "lignes", "lignes_pct", "valeur_eur", "valeur_pct", "codes"],
    "specificites": ["flux", "objet", "objet_code", "libelle", "rang", "valeur_eur", "part_pct"],
    "rapprochement": ["niveau", "code", "flux", "ordre", "etape", "valeur_eur", "mesure"],
    "publies": ["niveau", "code", "flux", "perimetre", "valeur_eur", "publie_eur"],
    "flux": ["produit_code", "produit", "pays_code", "pays", "valeur_eur", "part_pct", "est_principal"],
}
MART_DE = {"rapprochement": "reconciliation"}  # a file that is named otherwise than its mart
DE_PLUSIEURS = ("reperes", "reconciliation", "publies", "classement")  # files that hold rows of other territories too
FACULTATIFS = ("classement", "fiabilite", "pertes", "specificites", "rapprochement", "publies")  # where there are rows

TOUJOURS = {
    "fiche.pdf",
    "fiche.html",
    *(f"donnees/{nom}.csv" for nom in ("reperes", "balance", "produits", "flux-export", "flux-import")),
}


def ecrire(fiche: Fiche, fiches: Path, figures: Path, logo: Path | None = None, lus: Sequence[Lu] = ()) -> Path:
    """Write the bundle of `fiche` to `fiches`/<periode>/<slug>, and return that folder.

    `figures` holds the drawn figures of the period: `<slug>/<sujet>` with the suffixes of `charts.draw`, for this
    territory and for those it is compared with; `lus` is what was read of the marts, for the manifest. The former bundle
    stays until the new one is complete.
    Raises RenderError (a figure is missing, the compiler refuses) or OutputError (the disk).
    """
    final = fiches / fiche.periode / fiche.territoire.slug
    with mis_en_place(final) as aside:
        svgs, specs, tailles, dessinees = {}, {}, {}, []
        for illustration in fiche.illustrations:
            source = figures / illustration.dossier / illustration.sujet
            specs[illustration.fichier] = _lire(source.with_suffix(".json")).decode()
            layout = json.loads(specs[illustration.fichier])["layout"]
            tailles[illustration.fichier] = (layout["width"], layout["height"])
            dessinees.append(_figure(illustration.dossier, source))
            imprimee = source
            if illustration.reduite:
                imprimee = source.with_name(REDUITS[illustration.sujet])
                dessinees.append(_figure(illustration.dossier, imprimee))
            svgs[illustration.fichier] = _lire(imprimee.with_suffix(".svg"))
            dits = (delier(illustration.titre), illustration.source)
            fichier = aside / "graphiques" / illustration.fichier
            if illustration.dossier == fiche.territoire.slug:
                _poser(fichier.with_suffix(".svg"), signer_svg(svgs[illustration.fichier], *dits))
                _poser(fichier.with_suffix(".png"), signer_png(_lire(source.with_suffix(".png")), *dits))
            else:
                # A copy: the other's bundle may be made again of other data, and this one travels alone.
                _poser(fichier.with_suffix(".svg"), signer_svg(_lire(source.with_suffix(".svg")), *dits, page.polices()))
        _poser(aside / "fiche.pdf", pdf.composer(fiche, svgs, logo))
        nom_logo = f"logo{logo.suffix.lower()}" if logo else None
        if logo and nom_logo:
            _poser(aside / nom_logo, logo.read_bytes())
        _poser(aside / "fiche.html", page.composer(fiche, specs, tailles, nom_logo).encode())
        for nom, frame in donnees(fiche).items():
            _poser(aside / "donnees" / f"{nom}.csv", neutralised(frame).to_csv(index=False, lineterminator="\n").encode())
        _poser(aside / "manifest.json", _manifeste(fiche, aside, lus, dessinees))
    return final


def defauts(dossier: Path) -> list[dict[str, str]]:
    """What keeps the bundle at `dossier` from being whole: files that are missing, altered or foreign; none when all holds."""
    try:
        manifeste = json.loads((dossier / "manifest.json").read_bytes())
        attendus = {str(fichier["chemin"]): str(fichier["sha256"]) for fichier in manifeste["fichiers"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [{"fiche": dossier.name, "fichier": "manifest.json", "defaut": f"illisible ({type(error).__name__})"}]
    trouves = {path.relative_to(dossier).as_posix(): _sha256(path.read_bytes()) for path in dossier.rglob("*") if path.is_file()}
    del trouves["manifest.json"]
    fautes = dict.fromkeys(sorted((TOUJOURS | attendus.keys()) - trouves.keys()), "absent")
    fautes |= dict.fromkeys(sorted(trouves.keys() - attendus.keys()), "inconnu du manifeste")
    fautes |= {nom: "autre empreinte" for nom in sorted(attendus.keys() & trouves) if attendus[nom] != trouves[nom]}
    return [{"fiche": dossier.name, "fichier": nom, "defaut": faute} for nom, faute in fautes.items()]


def dits(defauts: Sequence[dict[str, str]]) -> str:
    """These faults in a sentence; nothing for none."""
    return f"{len(defauts)} files of bundles are missing, altered or foreign, the first: {defauts[0]}." if defauts else ""


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
    types = {column: "Int64" if kind == "int64" else kind for column, kind in frames[0].dtypes.items()}
    return pd.concat([frames[0], *(frame.reindex(columns=list(types)).astype(types) for frame in frames[1:])], ignore_index=True)


def _colonnes(fiche: Fiche, nom: str, frame: pd.DataFrame) -> pd.DataFrame:
    first = COLONNES[nom.partition("-")[0]]
    frame = frame.reindex(columns=[*first, *(column for column in frame.columns if column not in first)])
    for column in frame.columns[frame.columns.str.startswith("est_")]:
        frame[column] = ["" if pd.isna(est) else str(bool(est)).lower() for est in frame[column]]
    return frame.assign(millesime=fiche.provenance.millesime, source=fiche.provenance.producteur)


def signer_svg(svg: bytes, titre: str, source: str, *polices: str) -> bytes:
    """The SVG with its title and its source inside, for a figure that leaves its fiche, and with `polices` if it stands in a page."""
    debut = svg.index(b">", svg.index(b"<svg")) + 1
    return svg[:debut] + f"<title>{escape(titre)}</title><desc>{escape(source)}</desc>{''.join(polices)}".encode() + svg[debut:]


def signer_png(png: bytes, titre: str, source: str) -> bytes:
    """The PNG with its title and its source as text chunks, right after its header (33 bytes)."""
    chunks = b""
    for cle, texte in ((b"Title", titre), (b"Source", source)):
        content = b"iTXt" + cle + b"\0\0\0fr\0\0" + texte.encode()
        chunks += struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    return png[:33] + chunks + png[33:]


def _figure(dossier: str, source: Path) -> dict[str, Any]:
    """One link of the chain: from the rows of a mart to a drawing, which a file of the bundle holds with its title."""
    maille = "departement" if dossier[0].isdigit() else "national"
    return {
        "figure": f"{dossier}/{source.name}",
        "mart": f"mart_{maille}_{source.name.partition('-')[0]}",
        "donnees_sha256": _sha256(_lire(source.with_suffix(".json"))),
        "svg_sha256": _sha256(_lire(source.with_suffix(".svg"))),
        "png_sha256": _sha256(_lire(source.with_suffix(".png"))),
        "navigateur": _lire(source.with_suffix(".navigateur")).decode(),
    }


def _chaine(fiche: Fiche, lus: Sequence[Lu], dessinees: list[dict[str, Any]]) -> dict[str, Any]:
    """From bytes to bytes: the archives read, the rows of marts made of them, the figures made of these rows.

    All archives of the run are listed, in order: the marts can be made again from them and from nothing else.
    """
    return {
        "releases": [
            {
                "release_id": archive.release_id,
                "archive": archive.nom,
                "sha256": archive.sha256,
                "millesime": archive.millesime,
                "origine": archive.origine,
                "flux": archive.flux,
                "lignes": archive.lignes,
                "valeur_eur": archive.valeur_eur,
                "trimestres": archive.trimestres,
            }
            for archive in fiche.provenance.lues
        ],
        "marts": [asdict(lu) for lu in lus],
        "figures": dessinees,
    }


def _issu_de(chemin: str, fiche: Fiche, lus: Sequence[Lu]) -> list[str]:
    """What of the chain a file is made of: a figure, rows of marts, all of both for the fiche itself; nothing for a logo."""
    dossier, _, nom = chemin.rpartition("/")
    sujet = nom.rpartition(".")[0]
    if dossier == "graphiques":
        return [f"{one.dossier}/{one.sujet}" for one in fiche.illustrations if one.fichier == sujet]
    if dossier == "donnees":
        sujet = MART_DE.get(sujet, sujet.partition("-")[0])
        compared = sujet in DE_PLUSIEURS
        read = [lu for lu in lus if lu.mart.endswith(f"_{sujet}") and (compared or lu.territoire == fiche.territoire.cle)]
        return [f"{lu.mart}/{lu.territoire}" for lu in read]
    return ["marts", "figures"] if sujet == "fiche" else []


def _ecartees(fiche: Fiche) -> list[dict[str, Any]]:
    """What is kept out of the territory's totals, each reason in words."""
    rows = fiche.frames["pertes"].to_dict("records") if "pertes" in fiche.frames else []
    return [
        {
            "flux": row["flux"],
            "motif": row["motif"],
            "raison": raison(row["motif"]),
            "lignes": int(row["lignes"]),
            "valeur_eur": int(row["valeur_eur"]),
        }
        for row in rows
    ]


def _manifeste(fiche: Fiche, dossier: Path, lus: Sequence[Lu], dessinees: list[dict[str, Any]]) -> bytes:
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
        "edition": provenance.edition,
        "admis": [
            {"archive": archive.nom, "sha256": archive.sha256, "controle": controle, "constat": constat}
            for archive in provenance.admises
            for controle, constat in archive.admis
        ]
        + ([{"controle": "codes_are_known", "constat": provenance.codes_admis}] if provenance.codes_admis else []),
        "fabrication": provenance.fabrication.manifeste(),
        "licence": LICENCE,
        "csv": RULE,
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
        "versions": versions() | {"navigateur": ", ".join(sorted({dessin["navigateur"] for dessin in dessinees}))},
        "quarantaine_max_pct": fiche.quarantaine_max_pct,
        "lignes_ecartees": _ecartees(fiche),
        "chaine": _chaine(fiche, lus, dessinees),
        "fichiers": [
            {
                "chemin": path.relative_to(dossier).as_posix(),
                "taille": path.stat().st_size,
                "sha256": _sha256(path.read_bytes()),
                "issu_de": _issu_de(path.relative_to(dossier).as_posix(), fiche, lus),
            }
            for path in files
        ],
    }
    return (json.dumps(manifest, ensure_ascii=False, indent=1) + "\n").encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


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
def mis_en_place(final: Path) -> Iterator[Path]:
    """A folder aside, which takes the place of `final` when all went well; else `final` is left as it was."""
    aside = final.with_name(f".{final.name}.part")  # one run at a time holds the outputs: a killed one's is cleared
    former = final.with_name(f".{final.name}.ancien")
    try:
        with writing(final):
            if former.exists() and not final.exists():
                former.rename(final)  # a run was killed between the two renames below
            shutil.rmtree(former, ignore_errors=True)
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(parents=True)
            yield aside
            # No portable call swaps two folders: the former one steps aside for the time of a rename, and comes back if it fails.
            try:
                if final.exists():
                    final.rename(former)
                aside.rename(final)
            except BaseException:  # an interruption too
                if former.exists() and not final.exists():
                    former.rename(final)
                raise
            shutil.rmtree(former, ignore_errors=True)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
