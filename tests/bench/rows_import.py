"""Importing: against cp and gphoto2, which only copy."""
import os

from benchlib import Gateway, Row, drop_caches, fresh, in_turns, run, scaled, seconds_of
from media import card

LARGE = (2000, 5_000_000)  # pictures, bytes of each
SMALL = (20_000, 20_000)
OFF = "[import]\ndedupe=true\n"


def copied(source, aside=False):
    """Seconds of `cp -r` and `sync`."""
    target = fresh("copied", aside=aside)
    drop_caches()
    return seconds_of(lambda: (run("cp", "-r", source, target), os.sync()))


def fetched(source):
    """Seconds of gphoto2 taking all from the folder, and `sync`."""
    target = fresh("copied")
    drop_caches()
    words = ("gphoto2", "--quiet", "--port", f"disk:{source}", "--folder", "/", "-R", "--get-all-files",
             "--filename", "%04n-%f.%C", "--force-overwrite")
    return seconds_of(lambda: (run(*words, cwd=target), os.sync()))


def imported(port, aside=False):
    """Seconds from attaching an unknown device to all of it durable and filed."""
    with Gateway(fresh("imported", aside=aside), config=OFF) as gateway:
        drop_caches()
        return seconds_of(lambda: gateway.attach(port))


def large_from_volume():
    source = card("large", scaled(LARGE[0], 10), LARGE[1])
    row = Row(f"import {scaled(LARGE[0], 10)} JPEG of 5 MB from a volume", "cp -r, sync", "at most 1.25 ×", at_most=1.25)
    return [row.compare_times(*in_turns(lambda: imported(f"volume:{source}"), lambda: copied(source)))]


def large_from_camera():
    source = card("large", scaled(LARGE[0], 10), LARGE[1])
    row = Row("the same through gphoto2's disk: port", "gphoto2 --get-all-files, sync", "at most 1.1 ×", at_most=1.1)
    return [row.compare_times(*in_turns(lambda: imported(f"disk:{source}"), lambda: fetched(source)))]


def small_from_volume():
    source = card("small", scaled(SMALL[0], 100), SMALL[1])
    row = Row(f"import {scaled(SMALL[0], 100)} files of 20 KB", "cp -r, sync", "at most 2 ×", at_most=2.0)
    return [row.compare_times(*in_turns(lambda: imported(f"volume:{source}", aside=True),
                                       lambda: copied(source, aside=True)))]


def second_import():
    source = card("small", scaled(SMALL[0], 100), SMALL[1])
    with Gateway(fresh("imported"), config=OFF) as gateway:
        gateway.attach(f"disk:{source}")
        times = in_turns(lambda: seconds_of(lambda: gateway.hearth("import", "--wait")),
                         lambda: seconds_of(lambda: run("gphoto2", "--port", f"disk:{source}", "-L")))
    row = Row("second import, nothing new (disk:)", "gphoto2 -L", "at most 1.3 ×", at_most=1.3)
    return [row.compare_times(*times)]


def memory():
    half, full = scaled(SMALL[0] // 2, 50), scaled(SMALL[0], 100)
    with Gateway(fresh("imported"), config=OFF) as gateway:
        idle = gateway.memory()
        gateway.attach(f"volume:{card('half', half, SMALL[1])}")
        at_half = gateway.memory("VmHWM")
    with Gateway(fresh("imported"), config=OFF) as gateway:
        gateway.attach(f"volume:{card('small', full, SMALL[1])}")
        at_full = gateway.memory("VmHWM")
    return [Row("memory of hearthd, idle", "-", "under 40 MB", at_most=40).value(idle, "MB"),
            Row(f"memory, importing {full} files", "-", "under 100 MB", at_most=100).value(at_full, "MB"),
            Row(f"memory, growth from {half} to {full} files", "-", "none (10 MB)", at_most=10)
            .value(at_full - at_half, "MB")]
