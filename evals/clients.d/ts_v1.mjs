// The TypeScript SDK, 1.x, over HTTP. It never opens a second session by itself, so it must not notice
// when the server lets its session go or starts anew.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { driver, must, ok, play } from "./play.mjs";

const transport = new StreamableHTTPClientTransport(new URL(process.env.PB_URL));
const client = new Client({ name: "eval", version: "1" });
await client.connect(transport);
must(transport.protocolVersion === process.env.PB_VERSION, `protocol version ${transport.protocolVersion}`);
const session = transport.sessionId;
const { tools } = await client.listTools();
must(tools.some((tool) => tool.name === "codex_worker_start"), "the list of tools");
const call = async (name, args) => {
  const result = await client.callTool({ name, arguments: args });
  return { error: result.isError === true, data: result.structuredContent };
};
await play(call);
const before = await ok(call, "codex_self_test");
const outside = await driver();
for (const what of ["idle", "crowd", "restart", "kill"]) {
  await outside.do(what);
  const after = await ok(call, "codex_self_test");
  must(after.client_ref === before.client_ref, `${what}: another client`);
  must(transport.sessionId === session, `${what}: another session`);
  must((await client.listTools()).tools.length === tools.length, `${what}: the list of tools`);
}
outside.close();
await transport.terminateSession();
await client.close();
console.log("played");
