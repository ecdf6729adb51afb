"""Section: how far the latencies that led the search can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from mosegedge.report.bundles import VerifiedBundle
from mosegedge.report.chart import PANEL, Frame, Legend, chart, figure, frame, mark, path
from mosegedge.report.html import Markup, beside, join, missing, number, paragraph, reading, section, table, tag
from mosegedge.report.latency_facts import Comparison, LatencyFacts, MeasuredNetwork, compare
from mosegedge.report.run import Missing

_FEWEST = 2
_TITLE = "Latency, predicted and measured"


def latency_section(
    facts: LatencyFacts | Missing,
    bundles: Sequence[VerifiedBundle],
    others: Mapping[str, LatencyFacts | Missing] = MappingProxyType({}),
) -> Markup:
    """Predicted against measured, FLOPs against measured, and exported networks on the device.

    Args:
        facts: Of the first profile.
        bundles: Exported and verified networks.
        others: Of further profiles, by what they are called.
    """
    further = [part for name, found in others.items() for part in _further(name, found, bundles)]
    if isinstance(facts, Missing):
        text = f"The profile's own measurements are not shown: {facts.reason}"
        return section("latency", _TITLE, missing(text), *further, *_verified(bundles, "quantile10"))
    return section(
        "latency",
        _TITLE,
        reading(_reading(_compared(facts))),
        *([tag("h3", None, f"On {facts.device}")] if others else []),
        *_of_profile(facts, bundles),
        *further,
        *_verified(bundles, facts.statistic),
    )


def _further(name: str, facts: LatencyFacts | Missing, bundles: Sequence[VerifiedBundle]) -> list[Markup]:
    head = tag("h3", None, f"On {name}")
    if isinstance(facts, Missing):
        return [head, missing(f"The measurements of this profile are not shown: {facts.reason}")]
    return [head, paragraph(_reading(_compared(facts))), *_of_profile(facts, bundles)]


def _compared(facts: LatencyFacts) -> dict[str, Comparison]:
    """How well the model and FLOPs order the held-out networks, and those that it was fitted to."""
    held_out = [network for network in facts.networks if network.held_out]
    fitted = [network for network in facts.networks if not network.held_out]
    groups = [("held-out", held_out), ("fit", fitted)]
    return {name: compare(group) for name, group in groups if len(group) >= _FEWEST}


def _of_profile(facts: LatencyFacts, bundles: Sequence[VerifiedBundle]) -> list[Markup]:
    simulated = [missing("This profile is simulated; no device was timed.")] if facts.origin != "measured" else []
    panels = tag("div", {"class": "panels"}, _by_profile(facts, bundles), _by_flops(facts))
    return [
        *simulated,
        beside(panels, _table(facts, _compared(facts))),
        paragraph(f"Measured on {facts.device} ({facts.hardware}): {facts.protocol}."),
    ]


def measured_ms(bundle: VerifiedBundle, statistic: str) -> float:
    """The latency that is comparable with a profile's: the median, or the low end of the runs on a noisy host."""
    latency = bundle.verification.latency
    return latency.median_ms if statistic == "median" else latency.low_ms


def _by_profile(facts: LatencyFacts, bundles: Sequence[VerifiedBundle]) -> Markup:
    finalists = [
        (bundle.verification.predicted_ms[0], measured_ms(bundle, facts.statistic), bundle)
        for bundle in bundles
        if bundle.verification.predicted_ms and bundle.verification.device == facts.device
    ]
    both = [value for network in facts.networks for value in (network.predicted_ms, network.measured_ms)]
    both += [value for predicted, measured, _ in finalists for value in (predicted, measured)]
    axes = frame(PANEL, both, both, x_label="predicted by the profile, ms", y_label="measured, ms", from_zero=True)
    marks = [path(axes, [(0.0, 0.0), (axes.x.high, axes.y.high)], "identity")]
    marks += _networks(axes, [(network.predicted_ms, network) for network in facts.networks])
    marks += [
        mark(axes, "square", (predicted, measured), "verified", _finalist(bundle, predicted, measured))
        for predicted, measured, bundle in finalists
    ]
    label = f"Measured against predicted latency of {len(facts.networks)} networks; the line is perfect prediction."
    legend: Legend = [*_LEGEND, ("line", "identity", "perfect prediction")]
    if finalists:
        legend.append(("square", "verified", "exported and verified"))
    return figure(chart(axes, label, *marks), legend)


