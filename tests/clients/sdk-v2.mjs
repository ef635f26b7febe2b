// The TypeScript SDK that speaks both eras. usage: node sdk-v2.mjs ERA URL TOKEN TOOL ARGUMENTS RESOURCE PROMPT
// ERA is legacy or auto.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { listAndCall } from "./list-and-call.mjs";

const [era, url, token, ...asked] = process.argv.slice(2);
const options = { versionNegotiation: { mode: era } };
const client = new Client({ name: "listenlog-tests", version: "1" }, options);
const headers = { authorization: `Bearer ${token}` };
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
await listAndCall(client, asked);
