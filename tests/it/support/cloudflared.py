#!/usr/bin/env python3
"""Stands in for cloudflared: prints what it prints, and passes connections on as they are.

What it does is read from $HOME/tunnel.json: {"port": where the public side listens, "mode": …}; what it
was given is written to $HOME/tunnel-seen.json.
"""
import json, os, socket, sys, threading

home = os.environ["HOME"]
plan = json.load(open(os.path.join(home, "tunnel.json")))
environ = open("/proc/self/environ", "rb").read().decode()
names = sorted(part.split("=")[0] for part in environ.split("\0") if part)
starts_file = os.path.join(home, "tunnel-starts")
starts = (len(open(starts_file).read()) if os.path.exists(starts_file) else 0) + 1
open(starts_file, "a").write("x")
seen = {"args": sys.argv[1:], "env": names, "environ": environ, "pid": os.getpid(),
        "pgid": os.getpgid(0), "starts": starts}
with open(os.path.join(home, "tunnel-seen.new"), "w") as file:
    json.dump(seen, file)
os.rename(os.path.join(home, "tunnel-seen.new"), os.path.join(home, "tunnel-seen.json"))


def say(text):
    print(text, file=sys.stderr, flush=True)


say("2026-01-01T00:00:00Z INF Thank you for trying Cloudflare Tunnel. Doing so, without an account")
if plan["mode"] == "fails":
    say('failed to request quick Tunnel: Post "https://api.trycloudflare.com/tunnel": no route')
    say("ERR Request failed dest=https://x.trycloudflare.com/mcp/" + plan["token"])
    sys.exit(1)

host, port = sys.argv[-1].removeprefix("http://").rsplit(":", 1)
if plan["mode"] == "foreign":
    port = plan["foreign"]
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", plan["port"]))
listener.listen(64)
say("2026-01-01T00:00:00Z INF +----------------------------------------------------------+")
say(f"2026-01-01T00:00:00Z INF |  https://quick-fox-{starts}.trycloudflare.com                |")
say("2026-01-01T00:00:00Z INF +----------------------------------------------------------+")
# A reader that lets the pipe fill up keeps this program from ever serving.
for _ in range(64):
    print("x" * 65536, flush=True)
    say("y" * 65536)


def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


while True:
    outer, _ = listener.accept()
    inner = socket.create_connection((host, int(port)))
    threading.Thread(target=copy, args=(outer, inner), daemon=True).start()
    threading.Thread(target=copy, args=(inner, outer), daemon=True).start()
