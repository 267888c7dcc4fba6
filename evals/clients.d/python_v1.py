"""The Python SDK, 1.x, over HTTP."""

import asyncio
import os

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from play import hello, play


async def main():
    async with streamablehttp_client(os.environ["PB_URL"]) as (reader, writer, _):
        async with ClientSession(reader, writer) as session:
            version = (await session.initialize()).protocolVersion
            hello(version, {tool.name for tool in (await session.list_tools()).tools})

            async def call(tool, arguments):
                result = await session.call_tool(tool, arguments)
                return bool(result.isError), result.structuredContent

            await play(call)


asyncio.run(main())
print("played")
