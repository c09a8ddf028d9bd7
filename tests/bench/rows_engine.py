"""The rollback engine beside native calls, a forked child, a worker process and Valgrind: engine/bench-engine.c."""
import json
import os
import statistics
import subprocess
import sys

from benchlib import ROUNDS, Row, fresh, run, scaled, tool

ENGINE, PLAIN = "bench-engine", "bench-engine-plain"
MEGABYTES = (10, 100, 500, 2000)
GOAL_MEGABYTES = 100
COLD_PROCESSES = 15
PICTURE_WIDTH, SOUND_SECONDS = 4000, 30  # at full scale: engine/work.c
SKIPPED = 77
UNITS = {"ns": ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1, "ns")), "B": ((1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))}
MIB, MS, US = 1 << 20, 1e6, 1e3


def spell(figures):
    """Median and deciles: 48.6 µs (48.2–75.9)."""
    size, unit = 1, figures["unit"]
    for size, unit in UNITS.get(unit, ((1, unit),)):
        if figures["median"] >= size:
            break
    low, middle, high = (f"{figures[key] / size:.{1 if figures[key] / size < 1000 else 0}f}"
                         for key in ("p10", "median", "p90"))
    return f"{middle} {unit}" + (f" ({low}–{high})" if low != high else "")


class EngineRow(Row):
    """A row whose figures have deciles. Ratios are made within each round, and the median of them counts."""

    figures = other = None

    def compare(self, figures, other, turned=False):
        """figures / other; `turned`: how many times quicker instead."""
        self.figures, self.other = figures, other
        self.hearth, self.against = spell(figures), spell(other)
        pairs = zip(other["rounds"], figures["rounds"]) if turned else zip(figures["rounds"], other["rounds"])
        self.ratio = statistics.median(above / below for above, below in pairs)
        return self

    def alone(self, figures, size):
        """Without a yardstick; the goal is in multiples of `size`."""
        self.figures = figures
        self.hearth, self.against, self.ratio = spell(figures), "-", figures["median"] / size
        return self

    def json(self):
        def kept(figures):
            return figures and {key: figures[key] for key in ("unit", "median", "p10", "p90")}
        return {**super().json(), "figures": kept(self.figures), "against_figures": kept(self.other)}


# --- Running bench-engine ----------------------------------------------------------------------------


def measured(program, *words, before=()):
    """One process: name -> figures."""
    output = run(*before, tool(program), *map(str, words))
    return {line["name"]: line for line in map(json.loads, output.splitlines())}


def merged(many):
    """Figures of several processes: the median of their medians and of their deciles."""
    return {name: {**first, **{key: statistics.median(one[name][key] for one in many)
                               for key in ("median", "p10", "p90")},
                   "rounds": [one[name]["median"] for one in many]}
            for name, first in many[0].items()}


def in_rounds(*calls, rounds=ROUNDS):
    """Each of `calls` (functions) once a round; the figures of each."""
    results = [[] for _ in calls]
    for _ in range(rounds):
        for call, result in zip(calls, results):
            result.append(call())
    return [merged(result) for result in results]


def of(program, *words, **options):
    return lambda: measured(program, *words, **options)


# --- The table ---------------------------------------------------------------------------------------


def warm():
    exif, plain, taglib = in_rounds(of(ENGINE, "warm", "exif"), of(PLAIN, "warm", "exif"), of(ENGINE, "warm", "taglib"))
    goal = {"goal": "at most 1.3 ×", "at_most": 1.3}
    return [EngineRow("libexif, all tags of a JPEG", "native", **goal).compare(exif["engine"], exif["native"]),
            EngineRow("the same", "native, gettext gives the message", **goal)
            .compare(plain["engine"], plain["native"]),
            EngineRow("taglib_c, MP3 with ID3v2.3, by path", "native", **goal)
            .compare(taglib["engine"], taglib["native"])]


def empty():
    calls, host = in_rounds(of(ENGINE, "empty"), of(ENGINE, "host"))
    goal = {"goal": "under 2 µs", "at_most": 2}
    return [EngineRow("empty call: begin, run, roll back", "-", **goal).alone(calls["run"], US),
            EngineRow("the same, with an area", "-", **goal).alone(calls["area"], US),
            EngineRow("the same, reads validated", "-", **goal).alone(calls["validating"], US),
            EngineRow("empty sprocket by way of the host", "`direct`", "-").compare(host["rollback"], host["direct"]),
            EngineRow("the same", "`fork`, times quicker", "-").compare(host["rollback"], host["fork"], turned=True)]


