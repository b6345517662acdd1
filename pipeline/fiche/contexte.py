"""From a territory's frames to the content of its fiche.

Add here: which blocks a section holds and which numbers they show. Keep out: wording (`textes.py`), layout (templates),
statistics (SQL): rows are picked by the ranks and flags that the marts give, never summed or ranked here.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

import pandas as pd

from pipeline import charts, pertes
from pipeline.charts.texte import imprimable
from pipeline.fiche import commentaire, confiance, textes
from pipeline.fiche.cellules import Ligne
from pipeline.fiche.contenu import (
    Bloc,
    Colonne,
    Couverture,
    Fiche,
    Illustration,
    Intertitre,
    Liens,
    Paragraphe,
    Repere,
    Reperes,
    Section,
    Tableau,
)
from pipeline.fiche.provenance import Provenance
from pipeline.fiche.textes import insecables
from pipeline.marts import NOMENCLATURE
from pipeline.territoires import ILE_DE_FRANCE, Territoire
from pipeline.typographie import INDISPONIBLE, INSECABLE, millions, mois, monnaie, nombre, pct, periode

Flux = Literal["export", "import"]
FLUX: tuple[Flux, ...] = ("export", "import")
NIVEAUX_PRODUIT = {"A129": " (76 postes de biens)", "A38": "", "CPF4": " (314 postes de biens)"}
NON_CLASSES = "les départements dont le montant est connu ; – : non classé ; (i) : données incomplètes ; n. d. : non disponible"
# €: from there on, or with a country of a tenth of it, a matrix is printed in whole millions; from ten times as much on, in milliards.
GRAND = 100_000_000_000


@dataclass
class Portrait:
    """One territory's mart frames (`reperes`, `balance`, `produits`, `flux`) for one period."""

    territoire: Territoire
    frames: dict[str, pd.DataFrame]

    @cached_property
    def _rows(self) -> dict[str, list[dict[str, Any]]]:
        return {"pertes": []} | {mart: lignes(frame) for mart, frame in self.frames.items()}

    def rows(self, mart: str, flux: str | None = None, dossier: str = "") -> list[Ligne]:
        """Rows of one mart, of one flow if given, bound to their data file in the bundle `dossier`; missing values are None."""
        fichier = f"{mart}-{flux}" if mart == "flux" else mart
        return [Ligne(row, fichier, dossier) for row in self._rows[mart] if flux is None or row["flux"] == flux]

    def reperes(self) -> dict[str, Ligne]:
        """Headline figures by flow."""
        return {row["flux"]: row for row in self.rows("reperes")}


