"""codex itself as the client: `codex app-server` with patchbay among its MCP servers."""

import asyncio
import itertools
import json
import os

from play import must, play

SERVER = "patchbay"


class AppServer:
    """JSON-RPC over the pipes of `codex app-server`."""

    def __init__(self, process):
        self.process, self.ids, self.waiting = process, itertools.count(1), {}
        self.reader = asyncio.create_task(self.read())

    async def read(self):
        async for line in self.process.stdout:
            message = json.loads(line)
            waiting = self.waiting.pop(message.get("id"), None) if "method" not in message else None
            if waiting:
                waiting.set_result(message)

    async def send(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        await self.process.stdin.drain()

    async def ask(self, method, **params):
        number = next(self.ids)
        self.waiting[number] = asyncio.get_running_loop().create_future()
        future = self.waiting[number]
        await self.send({"id": number, "method": method, "params": params})
        answer = await asyncio.wait_for(future, 120)
        must("result" in answer, f"{method}: {answer.get('error')}")
        return answer["result"]


def write_config(home):
    lines = [
        "check_for_update_on_startup = false",
        "[analytics]",
        "enabled = false",
        f"[mcp_servers.{SERVER}]",
        f'url = "{os.environ["PB_URL"]}"',
    ]
    os.makedirs(home, mode=0o700, exist_ok=True)
    with open(os.path.join(home, "config.toml"), "w") as file:
        file.write("\n".join(lines) + "\n")


async def main():
    home = os.path.join(os.environ["PB_BED"], "client-codex")
    write_config(home)
    options = ["--enable", "mcp_2026_07_28"] if os.environ["PB_MODE"] == "modern" else []
    process = await asyncio.create_subprocess_exec(
        os.environ["PATCHBAY_CODEX"], "app-server", *options,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "CODEX_HOME": home}, limit=64 << 20,
    )
    try:
        server = AppServer(process)
        about = {"name": "eval", "title": "eval", "version": "1"}
        await server.ask("initialize", clientInfo=about, capabilities={"experimentalApi": True})
        await server.send({"method": "initialized"})
        thread = await server.ask("thread/start", cwd=os.environ["PB_BED"], sandbox="read-only")
        thread = thread["thread"]["id"]
        listed = await server.ask("mcpServerStatus/list")
        mine = [one for one in listed["data"] if one["name"] == SERVER]
        must(mine and "codex_worker_start" in mine[0]["tools"], listed)

        async def call(tool, arguments):
            result = await server.ask(
                "mcpServer/tool/call", threadId=thread, server=SERVER, tool=tool, arguments=arguments
            )
            return bool(result.get("isError")), result.get("structuredContent")

        await play(call)
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 30)
        except asyncio.TimeoutError:
            process.kill()
            await process.wait()


asyncio.run(main())
print("played")
