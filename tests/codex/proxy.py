"""Stands between clients and a real `codex app-server`, and breaks one thing of it.

proxy.py CODEX FAULT WORD app-server … --listen unix://PATH
refuse: requests of the method WORD are answered with an error. garble: WORD reaches no client as it is.
"""
import json, os, signal, socket, struct, subprocess, sys, threading, time

codex, fault, word, *args = sys.argv[1:]
path = args.pop().removeprefix("unix://")
inner_path = path + ".inner"
child = subprocess.Popen([codex, *args, "unix://" + inner_path])
signal.signal(signal.SIGTERM, lambda *_: child.terminate())


def connect():
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(inner_path)
    return stream


def frame(source):
    """The next WebSocket frame: as it came, and its content; none at the end."""
    head = source.read(2)
    if len(head) < 2:
        return None
    size, more = head[1] & 0x7F, b""
    if size > 125:
        more = source.read(2 if size == 126 else 8)
        size = struct.unpack(">H" if size == 126 else ">Q", more)[0]
    mask = source.read(4) if head[1] & 0x80 else b""
    body = source.read(size)
    content = bytes(byte ^ mask[n % 4] for n, byte in enumerate(body)) if mask else body
    return head + more + mask + body, content


def asked(content):
    """The request in a frame, if it is one of the word's."""
    if fault != "refuse" or word.encode() not in content:
        return None
    message = json.loads(content)
    return message if message.get("method") == word else None


def serve(outer):
    inner, lock = connect(), threading.Lock()
    from_client, from_codex = outer.makefile("rb"), inner.makefile("rb")
    for source, target in ((from_client, inner), (from_codex, outer)):
        line = None
        while line not in (b"\r\n", b""):
            line = source.readline()
            target.sendall(line)
    threading.Thread(target=back, args=(from_codex, outer, lock), daemon=True).start()
    while got := frame(from_client):
        raw, content = got
        if message := asked(content):
            error = {"id": message["id"], "error": {"code": -32600, "message": "this codex cannot"}}
            answer = json.dumps(error).encode()
            with lock:
                outer.sendall(bytes([0x81, len(answer)]) + answer)
        else:
            inner.sendall(raw)
    inner.shutdown(socket.SHUT_RDWR)


def back(source, outer, lock):
    while got := frame(source):
        raw = got[0]
        if fault == "garble":
            raw = raw.replace(word.encode(), word[::-1].encode())
        with lock:
            outer.sendall(raw)
    outer.shutdown(socket.SHUT_RDWR)


def accept(listener):
    while True:
        outer, _ = listener.accept()
        threading.Thread(target=serve, args=(outer,), daemon=True).start()


threading.excepthook = lambda _: None  # a side that is gone
while child.poll() is None:
    try:
        connect().close()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        break
    except OSError:
        time.sleep(0.01)
code = child.wait()
for left in (path, inner_path):
    try:
        os.unlink(left)
    except OSError:
        pass
os._exit(code & 0xFF)
