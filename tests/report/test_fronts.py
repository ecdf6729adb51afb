"""The report of a search with more than two objectives, and of one whose networks were timed."""

from __future__ import annotations

import json
import re
from datetime import date

import pytest
import standins

from mosegedge.report.page import Sources, build_report
from mosegedge.report.run import read_run
from mosegedge.report.volumes import volumes


def cost_everything(run, latency_ms):
    """Gives every network of a run a latency on `atlas`."""

    def with_cost(record):
        return {**record, "costs": {"latency@atlas": [latency_ms(record), 0.1]}}

    for name in ("archive.jsonl", "baselines.jsonl"):
        lines = [with_cost(json.loads(line)) for line in (run / name).read_text().splitlines()]
        (run / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    content = json.loads((run / "front.json").read_text())
    content["chosen"] = [with_cost(one) for one in content["chosen"]]
    (run / "front.json").write_text(json.dumps(content))


def test_each_objective_has_its_front_and_timed_networks_say_why_they_fell(tmp_path):
    run = standins.make_run(tmp_path)
    manifest = json.loads((run / "run.json").read_text())
    manifest["settings"]["objectives"] = ["miou", "latency", "params", "latency@atlas"]
    (run / "run.json").write_text(json.dumps(manifest))
    cost_everything(run, lambda record: record["params"] / 1e5)
    record = {
        "code": str(read_run(run).candidates[0].architecture),
        "latency_ms": 1.5,
        "measured_ms": 2.5,
        "reason": "<b>slower</b> than another",
    }
    (run / "verified.json").write_text(json.dumps({"device": "rehearsal", "networks": [record]}))
    page = build_report(run, created=date(2026, 1, 2), pictures=0).path.read_text()
    assert "parameters, M" in page
    assert "latency on atlas, ms" in page
    assert "networks are on the front of all objectives together" in page
    assert "Timed on rehearsal, 0 of 1 networks stay on the front." in page
    assert "&lt;b&gt;slower&lt;/b&gt; than another" in page


@pytest.fixture
def two_devices(tmp_path):
    """A search for two devices: the second takes twice as long for each network, by the same profile."""
    profile = standins.make_profile(tmp_path / "profiles")
    run = standins.make_run(tmp_path, profile_digest=profile.digest)
    manifest = json.loads((run / "run.json").read_text())
    manifest["profile"]["label"] = "local"
    manifest["other_profiles"] = {"atlas": {"reference": "local/nano-fp32/v1", "digest": profile.digest}}
    manifest["settings"]["objectives"] = ["miou", "latency", "latency@atlas"]
    (run / "run.json").write_text(json.dumps(manifest))
    cost_everything(run, lambda record: 2 * record["latency_ms"])
    return run, Sources(profile_root=tmp_path / "profiles")


def test_every_device_is_named_and_shows_its_profile_and_its_latencies(two_devices):
    run, sources = two_devices
    report = build_report(run, created=date(2026, 1, 2), pictures=0, sources=sources)
    page = report.path.read_text()
    assert re.search("<h1>nano on local and atlas</h1>", page)
    assert "latency on local by the profile, ms" in page
    assert "on that of latency on local" in page
    assert "ms on local" in page
    assert "ms on atlas" in page
    assert page.count("On 12 networks that the profile was not fitted to") == 2
    first = read_run(run).chosen[0].latency_ms
    assert f"{2 * first:.2f} \u00b1 0.10 ms on atlas" in page
    assert "hypervolume, ms \u00d7 ms \u00d7 mIoU" in page
    assert all("digest" not in reason for reason in report.left_out)


def test_what_the_first_of_several_devices_takes_is_never_without_its_name(two_devices):
    run, sources = two_devices
    manifest = json.loads((run / "run.json").read_text())
    manifest["settings"]["objectives"].append("memory")
    (run / "run.json").write_text(json.dumps(manifest))
    for name in ("archive.jsonl", "baselines.jsonl"):
        lines = [json.loads(line) for line in (run / name).read_text().splitlines()]
        lines = [{**line, "costs": {**line["costs"], "memory": [9.0, 0.0]}} for line in lines]
        (run / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    content = json.loads((run / "front.json").read_text())
    content["chosen"] = [{**one, "costs": {**one["costs"], "memory": [9.0, 0.0]}} for one in content["chosen"]]
    (run / "front.json").write_text(json.dumps(content))
    page = build_report(run, created=date(2026, 1, 2), pictures=0, sources=sources).path.read_text()
    assert "Accuracy against memory on local, MiB" in page
    assert "memory, MiB" not in page


def test_hypervolumes_are_those_of_all_objectives(two_devices, tmp_path):
    run, _ = two_devices
    both = volumes(read_run(run))
    manifest = json.loads((run / "run.json").read_text())
    manifest["settings"]["objectives"] = ["miou", "latency"]
    (run / "run.json").write_text(json.dumps(manifest))
    pair = volumes(read_run(run))
    assert both[0] > 0
    assert both[0] != pytest.approx(pair[0])


def test_the_front_holds_what_keeps_to_the_limits_and_the_page_names_them(tmp_path):
    run = standins.make_run(tmp_path)
    least = sorted(one.miou for one in read_run(run).front)[2]
    manifest = json.loads((run / "run.json").read_text())
    manifest["settings"]["limits"] = [{"objective": "miou", "bound": least}]
    (run / "run.json").write_text(json.dumps(manifest))
    assert min(one.miou for one in read_run(run).front) == least
    page = build_report(run, created=date(2026, 1, 2), pictures=0).path.read_text()
    assert f"mIoU at least {least:.4g}" in page
