"""What the client tests share: messages, Python's clients ready to use, and a socket to talk by hand."""
import email
import email.message
import http.client
import imaplib
import poplib
import smtplib
import socket
import ssl
import subprocess
import time

from harness import HIKYAKU, PASSWORD


def tls():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def message(sender, to, subject="Hello", body="How are you?\n"):
    m = email.message.EmailMessage()
    m["From"], m["To"], m["Subject"] = sender, to, subject
    m.set_content(body)
    return m


def submit(server, m, sender=None, password=PASSWORD, rcpt=None):
    with smtplib.SMTP(server.host, server.port("submission"), timeout=20) as smtp:
        smtp.starttls(context=tls())
        smtp.login(sender or server.address, password)
        return smtp.send_message(m, from_addr=sender or server.address, to_addrs=rcpt)


def imap(server, user=None, password=PASSWORD):
    client = imaplib.IMAP4_SSL(server.host, server.port("imaps"), ssl_context=tls(), timeout=20)
    client.login(user or server.address, password)
    return client


def deliver_with_sendmail(server, text, *arguments, check=True, name="sendmail", cwd=None):
    """Runs `hikyaku sendmail`; gives the CompletedProcess."""
    done = subprocess.run([str(HIKYAKU), "sendmail", "--dir", str(server.dir), *arguments], input=text,
                          capture_output=True, text=True, timeout=30)
    if check and done.returncode != 0:
        raise AssertionError(f"sendmail exited {done.returncode}: {done.stdout}{done.stderr}")
    return done


def pop(server, user=None, password=PASSWORD):
    client = poplib.POP3_SSL(server.host, server.port("pop3s"), context=tls(), timeout=20)
    client.user(user or server.address)
    client.pass_(password)
    return client




def http_get(server, path, method="GET"):
    """(status, header fields, text) of what listen.metrics serves."""
    connection = http.client.HTTPConnection(server.host, server.metrics_port, timeout=20)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()
    finally:
        connection.close()


def raw_messages(server, user=None, mailbox="INBOX", password=PASSWORD):
    """The bytes of every message of a mailbox, in UID order."""
    client = imap(server, user, password)
    try:
        client.select(f'"{mailbox}"', readonly=True)
        if not client.uid("SEARCH", "ALL")[1][0]:
            return []
        return [p[1] for p in client.uid("FETCH", "1:*", "(BODY.PEEK[])")[1] if isinstance(p, tuple)]
    finally:
        client.logout()


def messages(server, user=None, mailbox="INBOX", password=PASSWORD):
    return [email.message_from_bytes(raw) for raw in raw_messages(server, user, mailbox, password)]


def subjects(server, user=None, mailbox="INBOX", password=PASSWORD):
    return [m["Subject"] for m in messages(server, user, mailbox, password)]


def fill(server, user, count, mailbox="INBOX", flags=None, body="text\r\n", marks=""):
    """Puts `count` messages with the subjects "Message 1" … into a mailbox, by one APPEND each; `marks` makes other Message-IDs."""
    client = imap(server, user)
    for i in range(1, count + 1):
        text = f"From: anna@alpha.test\r\nTo: {user}\r\nSubject: Message {i}\r\nMessage-ID: <{i}.{mailbox}{marks}@alpha.test>\r\n" \
               f"Date: Mon, 05 Oct 2026 10:{i % 60:02}:00 +0900\r\n\r\n{body}"
        status, why = client.append(f'"{mailbox}"', flags, None, text.encode())
        assert status == "OK", why
    client.logout()


def fill_at_once(client, mailbox, count, most=900):
    """Puts so many messages of three bytes there, many by each APPEND."""
    for done in range(0, count, most):
        tag = client._new_tag()
        client.send(tag + f' APPEND "{mailbox}"'.encode() + b" {3+}\r\nabc" * min(most, count - done) + b"\r\n")
        status, why = client._command_complete("APPEND", tag)
        assert status == "OK", why


def run(*command, input=None, check=True, timeout=60, env=None, cwd=None):
    """Runs a client; gives the CompletedProcess, its output joined in `.stdout`."""
    binary = isinstance(input, bytes)
    done = subprocess.run([str(c) for c in command], input=input if binary or input is None else input.encode(),
                          stdin=subprocess.DEVNULL if input is None else None, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=timeout, env=env, cwd=cwd)
    done.stdout = done.stdout.decode(errors="replace")
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} exited {done.returncode}\n{done.stdout}")
    return done


class Wire:
    """A connection typed by hand: send lines, read replies."""

    def __init__(self, server, service, implicit_tls=False, timeout=20):
        self.socket = socket.create_connection((server.host, server.port(service)), timeout)
        if implicit_tls:
            self.socket = tls().wrap_socket(self.socket)
        self.input = b""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def line(self):
        """The next line without its end; None when the other side has closed."""
        while b"\n" not in self.input:
            try:
                more = self.socket.recv(65536)
            except (ConnectionResetError, ssl.SSLEOFError):
                more = b""
            if not more:
                return None
            self.input += more
        line, self.input = self.input.split(b"\n", 1)
        return line.rstrip(b"\r").decode(errors="replace")

    def reply(self):
        """One SMTP reply, its lines joined by newlines; None when the connection is closed."""
        lines = []
        while (line := self.line()) is not None:
            lines.append(line)
            if line[3:4] != "-":
                return "\n".join(lines)
        return "\n".join(lines) or None

    def ask(self, command):
        self.send(command + "\r\n")
        return self.reply()

    def tagged(self, command, tag="a"):
        """An IMAP command and everything up to its tagged answer."""
        self.send(f"{tag} {command}\r\n")
        return self.until(tag + " ")

    def until(self, *prefixes):
        lines = []
        while (line := self.line()) is not None:
            lines.append(line)
            if line.startswith(prefixes):
                break
        return lines

    def quiet(self, seconds=0.3):
        """Whether nothing arrives for so long."""
        if self.input:
            return False
        self.socket.settimeout(seconds)
        try:
            self.input = self.socket.recv(65536)
            return False
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(20)

    def start_tls(self):
        self.socket = tls().wrap_socket(self.socket)
        self.input = b""

    def login(self, user, password=PASSWORD):
        """Logs in by IMAP."""
        self.line()
        return self.tagged(f'LOGIN {user} "{password}"')[-1]


def stamp():
    """Something that no other message contains."""
    return f"{time.time_ns():x}"
