"""The page of checks of the site: each check of the run that made it, in French, and what it found.

What happened is told by Dagster's own records (`defs/qualite.py` reads them); the sentences by `controles.py`. Add here: what a
reader must know of a run. Keep out: verdicts, looks (`templates/qualite.html.j2`). The page describes a run: it says when that
was, unlike all that describes data, and no bundle depends on it.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pipeline import pertes
from pipeline.archive import rapport
from pipeline.archive.drift import Drift
from pipeline.archive.rapport import Recu
from pipeline.controles import ETAPES, GRAVITES, Controle, etape
from pipeline.fiche.page import gabarits
from pipeline.fiche.provenance import Provenance
from pipeline.marts import Marts
from pipeline.outputs import write_whole, writing
from pipeline.paths import Paths
from pipeline.typographie import euros, jour, liste, mois, nombre, pct, periode

EXEMPLES = 20  # offenders shown of a check
DERNIERS = 200  # verdicts of a check looked back at
EVENEMENTS = ("ASSET_CHECK_EVALUATION_PLANNED", "ASSET_CHECK_EVALUATION", "ASSET_MATERIALIZATION", "STEP_FAILURE")  # read
ETATS = {True: "réussi", False: "échec", None: "non exécuté"}
HEURE = ZoneInfo("Europe/Paris")
TITRES = {  # of columns whose own names say too little
    "motif": "raison",
    "lignes_pct": "part des lignes (%)",
    "valeur_pct": "part des euros (%)",
    "perte_pct": "perte la plus forte (%)",
    "quarantaine_lignes": "lignes écartées",
    "quarantaine_lignes_pct": "part des lignes (%)",
    "quarantaine_eur": "euros écartés (€)",
    "quarantaine_pct": "part des euros (%)",
    "trimestres_manquants": "trimestres sans données",
    "departements_manquants": "départements manquants",
    "manquant_pct": "leur poids un an avant (%)",
}


@dataclass(frozen=True)
class Etat:
    """One check in one run: `passe` is None when it was planned and did not run, `gravite` that of the verdict if it ran.

    `nombre` of rows, figures or files found at fault, `exemples` the first of them; `portee`: the départements concerned.
    """

    nom: str
    actif: str
    passe: bool | None = None
    gravite: str = ""
    nombre: int | None = None
    exemples: list[dict[str, Any]] = field(default_factory=list)
    message: str = ""
    portee: str = ""


@dataclass(frozen=True)
class Passage:
    """One run: when it began (ISO 8601, UTC), what it read and made, the steps that failed, its checks."""

    identifiant: str
    travail: str
    debut: str
    periode: str = ""
    archives: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    echecs: list[str] = field(default_factory=list)
    etats: list[Etat] = field(default_factory=list)

    @property
    def jour(self) -> str:
        """When it began, as readers in France say it."""
        debut = datetime.fromisoformat(self.debut).astimezone(HEURE)
        return f"{jour(debut.date())} à {debut.hour}\u00a0h\u00a0{debut:%M}"

    def suivi(self, autres: Iterable["Passage"]) -> "Passage":
        """This run, with the checks of others that made a few more fiches; the last verdict on the same départements stands."""
        etats = {(etat.actif, etat.nom, etat.portee): etat for passage in (self, *autres) for etat in passage.etats}
        return replace(self, etats=list(etats.values()))


def lire(journal: Any, porte: Any, fiches: Any, evenements: Any) -> tuple[Passage | None, Passage | None]:
    """The run that the site comes from, with those that made a few fiches since, and one that stopped after it.

    `journal` is Dagster's instance; `porte` the key of the last check before the figures (who passes it may make fiches),
    `fiches` that of the check of fiches, `evenements` the types of EVENEMENTS.
    """
    portes = journal.event_log_storage.get_asset_check_execution_history(porte, DERNIERS)
    vus = [record.run_id for record in portes]
    site = next((r.run_id for r in portes if r.event and _passe(r.event.dagster_event.event_specific_data)), None)

    def passage(run: str) -> Passage:
        return _passage(journal.get_run_record_by_id(run), journal.all_logs(run, evenements))

    arrete = passage(vus[0]) if vus and vus[0] != site else None
    if not site:
        return None, arrete
    faits = [record.run_id for record in journal.event_log_storage.get_asset_check_execution_history(fiches, DERNIERS)]
    depuis = faits[: faits.index(site)] if site in faits else []
    return passage(site).suivi(passage(run) for run in reversed(depuis) if run not in vus), arrete


def _passe(dit: Any) -> bool:
    """Not if the check was planned alone, or failed as an error."""
    return hasattr(dit, "passed") and (dit.passed or dit.severity.value == "WARN")


def _passage(record: Any, journal: Iterable[Any]) -> Passage:
    """A run from what Dagster recorded of it: its record, and its events of the types in EVENEMENTS."""
    tags, etats, faits, echecs = record.dagster_run.tags, {}, {}, []
    for event in (entry.dagster_event for entry in journal):
        dit = event.event_specific_data
        if event.event_type_value == "STEP_FAILURE":
            echecs.append(event.step_key or "")
        elif event.event_type_value != "ASSET_MATERIALIZATION":
            etats[dit.asset_key, dit.check_name] = _etat(dit, _portee(tags))
        elif dit.materialization.asset_key.path[0] == "raw":
            faits |= {nom: valeur.value for nom, valeur in dit.materialization.metadata.items()}
    return Passage(
        record.dagster_run.run_id,
        record.dagster_run.job_name,
        record.create_timestamp.replace(tzinfo=UTC).isoformat(timespec="seconds"),
        faits.get("periode", ""),
        lignes(faits.get("archives")),
        faits.get("versions", {}),
        echecs,
        list(etats.values()),
    )


def _etat(dit: Any, portee: str) -> Etat:
    """One check from what Dagster recorded of it: that it was planned, or how it ended. `portee` is that of its run."""
    par_departement = dit.asset_key.path[0] in ("charts", "fiches") and dit.asset_key.path[1] not in ("national", "index")
    commun = Etat(dit.check_name, dit.asset_key.to_user_string(), portee=portee if par_departement else "")
    if not hasattr(dit, "passed"):
        return commun
    metadata = {nom: valeur.value for nom, valeur in dit.metadata.items()}
    return replace(
        commun,
        passe=dit.passed,
        gravite=dit.severity.value.lower(),
        nombre=None if dit.passed else metadata.get("dagster_dbt/failed_row_count", metadata.get("found")),
        exemples=lignes(metadata.get("offenders")),
        message=dit.description or "",
    )


def lignes(tableau: Any) -> list[dict[str, Any]]:
    """The rows of a table that Dagster recorded, in the order of its columns; none of None."""
    return [{c.name: row.data[c.name] for c in tableau.schema.columns} for row in tableau.records] if tableau else []


def _portee(etiquettes: Mapping[str, str]) -> str:
    """The départements of a run, from its tags: `94`, `01–976`, or nothing."""
    bornes = [etiquettes.get(f"dagster/asset_partition_range_{borne}", "") for borne in ("start", "end")]
    return "–".join(filter(None, dict.fromkeys(bornes))) or etiquettes.get("dagster/partition", "")


def propre(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The first rows at fault, as Dagster takes them: text, numbers, booleans, nothing."""

    def cellule(valeur: Any) -> Any:
        if valeur is None or valeur != valeur:
            return None
        return valeur if isinstance(valeur, str | int | float) else str(valeur)

    return [{str(cle): cellule(valeur) for cle, valeur in ligne.items()} for ligne in rows[:EXEMPLES]]


