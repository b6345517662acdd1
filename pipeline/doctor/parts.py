"""An archive on a server as a file here, of which only the parts that are read come over the network.

Add here: nothing, ideally. Keep out: what is read (`archive.py`), manners towards a server (`archive/fetch.py`).
"""

import io
from pathlib import Path

from pipeline.archive.fetch import Answer, Http
from pipeline.errors import SourceError

BLOCK = 1 << 16  # bytes that are asked for at a time, at least
MOST = 32 << 20  # bytes that a look may cost; label files and a few thousand rows are below one


class Remote(io.RawIOBase):
    """Reads like a file. What came is in `copy`, at its place, so that whatever reads files finds it there; the rest is zeros."""

    def __init__(self, http: Http, url: str, copy: Path) -> None:
        self._http, self._url, self.copy = http, url, copy
        self.first = http.ask(url, (0, BLOCK - 1))
        self.has_parts = self.first.status == 206
        self.size = _total(self.first) if self.has_parts else 0
        self.requests, self.received, self._at = 1, len(self.first.body), 0
        self._here = {0}
        if self.has_parts:
            self._check(self.first, 0)
            with copy.open("wb") as file:
                file.truncate(self.size)
            self._put(0, self.first.body)

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """The place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go there."""
        self._at = max(0, {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence] + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """The next bytes, asked for if they are not here."""
        end = self.size if size < 0 else min(self._at + size, self.size)
        if self._at >= end:
            return b""
        self._have(self._at // BLOCK, (end - 1) // BLOCK)
        with self.copy.open("rb") as file:
            file.seek(self._at)
            got = file.read(end - self._at)
        self._at += len(got)
        return got

    def _have(self, first: int, last: int) -> None:
        """Ask for the blocks that are missing, in as few requests as they lie together."""
        missing = [block for block in range(first, last + 1) if block not in self._here]
        while missing:
            run = [block for n, block in enumerate(missing) if block == missing[0] + n][:64]  # 4 MiB: an answer's limit is 5
            start, end = run[0] * BLOCK, min((run[-1] + 1) * BLOCK, self.size) - 1
            if self.received + end - start > MOST:
                raise SourceError(
                    f"At most {MOST:,} bytes were expected to be needed for a look; {self.received:,} came, and more are asked for.",
                    where=self._url,
                    cause="an archive whose directory or label files are very large",
                    remedy="download it, and give its folder as --source",
                )
            answer = self._http.ask(self._url, (start, end))
            self._check(answer, start)
            self._put(start, answer.body)
            self.requests, self.received = self.requests + 1, self.received + len(answer.body)
            self._here |= set(run)
            missing = missing[len(run) :]

    def _check(self, answer: Answer, start: int) -> None:
        said = answer.headers.get("content-range", "none")
        same = _total(answer) == self.size and answer.headers.get("etag") == self.first.headers.get("etag")
        if answer.status != 206 or not said.startswith(f"bytes {start}-") or not same or not self.size:
            raise SourceError(
                f"Bytes from {start:,} on, of a file of {self.size:,}, were expected; status {answer.status} came with {said!r}.",
                where=self._url,
                cause="the file was replaced meanwhile, or a server or proxy that does not know parts of files well",
                remedy="run again; a download as a whole, as a run makes it, may still work",
            )

    def _put(self, start: int, body: bytes) -> None:
        with self.copy.open("rb+") as file:
            file.seek(start)
            file.write(body)


def _total(answer: Answer) -> int:
    said = answer.headers.get("content-range", "").rpartition("/")[2]
    return int(said) if said.isdecimal() else 0
