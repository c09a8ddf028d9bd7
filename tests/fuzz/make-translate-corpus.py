#!/usr/bin/env python3
"""Writes the examples of fuzz-translate: code of libc, and code written to do harm.

Usage: tests/fuzz/make-translate-corpus.py FOLDER

The examples of libc depend on the libc and the processor of the machine: they are kept as they were made.
"""
import ctypes
import os
import sys

HARVESTED_SIZE = 200  # bytes
HARVESTED = """strlen memcpy memmove memset memchr strcmp strchr strstr qsort bsearch malloc free snprintf
strtol longjmp setjmp clock_gettime getpid read pthread_mutex_lock rand div abort fesetround""".split()

# What was found wrong once.
FOUND = {
    "found-two-fs-prefixes": "64 64 c7 04 25 e8 ff ff ff 01 02 03 04",
    "found-rdrand-rsp": "48 0f c7 f4 50",
    "found-lock-and-rex": "41 f0 30 01",
    "found-two-rex-and": "48 4f d0 21",
    "found-two-rex-xor": "44 45 31 09",
    "found-rex-before-rex": "f3 40 49 10 06",
    "found-loop-16": "66 e0 89",
    "found-call-null": "ff d3",
    "found-push-16": "66 50",
    "found-pushf-16": "66 9c",
    "found-ret-odd": "c2 03 00",
    "found-enter-deep": "c8 10 00 03",
    "found-check-before-scas": "88 0f ae 88 0f c3",
    "found-check-before-rep-scas": "30 0f f2 ae 88 0f c3",
    "found-check-before-cmps": "88 0e a6 88 0e c3",
    "found-mvex": "62 f2 19 54 64 7d e4",
    "found-leave-then-pop": "c9 5c",
    "found-rsp-then-pop": "48 8d 64 f3 67 5c",
}