def _by_flops(facts: LatencyFacts) -> Markup:
    axes = frame(
        PANEL,
        [network.flops / 1e6 for network in facts.networks],
        [network.measured_ms for network in facts.networks],
        x_label="multiply-adds, millions",
        y_label="measured, ms",
        from_zero=True,
    )
    marks = _networks(axes, [(network.flops / 1e6, network) for network in facts.networks])
    label = f"Measured latency against FLOPs of the same {len(facts.networks)} networks."
    return figure(chart(axes, label, *marks), _LEGEND)


_LEGEND: Legend = [("dot", "heldout", "held out"), ("dot", "fit", "used for the fit")]


def _networks(axes: Frame, networks: Sequence[tuple[float, MeasuredNetwork]]) -> list[Markup]:
    return [
        mark(axes, "dot", (x, network.measured_ms), "heldout" if network.held_out else "fit", _hover(network))
        for x, network in networks
    ]


def _hover(network: MeasuredNetwork) -> str:
    role = "held out" if network.held_out else "used for the fit"
    return (
        f"{network.architecture}\npredicted {network.predicted_ms:.2f} ms, measured {network.measured_ms:.2f} ms\n"
        f"{network.flops / 1e6:.0f} million multiply-adds, {role}"
    )


def _finalist(bundle: VerifiedBundle, predicted_ms: float, on_device_ms: float) -> str:
    return (
        f"{bundle.name}: {bundle.architecture}\npredicted {predicted_ms:.2f} ms, "
        f"measured {on_device_ms:.2f} ms as exported"
    )


def _reading(compared: Mapping[str, Comparison]) -> str:
    if "held-out" not in compared:
        return "The profile has too few networks that it was not fitted to, so its error is not known."
    judged = compared["held-out"]
    tau, flops_tau = judged.by_profile.kendall_tau, judged.flops_tau
    verdict = "better than" if tau > flops_tau else "no better than"
    return (
        f"On {judged.networks} networks that the profile was not fitted to, it orders latencies {verdict} FLOPs do "
        f"(Kendall's tau {tau:.3f} against {flops_tau:.3f}) and is off by {judged.by_profile.mape:.1%} on average."
    )


def _table(facts: LatencyFacts, compared: Mapping[str, Comparison]) -> Markup:
    rows = [
        (
            name,
            str(group.networks),
            number(group.by_profile.kendall_tau, 3),
            f"{group.by_profile.mape:.1%}",
            f"{group.by_profile.bias:+.1%}",
            number(group.flops_tau, 3),
        )
        for name, group in compared.items()
    ]
    limit = paragraph(
        f"Two halves of the same measurement order the networks with a tau of {facts.repeatability_tau:.3f}: "
        "no model can be expected to do much better."
    )
    columns = ("networks", "n", "tau", "MAPE", "bias", "tau of FLOPs")
    return join([table("Agreement with the device", columns, rows), limit])


def _verified(bundles: Sequence[VerifiedBundle], statistic: str) -> list[Markup]:
    if not bundles:
        return [paragraph("No exported network was verified in this run folder yet.")]
    rows = []
    # A folder that is named by its code says it already.
    named = all(bundle.name == bundle.architecture.slug for bundle in bundles)
    for bundle in bundles:
        found = bundle.verification
        predicted = found.predicted_ms
        comparable = measured_ms(bundle, statistic)
        rows.append(
            (
                *((bundle.name,) if named else (bundle.name, str(bundle.architecture))),
                found.device,
                f"{predicted[0]:.2f} \u00b1 {predicted[1]:.2f}" if predicted else "none",
                number(comparable),
                f"{predicted[0] / comparable - 1:+.1%}" if predicted else "",
                number(found.latency.median_ms),
                number(found.latency.p95_ms),
                f"{found.agreement:.3%}",
                found.outcome,
            )
        )
    comparable_column = f"measured ms ({'median' if statistic == 'median' else 'low end'})"
    columns = (
        "bundle", *(() if named else ("code",)), "device", "predicted ms", comparable_column, "error",
        "median ms", "p95 ms", "masks as PyTorch", "verification",
    )  # fmt: skip
    cards = join(tag("p", {"class": "card"}, bundle.verification.fps_card) for bundle in bundles)
    return [table("Exported networks on their device", columns, rows), cards]