def ecrire(paths: Paths, site: Passage | None, arrete: Passage | None, controles: Iterable[Controle]) -> None:
    """Write the page and, beside it, the same as JSON.

    `site` made what is on the site; `arrete` is a later run that stopped before that, if one did. Raises OutputError.
    """
    path = paths.qualite
    par_nom = {(controle.nom, controle.actif): controle for controle in controles}
    passages = [passage for passage in (site, arrete) if passage]
    page = (
        gabarits()
        .get_template("qualite.html.j2")
        .render(
            site=_lisible(site, par_nom) if site else None,
            arrete=_lisible(arrete, par_nom) if arrete else None,
            mention=any(archive.get("est_exemple") for passage in passages for archive in passage.archives),
            rapports=[report.relative_to(paths.home).as_posix() for report in sorted(paths.rapports.glob("*.html"))],
            commun=paths.commun.relative_to(paths.home).as_posix(),
        )
    )
    brut = {"site": asdict(site) if site else None, "arrete": asdict(arrete) if arrete else None}
    with writing(path):
        for target, text in {
            path: page,
            path.with_suffix(".json"): json.dumps(brut, ensure_ascii=False, indent=1) + "\n",
        }.items():
            write_whole(
                target, text.replace(f"{paths.home}/", "")
            )  # places are told from the outputs' own: readers have other disks


