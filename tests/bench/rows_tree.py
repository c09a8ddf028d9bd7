"""A tree of a million objects: start, first results, memory."""
import subprocess
import time

from benchlib import Gateway, Row, fresh, in_turns, run, scaled, tool

OBJECTS = 1_000_000
FIRST = 100  # results


def first_results(gateway, *words):
    """Milliseconds until the command printed its hundredth line."""
    begin = time.monotonic()
    command = [tool("hearth"), "--state", gateway.state, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        for _ in range(FIRST):
            if not process.stdout.readline():
                raise RuntimeError(f"{' '.join(words)}: fewer than {FIRST} results")
        taken = time.monotonic() - begin
        process.terminate()
    return taken * 1000


def million():
    count, state = scaled(OBJECTS, 5000), fresh("million")
    run(tool("bench-filltree"), state, str(count))
    with Gateway(state):  # once before the clock, to settle what the filling left
        pass
    gateway = Gateway(state)
    try:
        start = gateway.start() * 1000
        listed, found, compared = in_turns(
            lambda: first_results(gateway, "ls", "/Many"),
            lambda: first_results(gateway, "find", 'camera.model = "Pocket"', "--limit", str(FIRST)),
            lambda: first_results(gateway, "find", 'time.taken >= 2010-01-02 and name ~ "img"', "--limit", str(FIRST)))
        memory = gateway.memory("VmHWM")
    finally:
        gateway.stop()
    of = f"of {count} objects"
    return [Row(f"first {FIRST} of ls in a folder with a tenth {of}", "-", "under 50 ms", at_most=50).value(listed, "ms"),
            Row(f"first {FIRST} of find by camera {of}", "-", "under 50 ms", at_most=50).value(found, "ms"),
            Row(f"first {FIRST} of find by time and name {of}", "-", "under 50 ms", at_most=50).value(compared, "ms"),
            Row(f"start of the daemon {of}", "-", "under 1 s", at_most=1000).value(start, "ms"),
            Row(f"memory of the daemon {of}", "-", "under 200 MB", at_most=200).value(memory, "MB")]
