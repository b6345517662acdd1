"""What all tests share: the example and its warehouse, made once by each process of the run.

Add here: a fixture that several rooms need. Keep out: fixtures of one room. Each `dbt build` takes seconds: ask for one
of these before making another.
"""

from pathlib import Path

import pytest

from pipeline.sources import example
from tests.archives import Warehouse, build_warehouse


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers of tests are on this machine."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="session")
def kiosk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded example at a fiftieth of its rows; its totals are the same."""
    folder = tmp_path_factory.mktemp("example") / "kiosk"
    example.generate(folder, echelle=0.02)
    return folder


@pytest.fixture(scope="session")
def warehouse(kiosk: Path, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The marts of that example, both years."""
    return build_warehouse(kiosk, tmp_path_factory.mktemp("warehouse"))
