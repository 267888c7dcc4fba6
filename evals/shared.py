"""What the evals of the door share: packages below target/, programs that are started and ended."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
KEPT = TOP / "target/evals"
# The packages need a newer one than systems have.
NODE = "node@22.23.3"


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, **options)


def again(install):
    """Registries fail now and then; nothing else is tried twice."""
    for left in (2, 1, 0):
        try:
            return install()
        except (subprocess.CalledProcessError, OSError):
            if not left:
                raise
            time.sleep(5)


def node(name, packages):
    """A directory with Node and packages from npm; its interpreter."""
    place, wanted = KEPT / name, " ".join([NODE, *packages])
    done = place / ".installed"
    if not done.exists() or done.read_text() != wanted:
        place.mkdir(parents=True, exist_ok=True)
        (place / "package.json").write_text('{"private": true}\n')
        options = ["--no-audit", "--no-fund", "--save-exact", "--loglevel=error"]
        again(lambda: run("npm", "install", *options, NODE, *packages, cwd=place, stdout=sys.stderr))
        done.write_text(wanted)
    return place, place / "node_modules/node/bin/node"


def python(name, package):
    """The interpreter of a virtual environment with a package."""
    place = KEPT / name
    done = place / ".installed"
    if not done.exists() or done.read_text() != package:
        shutil.rmtree(place, ignore_errors=True)
        run(sys.executable, "-m", "venv", place)
        again(lambda: run(place / "bin/pip", "-q", "install", package, stdout=sys.stderr))
        done.write_text(package)
    return place / "bin/python"


def ready(process):
    """The line of JSON that a server prints when it serves."""
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("a program ended before it was ready")
    return json.loads(line)


def processes(place):
    """Processes whose arguments, environment or directory name the place."""
    needle, found = str(place).encode(), []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            arguments = (entry / "cmdline").read_bytes()
            facts = arguments + (entry / "environ").read_bytes() + os.readlink(entry / "cwd").encode()
        except OSError:
            continue
        if needle in facts:
            found.append(f"{entry.name} {arguments.replace(bytes(1), b' ').decode(errors='replace')}")
    return found


def left_behind(place, seconds=30):
    """Processes of the place that are still there after a while."""
    left = processes(place)
    for _ in range(seconds * 10):
        if not left:
            break
        time.sleep(0.1)
        left = processes(place)
    return left


def patchbay():
    return str(Path(os.environ.get("PATCHBAY_BIN") or TOP / "target/debug/patchbay").resolve())


def codex():
    named = os.environ.get("PATCHBAY_CODEX") or (TOP / "target/codex/path").read_text().strip()
    return str(Path(named).resolve())
