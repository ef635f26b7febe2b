// What a browser and the admin in front of it do at /authorize: sign in, read the question, allow.
const FORM = { "content-type": "application/x-www-form-urlencoded" };

async function post(url, fields, headers = {}) {
  const body = new URLSearchParams(fields).toString();
  return fetch(url, { method: "POST", headers: { ...FORM, "sec-fetch-site": "same-origin", ...headers }, body, redirect: "manual" });
}

const hidden = (page, name) => page.match(new RegExp(`name="${name}" value="([^"]+)"`))?.[1];

// Where the browser is sent with the code.
export async function allow(url, adminToken, user) {
  const shown = await (await fetch(url)).text();
  if (!shown.includes('type="password"')) throw new Error(`no sign-in page: ${shown}`);
  const asked = await post(url, { secret: adminToken });
  const page = await asked.text();
  const cookie = asked.headers.get("set-cookie")?.split(";")[0];
  if (!cookie) throw new Error(`no question: ${asked.status} ${page}`);
  const scopes = [...page.matchAll(/name="(scope_\w+)"/g)].map(([, name]) => [name, "1"]);
  const fields = [
    ["grant", hidden(page, "grant")],
    ["page_secret", hidden(page, "page_secret")],
    ["decision", "allow"],
    ["user_id", user],
    ...scopes,
  ];
  const sent = await post(new URL("/authorize", url), fields, { cookie });
  const location = sent.headers.get("location");
  if (!location) throw new Error(`not sent on: ${sent.status} ${await sent.text()}`);
  return new URL(location);
}
