// Sends mail with nodemailer in every way that it knows. usage: node nodemailer.mjs '{"host":…,"ports":{…},"user":…,"to":…,"password":…}'
// Prints one line of JSON per message sent: {"subject": …, "messageId": …}; a failure ends it with a non-zero code.
import assert from 'node:assert/strict';
import nodemailer from 'nodemailer';

const { host, ports, user, to, password, other } = JSON.parse(process.argv[2]);
const tls = { rejectUnauthorized: false, servername: 'mail.alpha.test' };
const auth = { user, pass: password };
let count = 0;

async function send(transport, message) {
  const subject = `node ${++count}`;
  const info = await transport.sendMail({ from: user, to, subject, text: 'Greetings from Node.\n.\n..\n', ...message });
  console.log(JSON.stringify({ subject: message?.subject ?? subject, messageId: info.messageId, accepted: info.accepted, rejected: info.rejected }));
  return info;
}

// Both kinds of TLS, every mechanism.
for (const method of ['PLAIN', 'LOGIN', 'CRAM-MD5']) {
  await send(nodemailer.createTransport({ host, port: ports.submission, requireTLS: true, tls, auth, authMethod: method }));
  await send(nodemailer.createTransport({ host, port: ports.submissions, secure: true, tls, auth, authMethod: method }));
}

// A pool: many messages over a few connections, the recipients on several addresses.
const pool = nodemailer.createTransport({ host, port: ports.submissions, secure: true, tls, auth, pool: true, maxConnections: 3 });
await pool.verify();
await Promise.all(Array.from({ length: 30 }, () => send(pool)));
pool.close();

const transport = nodemailer.createTransport({ host, port: ports.submissions, secure: true, tls, auth });
// Text and HTML, an inline picture, attachments with names that are not ASCII, a calendar.
await send(transport, {
  subject: '日本語の件名 — rich',
  html: '<p>こんにちは <img src="cid:dot"></p>',
  attachments: [
    { filename: '報告書.txt', content: 'あいうえお\n' },
    { filename: 'dot.png', cid: 'dot', content: Buffer.from('iVBORw0KGgo=', 'base64') },
    { filename: 'binary.bin', content: Buffer.alloc(300_000, 7) },
  ],
  icalEvent: { method: 'REQUEST', content: 'BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n' },
});
// An address that is not ASCII (SMTPUTF8).
await send(transport, { subject: 'utf8', to: other });
// Some recipients are refused, the others get it.
const half = await send(transport, { subject: 'half', to: [to, 'nobody@alpha.test'] });
assert.deepEqual(half.rejected, ['nobody@alpha.test']);
assert.equal(half.rejectedErrors[0].responseCode, 550);

// What is refused.
await assert.rejects(transport.sendMail({ from: 'somebody@else.test', to, text: 'x' }), (e) => e.responseCode === 553);
await assert.rejects(nodemailer.createTransport({ host, port: ports.submissions, secure: true, tls, auth: { user, pass: 'wrong' } }).verify(),
  (e) => e.code === 'EAUTH' && e.responseCode === 535);
await assert.rejects(nodemailer.createTransport({ host, port: ports.submissions, secure: true, tls }).sendMail({ from: user, to, text: 'x' }),
  (e) => e.responseCode === 530);
