"""The mount: against the file system underneath and libfuse's passthrough examples."""
import contextlib
import os
import statistics

from benchlib import ROUNDS, Gateway, Row, drop_caches, fresh, in_turns, load, scaled
from yardsticks import Passthrough

FILE = 1_000_000_000  # bytes of the large file
ENTRIES = 15_000


@contextlib.contextmanager
def subjects(*names):
    """Folders to load, by name: hearth, under, passthrough_ll, passthrough_hp."""
    with contextlib.ExitStack() as stack:
        folders = {}
        for name in names:
            if name == "hearth":
                gateway = stack.enter_context(Gateway(fresh("mount-state"), os.path.join(fresh("mount"), "tree")))
                folders[name] = gateway.mount
            elif name == "under":
                folders[name] = fresh("under")
            else:
                mounted = Passthrough(name, fresh(name, "under"), fresh(name, "mount"))
                folders[name] = stack.enter_context(mounted).mount
        yield folders


def read():
    """Cold: a daemon that was just started, and no page of the disk in memory. Again: at once after it."""
    size = scaled(FILE, 10_000_000)
    cold, again = {}, {}
    state, mount = fresh("mount-state"), os.path.join(fresh("mount"), "tree")
    under = fresh("passthrough_hp", "under")
    load("write", os.path.join(under, "file"), size)
    with Gateway(state, mount) as gateway:
        load("write", os.path.join(gateway.mount, "file"), size)

    def both(name, folder):
        drop_caches()
        cold.setdefault(name, []).append(load("read", os.path.join(folder, "file")))
        again.setdefault(name, []).append(min(load("read", os.path.join(folder, "file")) for _ in range(3)))

    for _ in range(ROUNDS):
        with Gateway(state, mount) as gateway:
            both("hearth", gateway.mount)
        with Passthrough("passthrough_hp", under, fresh("passthrough_hp", "mount")) as other:
            both("passthrough_hp", other.mount)
        both("under", under)
    first = Row(f"FUSE read of {size // 10**6} MB, 1 MiB blocks, cold", "passthrough_hp", "at least 1.0 ×", at_least=1.0)
    second = Row("the same again", "the file underneath", "at least 0.8 ×", at_least=0.8)
    median = statistics.median
    return [first.compare_times(median(cold["hearth"]), median(cold["passthrough_hp"])),
            second.compare_times(median(again["hearth"]), median(again["under"]))]


def write():
    size = scaled(FILE, 10_000_000)
    with subjects("hearth", "passthrough_ll") as folders:
        def written(name):
            path = os.path.join(folders[name], "file")
            taken = load("write", path, size)
            os.unlink(path)
            return taken
        times = in_turns(lambda: written("hearth"), lambda: written("passthrough_ll"))
    row = Row(f"FUSE write of {size // 10**6} MB, then fsync", "passthrough_ll", "at least 0.7 ×", at_least=0.7)
    return [row.compare_times(*times)]


def entries():
    """One folder of many entries in each, made, looked at, renamed and removed in turns."""
    count = scaled(ENTRIES, 500)
    loads = ("create", "list", "stat", "rename", "unlink")
    times = {name: {what: [] for what in loads} for name in ("hearth", "under", "passthrough_hp", "passthrough_ll")}
    for _ in range(ROUNDS):
        with subjects(*times) as folders:
            for name, folder in folders.items():
                below = os.path.join(folder, "many")
                os.mkdir(below)
                times[name]["create"].append(load("create", below, count))
            # "First" means that the kernel knows no entry yet.
            drop_caches()
            for what in loads[1:]:
                for name, folder in folders.items():
                    times[name][what].append(load(what, os.path.join(folder, "many"), count))

    def row(what, text, against, least):
        named = Row(f"FUSE {text} of {count} entries", against, f"at least {least} ×", at_least=least)
        median = statistics.median
        return named.compare_times(median(times["hearth"][what]), median(times[against][what]))

    return [row("stat", "stat, known,", "under", 0.8), row("list", "first readdir and stat", "passthrough_hp", 1.0),
            row("create", "create", "passthrough_ll", 1.0), row("rename", "rename", "passthrough_ll", 1.0),
            row("unlink", "unlink", "passthrough_ll", 1.0)]
