"""The servers that are measured, each with accounts user000@receiver.example, user001@…: Hikyaku; Postfix, with the virtual delivery
agent, or with Dovecot behind LMTP; and the filters that give Postfix sender authentication. Debian's packages, their defaults but where a
comment says why not."""
import imaplib
import os
import pathlib
import pwd

from world import RESOLVER, listening, run, wait_for

DOMAIN, HOST, PASSWORD = "receiver.example", "mx.receiver.example", "a password for measuring"


def users(count):
    return [f"user{number:03}@{DOMAIN}" for number in range(count)]


def stored(address, accounts):
    """How many messages lie in the inboxes, over IMAP."""
    total = 0
    for user in users(accounts):
        client = imaplib.IMAP4(address)
        client.login(user, PASSWORD)
        total += int(client.select("INBOX", readonly=True)[1][0])
        client.logout()
    return total


def newest_header(address, user):
    """The header of the last message in the user's inbox, over IMAP."""
    client = imaplib.IMAP4(address)
    client.login(user, PASSWORD)
    count = int(client.select("INBOX")[1][0])
    header = client.fetch(str(count), "(BODY.PEEK[HEADER])")[1][0][1].decode("utf-8", "replace")
    client.logout()
    return header


class Hikyaku:
    """addresses: the first for SMTP; on 127.0.0.0/8 also for IMAP and POP3 without TLS."""
    name = "Hikyaku"

    def __init__(self, world, program, addresses, accounts, options):
        """options: {"section": "lines of TOML"}"""
        self.world, self.smtp, self.imap, self.program = world, addresses[0], addresses[-1], program
        self.directory = world.path("hikyaku")
        for number, user in enumerate(users(accounts)):
            verb = ("account", "add", user) if number else ("quickstart", user, "--host-name", HOST, "--dns", f"{RESOLVER}:53")
            run(program, *verb, "--password-stdin", "--dir", self.directory, input=PASSWORD + "\n")
        listen = ", ".join(f'"{address}"' for address in addresses)
        config = self.directory / "hikyaku.toml"
        # The zones are not signed, and there is no root to prove that they need not be: an anchor elsewhere, and all this is plain DNS.
        anchors = world.write("hikyaku/anchors", f"elsewhere.example. IN DS 12345 8 2 {'ab' * 32}\n")
        config.write_text(config.read_text().rstrip() + f'\ntrust_anchors = "{anchors}"\n')
        sections = {"listen": f"addresses = [{listen}]", **options}
        sections["login"] = "plaintext_on_loopback = true\n" + options.get("login", "")
        config.write_text(config.read_text() + "".join(f"\n[{name}]\n{lines}\n" for name, lines in sections.items()))
        self.process = world.start(program, "serve", "--dir", self.directory, log="hikyaku.log")
        wait_for(lambda: self.process.poll() is not None or all(listening(a, p) for a in addresses for p in (25, 143)), "hikyaku")
        if self.process.poll() is not None:
            raise RuntimeError((world.directory / "hikyaku.log").read_text()[-3000:])

    def delivered(self):
        """Accepted is delivered."""

    def pids(self):
        """The server's, and those of the processes that it started."""
        mine, todo = set(), [self.process.pid]
        while todo:
            mine.add(pid := todo.pop())
            todo += [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return mine


class Postfix:
    """With its virtual(8) delivery agent and maildirs, or with Dovecot behind LMTP."""

    def __init__(self, world, address, accounts, dovecot=None, filters=None):
        self.world, self.smtp = world, address
        self.name = "Postfix" + (" + Dovecot" if dovecot else "")
        home, etc = world.path("postfix"), world.path("postfix", "etc")
        self.queue, self.mail = home / "queue", world.path("maildirs")
        for folder in (self.queue, home / "data"):
            folder.mkdir()
        os.chown(home / "data", uid("postfix"), -1)
        os.chown(self.mail, uid("mail"), -1)
        world.write("postfix/etc/mailboxes", "".join(f"{user} {user.split('@')[0]}/\n" for user in users(accounts)))
        delivery = f"virtual_transport = lmtp:inet:{dovecot.address}:24" if dovecot else "virtual_transport = virtual"
        world.write("postfix/etc/main.cf", f"""\
compatibility_level = 3.6
queue_directory = {self.queue}
data_directory = {home}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = {HOST}
mydestination =
alias_maps =
local_recipient_maps =
inet_interfaces = {address}
inet_protocols = ipv4
mynetworks = 127.0.0.9/32
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_maps = texthash:{etc}/mailboxes
virtual_mailbox_base = {self.mail}
virtual_uid_maps = static:{uid("mail")}
virtual_gid_maps = static:{uid("mail")}
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
{delivery}
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
maillog_file_prefixes = {world.directory}
maillog_file = {world.directory}/postfix.log
# Postfix would make its clients wait a second when mail comes in faster than it goes out.
in_flow_delay = 0s
{filters.main_cf() if filters else ""}
""")
        world.write("postfix/etc/master.cf", """\
smtp inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
""" + (filters.master_cf() if filters else ""))
        self.log = world.directory / "postfix.log"
        try:
            run("postfix", "-c", etc, "start")
        except RuntimeError as error:
            raise RuntimeError(f"{error}{self.log.read_text() if self.log.exists() else ''}") from None
        world.stack.callback(run, "postfix", "-c", etc, "stop")
        wait_for(lambda: listening(address, 25), "Postfix")

    def delivered(self):
        """Waits until its queue is empty."""
        queues = [self.queue / name for name in ("incoming", "active")]
        wait_for(lambda: not any(any(os.scandir(queue)) for queue in queues), "Postfix' deliveries", timeout=300, every=0.005)
        left = [path for path in (self.queue / "deferred").rglob("*") if path.is_file()]
        if left:
            words = self.log.read_text().splitlines()
            raise RuntimeError("\n".join([f"{len(left)} messages could not be delivered:", *[w for w in words if "deferred" in w][-3:]]))

    def maildir(self, user):
        return list((self.mail / user.split("@")[0] / "new").iterdir())


class Filters:
    """OpenDKIM, OpenDMARC and policyd-spf, as Debian's documentation wires them to Postfix."""

    def __init__(self, world):
        self.world = world
        self.sockets = {name: world.path(name) / "socket" for name in ("opendkim", "opendmarc")}
        for name, socket in self.sockets.items():
            os.chown(socket.parent, uid(name), -1)
        common = f"Syslog no\nUMask 0000\n"
        dkim = world.write("opendkim.conf", f"""{common}Mode v
UserID opendkim
Socket local:{self.sockets["opendkim"]}
AuthservID {HOST}
AlwaysAddARHeader yes
# Without these it looks for the DNS' root servers rather than for the resolver of this machine.
Nameservers {RESOLVER}
""")
        # A history of what was seen, as Hikyaku keeps one for its reports; p=reject is enforced, as Hikyaku does.
        dmarc = world.write("opendmarc.conf", f"""{common}UserID opendmarc
Socket local:{self.sockets["opendmarc"]}
AuthservID {HOST}
TrustedAuthservIDs {HOST}
RejectFailures true
HistoryFile {self.sockets["opendmarc"].parent}/history
PublicSuffixList /usr/share/publicsuffix/public_suffix_list.dat
""")
        self.spf = world.write("policyd-spf.conf", f"""\
debugLevel = 0
TestOnly = 1
HELO_reject = Fail
Mail_From_reject = Fail
PermError_reject = False
TempError_Defer = False
skip_addresses = 127.0.0.0/8
Header_Type = AR
Authserv_Id = {HOST}
""")
        world.start("opendkim", "-f", "-x", dkim, log="opendkim.log")
        world.start("opendmarc", "-f", "-c", dmarc, log="opendmarc.log")
        wait_for(lambda: all(socket.exists() for socket in self.sockets.values()), "OpenDKIM and OpenDMARC")

    def main_cf(self):
        return f"""\
smtpd_milters = {", ".join(f"unix:{socket}" for socket in self.sockets.values())}
milter_default_action = tempfail
smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service unix:private/policyd-spf
policyd-spf_time_limit = 3600
"""

    def master_cf(self):
        return f"policyd-spf unix - n n - 0 spawn user=policyd-spf argv=/usr/bin/policyd-spf {self.spf}\n"


class Dovecot:
    """IMAP, POP3 and LMTP; its defaults, but connections without TLS may log in, and as many of them as are measured."""

    def __init__(self, world, address, accounts, store="mdbox"):
        self.address = self.imap = address
        home = world.path("dovecot")
        os.chown(world.path("dovecot", "mail"), uid("mail"), -1)
        world.write("dovecot/users", "".join(f"{user}:{{PLAIN}}{PASSWORD}::::::\n" for user in users(accounts)))
        location = {"mdbox": f"mdbox:{home}/mail/%n", "maildir": f"maildir:{home}/mail/%n/Maildir"}[store]
        config = world.write("dovecot.conf", f"""\
base_dir = {home}/run
state_dir = {home}/state
protocols = imap pop3 lmtp
listen = {address}
log_path = {world.directory}/dovecot.log
mail_location = {location}
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
mail_max_userip_connections = 5000
disable_plaintext_auth = no
ssl = no
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {home}/users
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={home}/mail/%n
}}
service imap-login {{
  process_limit = 2200
}}
service imap {{
  process_limit = 2200
}}
service anvil {{
  client_limit = 8000
}}
service auth {{
  client_limit = 8000
}}
service stats {{
  client_limit = 8000
}}
service lmtp {{
  inet_listener lmtp {{
    address = {address}
    port = 24
  }}
}}
""")
        self.process = world.start("dovecot", "-F", "-c", config, log="dovecot-start.log")
        wait_for(lambda: all(listening(address, port) for port in (24, 110, 143)), "Dovecot")


def uid(name):
    return pwd.getpwnam(name).pw_uid
