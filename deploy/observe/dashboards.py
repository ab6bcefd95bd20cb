"""Writes Grafana's dashboards to `dashboards/*.json` beside this file, from the panels in `panels/*.yaml`.

python deploy/observe/dashboards.py  # rewrite them; `make docs` does so too
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from grafana_foundation_sdk.builders import dashboard, heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

PANELS: Final = Path(__file__).parent / "panels"
FOLDER: Final = Path(__file__).parent / "dashboards"
PROMETHEUS: Final = models.DataSourceRef("prometheus", "${prometheus}")
CLICKHOUSE: Final = models.DataSourceRef("grafana-clickhouse-datasource", "${clickhouse}")
RUNBOOKS: Final = "${docs}/docs/operate/runbooks/"


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel, as described in its file.

    `kind` is timeseries, stat, heatmap or sql. A panel has `queries`, each with `expr` (PromQL) and `legend`, or `sql`.
    `width` is in columns, 24 in total. `most` is the axis's maximum, and `runbook` is a page in the runbooks folder,
    with an anchor.
    """

    title: str
    text: str
    queries: tuple[dict[str, str], ...] = ()
    sql: str = ""
    kind: str = "timeseries"
    unit: str = "short"
    runbook: str = ""
    width: int = 8
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard: the name of its file, and rows of panels by title."""

    name: str
    title: str
    text: str
    rows: dict[str, list[Panel]]


def load(path: Path) -> Dashboard:
    """Return the dashboard that a file describes. Raises TypeError if a panel has an unknown or missing field."""
    found = yaml.safe_load(path.read_text("utf-8"))
    rows = {title: [_panel(**one) for one in panels] for title, panels in found["rows"].items()}
    return Dashboard(path.stem, found["title"], found["text"], rows)


def _panel(**given: Any) -> Panel:
    return Panel(
        **{"width": 4 if given.get("kind") == "stat" else 8} | given | {"queries": tuple(given.get("queries", ()))}
    )


def all_dashboards() -> list[Dashboard]:
    """Return all files' dashboards."""
    return [load(path) for path in sorted(PANELS.glob("*.yaml"))]


class SqlQuery(Dataquery):
    """A statement for Grafana's ClickHouse data source, in its table format."""

    def __init__(self, sql: str) -> None:
        self._sql = sql

    def to_json(self) -> dict[str, Any]:
        """Return the fields that the data source expects."""
        return {
            "refId": "A",
            "datasource": CLICKHOUSE,
            "editorType": "sql",
            "queryType": "table",
            "format": 1,
            "rawSql": self._sql,
        }


class _Sql(Builder[Dataquery]):
    def __init__(self, sql: str) -> None:
        self._sql = sql

    def build(self) -> SqlQuery:
        return SqlQuery(self._sql)


def _targets(panel: Panel) -> Iterator[Builder[Dataquery]]:
    if panel.sql:
        yield _Sql(panel.sql)
    for place, told in enumerate(panel.queries):
        query = prometheus.Dataquery().expr(told["expr"]).ref_id(chr(ord("A") + place))
        query.legend_format(told.get("legend", ""))
        if panel.kind == "heatmap":
            query.format(PromQueryFormat.HEATMAP)
        yield query.instant() if panel.kind == "stat" else query.range()


def _built(panel: Panel) -> Builder[models.Panel]:
    kinds: dict[str, Any] = {
        "timeseries": timeseries.Panel,
        "stat": stat.Panel,
        "heatmap": heatmap.Panel,
        "sql": table.Panel,
    }
    made = kinds[panel.kind]()
    made.title(panel.title).description(panel.text).span(panel.width).height(4 if panel.kind == "stat" else 8)
    made.datasource(CLICKHOUSE if panel.sql else PROMETHEUS)
    if not panel.sql:
        made.unit(panel.unit)
    if panel.kind == "timeseries":
        made.min(0).fill_opacity(10)
        if panel.most is not None:
            made.max(panel.most)
    for target in _targets(panel):
        made.with_target(target)
    if panel.runbook:
        link = dashboard.DashboardLink("Runbook").type(models.DashboardLinkType.LINK).url(RUNBOOKS + panel.runbook)
        made.links([link.target_blank(True)])
    return made  # type: ignore[no-any-return]


def build(board: Dashboard) -> models.Dashboard:
    """Return a dashboard in Grafana's model."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(f"auditlane-{board.name}")
        .description(board.text)
        .tags(["auditlane"])
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("prometheus").label("Prometheus").type("prometheus"))
        .with_variable(dashboard.TextBoxVariable("docs").label("Docs").description("Address of auditlane's sources"))
        .link(
            dashboard.DashboardLink("Dashboards")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags(["auditlane"])
            .as_dropdown(True)
            .keep_time(True)
            .include_vars(True)
        )
    )
    if any(panel.sql for panels in board.rows.values() for panel in panels):
        kind = str(CLICKHOUSE.type_val)
        made.with_variable(dashboard.DatasourceVariable("clickhouse").label("ClickHouse").type(kind))
        made.with_variable(dashboard.TextBoxVariable("database").label("Database").default_value("audit"))
    for title, panels in board.rows.items():
        made.with_row(dashboard.Row(title))
        for panel in panels:
            made.with_panel(_built(panel))
    return made.build()


def render(board: Dashboard) -> str:
    """Return a dashboard's file content."""
    return json.dumps(build(board), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Write all dashboards."""
    FOLDER.mkdir(exist_ok=True)
    for board in all_dashboards():
        (FOLDER / f"{board.name}.json").write_text(render(board), "utf-8")


if __name__ == "__main__":
    main()
