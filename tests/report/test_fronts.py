"""The report of a search with more than two objectives, and of one whose networks were timed."""

from __future__ import annotations

import json
from datetime import date

import standins

from mosegedge.report.page import build_report


def test_each_objective_has_its_front_and_timed_networks_say_why_they_fell(tmp_path):
    run = standins.make_run(tmp_path)
    manifest = json.loads((run / "run.json").read_text())
    manifest["settings"]["objectives"] = ["miou", "latency", "params", "latency@atlas"]
    (run / "run.json").write_text(json.dumps(manifest))
    lines = [json.loads(line) for line in (run / "archive.jsonl").read_text().splitlines()]
    for line in lines:
        line["costs"] = {"latency@atlas": [line["params"] / 1e5, 0.1]}
    (run / "archive.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    record = {"code": lines[0]["code"], "latency_ms": 1.5, "measured_ms": 2.5, "reason": "<b>slower</b> than another"}
    (run / "verified.json").write_text(json.dumps({"device": "rehearsal", "networks": [record]}))
    page = build_report(run, created=date(2026, 1, 2), pictures=0).path.read_text()
    assert "parameters, M" in page
    assert "latency on atlas, ms" in page
    assert "networks are on the front of all objectives together" in page
    assert "Timed on rehearsal, 0 of 1 networks stay on the front." in page
    assert "&lt;b&gt;slower&lt;/b&gt; than another" in page