NASTY = {
    "ret-seven": "50 50 c2 07 00",
    "ret-huge": "c2 f8 ff",
    "ret-far": "cb",
    "ret-far-64": "48 cb",
    "iret": "48 cf",
    "enter": "c8 20 00 00 c9 c3",
    "enter-16": "66 c8 20 00 00",
    "leave-16": "66 c9",
    "xbegin": "c7 f8 00 00 00 00 0f 01 d5",
    "xabort": "c6 f8 01",
    "call-far": "ff 1f",
    "call-far-64": "48 ff 1f",
    "jump-far": "48 ff 2f",
    "jump-far-stack": "48 ff 2c 24",
    "jump-near-84": "39 c0 0f 84 24 00 00 00 0f 85 24 00 00 00",
    "jump-16": "66 e9 00 00",
    "call-16": "66 e8 00 00",
    "jump-16-conditional": "66 0f 84 24 00",
    "jump-84-24": "0f 84 24 f0 ff ff 8f 84 24 08 00 00 00",
    "pop-rsp-relative": "50 8f 84 24 00 00 00 00",
    "pop-into-rsp": "57 5c 50 c3",
    "pop-memory": "50 8f 07",
    "push-memory": "ff 37 58",
    "push-rsp": "54 5c c3",
    "push-segment": "0f a0 0f a8 58 58",
    "pop-segment": "0f a1",
    "mov-segment": "8e e0 8c e0 8e e8",
    "rsp-odd-then-call": "48 83 ec 03 e8 00 00 00 00 48 83 c4 0b c3",
    "rsp-foreign-then-call": "48 89 f4 e8 00 00 00 00",
    "rsp-foreign-then-push": "48 89 fc 50 9c 68 11 22 33 44",
    "rsp-area-then-call": "48 8d a7 01 10 00 00 ff d0",
    "rsp-twice": "49 89 e0 48 89 f4 4c 89 c4 53 5b c3",
    "rsp-twice-then-push": "48 83 ec 04 48 83 e4 e0 53 48 89 f4 48 83 e4 e0 53",
    "rsp-exchanged": "48 94 50 48 94 c3",
    "rsp-and": "48 83 e4 f1 50 c3",
    "rsp-16": "66 bc 34 12 50",
    "rsp-8": "40 b4 07 50",
    "rsp-32": "89 e4 50",
    "rsp-lea-index": "48 8d 64 fc 81 53",
    "rsp-cmov": "48 0f 44 e6 50",
    "rsp-shift": "48 c1 e4 03 50",
    "rsp-bts": "48 0f ab c4 50",
    "rsp-xadd": "48 0f c1 c4 50",
    "rsp-cmpxchg": "48 0f b1 f4 50",
    "rsp-loaded": "48 8b 27 50",
    "rsp-from-vector": "66 48 0f 7e d4 50",
    "mxcsr-unmasked-divide": "48 83 ec 08 c7 04 24 00 00 00 00 0f ae 14 24 0f 57 c0 0f 5e c0 58 c3",
    "mxcsr-reserved": "c7 07 ff ff ff ff 0f ae 17",
    "vldmxcsr": "c7 07 80 00 00 00 c5 f8 ae 17 c3",
    "x87-unmasked": "66 c7 07 40 00 d9 2f d9 ee d9 e8 d8 f1 9b c3",
    "fnstenv": "d9 36 d9 26 d9 37 d9 27",
    "fnsave": "dd 36 dd 26 dd 37 dd 27",
    "fbstp": "d9 ee df 37 db 3f",
    "fxsave": "0f ae 06 0f ae 0e 48 0f ae 07",
    "xsave": "b8 ff ff ff ff 31 d2 0f ae 26 0f ae 2e",
    "xsaveopt": "0f ae 36 0f c7 26 0f c7 2e",
    "jump-to-self": "eb fe",
    "jump-to-self-conditional": "31 c0 74 fe",
    "call-to-self": "e8 fb ff ff ff",
    "rep-movs-huge": "48 c7 c1 ff ff ff 7f f3 a4",
    "rep-movs-backward": "fd b9 00 10 00 00 f3 48 a5 fc",
    "rep-movs-foreign": "48 8d 77 08 b9 ff 01 00 00 f3 48 a5 c3",
    "rep-stos-huge": "48 83 c9 ff f3 48 ab",
    "rep-stos-straddling": "b9 00 20 00 00 f3 aa",
    "rep-stos-32": "67 f3 aa",
    "rep-cmps-scas": "48 83 c9 ff f2 ae f3 a6",
    "repne-movs": "b9 10 00 00 00 f2 a4 66 f3 a5",
    "ins-outs": "6c 6e f3 6c",
    "in-out": "e4 10 ec ee",
    "gather": "c4 e2 f5 90 04 17 c4 e2 75 92 04 8f",
    "gather-512": "c5 fb 92 c9 62 f2 7d 49 90 04 17",
    "scatter": "62 f2 7d 49 a0 04 17",
    "vmaskmov": "c5 f5 76 c9 c4 e2 75 2e 07 c4 e2 75 2c 06 c4 e2 f5 8e 06",
    "maskmovdqu": "66 0f f7 c9 c5 f9 f7 c9 0f f7 c9",
    "masked-512": "c5 fb 92 cf 62 f1 7c 49 11 06 62 f1 7d 4a 7f 46 01",
    "compress-store": "62 f2 7d 49 8b 06 62 f2 7d 49 63 06",
    "jrcxz": "e3 00 e3 fe 67 e3 02 90 90",
    "loop": "b9 05 00 00 00 ff c0 e2 fc e1 00 e0 00 c3",
    "int3": "cc",
    "int-80": "cd 80",
    "int-3-long": "cd 03",
    "icebp": "f1",
    "ud2": "0f 0b 0f b9 c0 0f ff c0",
    "hlt": "f4",
    "sysenter": "0f 34",
    "popf-trap": "68 46 03 00 00 9d 90 90",
    "popf-alignment": "68 46 00 04 00 9d 8b 47 01",
    "popf-direction": "fd 50 58 c3",
    "wrfsbase": "f3 48 0f ae d7 f3 48 0f ae df",
    "rdfsbase-store": "f3 48 0f ae c0 c7 00 01 00 00 00",
    "gs-store": "65 c7 04 25 00 00 00 00 01 00 00 00 65 48 8b 04 25 00 00 00 00",
    "gs-relative": "65 48 89 07 65 48 ff 04 24",
    "fs-relative": "64 48 89 07 64 48 89 04 25 00 00 00 00 64 48 89 04 25 28 00 00 00",
    "fs-call": "64 ff 14 25 10 00 00 00",
    "fs-rep": "64 f3 a4",
    "address-32": "67 c7 07 01 00 00 00 67 41 89 07",
    "address-absolute": "a2 00 10 00 00 00 00 00 00 48 a3 00 00 00 00 00 08 00 00",
    "rip-relative": "c7 05 f0 ff ff ff 01 02 03 04 48 8d 05 00 00 00 00 ff e0",
    "rip-relative-32": "67 c7 05 00 00 00 00 01 02 03 04",
    "bts-far": "48 c7 c0 00 00 01 00 48 0f ab 06 f0 48 0f ba 2e 3f",
    "cmpxchg16b": "f0 48 0f c7 0e 48 0f c7 4e 04",
    "lock-straddling": "f0 48 ff 06 f0 48 0f c1 46 fd",
    "lock-register": "f0 48 ff c0",
    "xchg-rsp-memory": "48 87 26 50",
    "movdir64b": "66 0f 38 f8 06 0f 38 f9 06",
    "clzero-wbinvd": "0f 01 fc 0f 09 0f ae 3f 66 0f ae 3f",
    "movnti": "48 0f c3 06 0f e7 06 66 0f e7 06 66 0f 2b 06",
    "time": "0f 31 0f 01 f9 0f a2 0f 01 d0 0f c7 f0 0f c7 f8",
    "protection-keys": "0f 01 ee 0f 01 ef",
    "shadow-stack": "f3 48 0f 1e c8 f3 48 0f ae e8 0f 38 f6 07",
    "system-registers": "0f 22 c0 0f 20 c0 0f 32 0f 30 0f 01 07 0f 00 07",
    "long-prefixes": "66 66 66 66 66 66 66 66 66 66 66 66 66 66 89 06",
    "cut-short": "48 8d 84 24",
    "into-the-middle": "eb 01 e8 b8 05 0f 05 90 eb fb c3",
    "vsyscall": "48 c7 c0 00 00 60 ff ff d0",
    "xop-3dnow": "8f e8 78 c0 c1 01 0f 0f c1 9e",
}
SYSTEM_CALLS = [0, 1, 2, 9, 10, 11, 12, 13, 15, 56, 59, 60, 62, 131, 157, 158, 202, 231, 234, 273, 302, 334, 425,
                0x40000001, 0xffffffff]


def harvest(name):
    """The first bytes of a function of libc, as many as there are before the end of what is mapped."""
    function = getattr(ctypes.CDLL(None), name)
    return ctypes.string_at(ctypes.cast(function, ctypes.c_void_p), HARVESTED_SIZE)


def system_call(number):
    return b"\xb8" + number.to_bytes(4, "little") + b"\x0f\x05\xc3"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    examples = {name: bytes.fromhex(code) for name, code in {**FOUND, **NASTY}.items()}
    examples["system-calls"] = b"".join(system_call(number)[:-1] for number in SYSTEM_CALLS)
    for number in (15, 60, 158, 12345):
        examples[f"system-call-{number}"] = system_call(number)
    for name in HARVESTED:
        examples[f"libc-{name}"] = harvest(name)
    os.makedirs(sys.argv[1], exist_ok=True)
    for name, code in examples.items():
        with open(os.path.join(sys.argv[1], name), "wb") as file:
            file.write(code)
    print(f"{len(examples)} examples")


if __name__ == "__main__":
    main()
