// The bridge for assistants that know only stdio. usage: node mcp-remote.mjs URL TOKEN TOOL ARGUMENTS RESOURCE PROMPT
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { fileURLToPath } from "node:url";
import { listAndCall } from "./list-and-call.mjs";

const [url, token, ...asked] = process.argv.slice(2);
const bridge = fileURLToPath(new URL("node_modules/mcp-remote/dist/proxy.js", import.meta.url));
const options = ["--transport", "http-only", "--allow-http", "--header", `Authorization:Bearer ${token}`];
const client = new Client({ name: "listenlog-tests", version: "1" });
await client.connect(
  new StdioClientTransport({ command: process.execPath, args: [bridge, url, ...options], env: process.env }),
);
await listAndCall(client, asked);
