"""Numbers, amounts and dates as a French reader expects them; the only place where a figure is rounded.

Add here: a printed form used by more than one room. Keep out: sentences (`fiche/textes.py`), arithmetic on figures (SQL).
U+202F between thousands, U+00A0 before a unit, decimal comma, U+2212 for minus. Halves are rounded away from zero,
as on paper, on decimals: `round()` would give 0,12 for 0.125 and 2,67 for 2.675.
"""

from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import partial

from babel.dates import format_date

FINE = "\u202f"
INSECABLE = "\u00a0"
MOINS = "\u2212"
INDISPONIBLE = f"n.{INSECABLE}d."
EPSILON = 1e-11


def nombre(valeur: Decimal | float | int, decimales: int = 0, *, signe: bool = False) -> str:
    """`1234.56` → `1 234,6` with one decimal; `signe` writes the plus too (never on a printed zero)."""
    arrondi = Decimal(str(valeur)).quantize(Decimal(1).scaleb(-decimales), rounding=ROUND_HALF_UP)
    texte = f"{abs(arrondi):,f}".replace(",", FINE).replace(".", ",")
    if arrondi < 0:
        return MOINS + texte
    return "+" + texte if signe and arrondi > 0 else texte


def millions(euros: int, *, signe: bool = False) -> str:
    """Euros (integer) as `5 415,8 M€`; below 50 000 € (which would print 0,0) as `12 345 €`, so that no 0,0 is ever printed."""
    if abs(euros) < 50_000:
        return f"{nombre(euros, signe=signe)}{INSECABLE}€"
    return f"{nombre(Decimal(euros) / 1_000_000, 1, signe=signe)}{INSECABLE}M€"


def montant(euros: int, *, signe: bool = False, seuil: int = 10_000_000_000) -> str:
    """The shorter form, for charts: `141,7 Md€` from `seuil` euros on, else as `millions`."""
    if abs(euros) >= seuil:
        return f"{nombre(Decimal(euros) / 1_000_000_000, 1, signe=signe)}{INSECABLE}Md€"
    return millions(euros, signe=signe)


def euros(valeur: int, *, signe: bool = False) -> str:
    """Whole euros: `5 415 800 000 €`."""
    return f"{nombre(valeur, signe=signe)}{INSECABLE}€"


def arrondi(valeur: int, precision: int) -> str:
    """Euros as precise as who published them: `precision` is what their rounding may have moved (50 000 000: `598,3 Md€`)."""
    chiffre = len(str(2 * precision)) - 1  # power of ten of the last digit printed
    puissance, unite = (9, "Md€") if chiffre >= 7 else (6, "M€")
    return f"{nombre(Decimal(valeur).scaleb(-puissance), max(puissance - chiffre, 0))}{INSECABLE}{unite}"


def monnaie(maximum: int) -> Callable[..., str]:
    """How one figure whose largest amount or total is `maximum` euros prints all of its amounts, in as few units as can be.

    Below 10 M€ all are whole euros (`1 234 567 €`); from 100 Md€ on, `Md€` begins at 1 milliard; between, `millions`.
    """
    if maximum < 10_000_000:
        return euros
    return partial(montant, seuil=1_000_000_000) if maximum >= 100_000_000_000 else millions


def pct(valeur: float, decimales: int = 1, *, signe: bool = False) -> str:
    """A percentage (0–100): `3,8 %`; a share too small for its decimals prints `< 0,1 %`, a signed change that small `0,0 %`.

    What is not whole does not print as 100 either: `> 99,9 %`, and `< −99,9 %` of a fall that leaves something.
    """
    plancher = Decimal(1).scaleb(-decimales)
    if not signe and 0 < valeur < float(plancher) / 2:
        return f"<{INSECABLE}{nombre(plancher, decimales)}{INSECABLE}%"
    # Nearer than this, a share is whole: no flow of whole euros is so large that one euro of it is less.
    if EPSILON < 100 - (-valeur if signe else valeur) <= float(plancher) / 2:
        borne = nombre(plancher - 100 if signe else 100 - plancher, decimales)
        return f"{'<' if signe else '>'}{INSECABLE}{borne}{INSECABLE}%"
    return f"{nombre(valeur, decimales, signe=signe)}{INSECABLE}%"


def jour(valeur: date) -> str:
    """`7 février 2025`, and `1er février 2025`."""
    texte = format_date(valeur, "d MMMM y", locale="fr")
    return "1er" + texte[1:] if valeur.day == 1 else texte


def mois(aaaamm: str) -> str:
    """`202502` → `février 2025`."""
    return format_date(date(int(aaaamm[:4]), int(aaaamm[4:]), 1), "MMMM y", locale="fr")


def de_mois(aaaamm: str) -> str:
    """`202508` → `d’août 2025`."""
    nom = mois(aaaamm)
    return f"d’{nom}" if nom[0] in "ao" else f"de {nom}"


def liste(elements: list[str] | tuple[str, ...]) -> str:
    """`a, b et c`."""
    return " et ".join(filter(None, (", ".join(elements[:-1]), elements[-1]))) if elements else ""


def trimestres(codes: str) -> str:
    """`2024T4 2025T1` → `T4 2024, T1 2025`."""
    return ", ".join(f"{code[4:]} {code[:4]}" for code in codes.split())


def periode(code: str) -> str:
    """`2024` → `2024`; `2025T3` → `4 derniers trimestres, T4 2024–T3 2025`."""
    if "T" not in code:
        return code
    annee, trimestre = int(code[:4]), int(code[5])
    debut = f"T1 {annee}" if trimestre == 4 else f"T{trimestre + 1} {annee - 1}"
    return f"4{INSECABLE}derniers trimestres, {debut}–T{trimestre} {annee}"


def compte(nb: int, singulier: str, pluriel: str) -> str:
    """`1 produit`, `76 produits`."""
    return f"{nombre(nb)}{INSECABLE}{singulier if nb < 2 else pluriel}"
