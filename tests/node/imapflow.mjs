// Works on an account with imapflow as a mail program would. usage: node imapflow.mjs '{"host":…,"ports":{…},"user":…,"password":…}'
// Asserts as it goes; prints "done" at the end.
import assert from 'node:assert/strict';
import { ImapFlow } from 'imapflow';

const { host, ports, user, password } = JSON.parse(process.argv[2]);
const options = { host, auth: { user, pass: password }, tls: { rejectUnauthorized: false }, logger: false };
const open = async (more = {}) => {
  const client = new ImapFlow({ ...options, port: ports.imaps, secure: true, ...more });
  await client.connect().catch((error) => {
    client.close();
    throw error;
  });
  return client;
};
const mail = (subject, body = 'text\r\n') =>
  Buffer.from(`From: Anna <anna@alpha.test>\r\nTo: ${user}\r\nSubject: ${subject}\r\nMessage-ID: <${subject}@node>\r\n\r\n${body}`);
const until = async (probe) => {
  for (let i = 0; i < 100; i++) {
    if (probe()) return;
    await new Promise((r) => setTimeout(r, 50));
  }
  assert.fail(`did not become true: ${probe}`);
};

// A wrong password, STARTTLS, and what the server is able to do.
await assert.rejects(open({ auth: { user, pass: 'wrong' } }), (e) => e.authenticationFailed === true);
const plain = await open({ port: ports.imap, secure: false });
assert.equal(plain.secureConnection, true, 'STARTTLS was used');
await plain.logout();

const client = await open();
for (const name of ['IMAP4rev1', 'IDLE', 'MOVE', 'UIDPLUS', 'CONDSTORE', 'SPECIAL-USE', 'NAMESPACE', 'ENABLE', 'ID']) assert.ok(client.capabilities.has(name), name);
assert.equal(client.namespace.delimiter, '/');

// Folders.
const listed = await client.list({ statusQuery: { messages: true, unseen: true } });
assert.deepEqual(listed.filter((f) => f.specialUse).map((f) => f.specialUse).sort(), ['\\Archive', '\\Drafts', '\\Inbox', '\\Junk', '\\Sent', '\\Trash']);
assert.equal(listed.find((f) => f.path === 'INBOX').status.messages, 0);
assert.equal((await client.mailboxCreate(['旅行', '2026'])).path, '旅行/2026');
assert.equal((await client.mailboxCreate('旅行/2026')).created, false);
await client.mailboxRename('旅行', 'Travel');
await client.mailboxSubscribe('Travel/2026');
assert.ok((await client.list()).find((f) => f.path === 'Travel/2026').subscribed);
await client.mailboxDelete('Travel/2026');

