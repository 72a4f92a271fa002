import io
import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import structlog
from flask import Flask, request
from werkzeug.test import Client, EnvironBuilder, run_wsgi_app
from werkzeug.wrappers import Response

from idp.app import logs
from idp.app.intake import Intake
from idp.app.observe import Metrics, bucket, observed
from idp.app.serving import _log_exception, _note_route

SECRET = "s3cr3t-canary"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        (" 203.0.113.77 ", "203.0.113.0/24"),
        ("203.0.113.77:5123", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("[2001:db8::1]:443", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("unix:", "unknown"),
        ("203.0.113", "unknown"),
        ("evil\r\nheader", "unknown"),
    ],
)
def test_addresses_fall_into_buckets(address: str, expected: str) -> None:
    assert bucket(address) == expected


def application() -> Flask:
    app = Flask("idp")
    app.before_request_funcs.setdefault(None, []).append(_note_route)
    app.log_exception = _log_exception  # type: ignore[method-assign]

    @app.get("/sign-in/<transaction>")
    def page(transaction: str) -> str:
        return (
            f"{transaction} {request.environ['idp.bucket']} {request.environ['idp.request_id']} {request.scheme} {request.host}"
        )

    @app.post("/form")
    def form() -> str:
        return str(len(request.get_data()))

    @app.get("/fault/<code>")
    def fault(code: str) -> str:
        raise KeyError(code)

    return app


class Front:
    """The middleware over an application, with what it logged."""

    def __init__(self, app: Any, hops: int = 0, **more: Any) -> None:
        self.stream = io.BytesIO()
        logs.configure("info", "json", self.stream)  # type: ignore[arg-type]
        self.metrics = Metrics()
        self.app = observed(app, trusted_hops=hops, intake=Intake(100), metrics=self.metrics, **more)
        self.client = Client(self.app, Response)

    def run(self, environ: dict[str, Any]) -> str:
        """Run an environ as it is, and return the status."""
        return run_wsgi_app(self.app, environ)[1]

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def front() -> Iterable[Callable[..., Front]]:
    yield Front
    structlog.reset_defaults()


def test_one_line_for_a_request_with_the_pattern_of_its_route(front: Callable[..., Front]) -> None:
    house = front(application())
    headers = {"X-Request-Id": "forged", "Authorization": f"Bearer {SECRET}", "Cookie": f"sid={SECRET}"}
    answer = house.client.get(f"/sign-in/{SECRET}?code={SECRET}", headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.9"})
    (line,) = house.lines
    assert SECRET not in house.stream.getvalue().decode()
    assert line["route"] == "/sign-in/<transaction>"
    assert (line["method"], line["status"], line["source"]) == ("GET", 200, "192.0.2.0/24")
    assert answer.headers["X-Request-Id"] == line["request_id"] != "forged"
    assert line["request_id"] in answer.text
    assert house.client.get("/sign-in/1").headers["X-Request-Id"] != line["request_id"]


def test_strange_paths_and_methods_are_counted_together(front: Callable[..., Front]) -> None:
    house = front(application())
    house.client.get("/a\r\nb\x1b[31m")
    house.client.open("/sign-in/1", method="BREW")
    assert next((line["route"], line["method"]) for line in house.lines) == ("unmatched", "GET")
    assert house.lines[1]["method"] == "OTHER"
    assert b"\x1b" not in house.stream.getvalue()
    assert house.stream.getvalue().count(b"\n") == 2


def test_metrics_count_by_route_and_status(front: Callable[..., Front]) -> None:
    house = front(application())
    for _ in range(3):
        house.client.get("/sign-in/1")
    labels = {"method": "GET", "route": "/sign-in/<transaction>", "status": "200"}
    assert house.metrics.registry.get_sample_value("idp_request_seconds_count", labels) == 3
    assert house.metrics.registry.get_sample_value("idp_requests_under_way") == 0


def test_a_fault_leaves_a_trace_without_values(front: Callable[..., Front]) -> None:
    house = front(application())
    answer = house.client.get(f"/fault/{SECRET}")
    assert answer.status_code == 500
    fault, line = house.lines
    assert SECRET not in house.stream.getvalue().decode()
    assert fault["event"] == "fault"
    assert fault["request_id"] == line["request_id"] == answer.headers["X-Request-Id"]
    assert fault["route"] == "/fault/<code>"
    assert fault["trace"][0] == "builtins.KeyError"
    assert any("test_observe.py" in frame for frame in fault["trace"])


@pytest.mark.parametrize("when", ["call", "iterate"])
def test_a_fault_outside_flask_is_an_answer_too(front: Callable[..., Front], when: str) -> None:
    def broken(_environ: Any, start_response: Any) -> Iterable[bytes]:
        if when == "call":
            raise ValueError(SECRET)
        start_response("200 OK", [])

        def body() -> Iterable[bytes]:
            yield b"half"
            raise ValueError(SECRET)

        return body()

    house = front(broken)
    people = house.client.get("/", headers={"Accept": "text/html"})
    assert people.status_code == 500
    assert people.headers["X-Request-Id"] in people.text
    assert house.client.get("/").json["error"] == "server_error"
    assert SECRET not in house.stream.getvalue().decode()
    assert house.metrics.registry.get_sample_value("idp_requests_under_way") == 0


def test_a_body_too_large_is_refused_before_the_application(front: Callable[..., Front]) -> None:
    house = front(application())
    assert house.client.post("/form", data=b"x" * 100).text == "100"
    refused = house.client.post("/form", data=b"x" * 101)
    assert (refused.status_code, refused.json["error"]) == (413, "invalid_request")
    assert refused.headers["Cache-Control"] == "no-store"


def posted(body: bytes, **more: Any) -> dict[str, Any]:
    return EnvironBuilder("/form", method="POST").get_environ() | {"wsgi.input": io.BytesIO(body)} | more


def test_a_body_without_length_is_bounded(front: Callable[..., Front]) -> None:
    house = front(application())
    assert house.run(posted(b"x" * 100, HTTP_TRANSFER_ENCODING="chunked")).startswith("200")
    assert house.run(posted(b"x" * 101, HTTP_TRANSFER_ENCODING="chunked")).startswith("413")


def test_a_body_that_breaks_off_is_refused(front: Callable[..., Front]) -> None:
    assert front(application()).run(posted(b"x" * 9, CONTENT_LENGTH="10")).startswith("400")


FORWARDED = {"X-Forwarded-For": "198.51.100.7, 203.0.113.5", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}


def test_nobody_in_front_is_believed_unless_configured(front: Callable[..., Front]) -> None:
    text = front(application()).client.get("/sign-in/1", headers=FORWARDED).text
    assert "203.0.113" not in text
    assert text.endswith("http localhost")


def test_trusted_hops_are_believed_for_address_and_scheme_never_for_the_host(front: Callable[..., Front]) -> None:
    assert "203.0.113.0/24" in front(application(), hops=1).client.get("/sign-in/1", headers=FORWARDED).text
    text = front(application(), hops=2).client.get("/sign-in/1", headers=FORWARDED | {"X-Forwarded-Proto": "https, http"}).text
    assert "198.51.100.0/24" in text
    assert text.endswith("https localhost")


def test_paths_aside_come_before_everything(front: Callable[..., Front]) -> None:
    def alive(_environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    house = front(application(), aside={"/healthz": alive})
    assert house.client.get("/healthz", data=b"x" * 1000).text == "ok"
    assert house.lines[0]["route"] == "/healthz"