def forked():
    *figures, bare = in_rounds(*(of(ENGINE, "fork", "exif", size) for size in MEGABYTES),
                               of(ENGINE, "fork-bare", "exif", GOAL_MEGABYTES))
    goal = {"goal": "at least 50 ×", "at_least": 50}
    rows = [EngineRow(f"libexif, {size} MB resident", "fork, times quicker", **(goal if size == GOAL_MEGABYTES else
                                                                              {"goal": "-"}))
            .compare(figure["engine"], figure["fork"], turned=True) for size, figure in zip(MEGABYTES, figures)]
    at_goal = figures[MEGABYTES.index(GOAL_MEGABYTES)]
    return rows + [EngineRow(f"the same, {GOAL_MEGABYTES} MB", "fork of a process without the engine, times quicker",
                             **goal).compare(at_goal["engine"], bare["fork"], turned=True)]


def other_ways():
    worker, engine, valgrind = in_rounds(
        of(ENGINE, "worker", "exif"), of(PLAIN, "warm", "exif"),
        of(PLAIN, "native", "exif", before=("valgrind", "--quiet", "--tool=none")))
    slower = valgrind["native"]["median"] / engine["native"]["median"]
    return [EngineRow("libexif", "worker process, times quicker", "-")
            .compare(worker["engine"], worker["worker"], turned=True),
            EngineRow("the same, gettext gives the message", f"valgrind --tool=none ({slower:.1f} × native), "
                      "times quicker", "-").compare(engine["engine"], valgrind["native"], turned=True)]


def cold():
    cache = os.path.join(fresh("engine"), "translations")
    measured(ENGINE, "save", "exif", cache)
    without, kept = in_rounds(of(ENGINE, "cold", "exif"), of(ENGINE, "cold", "exif", cache),
                              rounds=scaled(COLD_PROCESSES, 3))
    for figures in (*without.values(), *kept.values()):  # of processes, each of which made one call
        spread = sorted(figures["rounds"])
        figures["p10"], figures["p90"] = spread[(len(spread) - 1) // 10], spread[(len(spread) - 1) * 9 // 10]
    return [EngineRow("libexif, first call of a process", "-", "under 10 ms", at_most=10).alone(without["first"], MS),
            EngineRow("the same, translations loaded before", "-", "under 2 ms", at_most=2).alone(kept["first"], MS),
            EngineRow("loading them", "-", "-").alone(kept["load"], MS),
            EngineRow("the second call after a first without them", "-", "-").alone(without["second"], MS)]


def compute():
    works = ("picture", "sound", "sound-own")
    width, seconds = 8 * scaled(PICTURE_WIDTH // 8, 20), scaled(SOUND_SECONDS)
    whats = (f"JPEG of {width * width * 0.75 / 1e6:.3g} MP decoded", f"FLAC of {seconds} s to MP3",
             "the same, data of the encoder's library the call's own")
    figures = in_rounds(*(of(ENGINE, "warm", work) for work in works))
    return [EngineRow(what, "native", "at most 1.2 ×", at_most=1.2).compare(figure["engine"], figure["native"])
            for what, figure in zip(whats, figures)]


def threads():
    figures, = in_rounds(of(ENGINE, "threads", "exif"))
    return [EngineRow("libexif, two threads", "one", "at least 1.9 ×", at_least=1.9)
            .compare(figures["engine-2"], figures["engine-1"]),
            EngineRow("the same, native: what the machine gives", "one", "-")
            .compare(figures["native-2"], figures["native-1"])]


def memory():
    crowd, code = in_rounds(of(ENGINE, "memory"), of(ENGINE, "code"))
    goal, code_goal = {"goal": "under 2 MB", "at_most": 2}, {"goal": "under 16 MB", "at_most": 16}
    return [EngineRow("resident for each of 8 threads that call", "-", **goal).alone(crowd["resident"], MIB),
            EngineRow("private memory of a call", "-", **goal).alone(crowd["private"], MIB),
            EngineRow("translations of the standard sprockets", "-", **code_goal).alone(code["sprockets"], MIB),
            EngineRow("and of all that is measured here", "-", **code_goal).alone(code["works"], MIB)]


def absent():
    """Why there is nothing to measure, or None."""
    if not os.path.exists(tool(ENGINE)):
        return "not in this build"
    trial = subprocess.run([tool(ENGINE), "stats", "empty"], capture_output=True, text=True, check=False)
    return trial.stderr.strip() if trial.returncode == SKIPPED else None


def engine():
    reason = absent()
    if reason:
        print(f"bench: engine: {reason}", file=sys.stderr)
        return []
    return [row for part in (warm, empty, forked, other_ways, cold, compute, threads, memory) for row in part()]
