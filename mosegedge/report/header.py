"""Top of the page: what was searched, on what, and the figures that matter most."""

from __future__ import annotations

from collections.abc import Mapping

from mosegedge.report.front import gains
from mosegedge.report.html import Markup, missing, signed, tag
from mosegedge.report.latency_facts import LatencyFacts
from mosegedge.report.records import Trust
from mosegedge.report.run import Missing, Run
from mosegedge.report.volumes import volumes
from mosegedge.search.archive import evaluated


def header(
    run: Run, device: str, facts: LatencyFacts | Missing, others: Mapping[str, LatencyFacts | Missing], created: str
) -> Markup:
    """Title, key figures, provenance."""
    manifest = run.manifest
    title = tag("h1", None, f"{manifest.space.name.split(':')[0]} on {' and '.join((device, *run.devices[1:]))}")
    under = f"Networks for {manifest.data}, searched for the best trade of accuracy against latency."
    state = [] if run.finished else [missing("The search is not finished; this is what it has found so far.")]
    tiles = tag("dl", {"class": "tiles"}, *(_pair(name, value) for name, value in _tiles(run, facts)))
    table = tag(
        "dl",
        {"class": "facts-list"},
        *(_pair(name, value) for name, value in _facts(run, device, facts, others, created)),
    )
    return tag("header", None, title, tag("p", {"class": "lead"}, under), *state, tiles, table)


def _pair(name: str, value: str) -> Markup:
    return tag("div", None, tag("dt", None, name), tag("dd", None, value))


def _tiles(run: Run, facts: LatencyFacts | Missing) -> list[tuple[str, str]]:
    fastest, best = run.front[0], run.front[-1]
    tiles = [
        ("fastest of the front", f"{fastest.latency_ms:.2f} ms"),
        ("best mIoU", f"{best.miou or 0.0:.3f}"),
        ("networks evaluated", str(len(evaluated(run.candidates)))),
    ]
    both = volumes(run)
    if both and both[1] > 0:
        tiles.append(("hypervolume over uniform width", f"\u00d7 {both[0] / both[1]:.2f}"))
    found = gains(run)
    if found:
        tiles.append(("mean mIoU gain over uniform width", signed(sum(found) / len(found))))
    if isinstance(facts, LatencyFacts) and facts.certificate:
        tiles.append(("latency order, held out", f"tau {facts.certificate.kendall_tau:.2f}"))
    return tiles


def _facts(
    run: Run, device: str, facts: LatencyFacts | Missing, others: Mapping[str, LatencyFacts | Missing], created: str
) -> list[tuple[str, str]]:
    manifest, settings = run.manifest, run.manifest.settings
    machine = f"{device} ({facts.hardware})" if isinstance(facts, LatencyFacts) else device
    further = [(manifest.other_profiles[name].reference, found) for name, found in others.items()]
    limit = "; ".join(limit.text() for limit in run.limits) or "no limit"
    return [
        ("space", manifest.space.name),
        ("device", machine),
        ("data set", manifest.data),
        *(
            pair
            for reference, found in ((manifest.profile.reference, facts), *further)
            for pair in (("profile", reference), ("its error on held-out networks", _error(found)))
        ),
        *(("the profile is below the bar", _below(trust)) for trust in manifest.trust.values()),
        ("supernet", f"{manifest.supernet.path} ({manifest.supernet.digest[:12]})"),
        ("search", f"{settings.initial} + {settings.generations} \u00d7 {settings.evaluations} evaluations, {limit}"),
        ("method", f"{settings.predictor}, {settings.prescreen.strategy}, {settings.inner.method}"),
        (
            "evaluated",
            f"{len(evaluated(run.candidates))} networks, {run.failed} failed, {len(run.baselines)} baselines",
        ),
        ("seed", str(settings.seed)),
        ("mosegedge", manifest.versions.get("mosegedge", "unknown")),
        ("report made on", created),
    ]


def _error(facts: LatencyFacts | Missing) -> str:
    if isinstance(facts, Missing):
        return "not known here, see below"
    certificate = facts.certificate
    if certificate is None:
        return "not known: no network judged the profile"
    tau, flops_tau = certificate.kendall_tau, certificate.flops_kendall_tau
    return f"tau {tau:.3f}, MAPE {certificate.mape:.1%} (FLOPs: tau {flops_tau:.3f})"


def _below(trust: Trust) -> str:
    widened = f": standard deviations taken {trust.sd_factor:g} times as large" if trust.sd_factor > 1 else ""
    return "; ".join(trust.shortfalls) + widened
