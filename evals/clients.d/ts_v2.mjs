// The TypeScript client, 2.x. PB_MODE is default, auto or a version; PB_STDIO says to start patchbay itself.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { must, play } from "./play.mjs";

const mode = process.env.PB_MODE;
const options =
  mode === "default" ? {} : { versionNegotiation: { mode: mode === "auto" ? "auto" : { pin: mode } } };
const client = new Client({ name: "eval", version: "1" }, options);
const transport = process.env.PB_STDIO
  ? new StdioClientTransport({
      command: process.env.PB_BINARY,
      args: ["stdio", "--root", process.env.PB_REPO],
      env: process.env,
    })
  : new StreamableHTTPClientTransport(new URL(process.env.PB_URL));
await client.connect(transport);
const version = client.getNegotiatedProtocolVersion();
must(version === process.env.PB_VERSION, `protocol version ${version}`);
const { tools } = await client.listTools();
must(tools.some((tool) => tool.name === "codex_worker_start"), "the list of tools");
await play(async (name, args) => {
  const result = await client.callTool({ name, arguments: args });
  return { error: result.isError === true, data: result.structuredContent };
});
await client.close();
console.log("played");
