"""The contestant's side of the race's protocol (test/bench/race/contestant-process.ts), for Python."""
import json
import re
import resource
import sys
import time

# Warming up takes at least so long, unless one unit of work takes longer.
WARM_UP_SECONDS = 0.5
# How long each of several forms is tried, and how often.
TRIAL_SECONDS = 0.2
TRIALS = 5


def serve(unit, form=""):
    """Warms up, then works whenever it is told to, until standard input ends.

    unit does some work to its end and returns how much it was; form says how, or what is left out.
    """
    repeat(unit, WARM_UP_SECONDS)
    answer({"ready": True, "form": form})
    for line in sys.stdin:
        amount, seconds = repeat(unit, float(line.split()[1]))
        answer({"amount": amount, "seconds": seconds})
    answer({"peakMemoryBytes": peak_memory_bytes()})


def fastest(forms):
    """The name of the fastest of several units of work, tried in turn: by its best trial, since others only disturb."""
    for unit in forms.values():
        unit()
    best = dict.fromkeys(forms, 0.0)
    for _ in range(TRIALS):
        for name, unit in forms.items():
            amount, seconds = repeat(unit, TRIAL_SECONDS)
            best[name] = max(best[name], amount / seconds)
    return max(forms, key=best.get)


def repeat(unit, seconds):
    start = time.perf_counter()
    amount = 0
    while True:
        amount += unit()
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return amount, elapsed


def peak_memory_bytes():
    """Where there is /proc, from there: what getrusage says includes the process that started this one."""
    try:
        with open("/proc/self/status") as status:
            return 1024 * int(re.search(r"^VmHWM:\s+(\d+) kB$", status.read(), re.M)[1])
    except OSError:
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def answer(fields):
    print(json.dumps(fields), flush=True)
