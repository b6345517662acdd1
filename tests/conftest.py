"""What all tests share: the rest of `tests` can be imported, and two warehouses are built once for the whole run.

Add here: a fixture that several rooms need. Keep out: fixtures of one room. Each `dbt build` takes seconds: ask for one
of these before making another.
"""

import sys
from pathlib import Path

import pytest

ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

from pipeline.sources import example  # noqa: E402
from tests.archives import Warehouse, build_warehouse  # noqa: E402


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
