"""The whole loop of one worker, played through `call(tool, arguments) -> (is_error, data)`."""

import base64
import json
import os

WORKER = "Ada"


def brief():
    """Words with a marker that makes the scripted model edit, run a command and report."""
    steps = [
        {"patch": "*** Begin Patch\n*** Update File: src/lib.txt\n@@\n one\n-two\n+TWO\n three\n*** End Patch\n"},
        {"sh": "printf 'made by shell\\n' > made.txt"},
        {"say": "Changed a line and made a file."},
    ]
    marker = base64.b64encode(json.dumps(steps).encode()).decode()
    return f"Do the edit.\n[[steps:b64={marker}]]"


def must(condition, what):
    if not condition:
        raise SystemExit(f"broken: {what}")


def hello(version, tools):
    """What a client learns before it plays."""
    must(version == os.environ["PB_VERSION"], f"protocol version {version}")
    must("codex_worker_start" in tools, tools)


async def play(call):
    async def ok(tool, **arguments):
        error, data = await call(tool, arguments)
        must(not error and isinstance(data, dict), f"{tool}: {data}")
        return data

    for _ in range(60):  # codex and git are looked at behind the start
        said = await ok("codex_self_test")
        if said["ready"]:
            break
        await ok("codex_worker_wait", wait_seconds=1, scope="all")
    must(said["ready"] is True, f"self test: {said}")
    started = await ok("codex_worker_start", name=WORKER, brief=brief(), model="gpt-5.5")
    must(started["name"] == WORKER, started)
    for _ in range(60):
        state = (await ok("codex_worker_inspect", worker=WORKER, view="status"))["state"]
        if state in ("idle", "failed"):
            break
        await ok("codex_worker_wait", worker=WORKER, wait_seconds=5)
    must(state == "idle", f"the worker is {state}")
    report = await ok("codex_worker_inspect", worker=WORKER, view="report")
    must("made a file" in report["report"], report)
    changes = await ok("codex_worker_inspect", worker=WORKER, view="changes")
    paths = sorted(file["path"] for file in changes["changed_files"])
    must(paths == ["made.txt", "src/lib.txt"], paths)
    diff = await ok("codex_worker_inspect", worker=WORKER, view="diff", file_path="src/lib.txt")
    must("-two" in diff["diff"] and "+TWO" in diff["diff"], diff)
    preview = await ok("codex_worker_inspect", worker=WORKER, view="integration_preview")
    must(preview["can_apply"] is True, preview)
    made = os.path.join(os.environ["PB_REPO"], "made.txt")
    must(not os.path.exists(made), "the base changed before the apply")
    error, early = await call("codex_worker_integrate", {"worker": WORKER})
    must(error and early["code"] == "preview_required", early)
    token = preview["preview_token"]
    applied = await ok("codex_worker_integrate", worker=WORKER, preview_token=token)
    must(applied["applied"] is True, applied)
    with open(made) as file:
        must(file.read() == "made by shell\n", "made.txt has other words")
    with open(os.path.join(os.environ["PB_REPO"], "src/lib.txt")) as file:
        must(file.read() == "one\nTWO\nthree\n", "src/lib.txt has other words")
    await ok("codex_worker_stop", worker=WORKER, cleanup_workspace=True)
    error, unknown = await call("codex_no_such_tool", {})
    must(error and unknown["code"] == "tool_unknown" and unknown["hint"], unknown)
