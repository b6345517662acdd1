"""The asset graph as a golden file: a change of it is a difference to review.

Write it anew with `python -m tests.contract.test_asset_graph` from the root of the project.
"""

from pathlib import Path

import pytest

GOLDEN = Path(__file__).with_name("asset_graph.txt")


def graph() -> str:
    from pipeline.definitions import defs

    assets = defs().resolve_asset_graph()
    lines = []
    for key in sorted(assets.get_all_asset_keys(), key=lambda key: key.to_user_string()):
        node = assets.get(key)
        parents = ", ".join(sorted(parent.to_user_string() for parent in node.parent_keys))
        partitioned = " [départements]" if node.is_partitioned else ""
        lines.append(f"{node.group_name}: {key.to_user_string()}{partitioned} <- {parents or '(nothing)'}")
        lines += [
            f"    check {check.name}" for check in sorted(assets.get_check_keys_for_assets({key}), key=lambda check: check.name)
        ]
    return "\n".join(lines) + "\n"


def test_the_asset_graph_is_the_one_reviewed() -> None:
    assert graph() == GOLDEN.read_text(encoding="utf-8"), "review the difference, then write the golden file anew"


def test_every_asset_can_be_executed_and_has_a_description() -> None:
    from pipeline.definitions import defs

    assets = defs().resolve_asset_graph()
    nodes = [assets.get(key) for key in assets.get_all_asset_keys()]
    assert [node.key for node in nodes if not node.is_executable] == []
    assert [node.key for node in nodes if not node.description] == []
    assert {node.group_name for node in nodes} == {
        "raw", "seeds", "staging", "intermediate", "marts_departement", "marts_national", "charts", "fiches",
    }  # fmt: skip


@pytest.mark.parametrize("module", ["theme", "texte", "flux"])
def test_a_changed_chart_module_marks_its_charts_stale(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.charts import draw

    before = draw.code_version(["flux-export"]), draw.code_version(["balance"])
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + (b"#" if path.stem == module else b""))
    after = draw.code_version(["flux-export"]), draw.code_version(["balance"])
    assert before[0] != after[0]
    assert (before[1] != after[1]) == (module != "flux")


if __name__ == "__main__":
    GOLDEN.write_text(graph(), encoding="utf-8")
