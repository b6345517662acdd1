"""CSV cells that a spreadsheet would run as a formula, made plain text, and back.

A label that a release brings may begin with `=`, `+`, `-` or `@`: a spreadsheet that opens the file runs it. Such a text gets
an apostrophe before that character, also where a `;` or a line end inside the text would begin a cell (a French spreadsheet
splits at semicolons). `restore` gives the text as it came; numbers are never touched. `RULE` says so to those who read the data.

Add here: another character with which a spreadsheet begins a formula. Keep out: what the files hold (`fiche/lot.py`).
"""

import re

import pandas as pd

# The characters that begin a formula, wide forms of East Asian keyboards included, and the places where a cell may begin.
FORMULA = "=+\\-@\uff1d\uff0b\uff0d\uff20"
START = "(^|[;\t\r\n])([ \u00a0\u202f]*)"
_RISKY = re.compile(f"{START}('*[{FORMULA}])")
_SAFE = re.compile(f"{START}'('*[{FORMULA}])")
# The same for DuckDB, to be formatted with the name of a column.
SQL = "regexp_replace({column}, '" + _RISKY.pattern.replace("'", "''") + "', '\\1\\2''\\3', 'g')"
RULE = (
    "UTF-8 sans BOM, séparateur virgule, décimales au point. Une cellule de texte qu’un tableur exécuterait comme une formule (elle "
    "commence par =, +, - ou @, ou un point-virgule ou une fin de ligne y précède un tel signe) porte une apostrophe devant ce "
    "signe ; ôter une apostrophe devant lui rend le texte d’origine. Les nombres ne sont pas touchés."
)


def neutralise(text: str) -> str:
    """The text, which no spreadsheet runs."""
    return _RISKY.sub(r"\1\2'\3", text)


def restore(text: str) -> str:
    """The text that `neutralise` was given."""
    return _SAFE.sub(r"\1\2\3", text)


def neutralised(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with every text of its cells neutralised; other types of values are left alone."""
    texts = [column for column in frame.columns if not pd.api.types.is_numeric_dtype(frame[column])]
    return frame.assign(
        **{column: [neutralise(value) if isinstance(value, str) else value for value in frame[column]] for column in texts}
    )
