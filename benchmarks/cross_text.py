"""A cross table as Markdown: what networks chosen for one cost take in another, after the paper's Table VIII."""

from __future__ import annotations

from benchmarks.cross_record import CrossRecord, Which


def text_of(record: CrossRecord) -> str:
    """All tables."""
    parts = [_facts(record), _summary(record, "measured"), _summary(record, "predicted"), _cheapest(record)]
    return "\n\n".join([*parts, "\n".join(lost(record))])


def lost(record: CrossRecord) -> list[str]:
    """Where the networks chosen for a cost are not the cheapest by it as measured, and whether that can be told."""
    excess, spread, predicted = record.excess("measured"), record.spread(of_mean=False), record.excess("predicted")
    lines, compared = [], 0
    for place, floor in enumerate(record.floors):
        for row, goal in enumerate(record.names):
            for column, name in enumerate(record.names):
                if set(record.codes(floor, goal)) == set(record.codes(floor, name)):
                    continue
                compared += 1
                if excess[place, row, column] < 0:
                    less, apart = -100 * excess[place, row, column], 100 * spread[place, row, column]
                    lines.append(
                        f"mIoU {floor:g}, {record.titles[name]}: networks chosen for {record.titles[goal]} cost "
                        f"{less:.1f} % less than its own (halves +- {apart:.1f} %, predicted "
                        f"{100 * predicted[place, row, column]:.1f} % more)"
                    )
    said = f"the diagonal wins {compared - len(lines)} of {compared} comparisons of different networks"
    return [said, *lines]


def _facts(record: CrossRecord) -> str:
    facts = record.facts
    return (
        f"{facts['space']}, {facts['networks_of_pool']} networks of the pool and {facts['evaluated']} evaluated by the "
        f"searches; {len(record.networks)} measured in {facts['rounds']} interleaved rounds, {facts['date']}"
    )


def _summary(record: CrossRecord, which: Which) -> str:
    """More than the networks chosen for a cost, over all floors."""
    excess, spread = 100 * record.mean_excess(which), 100 * record.spread(of_mean=True)
    lines = [
        f"{which}, more than the networks chosen for that cost, mean over {len(record.floors)} floors"
        + (" (half the difference of two halves):" if which == "measured" else ":"),
        "",
        "| chosen for | " + " | ".join(record.titles.values()) + " |",
        "|---" * (len(record.titles) + 1) + "|",
    ]
    for row, goal in enumerate(record.names):
        cells = []
        for column, name in enumerate(record.names):
            apart = f" ({spread[row, column]:.1f})" if which == "measured" and name != "flops" and row != column else ""
            same = "-" if row == column else "the same networks" if record.same(goal, name) else ""
            cells.append(same or f"{excess[row, column]:+.1f} %{apart}")
        lines.append(f"| {record.titles[goal]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cheapest(record: CrossRecord) -> str:
    """The first network of each choice, as the paper shows one for each."""
    latencies = record.names[1:]
    titles = [record.titles[name] for name in latencies]
    lines = [
        "the first network of each choice, milliseconds (half the difference of two halves):",
        "",
        "| mIoU at least | chosen for | network | mIoU | params, M | FLOPs, M | " + " | ".join(titles) + " |",
        "|---" * (6 + len(titles)) + "|",
    ]
    for floor in record.floors:
        for goal in record.names:
            code = record.codes(floor, goal)[0]
            network = record.networks[code]
            cells = [
                f"{network.cost(name, 'measured'):.3f} "
                f"({abs(network.cost(name, 'first') - network.cost(name, 'second')) / 2:.3f})"
                for name in latencies
            ]
            lines.append(
                f"| {floor:g} | {record.titles[goal]} | `{code}` | {network.miou:.4f} | {network.params / 1e6:.3f} | "
                f"{network.flops / 1e6:.1f} | " + " | ".join(cells) + " |"
            )
    return "\n".join(lines)
