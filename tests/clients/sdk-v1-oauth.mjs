// The TypeScript SDK's own OAuth client, with nobody at the keyboard: discovery, registration, PKCE, tokens, refresh.
// usage: node sdk-v1-oauth.mjs URL ADMIN-TOKEN USER TOOL ARGUMENTS
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { allow } from "./dance.mjs";

const [url, adminToken, user, tool, args] = process.argv.slice(2);
const kept = {};
const provider = {
  redirectUrl: "http://127.0.0.1:33418/callback",
  clientMetadata: {
    client_name: "The SDK",
    redirect_uris: ["http://127.0.0.1:33418/callback"],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  },
  state: () => "a state of the SDK",
  clientInformation: () => kept.client,
  saveClientInformation: (client) => void (kept.client = client),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => void (kept.tokens = tokens),
  codeVerifier: () => kept.verifier,
  saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
  redirectToAuthorization: (authorize) => void (kept.authorize = authorize),
};

const connect = async () => {
  const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
  const client = new Client({ name: "listenlog-tests", version: "1" });
  try {
    await client.connect(transport);
    return { client, transport };
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    return { transport };
  }
};

const { transport, client: early } = await connect();
if (early) throw new Error("connected without a token");
const sent = await allow(kept.authorize, adminToken, user);
await transport.finishAuth(sent.searchParams.get("code"));
const first = kept.tokens;

// An access token that is no good any more makes the SDK refresh by itself.
kept.tokens = { ...first, access_token: `${first.access_token.slice(0, -1)}x` };
const { client } = await connect();
const { tools } = await client.listTools();
const called = await client.callTool({ name: tool, arguments: JSON.parse(args) });
console.log(
  JSON.stringify({
    tools: tools.map((each) => each.name),
    result: called.structuredContent,
    state: sent.searchParams.get("state"),
    iss: sent.searchParams.get("iss"),
    scope: first.scope,
    resource: kept.authorize.searchParams.get("resource"),
    refreshed: kept.tokens.refresh_token !== first.refresh_token,
  }),
);
await client.close();
