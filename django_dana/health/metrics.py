"""The findings as Prometheus reads them (the extra ``metrics``)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from django_dana.health.findings import Finding, Level, Report


@dataclass(frozen=True, slots=True)
class _Gauge:
    """One metric: from which check, and how a finding becomes a sample."""

    name: str
    help: str
    check: str
    value: Callable[[Finding], float | None]
    subject: str = ""


def _timestamp(finding: Finding) -> float | None:
    return finding.since.timestamp() if finding.since else None


GAUGES: Final = (
    _Gauge("dana_unusable_accounts", "Accounts that can't be used.", "accounts", lambda finding: finding.count),
    _Gauge(
        "dana_last_sweep_timestamp_seconds",
        "When a periodic task last came to its end.",
        "sweeps",
        _timestamp,
        "sweep",
    ),
    _Gauge("dana_due_rows", "Rows that are due, 1000 or more being 1000.", "queues", lambda row: row.count, "queue"),
    _Gauge(
        "dana_oldest_due_seconds",
        "For how long the oldest row has been due.",
        "queues",
        lambda finding: finding.seconds,
        "queue",
    ),
    _Gauge(
        "dana_failing_signals",
        "Signals whose receivers fail, among the oldest 1000.",
        "receivers",
        lambda finding: finding.count,
        "signal",
    ),
    _Gauge(
        "dana_failing_calls",
        "The latest calls of an operation where none had success.",
        "calls",
        lambda finding: finding.count,
        "operation",
    ),
    _Gauge(
        "dana_needs_attention",
        "Rows that need a person to look, 1000 or more being 1000.",
        "attention",
        lambda finding: finding.count,
        "reason",
    ),
    _Gauge("dana_last_message_timestamp_seconds", "When DANA's last message came.", "messages", _timestamp),
    _Gauge(
        "dana_payments_without_message",
        "The latest payments where none came with a message.",
        "messages",
        lambda finding: finding.count,
    ),
    _Gauge(
        "dana_refused_signatures",
        "Messages without a valid signature in the last hour.",
        "signatures",
        lambda finding: finding.count,
    ),
)


class _Findings(Collector):
    """Hands a report over once; nothing is kept between two requests, since the database knows it all."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def collect(self) -> Iterator[Metric]:
        """Yield every metric with its samples."""
        healthy = GaugeMetricFamily("dana_healthy", "1 where nothing is overdue, failing or unheard of.")
        healthy.add_metric([], float(self._report.is_healthy))
        yield healthy
        errors = GaugeMetricFamily("dana_errors", "Findings that are errors, by check.", labels=["check"])
        for check in dict.fromkeys(finding.check for finding in self._report.findings):
            errors.add_metric([check], _errors_of(check, self._report.findings))
        yield errors
        for gauge in GAUGES:
            yield _family(gauge, self._report.findings)


def _errors_of(check: str, findings: Iterable[Finding]) -> int:
    return sum(finding.check == check and finding.level == Level.ERROR for finding in findings)


def _family(gauge: _Gauge, findings: Iterable[Finding]) -> Metric:
    labels = ["account", *([gauge.subject] if gauge.subject else [])]
    family = GaugeMetricFamily(gauge.name, gauge.help, labels=labels)
    for finding in findings:
        value = gauge.value(finding) if finding.check == gauge.check else None
        if value is not None:
            family.add_metric([finding.account, *([finding.subject] if gauge.subject else [])], value)
    return family


def exposition(report: Report, accept: str) -> tuple[bytes, str]:
    """Return the metrics in the format that a scraper accepts, and its content type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Findings(report))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type