def rapporter_codes(provenance: Provenance, marts: Marts, limite_pct: float, paths: Paths, *, bloque: bool = True) -> None:
    """Report on each release of which more than `limite_pct` of a flow is kept out; take away a report no longer so.

    Raises OutputError.
    """
    france = [row for row in marts.reperes.to_dict("records") if row["niveau"] == "france"]
    parts = {row["flux"]: row for row in france if row["perte_pct"] > limite_pct}
    for archive in provenance.archives:
        codes = [
            (
                f"{row['annee']}T{row['trimestre']}",
                pertes.raison(row["motif"]),
                row["code_source"],
                row["departement_code"],
                row["lignes"],
                row["valeur_eur"],
            )
            for row in marts.quarantaine.to_dict("records")
            if row["flux"] == archive.flux and f"{row['annee']}T{row['trimestre']}" in archive.trimestres.split()
        ]
        recu = Recu(archive.nom, archive.origine, archive.millesime, archive.taille, archive.sha256, archive.flux)
        report = rapport.chemin(paths.rapports, recu, "-codes")
        with writing(report):
            if archive.flux not in parts or not codes:
                report.unlink(missing_ok=True)
                continue
            perdu = parts[archive.flux]
            part = f"{pct(perdu['perte_pct'], 2)} {pertes.MESURES[pertes.pire(perdu)]}"
            facts = {"flux": pertes.DEFINI[archive.flux], "part": part, "limite_pct": limite_pct, "codes": codes[:EXEMPLES]}
            drift = Drift("codes_are_known", facts)
            rapport.ecrire(report, recu, [drift], bloque=bloque, en_place=None, periodes=paths.periodes())


def _lisible(passage: Passage, par_nom: dict[tuple[str, str], Controle]) -> dict[str, Any]:
    """A run as the template prints it: its head, and its checks by stage, those that failed first in each."""
    etapes: dict[str, list[dict[str, Any]]] = {nom: [] for nom in ETAPES.values()}
    for etat in sorted(passage.etats, key=lambda etat: (etat.passe is not False, etat.passe is not None, etat.actif, etat.nom)):
        controle = par_nom.get((etat.nom, etat.actif))
        etapes[etape(etat.actif)].append(
            {
                "phrase": controle.phrase if controle else etat.nom,
                "nom": etat.nom,
                "actif": etat.actif,
                "portee": etat.portee,
                "gravite": GRAVITES[etat.gravite or (controle.gravite if controle else "error")],
                "etat": _verdict(etat),
                "nombre": nombre(etat.nombre) if etat.nombre else "",
                "exemples": _tableau(etat.exemples[:EXEMPLES]),
                "reste": nombre(etat.nombre - EXEMPLES) if etat.nombre and etat.nombre > EXEMPLES else "",
                "message": "" if etat.passe else etat.message,
                "ton": "" if etat.passe else "absent" if etat.passe is None else etat.gravite,
            }
        )
    return {
        "jour": passage.jour,
        "identifiant": passage.identifiant[:8],
        "travail": passage.travail,
        "periode": periode(passage.periode) if passage.periode else "",
        "millesime": mois(max(archive["vintage"] for archive in passage.archives)) if passage.archives else "",
        "archives": [
            archive | {"lignes": nombre(archive["lignes"]), "valeur_eur": euros(archive["valeur_eur"])}
            for archive in passage.archives
        ],
        "versions": " · ".join(f"{nom} {version}" for nom, version in passage.versions.items()),
        "echecs": liste(passage.echecs),
        "etapes": {nom: rows for nom, rows in etapes.items() if rows},
        "bilan": _bilan(passage.etats),
    }


def _bilan(etats: list[Etat]) -> list[tuple[str, str, str]]:
    """The head's figures: number, what of, tone."""
    comptes = Counter(_verdict(etat) for etat in etats)
    tons = {"réussi": "excedent", "à vérifier": "avertissement", "échec": "deficit", "non exécuté": "neutre"}
    pluriels = {"réussi": "réussis", "échec": "échecs", "non exécuté": "non exécutés"}
    return [
        (nombre(comptes[mot]), pluriels.get(mot, mot) if comptes[mot] > 1 else mot, ton if comptes[mot] else "neutre")
        for mot, ton in tons.items()
    ]


def _verdict(etat: Etat) -> str:
    """The state in a word: a warning that failed asks for a look, it stopped nothing."""
    return "à vérifier" if etat.passe is False and etat.gravite == "warn" else ETATS[etat.passe]


def _tableau(exemples: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]] | None:
    """Heads and cells, whole numbers grouped by thousands, without the columns that are empty throughout."""
    colonnes = [cle for cle in (exemples[0] if exemples else {}) if any(ligne.get(cle) not in (None, "") for ligne in exemples)]
    titres = [TITRES.get(cle) or cle.replace("_eur", " (€)").replace("_pct", " (%)").replace("_", " ") for cle in colonnes]

    def cellule(ligne: dict[str, Any], cle: str) -> str:
        return pertes.raison(str(ligne[cle])) if cle == "motif" else _cellule(ligne.get(cle))

    return (titres, [[cellule(ligne, cle) for cle in colonnes] for ligne in exemples]) if colonnes else None


def _cellule(valeur: Any) -> str:
    if valeur is None:
        return "–"
    if isinstance(valeur, float):
        return nombre(valeur, 0 if valeur.is_integer() else 2)
    # A year or a quarter is no quantity.
    return nombre(valeur) if isinstance(valeur, int) and abs(valeur) >= 10_000 else str(valeur)
