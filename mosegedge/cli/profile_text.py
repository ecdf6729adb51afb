"""What is printed about a plan and about a profile: values for `--json`, and text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mosegedge.cli.carried_text import origin_text
from mosegedge.cli.costs_text import costs_text
from mosegedge.profiling.certificate import speed_in_words, verdict

if TYPE_CHECKING:
    from mosegedge.profiling.estimate import Estimate
    from mosegedge.profiling.plan import Plan
    from mosegedge.profiling.profile import Profile
    from mosegedge.profiling.sections import CertificateSection, RooflineSection


def plan_result(plan: Plan, found: Estimate) -> dict[str, Any]:
    """How much will be measured, and what that takes."""
    return {
        "space": plan.space.name,
        "device": plan.device.name,
        "threads": plan.device.threads,
        "scales": list(plan.settings.scales),
        "entries": plan.positions,
        "distinct_layers": len(plan.layers),
        "fit_networks": len(plan.fit),
        "held_out_networks": len(plan.held_out),
        "passes": plan.settings.passes,
        "bursts": found.bursts,
        "models_to_build": found.to_build,
        "models_there": found.there,
        "building_minutes": round(found.build_s / 60, 2),
        "measuring_minutes": round(found.measure_s / 60, 2),
        "timed_minutes": round(found.timed_s / 60, 2),
        "estimated_minutes": round(found.total_s / 60, 2),
        "disk_mib": {
            "journal": round(found.journal_mib, 2),
            "profile": round(found.profile_mib, 2),
            "models_on_the_device": round(found.models_mib, 1),
        },
        "evidence": found.evidence,
        "rough": found.rough,
    }


def plan_text(plan: Plan, found: Estimate) -> str:
    """The same in words."""
    scales = ", ".join(map(str, plan.settings.scales))
    rough = " (rough)" if found.rough else ""
    there = f"; {found.there} {found.there_words}" if found.there else ""
    return (
        f"{plan.space.name} on {plan.device.name}, {plan.device.threads} thread(s), scales {scales}\n"
        f"{plan.positions} entries of the table, {len(plan.layers)} distinct layers\n"
        f"{len(plan.fit)} whole networks to fit the model, {len(plan.held_out)} to judge it\n"
        f"{found.to_build} models to build{there}\n"
        f"about {found.bursts} bursts, at most {plan.settings.passes} of each model\n"
        f"about {found.total_s / 60:.1f} minutes{rough}: {found.build_s / 60:.1f} building, "
        f"{found.measure_s / 60:.1f} measuring, of which {found.timed_s / 60:.1f} timed\n"
        f"about {found.journal_mib:.1f} MiB for the journal, {found.profile_mib:.1f} for the profile, "
        f"{found.models_mib:.0f} for models on the device\n"
        f"run times from {found.evidence}\n"
        "nothing was touched"
    )


def summary(found: Profile) -> dict[str, Any]:
    """What a profile holds and how good it is."""
    grades: list[str] = [entry.grade for entry in found.entries]
    return {
        "name": found.name,
        "created": found.created.isoformat(),
        "space": found.space.name,
        "scales": found.protocol.scales,
        "device": {
            "cpu": found.device.hardware.get("cpu"),
            "accelerator": found.device.vendor.get("accelerator"),
            **found.device.vendor.get("runtime", {}),
        },
        "origin": found.origin,
        "clock": found.protocol.clock,
        "threads": found.protocol.threads,
        "statistic": found.protocol.statistic,
        "passes": found.protocol.passes,
        "entries": len(found.entries),
        "grades": {grade: grades.count(grade) for grade in "ABC"},
        "failed": len(found.failed),
        "networks": len(found.networks),
        "model": found.model.model_dump(),
        "certificate": found.certificate.model_dump(mode="json") if found.certificate else None,
        "repeatability": found.repeatability.model_dump(),
        "roofline": found.roofline.model_dump() if found.roofline else None,
        "costs": found.costs.model_dump() if found.costs else None,
        "merged_from": [source.profile for source in found.merged_from] if found.merged_from else None,
        "rebased_from": found.rebased_from.model_dump() if found.rebased_from else None,
    }


def one_line(found: Profile) -> str:
    """A profile in one line of a list."""
    origin = "" if found.origin == "measured" else f"{found.origin.upper()}, no device was timed; "
    scales = ",".join(map(str, found.protocol.scales))
    return f"{origin}{found.created.date()}, {len(found.entries)} layers, scales {scales}, {verdict(found.certificate)}"


def profile_text(found: Profile) -> str:
    """A profile in words."""
    row, repeat = summary(found), found.repeatability
    terms = ", ".join(f"{value:.4g} * {name}" for name, value in found.model.coefficients.items())
    beyond = found.model.overflow
    terms += f", {beyond.ms_per_million:.4g} * weights_million beyond {beyond.held_million:.3g}" if beyond else ""
    constants = ", ".join(f"{scale}: {value:.3f}" for scale, value in found.model.constants_ms.items())
    simulated = "" if found.origin == "measured" else f"  {found.origin.upper()}: no device was timed"
    device = ", ".join(f"{key} {value}" for key, value in row["device"].items() if value)
    notes = "".join(f"note        {note.text} ({note.models} models)\n" for note in found.notes)
    layers = "" if repeat.layers_mape is None else f"layers {repeat.layers_mape:.2%}; "
    judging = sum(network.role != "fit" for network in found.networks)
    return (
        f"{found.name}  {row['created']}{simulated}\n"
        f"device      {device}, {found.protocol.threads} thread(s), {found.protocol.precision}, "
        f"by the {found.protocol.clock}'s clock\n{notes}{origin_text(found)}"
        f"layers      {row['entries']} at scales {row['scales']}, grades {row['grades']}, failed {row['failed']}\n"
        f"networks    {row['networks']}, of which {judging} only judge the model\n"
        f"value       {found.protocol.statistic} of {found.protocol.passes} passes\n"
        f"model       {found.model.method}: {terms}; constant by scale {constants} ms;\n"
        f"            sd of a layer's cost in a network {found.model.additivity_sd:.1%}, "
        f"of a network beyond that {found.model.network_sd:.1%},\n"
        f"            of the device's speed at another time {found.model.speed_sd:.1%}\n"
        f"{certificate_text(found.certificate)}"
        f"repeats to  tau {repeat.networks_kendall_tau:.3f}, MAPE {repeat.networks_mape:.2%}, "
        f"{layers}drift {repeat.drift:.1%}\n"
        f"at best     {_roofline_text(found.roofline)}\n"
        f"{costs_text(found)}"
        f"{verdict(found.certificate)}"
    )


def _roofline_text(roofline: RooflineSection | None) -> str:
    if roofline is None:
        return "not measured"
    return (
        f"{roofline.peak_gmacs_per_s:.1f} billion multiply-adds/s, {roofline.bandwidth_gb_per_s:.1f} GB/s, "
        f"{roofline.launch_ms:.4f} ms for a model that computes nothing"
    )


def certificate_text(certificate: CertificateSection | None) -> str:
    """What a certificate says in words, in lines; empty for none."""
    if certificate is None:
        return ""
    tau, mape = certificate.sum_of_layers_kendall_tau, certificate.sum_of_layers_mape
    plain_sum = "" if tau is None or mape is None else f", of the plain sum {tau:.3f} (MAPE {mape:.2%})"
    flops_by_scale = _by_scale(certificate.by_scale_flops_kendall_tau)
    halves = certificate.repeatability_kendall_tau
    halves_by_scale = certificate.by_scale_repeatability_kendall_tau or {}
    repeats = "" if halves is None else f"repeat to   tau {halves:.3f} (by scale {_by_scale(halves_by_scale)})\n"
    return (
        f"judged by   {certificate.networks} {certificate.source} networks of {certificate.measured}: "
        f"Kendall tau {certificate.kendall_tau:.3f} (by scale {_by_scale(certificate.by_scale_kendall_tau)}),\n"
        f"            Spearman {certificate.spearman:.3f}, MAPE {certificate.mape:.2%}, bias {certificate.bias:+.2%}, "
        f"worst {certificate.worst:.1%}{speed_in_words(certificate)}\n"
        f"{repeats}beside it   tau of FLOPs {certificate.flops_kendall_tau:.3f} (by scale {flops_by_scale}),\n"
        f"            of parameters {certificate.params_kendall_tau:.3f}{plain_sum}\n"
    )


def _by_scale(taus: Mapping[str, float]) -> str:
    return ", ".join(f"{scale}: {tau:.3f}" for scale, tau in taus.items())
