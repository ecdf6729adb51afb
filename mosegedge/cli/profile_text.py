"""What is printed about a plan and about a profile: values for `--json`, and text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mosegedge.profiling.plan import Plan
    from mosegedge.profiling.profile import Profile


def plan_result(plan: Plan) -> dict[str, Any]:
    """How much will be measured."""
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
        "bursts": plan.settings.passes * plan.bursts_a_pass,
        "estimated_minutes": round(plan.estimate_s / 60, 1),
    }


def plan_text(plan: Plan) -> str:
    """The same in words."""
    scales = ", ".join(map(str, plan.settings.scales))
    return (
        f"{plan.space.name} on {plan.device.name}, {plan.device.threads} thread(s), scales {scales}\n"
        f"{plan.positions} entries of the table, {len(plan.layers)} distinct layers\n"
        f"{len(plan.fit)} whole networks to fit the model, {len(plan.held_out)} to judge it\n"
        f"{plan.settings.passes} passes, {plan.settings.passes * plan.bursts_a_pass} bursts\n"
        f"about {plan.estimate_s / 60:.1f} minutes; nothing was touched"
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
        "error": found.error.model_dump(),
        "repeatability": found.repeatability.model_dump(),
    }


def one_line(row: dict[str, Any]) -> str:
    """A summary in one line of a list."""
    error = row["error"]
    origin = "" if row["origin"] == "measured" else f"{row['origin'].upper()}, no device was timed; "
    return (
        f"{origin}{row['created'][:10]}, {row['entries']} layers, scales {','.join(map(str, row['scales']))}, "
        f"held-out tau {error['kendall_tau']:.3f}, MAPE {error['mape']:.1%}"
    )


def profile_text(found: Profile) -> str:
    """A profile in words."""
    row, error, repeat = summary(found), found.error, found.repeatability
    by_scale, flops_by_scale = (
        ", ".join(f"{scale}: {tau:.3f}" for scale, tau in taus.items())
        for taus in (error.by_scale_kendall_tau, error.by_scale_flops_kendall_tau)
    )
    terms = ", ".join(f"{value:.4g} * {name}" for name, value in found.model.coefficients.items())
    beyond = found.model.overflow
    terms += f", {beyond.ms_per_million:.4g} * weights_million beyond {beyond.held_million:.3g}" if beyond else ""
    constants = ", ".join(f"{scale}: {value:.3f}" for scale, value in found.model.constants_ms.items())
    simulated = "" if found.origin == "measured" else f"  {found.origin.upper()}: no device was timed"
    device = ", ".join(f"{key} {value}" for key, value in row["device"].items() if value)
    notes = "".join(f"note        {note.text} ({note.models} models)\n" for note in found.notes)
    return (
        f"{found.name}  {row['created']}{simulated}\n"
        f"device      {device}, {found.protocol.threads} thread(s), {found.protocol.precision}, "
        f"by the {found.protocol.clock}'s clock\n{notes}"
        f"layers      {row['entries']} at scales {row['scales']}, grades {row['grades']}, failed {row['failed']}\n"
        f"networks    {row['networks']}, of which {error.networks} held out\n"
        f"value       {found.protocol.statistic} of {found.protocol.passes} passes\n"
        f"model       {terms}; constant by scale {constants} ms; sd {found.model.relative_sd:.1%}\n"
        f"held out    Kendall tau {error.kendall_tau:.3f} (by scale {by_scale}), Spearman {error.spearman:.3f}, "
        f"MAPE {error.mape:.2%}, bias {error.bias:+.2%}, worst {error.worst:.1%}\n"
        f"beside it   tau of FLOPs {error.flops_kendall_tau:.3f} (by scale {flops_by_scale}),\n"
        f"            of parameters {error.params_kendall_tau:.3f}, "
        f"of the plain sum {error.sum_of_layers_kendall_tau:.3f} (MAPE {error.sum_of_layers_mape:.2%})\n"
        f"repeats to  tau {repeat.networks_kendall_tau:.3f}, MAPE {repeat.networks_mape:.2%}, "
        f"layers {repeat.layers_mape:.2%}; drift {repeat.drift:.1%}"
    )
