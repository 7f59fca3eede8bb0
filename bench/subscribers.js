/**
 * Many subscribers in one process of their own, that say when the last of them has heard.
 *
 * Rule: reads and counts, nothing else. Told by its parent how many there are to be and where; an event ends with an empty line.
 */
import { connect } from 'node:net';

const REQUEST = 'GET /v1/events HTTP/1.1\r\nHost: freshd\r\nAccept: text/event-stream\r\n\r\n';
const EMPTY_LINE = Buffer.from('\n\n');

/** By name of the group: those that still have to hear, and how many events each. */
const groups = new Map();

process.on('message', ({ type, name, socketPath, count, events }) => {
  if (type === 'subscribe') subscribe(name, socketPath, count);
  if (type === 'expect') {
    const group = groups.get(name);
    group.missing = group.members.length;
    for (const member of group.members) member.left = events;
    process.send({ type: 'expecting', name });
  }
  if (type === 'leave') {
    for (const { socket } of groups.get(name).members) socket.destroy();
    groups.delete(name);
  }
});

function subscribe(name, socketPath, count) {
  const group = { missing: count, members: [] };
  groups.set(name, group);
  for (let n = 0; n < count; n += 1) {
    const member = { socket: connect(socketPath), left: 0, heard: '' };
    group.members.push(member);
    member.socket.on('error', (error) => process.send({ type: 'failed', name, message: error.message }));
    member.socket.on('data', (chunk) => (member.heard === null ? countEvents(member, chunk) : begin(member, chunk)));
    member.socket.write(REQUEST);
  }

  function begin(member, chunk) {
    member.heard += chunk.toString('latin1');
    if (!/event: synchronized\n(?:.+\n)*\n$/.test(member.heard)) return;
    member.heard = null;
    done('subscribed');
  }

  function countEvents(member, chunk) {
    for (let at = chunk.indexOf(EMPTY_LINE); at !== -1; at = chunk.indexOf(EMPTY_LINE, at + 2)) {
      member.left -= 1;
      if (member.left === 0) done('heard');
    }
  }

  function done(type) {
    group.missing -= 1;
    if (group.missing === 0) process.send({ type, name, atNs: String(process.hrtime.bigint()) });
  }
}
