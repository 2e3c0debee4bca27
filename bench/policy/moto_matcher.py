"""moto's policy matcher as a peer: reads a task, says when it is ready and when it
has decided once, and writes the result. Policies are parsed in advance, which moto itself does at each request;
they are asked as its check_action_permitted does."""

import json
import sys
import time

import moto
from moto.iam.access_control import IAMPolicy, PermissionResult

if sys.argv[1:] == ["--version"]:
    print(f"{moto.__version__}, Python {sys.version.split()[0]}")
    sys.exit()


def say(message):
    print(json.dumps(message), flush=True)


task = json.load(sys.stdin)
policies = [IAMPolicy(text) for text in task["case"]["policies"]]


def allowed(request):
    permitted = False
    for policy in policies:
        result = policy.is_action_permitted(request["action"], request["resource"])
        if result == PermissionResult.DENIED:
            return False
        if result == PermissionResult.PERMITTED:
            permitted = True
    return permitted


say({})
requests = task["case"]["requests"]
answers = [allowed(requests[0])]
say({"answers": answers})
answers += [allowed(r) for r in requests[1:]]

# The least time of a decision, of batches of 2 ms.
least, n = float("inf"), 1
begun = time.perf_counter_ns()
while time.perf_counter_ns() - begun < task["seconds"] * 1e9:
    start = time.perf_counter_ns()
    for _ in range(n):
        allowed(requests[0])
    took = time.perf_counter_ns() - start
    if took < 2e6:
        n *= 2
    else:
        least = min(least, took / n)
say({"ns": least, "answers": answers})
