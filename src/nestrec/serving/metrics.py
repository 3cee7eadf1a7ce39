"""Metrics for Prometheus; labels take few values: routes, methods, statuses, widths of models, names of models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nestrec.extras import require
from nestrec.serving.served_model import ServedModel
from nestrec.serving.trace import Trace

_METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE")
_BUCKETS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # seconds
TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counters of one server."""

    def __init__(self, in_flight: Callable[[], int], dropped_lines: Callable[[], int]) -> None:
        prometheus: Any = require("prometheus_client", "serve", "the server")
        self._registry = registry = prometheus.CollectorRegistry()
        self._format: Callable[[Any], bytes] = prometheus.generate_latest
        prometheus.ProcessCollector(registry=registry)
        own = {"registry": registry}
        self._requests = prometheus.Counter(
            "nestrec_requests", "Requests answered.", ("route", "method", "status"), **own
        )
        self._seconds = prometheus.Histogram(
            "nestrec_request_seconds", "Time to answer.", ("route", "width"), buckets=_BUCKETS, **own
        )
        self._narrowed = prometheus.Counter("nestrec_narrowed", "Answers at a narrower width under load.", **own)
        self._rejected = prometheus.Counter("nestrec_rejected", "Requests rejected.", ("reason",), **own)
        self._reloads = prometheus.Counter("nestrec_reloads", "Models loaded again.", ("model", "outcome"), **own)
        self._models = prometheus.Gauge("nestrec_model", "Models that are served.", ("model", "version"), **own)
        prometheus.Gauge("nestrec_in_flight", "Requests being answered or waiting.", **own).set_function(in_flight)
        prometheus.Gauge("nestrec_access_log_dropped_lines", "Lines that were not written.", **own).set_function(
            dropped_lines
        )
        self._versions: dict[str, str] = {}

    def add_request(self, trace: Trace, method: str, seconds: float) -> None:
        """Count a request."""
        method = method if method in _METHODS else "other"
        self._requests.labels(trace.route, method, str(trace.status)).inc()
        if trace.route != "unmatched":
            self._seconds.labels(trace.route, str(trace.width or "")).observe(seconds)
        if trace.narrowed:
            self._narrowed.inc()
        if trace.rejected is not None:
            self._rejected.labels(trace.rejected).inc()

    def add_reload(self, model: str, outcome: str) -> None:
        """Count a model that was loaded again, or was not."""
        self._reloads.labels(model, outcome).inc()

    def set_model(self, served: ServedModel) -> None:
        """Show the version of a model in place of its former one."""
        former = self._versions.get(served.name)
        if former is not None:
            self._models.remove(served.name, former)
        self._versions[served.name] = served.version
        self._models.labels(served.name, served.version).set(1)

    def format(self) -> bytes:
        """Return all metrics as text."""
        return self._format(self._registry)
