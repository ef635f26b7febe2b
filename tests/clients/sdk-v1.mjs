// The TypeScript SDK of the handshake era. usage: node sdk-v1.mjs URL TOKEN TOOL ARGUMENTS RESOURCE PROMPT
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { listAndCall } from "./list-and-call.mjs";

const [url, token, ...asked] = process.argv.slice(2);
const client = new Client({ name: "listenlog-tests", version: "1" });
const headers = { authorization: `Bearer ${token}` };
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
await listAndCall(client, asked);
