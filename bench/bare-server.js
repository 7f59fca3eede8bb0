/**
 * The floor for a read: a `node:http` server with nothing behind it, on the same kind of socket.
 *
 * Rule: answers every request with the head and body that it is given as JSON on standard input.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const [socketPath] = process.argv.slice(2);
const { headers, body } = JSON.parse(readFileSync(0, 'utf8'));
createServer((_request, response) => {
  response.writeHead(200, headers);
  response.end(body);
}).listen(socketPath, () => process.stdout.write('{"event":"ready"}\n'));
