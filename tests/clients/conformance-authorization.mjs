// The conformance suite's scenarios for authorization servers. The one of the code grant prints an address for a person and waits;
// here the person is a script. usage: node conformance-authorization.mjs ORIGIN ADMIN-TOKEN USER PORT
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { allow } from "./dance.mjs";

const [origin, adminToken, user, port] = process.argv.slice(2);
const redirect_uris = [`http://127.0.0.1:${port}/callback`, `http://localhost:${port}/callback`];
const registered = await fetch(`${origin}/register`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ client_name: "The suite", redirect_uris, token_endpoint_auth_method: "none" }),
});
const { client_id } = await registered.json();
const suite = fileURLToPath(new URL("node_modules/@modelcontextprotocol/conformance/dist/index.js", import.meta.url));
const options = ["--url", origin, "--client-id", client_id, "--resource", `${origin}/mcp`, "--port", port];
const child = spawn(process.execPath, [suite, "authorization", ...options], { stdio: ["ignore", "pipe", "pipe"] });
const asked = new Set();
let output = "";
const listen = async (chunk) => {
  process.stdout.write(chunk);
  output += chunk;
  for (const [address] of output.matchAll(/https?:\/\/\S+\/authorize\?\S+/g)) {
    if (asked.has(address)) continue;
    asked.add(address);
    const sent = await allow(address, adminToken, user);
    await fetch(sent);
  }
};
child.stdout.on("data", listen);
child.stderr.on("data", listen);
child.on("exit", (code) => process.exit(code ?? 1));
