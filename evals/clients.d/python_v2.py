"""The Python SDK, 2.x. PB_MODE is auto, legacy or a version; PB_STDIO says to start patchbay itself."""

import asyncio
import os

from mcp import Client, StdioServerParameters
from play import hello, play


async def main():
    target = os.environ.get("PB_URL")
    if os.environ.get("PB_STDIO"):
        command = [os.environ["PB_BINARY"], "stdio", "--root", os.environ["PB_REPO"]]
        target = StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ))
    async with Client(target, mode=os.environ["PB_MODE"]) as client:
        hello(client.protocol_version, {tool.name for tool in (await client.list_tools()).tools})

        async def call(tool, arguments):
            result = await client.call_tool(tool, arguments)
            return bool(result.is_error), result.structured_content

        await play(call)


asyncio.run(main())
print("played")