// APPEND, fetch, flags, search.
for (let i = 1; i <= 20; i++) {
  const { uid, destination } = await client.append('INBOX', mail(`number-${i}`), i % 2 ? ['\\Seen'] : ['$Label'], new Date(Date.UTC(2026, 9, i)));
  assert.equal(destination, 'INBOX');
  assert.equal(uid, i);
}
let lock = await client.getMailboxLock('INBOX');
assert.equal(client.mailbox.exists, 20);
assert.ok(client.mailbox.highestModseq > 0n);
const seen = [];
for await (const m of client.fetch('1:*', { uid: true, flags: true, envelope: true, internalDate: true, bodyStructure: true, size: true, threadId: true })) {
  assert.equal(m.envelope.subject, `number-${m.uid}`);
  assert.equal(m.envelope.from[0].name, 'Anna');
  assert.equal(m.internalDate.getTime(), Date.UTC(2026, 9, m.uid));
  assert.equal(m.bodyStructure.type, 'text/plain');
  assert.equal(m.flags.has('\\Seen'), m.uid % 2 === 1);
  seen.push(m.uid);
}
assert.equal(seen.length, 20);
const one = await client.fetchOne('7', { source: true, bodyParts: ['text'], headers: ['subject'] }, { uid: true });
assert.deepEqual(one.source, mail('number-7'));
assert.equal(one.bodyParts.get('text').toString(), 'text\r\n');
assert.equal(one.headers.toString(), 'Subject: number-7\r\n\r\n');
const { content } = await client.download('7', undefined, { uid: true });
let size = 0;
for await (const chunk of content) size += chunk.length;
assert.equal(size, mail('number-7').length);
assert.deepEqual(await client.search({ seen: false, or: [{ subject: 'number-4' }, { subject: 'number-6' }] }, { uid: true }), [4, 6]);
assert.deepEqual(await client.search({ keyword: '$Label', since: new Date(Date.UTC(2026, 9, 18)) }, { uid: true }), [18, 20]);
assert.deepEqual(await client.search({ header: { 'message-id': '<number-9@node>' } }, { uid: true }), [9]);
await client.messageFlagsAdd('1:5', ['\\Flagged', 'own'], { uid: true });
await client.messageFlagsRemove('5', ['own'], { uid: true });
await client.messageFlagsSet('6', ['\\Answered'], { uid: true });
assert.deepEqual(await client.search({ flagged: true, keyword: 'own' }, { uid: true }), [1, 2, 3, 4]);
assert.deepEqual([...(await client.fetchOne('6', { flags: true }, { uid: true })).flags].filter((f) => f !== '\\Recent'), ['\\Answered']);

// Only what changed since (CONDSTORE).
const before = client.mailbox.highestModseq;
await client.messageFlagsAdd('10', ['\\Flagged'], { uid: true });
const changed = [];
for await (const m of client.fetch('1:*', { uid: true, flags: true }, { changedSince: before })) changed.push(m.uid);
assert.deepEqual(changed, [10]);

// COPY, MOVE, delete.
const copied = await client.messageCopy('1:2', 'Archive', { uid: true });
assert.deepEqual([...copied.uidMap], [[1, 1], [2, 2]]);
const moved = await client.messageMove('3:4', 'Archive', { uid: true });
assert.deepEqual([...moved.uidMap], [[3, 3], [4, 4]]);
await client.messageDelete('1:2', { uid: true });
assert.equal(client.mailbox.exists, 16);
lock.release();
assert.deepEqual((({ messages, uidNext }) => ({ messages, uidNext }))(await client.status('Archive', { messages: true, uidNext: true })), { messages: 4, uidNext: 5 });

// IDLE: another client adds, flags and deletes.
await client.mailboxOpen('INBOX');
const events = [];
client.on('exists', (e) => events.push(`exists ${e.count}`));
client.on('flags', (e) => events.push(`flags ${e.seq}`));
client.on('expunge', (e) => events.push(`expunge ${e.seq ?? e.uid}`));
const idling = client.idle();
const other = await open();
await new Promise((r) => setTimeout(r, 200));
await other.append('INBOX', mail('while idle'));
await until(() => events.includes('exists 17'));
await other.mailboxOpen('INBOX');
await other.messageFlagsAdd('1', ['\\Draft']);
await until(() => events.includes('flags 1'));
await other.messageDelete('17');
await until(() => events.some((e) => e.startsWith('expunge 17')));
await other.logout();
await client.noop();
await idling;

// QRESYNC: expunges arrive as VANISHED.
const resync = await open({ qresync: true });
await resync.mailboxOpen('INBOX');
assert.equal(resync.enabled.has('QRESYNC'), true);
const gone = [];
resync.on('expunge', (e) => gone.push(e));
await client.messageDelete('8', { uid: true });
await resync.noop();
await until(() => gone.some((e) => e.uid === 8 && e.vanished));
await resync.logout();

// A large message, up and down.
const large = mail('large', ('x'.repeat(70) + '\r\n').repeat(100_000));
const { uid } = await client.append('Archive', large);
await client.mailboxOpen('Archive');
assert.deepEqual((await client.fetchOne(String(uid), { source: true }, { uid: true })).source, large);
await client.logout();
console.log('done');
