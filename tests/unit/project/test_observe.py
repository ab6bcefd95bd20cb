"""Tests that alert rules and dashboards use metrics, labels and routes that exist, and that every alert has a unit
test.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from auditlane.runtime.metrics import BY_NAME
from auditlane.server.auth.route_permissions import RIGHTS

ROOT = Path(__file__).parents[3]
OBSERVE = ROOT / "deploy" / "observe"
OF_PROMETHEUS = {"up": set[str](), "ALERTS": {"alertname", "alertstate", "severity"}}  # name → labels
OF_TARGETS = {"job", "instance"}
HISTOGRAM = re.compile(r"_(bucket|sum|count)$")
WINDOW = re.compile(r"\d+[mhd]$")

_spec = importlib.util.spec_from_file_location("dashboards", OBSERVE / "dashboards.py")
assert _spec is not None
assert _spec.loader is not None
dashboards = importlib.util.module_from_spec(_spec)
sys.modules["dashboards"] = dashboards  # dataclasses look up their module here
_spec.loader.exec_module(dashboards)
BOARDS = dashboards.all_dashboards()
PANELS = [(board, panel) for board in BOARDS for panels in board.rows.values() for panel in panels]


def rules() -> list[dict[str, Any]]:
    """Return every rule, with its file name under the key `file`."""
    return [
        rule | {"file": path.stem}
        for path in sorted((OBSERVE / "rules").glob("*.yaml"))
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


RULES = rules()
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
every_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda one: f"{one['alert']}-{one['labels']['severity']}")
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda one: one.get("alert") or one["record"])


def nodes(expression: str, kind: type) -> list[Any]:
    """Return the nodes of one kind in an expression. Raises ValueError if the expression is not valid PromQL."""
    found = []

    def visit(node: Any) -> bool:
        if isinstance(node, kind):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


def labels_of(name: str) -> set[str]:
    """Return the labels that a metric can have. Fails if the metric does not exist."""
    if name in RECORDED:
        return set()
    if name in OF_PROMETHEUS:
        return OF_PROMETHEUS[name] | OF_TARGETS
    suffix = HISTOGRAM.search(name)
    metric = BY_NAME.get(name)
    if metric is None and suffix:
        metric = BY_NAME.get(name.removesuffix(suffix[0]))
        assert metric is None or metric.kind == "histogram", name
    assert metric, f"{name} is not a metric"
    assert suffix or metric.kind != "histogram", f"{name} is a histogram: use its _bucket, _sum or _count"
    return set(metric.labels) | OF_TARGETS | ({"le"} if name.endswith("_bucket") else set())


def check(expression: str) -> None:
    """Fail if the expression uses a metric, label or route that does not exist."""
    for selector in nodes(expression, promql_parser.VectorSelector):
        known = labels_of(selector.name)
        for matcher in selector.matchers.matchers:
            assert matcher.name in known, f"{selector.name} has no label {matcher.name}"
            if matcher.name == "route":
                _check_routes(matcher)
    for aggregate in nodes(expression, promql_parser.AggregateExpr):
        if aggregate.modifier:
            assert aggregate.modifier.type == promql_parser.AggModifierType.By
            inner = [labels_of(one.name) for one in nodes(aggregate.expr.prettify(), promql_parser.VectorSelector)]
            assert all(set(aggregate.modifier.labels) <= known for known in inner), aggregate.prettify()


def _check_routes(matcher: Any) -> None:
    routes = {right.route.partition(" ")[2] for right in RIGHTS}
    if matcher.op in (promql_parser.MatchOp.Re, promql_parser.MatchOp.NotRe):
        assert any(re.fullmatch(matcher.value, route) for route in routes), matcher.value
    else:
        assert matcher.value in routes


@every_rule
def test_a_rules_metrics_labels_and_routes_exist(rule: dict[str, Any]) -> None:
    check(rule["expr"])


def test_an_unknown_metric_label_or_route_is_found() -> None:
    check('sum by (topic) (auditlane_group_lag_seconds{job="a"})')
    for wrong, why in {
        "auditlane_worker_lag": "auditlane_worker_lag is not a metric",
        "auditlane_worker_lag_records_count": "auditlane_worker_lag_records_count",
        "rate(auditlane_worker_insert_seconds[5m])": "is a histogram",
        'auditlane_worker_lag_records{tenant="a"}': "no label tenant",
        "sum by (topic) (auditlane_worker_lag_records)": "topic",
        'auditlane_http_requests_total{route=~"/v2/.*"}': "/v2/",
    }.items():
        with pytest.raises(AssertionError, match=why):
            check(wrong)
    with pytest.raises(ValueError, match="unclosed"):
        check("sum(")


@every_alert
def test_an_alert_is_complete(alert: dict[str, Any]) -> None:
    assert alert["labels"] == {"severity": alert["labels"]["severity"]}
    assert alert["labels"]["severity"] in ("page", "ticket")
    assert re.fullmatch(r"\d+[mh]", alert["for"])
    texts = alert["annotations"]
    assert set(texts) == {"summary", "description", "runbook_url"}
    assert len(texts["summary"]) < 80
    assert not texts["summary"].endswith(".")
    assert texts["description"].endswith(".")
    used = set(re.findall(r"\$labels\.(\w+)", texts["summary"] + texts["description"]))
    kept = {
        name
        for one in nodes(alert["expr"], promql_parser.AggregateExpr)
        for name in (one.modifier.labels if one.modifier else [])
    }
    assert used <= kept or not nodes(alert["expr"], promql_parser.AggregateExpr)


def unit_tests() -> Iterator[dict[str, Any]]:
    for path in (OBSERVE / "tests").glob("*.yaml"):
        yield from yaml.safe_load(path.read_text())["tests"]


def test_a_unit_test_shows_each_alert_firing_and_not_firing() -> None:
    shown: defaultdict[tuple[str, str], set[bool]] = defaultdict(set)
    for test in unit_tests():
        for sample in test["promql_expr_test"]:
            [selector] = nodes(sample["expr"], promql_parser.VectorSelector)
            told = {one.name: one.value for one in selector.matchers.matchers}
            assert (selector.name, told["alertstate"]) == ("ALERTS", "firing")
            shown[told["alertname"], told["severity"]].add(bool(sample["exp_samples"]))
    assert shown == {(one["alert"], one["labels"]["severity"]): {True, False} for one in ALERTS}


def test_an_objectives_windows_differ_only_in_the_window() -> None:
    forms: defaultdict[str, set[str]] = defaultdict(set)
    windows: defaultdict[str, list[str]] = defaultdict(list)
    for rule in RULES:
        if (name := rule.get("record", "")) and (window := WINDOW.search(name)):
            forms[name.removesuffix(window[0])].add(rule["expr"].replace(f"[{window[0]}]", "[]"))
            windows[name.removesuffix(window[0])].append(window[0])
    assert {name: len(form) for name, form in forms.items()} == dict.fromkeys(forms, 1)
    assert all(
        window == ["5m", "30m", "1h", "2h", "6h", "1d", "3d"] for name, window in windows.items() if "bad" in name
    )
    used = {
        selector.name
        for rule in RULES
        for selector in nodes(rule["expr"], promql_parser.VectorSelector)
        if selector.name in RECORDED
    }
    assert used == RECORDED


def test_inhibitions_name_alerts_that_exist() -> None:
    config = yaml.safe_load((OBSERVE / "alertmanager.yml").read_text())
    named = set(re.findall(r"Auditlane\w+", yaml.safe_dump(config)))
    assert "AuditlaneNoWorker" in named
    assert named <= {one["alert"] for one in ALERTS} - {"AuditlaneRetentionDanger", "AuditlaneOffsetsLost"}


def test_the_example_scrapes_the_jobs_that_rules_name() -> None:
    config = yaml.safe_load((OBSERVE / "prometheus.yml").read_text())
    jobs = {one["job_name"] for one in config["scrape_configs"]}
    for rule in RULES:
        for selector in nodes(rule["expr"], promql_parser.VectorSelector):
            for matcher in selector.matchers.matchers:
                if matcher.name == "job":
                    assert any(re.fullmatch(matcher.value, job) for job in jobs)
    assert config["rule_files"] == ["rules/*.yaml"]


def anchors(page: str) -> set[str]:
    text = (ROOT / "docs" / "operate" / "runbooks" / page).read_text("utf-8")
    return {heading.lower() for heading in re.findall(r"^## (\w+)$", text, re.MULTILINE)}


@every_alert
def test_an_alert_has_a_runbook(alert: dict[str, Any]) -> None:
    page, _, anchor = alert["annotations"]["runbook_url"].removeprefix("docs/operate/runbooks/").partition("#")
    assert page == f"{alert['file']}.md"
    assert anchor == alert["alert"].lower()
    assert anchor in anchors(page)


def test_every_runbook_is_of_an_alert_and_has_the_same_parts() -> None:
    names = {one["alert"] for one in ALERTS}
    for path in (ROOT / "docs" / "operate" / "runbooks").glob("*.md"):
        sections = re.split(r"^## ", path.read_text("utf-8"), flags=re.MULTILINE)[1:]
        for section in sections:
            name = section.partition("\n")[0]
            assert name in names, name
            parts = re.findall(r"^\*\*(\w[\w ]*)\.?\*\*", section, re.MULTILINE)
            assert parts == ["Readers notice", "Look", "Do", "Escalate", "Do not", "Tested"], name
            look = section.partition("**Look.**")[2].partition("**Do.**")[0]
            assert 2 <= len(re.findall(r"^auditlane ", look, re.MULTILINE)) <= 3, name
        assert sections


@pytest.mark.parametrize(("board", "panel"), PANELS, ids=[f"{board.name}-{panel.title}" for board, panel in PANELS])
def test_a_panels_metrics_labels_and_runbook_exist(board: Any, panel: Any) -> None:
    assert bool(panel.sql) == (panel.kind == "sql")
    assert panel.sql or panel.queries
    for query in panel.queries:
        check(query["expr"].replace("$__rate_interval", "5m").replace("$__range", "6h"))
    if panel.runbook:
        page, _, anchor = panel.runbook.partition("#")
        assert not anchor or anchor in anchors(page)


def test_panels_fill_their_rows_and_have_different_titles() -> None:
    for board in BOARDS:
        for title, panels in board.rows.items():
            assert sum(panel.width for panel in panels) % 24 == 0, (board.name, title)
            assert len({panel.title for panel in panels}) == len(panels)


def test_the_dashboards_are_up_to_date() -> None:
    assert {path.stem for path in dashboards.FOLDER.glob("*.json")} == {board.name for board in BOARDS}
    for board in BOARDS:
        text = (dashboards.FOLDER / f"{board.name}.json").read_text("utf-8")
        assert text == dashboards.render(board), "run: make docs"


def test_the_runbooks_that_claim_a_test_on_real_parts_have_one() -> None:
    tested = (ROOT / "tests" / "integration" / "test_observe_alerts.py").read_text()
    claims = {
        section.partition("\n")[0]
        for path in (ROOT / "docs" / "operate" / "runbooks").glob("*.md")
        for section in re.split(r"^## ", path.read_text("utf-8"), flags=re.MULTILINE)[1:]
        if "`make test-long`" in section.partition("**Tested.**")[2]
    }
    assert claims == set(re.findall(r"\"(Auditlane\w+)\"", tested))
