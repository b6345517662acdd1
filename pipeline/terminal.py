"""Standard output and error as they are found: any encoding, a reader that left, a full disk.

Add here: another oddity of a terminal. Keep out: what is said.
"""

import codecs
import errno
import io
import os
import sys
import unicodedata
from contextlib import suppress

from pipeline.errors import OutputError

# Our punctuation, where an encoding has none of it; letters lose their accents, no-break spaces their width.
PLAIN = str.maketrans(
    {"’": "'", "‘": "'", "“": '"', "”": '"', "«": '"', "»": '"', "−": "-", "–": "-", "—": "-", "→": "->", "€": "EUR", "œ": "oe"}
    | {"…": "...", "×": "x", "≥": ">=", "≤": "<=", "·": "-"}
)


def plain(error: UnicodeError) -> tuple[str, int]:
    """What to print for characters that an encoding does not have: an error handler of `codecs`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    told = ""
    for character in error.object[error.start : error.end]:
        letters = unicodedata.normalize("NFKD", character.translate(PLAIN))
        told += letters.encode("ascii", "ignore").decode() or "?"
    return told, error.end


class Speech(io.TextIOWrapper):
    """A stream that never raises for a character, nor because its reader left: what is said then goes nowhere.

    Raises OutputError when it cannot be written for another reason.
    """

    silent = False

    def write(self, text: str, /) -> int:
        """As the original."""
        try:
            return len(text) if Speech.silent else super().write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """As the original."""
        try:
            super().flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        number = self.fileno()
        _to_nowhere(number)
        if error.errno != errno.EPIPE:
            raise OutputError(
                f"Standard {'output' if number == 1 else 'error'} was expected to take what is said; the system answered: {error}.",
                where="what `>` or `2>` names",
                cause="a full disk, or a device that takes nothing",
                remedy="let it lead elsewhere; what was made is there",
            ) from error


def speak_plainly() -> None:
    """Make standard output and error such streams; programs started from here speak UTF-8."""
    codecs.register_error("plain", plain)
    os.environ.pop("PYTHONIOENCODING", None)
    for name in ("stdout", "stderr"):
        found = getattr(sys, name)
        if found is None:  # closed by who called
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 open to the end
            continue
        encoding, lines = found.encoding, found.line_buffering
        speech = Speech(found.detach(), encoding=encoding, errors="plain", line_buffering=lines)
        setattr(sys, name, speech)
        setattr(sys, f"__{name}__", speech)  # the one that was there writes nowhere any more


def flush() -> None:
    """Say what is still to be said."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def fall_silent() -> None:
    """Nothing that this process says from now on is heard, also where Dagster, which led it aside, leads it back."""
    Speech.silent = True
    for number in (1, 2):
        _to_nowhere(number)


def _to_nowhere(number: int) -> None:
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