def lignes(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a frame as Python values: missing is None, labels have their unbreakable spaces and no character beyond the font.

    Codes stay as they are: they name cells of the data files.
    """

    def valeur(column: str, value: Any) -> Any:
        if not isinstance(value, str):
            return None if pd.isna(value) else value
        return value if column.endswith("code") else imprimable(insecables(value))

    return [{str(k): valeur(str(k), v) for k, v in row.items()} for row in frame.to_dict("records")]


def construire(
    portrait: Portrait,
    periode: str,
    provenance: Provenance,
    *,
    region: Portrait | None = None,
    france: Portrait | None = None,
    rapprochement: pd.DataFrame,
    publies: pd.DataFrame,
    classement: pd.DataFrame | None = None,
    niveau_produit: str = "A129",
    quarantaine_max_pct: float = 1.0,
    nomenclature: str = NOMENCLATURE,
) -> Fiche:
    """The content of one fiche.

    `region` and `france` are what the territory is compared with: both for a département, `france` for a région, neither
    for France. `classement` is the national ranking, shown in the fiches of France and of régions; `rapprochement` the steps
    towards published totals, `publies` totals published elsewhere, both of all territories. `nomenclature`: see `Marts`.
    """
    shared = (classement, rapprochement, publies, niveau_produit, nomenclature)
    redaction = _Redaction(portrait, periode, provenance, region, france, *shared)
    return replace(redaction.fiche(), quarantaine_max_pct=quarantaine_max_pct)


def _parmi(frame: pd.DataFrame, territoires: list[str]) -> pd.DataFrame:
    return frame.loc[(frame["niveau"] + "/" + frame["code"]).isin(territoires)]


def _paragraphes(*phrases: str, style: Any = "corps") -> tuple[Paragraphe, ...]:
    return tuple(Paragraphe(insecables(phrase), style) for phrase in phrases if phrase)


@dataclass
class _Redaction:
    """One fiche being written."""

    portrait: Portrait
    periode: str
    provenance: Provenance
    region: Portrait | None
    france: Portrait | None
    classement: pd.DataFrame | None
    rapprochement: pd.DataFrame
    publies: pd.DataFrame
    niveau_produit: str
    nomenclature: str

    def __post_init__(self) -> None:
        self.territoire = self.portrait.territoire
        self.reperes = self.portrait.reperes()
        self.valeurs = {flux: self.reperes[flux]["valeur_eur"] for flux in FLUX}
        self.solde = self.reperes["export"]["solde_eur"]
        # The regional page would repeat the territory's own figures where the département is the région.
        autre = None if self.territoire.est_region else self.region
        self.compares = [other for other in (autre, self.france) if other]
        self.region_comparee = autre.territoire if autre else None
        self.idf = self.territoire.region_code == ILE_DE_FRANCE
        if self.territoire.niveau != "france":
            ici = [
                f"{other.niveau}/{other.code}"
                for other in (self.territoire, *(p.territoire for p in (self.region, self.france) if p))
            ]
            self.rapprochement = _parmi(self.rapprochement, ici)
            self.publies = _parmi(self.publies, ici)
        self.fiabilite = {row["flux"]: row for row in self.portrait.rows("fiabilite")}
        self.confiance = confiance.Donnees(
            self.fiabilite,
            [Ligne(row, "rapprochement") for row in lignes(self.rapprochement)],
            [Ligne(row | {"nom": confiance.nom(row)}, "publies") for row in lignes(self.publies)],
            self.portrait.rows("pertes"),
            self.france.rows("pertes", dossier=f"../{self.france.territoire.slug}/")
            if self.france
            else self.portrait.rows("pertes"),
        )
        # A région ranks its own départements; where there is but one, there is nothing to rank.
        if self.territoire.niveau == "departement" or self.territoire.est_region:
            self.classement = None
        elif self.classement is not None and self.territoire.niveau == "region":
            self.classement = self.classement.query("region_code == @self.territoire.code")

    def fiche(self) -> Fiche:
        """Everything, in order."""
        titre = f"Commerce extérieur {self.territoire.nom_de}"
        sections = [
            self._contexte(),
            self._balance(),
            self._produits(),
            *(section for flux in FLUX for section in (self._flux(flux), *self._comparaison(flux))),
            *self._classement(),
            Section(
                "fiabilite",
                "Fiabilité et conventions",
                confiance.fiabilite(self.territoire, self.reperes, self.confiance, self.provenance.ligne),
            ),
            self._rapprochement(),
            self._chiffres(),
            self._pratique(),
        ]
        return Fiche(
            territoire=self.territoire,
            periode=self.periode,
            provenance=self.provenance,
            niveau_produit=self.niveau_produit,
            titre=f"{titre} – {periode(self.periode)}",
            courant=titre,
            couverture=self._couverture(),
            barres=(self.valeurs["export"] or 0, self.valeurs["import"] or 0),
            sections=tuple(sections),
            frames=self.portrait.frames
            | {"rapprochement": self.rapprochement, "publies": self.publies}
            | ({} if self.classement is None else {"classement": self.classement}),
            reperes_compares=tuple(other.frames["reperes"] for other in (self.region, self.france) if other),
        )

    def _couverture(self) -> Couverture:
        titre, noms, note = textes.industrie(self.territoire)
        return Couverture(
            surtitre=textes.nature(self.territoire),
            titre=self.territoire.nom,
            sous_titre=f"Commerce extérieur, {periode(self.periode)}",
            resume=insecables(textes.resume(self.territoire, self.periode)),
            reperes=(
                *(
                    Repere(
                        textes.majuscule(textes.DEFINI[flux]),
                        self._valeur(flux),
                        self._precision(flux),
                        flux,
                    )
                    for flux in FLUX
                ),
                self._repere_solde(),
                Repere("Taux de couverture", textes.taux(self.reperes["export"]), self._etat() or "exportations / importations"),
            ),
            industrie_titre=titre,
            industrie=noms,
            industrie_note=insecables(note),
            reserve=insecables(textes.reserve(self.provenance)),
            millesime=" · ".join(filter(None, (f"Millésime {mois(self.provenance.millesime)}", self.provenance.edition))),
            encadre=confiance.encadre(self.territoire, self.reperes, self.confiance.pertes),
        )

    def _repere_solde(self) -> Repere:
        ton = "neutre" if not self.solde or self._etat() else "excedent" if self.solde > 0 else "deficit"
        return Repere("Solde apparent (CAF/FAB)", self._solde(), self._etat() or "exportations − importations", ton)

    def _etat(self, *flux: str) -> str:
        """Under a number of these flows (of both by default): that it is missing, or incomplete; nothing when it is whole."""
        rows = [self.reperes[each] for each in flux or FLUX]
        if not all(row["est_disponible"] for row in rows):
            return pertes.INDISPONIBLE
        return pertes.INCOMPLET if any(row["est_perte_forte"] for row in rows) else ""

    def _precision(self, flux: str) -> str:
        """Under a total of the cover: its growth, and a note C."""
        reserve = "fiabilité\u00a0C" if commentaire.est_faible(flux, self.fiabilite) else ""
        return " · ".join(filter(None, (textes.evolution(self.reperes[flux]), self._etat(flux), reserve)))

    def _valeur(self, flux: str) -> str:
        return self.reperes[flux].dit("valeur_eur", millions)

    def _solde(self) -> str:
        return self.reperes["export"].dit("solde_eur", millions, signe=True)

    def _contexte(self) -> Section:
        particularites = [textes.notes({flux: row["note"] for flux, row in self.fiabilite.items()})]
        if self.territoire.est_region:
            particularites.append(textes.sans_region(self.territoire))
        blocs: list[Bloc] = [
            Intertitre("Pourquoi cette fiche"),
            *_paragraphes(*textes.pourquoi(self.territoire, self.region_comparee)),
        ]
        if self.provenance.est_exemple:
            blocs += [Intertitre("Données d’exemple"), *_paragraphes(textes.exemple())]
        if admissions := textes.admissions(self.provenance):
            blocs += [Intertitre("Admis malgré des contrôles en échec"), confiance.points(admissions)]
        blocs += [
            Intertitre("Comment la lire"),
            confiance.points(textes.lecture_generale(self.niveau_produit, NIVEAUX_PRODUIT[self.niveau_produit])),
        ]
        if any(particularites):
            blocs += [Intertitre(insecables(f"Pour {self.territoire.nom_article}")), *_paragraphes(*particularites)]
        blocs += [
            Intertitre("Ce que les chiffres ne disent pas", colonne=True),
            confiance.points(textes.limites(self.territoire, idf=self.idf)),
        ]
        return Section("contexte", "Contexte et méthode", tuple(blocs), colonnes=2)

    def _illustration(
        self, other: Portrait, sujet: str, titre: str, lecture: str, *, reduite: bool = False
    ) -> Illustration | Paragraphe:
        alternative = charts.alternative(sujet, other.frames, other.territoire)
        if not alternative:
            return Paragraphe(insecables(charts.phrase_vide(sujet, other.frames, other.territoire)), "chapeau")
        own = other is self.portrait
        return Illustration(
            dossier=other.territoire.slug,
            sujet=sujet,
            fichier=sujet if own else f"{other.territoire.niveau}-{sujet}",
            titre=insecables(f"{titre}, {periode(self.periode)}"),
            alternative=alternative,
            lecture=insecables(lecture),
            source=self.provenance.ligne,
            reduite=reduite,
        )

    def _balance(self) -> Section:
        premiers = [row for row in self.portrait.rows("balance") if row["pays_code"] != "AUTRES"][:3]
        phrases = (
            commentaire.balance(self.territoire, self.periode, self.reperes, self.fiabilite),
            "" if self._etat() else commentaire.partenaires(premiers, self.reperes),
        )
        return Section(
            "balance",
            "Balance par partenaire",
            (
                Reperes(
                    (
                        *(
                            Repere(textes.majuscule(textes.DEFINI[flux]), self._valeur(flux), self._etat(flux), flux)
                            for flux in reversed(FLUX)
                        ),
                        replace(self._repere_solde(), precision=self._etat()),
                        Repere("Taux de couverture", textes.taux(self.reperes["export"]), self._etat()),
                    )
                ),
                *_paragraphes(" ".join(filter(None, phrases)), style="chapeau"),
                self._illustration(
                    self.portrait,
                    "balance",
                    f"Importations, exportations et solde apparent (CAF/FAB) par pays, {self.territoire.nom}",
                    textes.LECTURE_BALANCE,
                ),
            ),
        )

    def _produits(self) -> Section:
        dits = {flux: row for flux, row in self.reperes.items() if commentaire.est_commentable(row)}
        phrases = [
            commentaire.incomplet(self.reperes),
            *(
                commentaire.premiers_produits(flux, self._premiers(self.portrait, flux)[:3], self.fiabilite)
                for flux in FLUX
                if flux in dits
            ),
            commentaire.nombre_produits(dits),
        ]
        return Section(
            "produits",
            "Principaux produits",
            (
                *_paragraphes(" ".join(filter(None, phrases)), style="chapeau"),
                self._illustration(
                    self.portrait,
                    "produits",
                    f"Produits importés et exportés, {self.territoire.nom}",
                    textes.LECTURE_PRODUITS,
                ),
            ),
        )

    def _premiers(self, other: Portrait, flux: str) -> list[Ligne]:
        dossier = "" if other is self.portrait else f"../{other.territoire.slug}/"
        rows = sorted(other.rows("produits", flux, dossier), key=lambda row: row["rang"])
        return [row for row in rows if row["produit_code"] != "AUTRES"]

    def _parts(self, flux: Flux) -> tuple[Repere, ...]:
        """The total of a flow, and what it weighs."""
        repere = self.reperes[flux]
        elements = [Repere(textes.majuscule(textes.DEFINI[flux]), self._valeur(flux), self._etat(flux), flux)]
        if self.region_comparee and self.region and repere["part_region_pct"] is not None:
            partielle = " (incomplète)" if self.region.reperes()[flux]["est_perte_forte"] else ""
            elements.append(
                Repere("Part de la région", repere.dit("part_region_pct", pct), f"{self.region_comparee.nom}{partielle}")
            )
        if self.territoire.niveau != "france" and repere["part_france_pct"] is not None:
            elements.append(Repere("Part de la France", repere.dit("part_france_pct", pct, 2)))
        if repere["rang_france"] is not None:
            suffixe = "er" if repere["rang_france"] == 1 else "e"
            connus = "" if repere["nb_departements"] == 100 else " connus"
            elements.append(
                Repere(
                    "Rang",
                    f"{repere.dit('rang_france', nombre)}{suffixe}",
                    f"des {nombre(repere['nb_departements'])} départements{connus}",
                )
            )
        if flux in self.fiabilite:
            elements.append(Repere("Fiabilité", self.fiabilite[flux]["note"], "note de A à C"))
        return tuple(elements)

    def _flux(self, flux: Flux) -> Section:
        rows = self.portrait.rows("flux", flux)
        principaux = (row for row in rows if row["est_principal"])
        principal = min(principaux, key=lambda row: (-row["valeur_eur"], row["produit_code"]), default=None)
        produits, pays = (next((row for row in rows if row[f"{cote}_code"] == "AUTRES"), None) for cote in ("produit", "pays"))
        imprimer = monnaie(self.valeurs[flux] or 0)
        if commentaire.est_commentable(self.reperes[flux]):
            phrases = [
                commentaire.prudence(flux, self.fiabilite),
                commentaire.premiers_pays(flux, self._specificites(flux, "pays")[:3]),
                commentaire.principal_flux(flux, principal, imprimer),
                commentaire.autres(produits, pays, imprimer),
            ]
        else:
            phrases = [commentaire.incomplet({flux: self.reperes[flux]})]
        return Section(
            f"flux-{flux}",
            textes.majuscule(textes.DEFINI[flux]),
            (
                Reperes(self._parts(flux)),
                *_paragraphes(" ".join(filter(None, phrases)), style="chapeau"),
                self._illustration(
                    self.portrait,
                    f"flux-{flux}",
                    f"{textes.majuscule(textes.DEFINI[flux])} par produit et par pays, {self.territoire.nom}",
                    textes.lecture_flux(flux),
                ),
            ),
        )

    def _specificites(self, flux: str, objet: str) -> list[Ligne]:
        return [row for row in self.portrait.rows("specificites", flux) if row["objet"] == objet]

    def _comparaison(self, flux: str) -> tuple[Section, ...]:
        if not self.compares:
            return ()
        saillants = [
            row
            for objet in ("produit", "pays")
            for row in [row for row in self._specificites(flux, objet) if row["est_saillant"]][:2]
            if commentaire.est_commentable(self.reperes[flux])
        ][:3]
        dits = {row["objet_code"] for row in saillants}
        premiers = [
            (other.territoire, row)
            for other in self.compares
            if commentaire.est_commentable(other.reperes()[flux])
            for row in self._premiers(other, flux)[:1]
            if row["produit_code"] not in dits
        ]
        propre = next((row["produit_code"] for row in self._premiers(self.portrait, flux)), "")
        note = self.fiabilite[flux]["note"] if flux in self.fiabilite else ""
        totaux = [other.reperes()[flux].dit("valeur_eur", millions) for other in self.compares]
        figures = [
            self._illustration(
                other,
                f"flux-{flux}",
                f"{textes.majuscule(textes.DEFINI[flux])} {other.territoire.nom_de} : {total}",
                "",  # the page before says how to read it, and two figures leave little room
                reduite=len(self.compares) > 1,
            )
            for other, total in zip(self.compares, totaux, strict=True)
        ]
        return (
            Section(
                f"comparaison-{flux}",
                f"{textes.majuscule(textes.DEFINI[flux])} comparées",
                (
                    *_paragraphes(
                        " ".join(
                            filter(
                                None,
                                (
                                    commentaire.distingue(self.territoire, flux, saillants, self.region_comparee, note),
                                    commentaire.premiers_ailleurs(flux, premiers, propre),
                                ),
                            )
                        ),
                        style="corps" if len(figures) > 1 else "chapeau",
                    ),
                    *figures,
                ),
            ),
        )

    def _classement(self) -> tuple[Section, ...]:
        if self.classement is None:
            return ()
        rows = [Ligne(row, "classement") for row in lignes(self.classement)]
        imports = {row["departement_code"]: row for row in rows if row["flux"] == "import"}
        cases = tuple(
            (
                f"{row['nom']}{INSECABLE}({row['departement_code']})",
                *(
                    cell
                    for other in (row, imports[row["departement_code"]])
                    for cell in (
                        other.dit("rang", nombre) if other["rang"] else "–",
                        other.dit("valeur_eur", millions)
                        + (" (i)" if other["est_disponible"] and other["est_perte_forte"] else ""),
                        other.dit("part_france_pct", pct, 2),
                    )
                ),
            )
            # In the order of the mart: those without a rank come last.
            for row in rows
            if row["flux"] == "export"
        )
        non_classes = any(row["rang"] is None for row in rows)
        return (
            Section(
                "classement",
                "Les départements",
                (
                    Tableau(
                        insecables(
                            f"Départements {self.territoire.nom_de}, dans l’ordre des exportations, {periode(self.periode)}"
                        ),
                        (
                            Colonne("Département", nombre=False, largeur=2.6),
                            Colonne("Rang export", largeur=0.8),
                            Colonne("Exportations", largeur=1.2),
                            Colonne("Part de la France"),
                            Colonne("Rang import", largeur=0.8),
                            Colonne("Importations", largeur=1.2),
                            Colonne("Part de la France"),
                        ),
                        cases,
                        note=insecables(
                            f"Rangs parmi {NON_CLASSES if non_classes else 'les 100 départements'}. {self.provenance.ligne}"
                        ),
                        donnees="classement",
                        dense=self.territoire.niveau == "france",
                    ),
                ),
            ),
        )

    def _rapprochement(self) -> Section:
        comparees = [(other.territoire, other.reperes()) for other in (self.portrait, *self.compares)]
        return Section(
            "rapprochement",
            "Rapprochement avec les totaux publiés",
            confiance.rapprochement(
                self.territoire, comparees, self.confiance, self.provenance.ligne, exemple=self.provenance.est_exemple
            ),
        )

    def _chiffres(self) -> Section:
        return Section(
            "chiffres",
            "Les chiffres",
            (
                self._tableau_reperes(),
                *((self._tableau_balance(),) if self.solde is not None else ()),
                *(self._tableau_produits(flux) for flux in FLUX if self.valeurs[flux]),
                *(self._tableau_flux(flux) for flux in FLUX if self.valeurs[flux]),
            ),
        )

    def _note(self, texte: str = "", *flux: str) -> str:
        """A remark, what is incomplete in these flows (in both by default), and the source."""
        mention = pertes.mention(self.reperes[each] for each in flux or FLUX)
        return insecables(" ".join(filter(None, (texte.strip(), mention and f"{mention}.", self.provenance.ligne))))

    def _tableau_reperes(self) -> Tableau:
        lignes = []
        for other in (self.portrait, *self.compares):
            for flux in FLUX:
                row = other.reperes()[flux]
                part_region = "" if row["part_region_pct"] is None else row.dit("part_region_pct", pct)
                lignes.append(
                    (
                        f"{other.territoire.nom}, {textes.DEFINI[flux]}",
                        row.dit("valeur_eur", millions) + (" (i)" if row["est_disponible"] and row["est_perte_forte"] else ""),
                        row.dit("evolution_pct", pct, signe=True)
                        + (" (r)" if row["est_rupture"] and row["evolution_pct"] is not None else ""),
                        *((part_region,) if self.region_comparee else ()),
                        "" if row["part_france_pct"] is None else row.dit("part_france_pct", pct, 2),
                        row.dit("nb_pays", nombre),
                        row.dit("nb_produits", nombre),
                    )
                )
        absent = any(INDISPONIBLE in ligne for ligne in lignes)
        partiel = any(case.endswith("(i)") for ligne in lignes for case in ligne)
        rupture = any(case.endswith("(r)") for ligne in lignes for case in ligne)
        return Tableau(
            insecables(f"Repères, {periode(self.periode)}"),
            (
                Colonne("Territoire et flux", nombre=False, largeur=2.6),
                Colonne("Valeur", largeur=1.3),
                Colonne("Évolution sur un an"),
                *((Colonne("Part de la région"),) if self.region_comparee else ()),
                Colonne("Part de la France"),
                Colonne("Nombre de pays", largeur=0.9),
                Colonne("Nombre de produits", largeur=0.9),
            ),
            tuple(lignes),
            note=self._note(
                (f"{INDISPONIBLE} : non disponible. " if absent else "")
                + ("(i) : données incomplètes. " if partiel else "")
                + ("(r) : l’évolution franchit la rupture de série de janvier 2022." if rupture else "")
            ),
            donnees="reperes",
        )

    def _tableau_balance(self) -> Tableau:
        rows = self.portrait.rows("balance")
        lignes = [
            (
                f"{row['pays']} ({row.dit('nb_pays', nombre)})" if row["pays_code"] == "AUTRES" else row["pays"],
                *(row.dit(f"{flux}_eur", millions) for flux in reversed(FLUX)),
                row.dit("solde_eur", millions, signe=True),
            )
            for row in rows
        ]
        total = ("Total", *(self._valeur(flux) for flux in reversed(FLUX)), self._solde())
        return Tableau(
            insecables(
                f"Importations, exportations et solde apparent (CAF/FAB) par pays, {self.territoire.nom}, {periode(self.periode)}"
            ),
            (
                Colonne("Pays", nombre=False, largeur=2.4),
                Colonne("Importations"),
                Colonne("Exportations"),
                Colonne("Solde apparent (CAF/FAB)", largeur=1.2),
            ),
            (*lignes, total),
            note=self._note(),
            donnees="balance",
            total=True,
        )

    def _tableau_produits(self, flux: str) -> Tableau:
        rows = sorted(self.portrait.rows("produits", flux), key=lambda row: row["rang"])
        lignes = [
            (
                f"{row['produit_libelle']} ({row.dit('nb_produits', nombre)})"
                if row["produit_code"] == "AUTRES"
                else row["produit_libelle"],
                "" if row["produit_code"] == "AUTRES" else row["produit_code"],
                row.dit("valeur_eur", millions),
                row.dit("part_pct", pct),
            )
            for row in rows
        ]
        return Tableau(
            insecables(f"Produits à l’{flux}ation, {self.territoire.nom}, {periode(self.periode)}"),
            (
                Colonne("Produit", nombre=False, largeur=5),
                Colonne("Code", nombre=False, largeur=0.7),
                Colonne("Valeur", largeur=1.2),
                Colonne("Part", largeur=0.8),
            ),
            (*lignes, ("Total", "", self._valeur(flux), pct(100))),
            note=self._note("", flux),
            donnees="produits",
            total=True,
        )

    def _tableau_flux(self, flux: str) -> Tableau:
        """Every link of the Sankey, as a matrix of goods by countries, in M€ or Md€."""
        rows = self.portrait.rows("flux", flux)
        produits = {row["produit_code"]: row for row in sorted(rows, key=lambda row: row["produit_rang"])}
        pays = {row["pays_code"]: row for row in sorted(rows, key=lambda row: row["pays_rang"])}
        liens = {(row["produit_code"], row["pays_code"]): row for row in rows}

        # What a column of the page can hold, the same for both flows.
        des_deux = [row for each in FLUX for row in self.portrait.rows("flux", each) if row["pays_code"] != "AUTRES"]
        total_max = max(valeur or 0 for valeur in self.valeurs.values())
        pays_max = max((row["pays_valeur_eur"] for row in des_deux), default=0)
        unite, puissance = ("Md€", 9) if total_max >= 10 * GRAND else ("M€", 6)
        decimales = 0 if puissance == 6 and (total_max >= GRAND or pays_max >= GRAND / 10) else 1
        plancher = Decimal(5).scaleb(-decimales - 1)

        def case(valeur: int) -> str:
            echelle = Decimal(valeur).scaleb(-puissance)
            return nombre(echelle, decimales) if echelle >= plancher else "ε"

        lignes = [
            (
                row["produit"],
                *(liens[code, c].dit("valeur_eur", case) if (code, c) in liens else "–" for c in pays),
                row.dit("produit_valeur_eur", case),
            )
            for code, row in produits.items()
        ]
        total = (
            "Total",
            *(row.dit("pays_valeur_eur", case) for row in pays.values()),
            self.reperes[flux].dit("valeur_eur", case),
        )
        forts = tuple(
            (i, 1 + j)
            for i, code in enumerate(produits)
            for j, c in enumerate(pays)
            if (code, c) in liens and liens[code, c]["est_principal"]
        )
        return Tableau(
            insecables(
                f"{textes.majuscule(textes.DEFINI[flux])} par produit et par pays, {self.territoire.nom}, "
                f"{periode(self.periode)}, en {unite}"
            ),
            (
                Colonne("Produit", nombre=False, largeur=4.7),
                # Totals have a digit or two more.
                *(
                    Colonne(row["pays"], tournee=True, largeur=1.2 if row["pays_code"] == "AUTRES" else 1)
                    for row in pays.values()
                ),
                Colonne("Total", tournee=True, largeur=1.3),
            ),
            (*lignes, total),
            note=self._note(
                f"– : aucun échange ; ε : moins de {nombre(plancher, decimales + 1)}{INSECABLE}{unite}. En rouge, les cinq premiers flux.",
                flux,
            ),
            donnees=f"flux-{flux}",
            forts=forts,
            total=True,
            dense=True,
        )

    def _pratique(self) -> Section:
        return Section(
            "pratique",
            "Informations pratiques",
            (
                Intertitre("Sources et licence"),
                confiance.points(textes.sources(self.provenance)),
                Intertitre("Vocabulaire"),
                confiance.points(textes.definitions(self.niveau_produit, self.nomenclature)),
                Intertitre("Citer cette fiche"),
                *_paragraphes(textes.citation(self.territoire, self.periode, self.provenance)),
                Intertitre("Réutiliser figures et données"),
                *_paragraphes(textes.FICHIERS),
                Intertitre("Pour aller plus loin"),
                Liens(tuple((insecables(titre), adresse) for titre, adresse in textes.LIENS)),
            ),
        )
