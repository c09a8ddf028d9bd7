"""The file systems that Hearth's mount is compared with: libfuse's own examples.

Debian ships them as source only, so they are fetched from its source package and built here, in
tests/cache, when a benchmark first needs them.
"""
import glob
import os
import subprocess
import time

from benchlib import ROOT, run

CACHE = os.path.join(ROOT, "tests", "cache", "fuse3")
MOUNT_SECONDS = 10


def fetch():
    """The unpacked source package, through apt with a list of its own, so that no setting of the machine changes."""
    found = glob.glob(os.path.join(CACHE, "fuse3-*/"))
    if found:
        return found[0]
    os.makedirs(os.path.join(CACHE, "lists", "partial"), exist_ok=True)
    with open(os.path.join(CACHE, "sources.list"), "w", encoding="ascii") as file:
        file.write("deb-src http://deb.debian.org/debian bookworm main\n")
    apt = ["apt-get", "-q", "-o", f"Dir::Etc::sourcelist={CACHE}/sources.list", "-o", "Dir::Etc::sourceparts=-",
           "-o", f"Dir::State::lists={CACHE}/lists", "-o", "APT::Sandbox::User=root"]
    run(*apt, "update")
    run(*apt, "source", "fuse3", cwd=CACHE)
    return glob.glob(os.path.join(CACHE, "fuse3-*/"))[0]


def program(name):
    """passthrough_ll or passthrough_hp, built."""
    path = os.path.join(CACHE, name)
    if not os.path.exists(path):
        source = os.path.join(fetch(), "example", name)
        flags = run("pkg-config", "--cflags", "--libs", "fuse3").split()
        if os.path.exists(source + ".c"):
            run("gcc", "-O2", source + ".c", *flags, "-o", path)
        else:
            run("g++", "-O2", "-std=c++17", source + ".cc", *flags, "-lpthread", "-o", path)
    return path


class Passthrough:
    """passthrough_ll or passthrough_hp over `under`, mounted on `mount` while it lives."""

    def __init__(self, name, under, mount):
        self.mount = mount
        os.makedirs(under, exist_ok=True)
        os.makedirs(mount, exist_ok=True)
        if name == "passthrough_ll":
            words = [program(name), "-f", "-o", f"source={under}", mount]
        else:
            words = [program(name), "--foreground", under, mount]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        begin = time.monotonic()
        while not os.path.ismount(mount):
            if self.process.poll() is not None or time.monotonic() - begin > MOUNT_SECONDS:
                raise RuntimeError(f"{name} did not mount")
            time.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["fusermount3", "-u", "-z", self.mount], check=False)
        self.process.wait()
