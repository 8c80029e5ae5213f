"""The alert rules: each is tested, has its entry in the runbook, and reads metrics that exist."""

import re
from typing import Any

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram
from tests.packaging.checkout import ROOT

from incident_service.observability import metrics

MONITORING = ROOT / "monitoring"
RULES: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load((MONITORING / "rules.yml").read_text())["groups"]
    for rule in group["rules"]
}
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
ENTRIES = {
    heading: text
    for heading, _, text in (
        entry.partition("\n") for entry in re.split(r"^##+ ", RUNBOOK, flags=re.MULTILINE)
    )
}
METRICS = (Counter, Gauge, Histogram)
METRIC = re.compile(r"\bincident_[a-z_]+\b")


SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["", "_bucket", "_count", "_sum"]}


def exposed_names() -> set[str]:
    """Return the names under which our metrics are shown."""
    declared = [each for each in vars(metrics).values() if isinstance(each, METRICS)]
    families = [family for metric in declared for family in metric.collect()]
    return {family.name + suffix for family in families for suffix in SUFFIXES[family.type]}


def test_each_rule_has_an_entry_in_the_runbook_and_each_entry_a_rule():
    entries = {heading for heading in ENTRIES if heading.startswith("IncidentService")}

    assert entries == set(RULES)


@pytest.mark.parametrize("alert", RULES)
def test_a_rule_leads_to_its_entry_and_says_how_bad_it_is(alert):
    rule = RULES[alert]

    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{alert.lower()}"
    assert rule["annotations"]["summary"]
    assert rule["labels"] in ({"severity": "critical"}, {"severity": "warning"})


@pytest.mark.parametrize("alert", RULES)
def test_a_rule_reads_metrics_that_exist(alert):
    assert set(METRIC.findall(RULES[alert]["expr"])) <= exposed_names()


@pytest.mark.parametrize("alert", RULES)
def test_an_entry_names_what_its_rule_reads(alert):
    read = METRIC.findall(RULES[alert]["expr"]) or ["up"]
    first = re.sub(r"_(bucket|count)$", "", read[0])

    assert f"`{first}`" in ENTRIES[alert]


def test_every_metric_that_the_runbook_names_exists():
    assert set(METRIC.findall(RUNBOOK)) <= exposed_names()


@pytest.mark.parametrize("alert", RULES)
def test_each_rule_is_tested(alert):
    assert f'"{alert}"' in (MONITORING / "rules.test.yml").read_text()


def test_the_services_own_alerts_go_around_it():
    configuration = yaml.safe_load((MONITORING / "alertmanager.yml").read_text())
    (own,) = configuration["route"]["routes"]
    (matcher,) = own["matchers"]
    pattern = matcher.partition("=~")[2].strip().strip('"')
    receivers = {receiver["name"]: receiver for receiver in configuration["receivers"]}

    assert all(re.fullmatch(pattern, alert) for alert in RULES)
    assert "/v1/ingest/" in str(receivers[configuration["route"]["receiver"]])
    assert "/v1/ingest/" not in str(receivers[own["receiver"]])


def test_the_rules_know_the_scraped_jobs_by_their_names():
    configuration = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    jobs = {scrape["job_name"] for scrape in configuration["scrape_configs"]}

    assert jobs == {"incident-service-api", "incident-service-worker"}
    for alert in ("IncidentServiceApiDown", "IncidentServiceWorkerDown"):
        assert any(f'job="{job}"' in RULES[alert]["expr"] for job in jobs)
