"""Rounds in turn, ratios pair by pair, medians: on a shared machine nothing else can be believed."""
import os
import statistics


class Figures:
    """Values of both sides by name, in the order of their first mention."""

    def __init__(self, ours, theirs):
        self.names, self.values = (ours, theirs), {}

    def add(self, figure, side, value, unit, better="more"):
        entry = self.values.setdefault(figure, {"unit": unit, "better": better, "sides": {name: [] for name in self.names}})
        entry["sides"][side].append(value)

    def table(self):
        """Ratios above 1: ours is better, whatever the unit."""
        ours, theirs = self.names
        lines = [f"| | unit | {ours} | {theirs} | ratio: min / **median** / max | rounds |", "| --- | --- | --- | --- | --- | --- |"]
        for figure, entry in self.values.items():
            mine, other = entry["sides"][ours], entry["sides"][theirs]
            pairs = [(a / b if entry["better"] == "more" else b / a) for a, b in zip(mine, other) if a > 0 and b > 0]
            if not pairs:
                continue
            lines.append(f"| {figure} | {entry['unit']} | {number(statistics.median(mine))} | {number(statistics.median(other))} | "
                         f"{min(pairs):.2f} / **{statistics.median(pairs):.2f}** / {max(pairs):.2f} | {len(pairs)} |")
        return "\n".join(lines)


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def in_turn(rounds, sides):
    """(round, side): A B, B A, A B, … so that neither is always first; what one has left to be written is written before the other begins."""
    for one in range(rounds):
        for side in sides if one % 2 == 0 else list(reversed(sides)):
            os.sync()
            yield one, side
