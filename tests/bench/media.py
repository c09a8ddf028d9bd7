"""Cards full of pictures: as many and as large as a row asks for, kept between runs."""
import os
import shutil

from benchlib import WORK, run, tool

STAMP = b"2026:07:18 06:12:04"  # the time in the sample picture, in place of which others are written


def sample():
    """A real JPEG with EXIF, the smaller half of every picture made here."""
    folder = os.path.join(WORK, "sample")
    picture = os.path.join(folder, "DCIM", "100HEART", "IMG_0001.JPG")
    if not os.path.exists(picture):
        os.makedirs(folder, exist_ok=True)
        run(tool("hearth-demo"), folder)
    with open(picture, "rb") as file:
        return file.read()


def small_sample():
    """The head of a picture alone: EXIF and sizes, for files smaller than a picture."""
    return sample()[:4096]


def stamp_of(number):
    """A picture every ten minutes."""
    minutes = number * 10
    day, minute = divmod(minutes, 24 * 60)
    return f"2026:{day // 28 % 12 + 1:02d}:{day % 28 + 1:02d} {minute // 60:02d}:{minute % 60:02d}:00".encode()


def card(name, count, size):
    """A folder with `count` different JPEG files of `size` bytes under DCIM, made once."""
    folder = os.path.join(WORK, "media", name)
    marker = os.path.join(folder, ".made")
    wanted = f"{count} {size}"
    if os.path.exists(marker):
        with open(marker, encoding="ascii") as file:
            if file.read() == wanted:
                return os.path.join(folder, "card")
    shutil.rmtree(folder, ignore_errors=True)
    head = sample() if size > 200_000 else small_sample()
    for number in range(count):
        if number % 1000 == 0:
            below = os.path.join(folder, "card", "DCIM", f"{100 + number // 1000}BENCH")
            os.makedirs(below)
        picture = head.replace(STAMP, stamp_of(number)) + os.urandom(size - len(head))
        with open(os.path.join(below, f"IMG_{number % 10000:04d}.JPG"), "wb") as file:
            file.write(picture)
    with open(marker, "w", encoding="ascii") as file:
        file.write(wanted)
    os.sync()
    return os.path.join(folder, "card")
