// A proxy on the loopback that adds a token: the conformance suite has no option for one. It leaves Host and Origin alone.
// usage: node with-token.mjs PORT-OF-THE-WORKER TOKEN; prints its own port.
import http from "node:http";

const [port, token] = process.argv.slice(2);
const server = http.createServer((request, response) => {
  const headers = { ...request.headers, authorization: `Bearer ${token}` };
  const options = { host: "127.0.0.1", port, method: request.method, path: request.url, headers };
  const forwarded = http.request(options, (answer) => {
    response.writeHead(answer.statusCode, answer.rawHeaders);
    answer.pipe(response);
  });
  forwarded.on("error", () => response.destroy());
  request.pipe(forwarded);
});
// It ends with whoever started it.
process.stdin.resume().on("end", () => process.exit());
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
