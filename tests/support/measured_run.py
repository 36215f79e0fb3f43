"""Runs a command and tells what the kernel counted for it: time, memory, bytes asked for."""

import collections
import os
import subprocess
import sys
import tempfile
import time

Measured = collections.namedtuple("Measured", "status seconds cpu_seconds peak_bytes read_bytes "
                                 "stdout stderr")


def measured(command, accept=(0,)):
    """read_bytes counts what read calls returned, page cache or not; exits on another status."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        seconds = time.perf_counter() - began
        with open(f"/proc/{child.pid}/io") as counters:
            read = int(counters.readline().split()[1])
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    if child.returncode not in accept:
        sys.exit(f"{' '.join(command)}\nexit status {child.returncode}\n{texts[1][-2000:]}")
    return Measured(child.returncode, seconds, usage.ru_utime + usage.ru_stime,
                    usage.ru_maxrss * 1024, read, *texts)


def openssl_sha256_speed(processes=1):
    """Bytes a second that `openssl speed` reaches with large blocks; of processor time where one
    process runs, which other work on the machine changes little."""
    command = ["openssl", "speed", "-mr", "-seconds", "1", "-bytes", "65536"]
    if processes > 1:
        command += ["-multi", str(processes)]
    run = subprocess.run(command + ["-evp", "sha256"], capture_output=True, text=True, check=True)
    for line in run.stdout.splitlines():
        if line.startswith("+F:"):
            return float(line.split(":")[-1])
    sys.exit("openssl speed gave no figure:\n" + run.stdout)
