"""The Python SDK, 1.x, over HTTP."""

import asyncio
import os

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from play import must, play


async def main():
    async with streamablehttp_client(os.environ["PB_URL"]) as (reader, writer, _):
        async with ClientSession(reader, writer) as session:
            hello = await session.initialize()
            version = hello.protocolVersion
            must(version == os.environ["PB_VERSION"], f"protocol version {version}")
            tools = {tool.name for tool in (await session.list_tools()).tools}
            must("codex_worker_start" in tools, tools)

            async def call(tool, arguments):
                result = await session.call_tool(tool, arguments)
                return bool(result.isError), result.structuredContent

            await play(call)


asyncio.run(main())
print("played")
