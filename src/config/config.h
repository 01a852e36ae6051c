// Config: the configuration as one typed value. Each member is declared, with its default, range
// and documentation, in options_PART.cc; this file only gives it a type and a place.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/log.h"
#include "base/phrase.h"
#include "base/time.h"
#include "config/units.h"

namespace hikyaku::config {

/// One entry of listen.smtp and its like.
struct ListenEntry {
  /// A port at every address of listen.addresses (`everywhere`), with listen.port_base added; or
  /// exactly `at`.
  bool everywhere = true;
  Endpoint at;  ///< `everywhere`: only its port counts
  bool operator==(const ListenEntry&) const = default;
};

/// One entry of tls.certificates.
struct Certificate {
  std::filesystem::path cert;      ///< PEM: the certificate, then its issuers
  std::filesystem::path key;       ///< PEM
  std::vector<std::string> names;  ///< the names (SNI) it serves; empty: those in the certificate
  bool operator==(const Certificate&) const = default;
};

enum class LogFormat { Text, Json };

/// What becomes of mail whose From field programs read differently.
enum class UnreadableAuthor { Deliver, Junk, Refuse };

/// What of a message goes into reports about it (RFC 9991).
enum class FailureReports { Off, Minimal, Redacted };

/// How an option's list of login mechanisms is offered on a connection, strongest first. On a
/// confidential one: all, each SCRAM with its -PLUS form before it when it is under TLS. On any
/// other: those that do not show the password. APOP is no SASL mechanism and never in it.
enum class Channel {
  Tls,           ///< confidential, with channel binding
  Confidential,  ///< in clear, but loopback with login.plaintext_on_loopback
  Clear,
};
std::vector<std::string> offered_mechanisms(const std::vector<std::string>& configured,
                                            Channel channel);

/// A whole configuration, complete and checked: every member has its configured value or its
/// default. Components never see it; app/ makes their Settings from it.
struct Config {
  struct Server {
    std::string host_name;  ///< empty: the machine's name
    bool local = false;
    Bytes memory;      ///< 0: a quarter of the machine's (or the cgroup's)
    std::string user;  ///< empty: stay who we are
    bool sandbox = true;
    Language language = Language::English;
  } server;

  struct Listen {
    std::vector<IpAddress> addresses;
    std::uint16_t port_base = 0;
    std::vector<ListenEntry> smtp, submission, submissions, imap, imaps, pop3, pop3s;
    std::vector<ListenEntry> metrics;

    /// Where to listen for one of these lists: its entries with addresses and port_base applied.
    std::vector<Endpoint> endpoints(const std::vector<ListenEntry>& entries) const;
    /// The same for `metrics`: ports alone are opened on 127.0.0.1 only, as they stand.
    std::vector<Endpoint> metrics_endpoints() const;
  } listen;

  struct Tls {
    std::vector<Certificate> certificates;
    milliseconds handshake_timeout{};
  } tls;

  struct Login {
    bool plaintext_on_loopback = false;
    std::uint32_t max_failures = 0;
    milliseconds timeout{};   ///< from connecting to having logged in
    milliseconds remember{};  ///< 0: never
    std::uint32_t parallel = 0;
    std::uint32_t max_waiting = 0;
    std::uint32_t max_waiting_per_network = 0;
  } login;

  struct Smtp {
    std::vector<std::string> mechanisms;  ///< empty: no AUTH on this port
    Bytes max_message_size;
    std::uint32_t max_recipients = 0;
    Bytes max_line;
    std::uint32_t max_errors = 0;
    std::uint32_t max_idle_commands = 0;
    std::uint32_t max_received = 0;
    Bytes max_header;
    milliseconds timeout{};
    milliseconds idle_timeout{};
    milliseconds transaction_timeout{};
  } smtp;

  struct Auth {
    bool check = true;
    milliseconds deadline{};
    std::vector<std::string> blocklists;  ///< "zone", "zone=weight"
    std::uint32_t blocklist_weight = 0;
  } auth;

  struct Spf {
    bool refuse_fail = false;
  } spf;

  struct Dkim {
    std::uint32_t max_signatures = 0;  ///< of others, that are looked at
    bool sign = true;
    milliseconds expiry{};              ///< 0: signatures do not expire
    std::vector<std::string> oversign;  ///< empty: dkim::default_oversigned()
  } dkim;

  struct Arc {
    bool seal = true;
    std::vector<std::string> trusted_sealers;
  } arc;

  struct Dmarc {
    std::vector<std::string> speaks_for, speaks_against, exempts;
    std::vector<std::string> trust_reject;
    std::vector<std::string> known_lists, known_forwarders, exceptions;
    UnreadableAuthor unreadable_author = UnreadableAuthor::Junk;
    bool send_reports = true;
    std::string report_from;     ///< empty: report_address at the first domain
    std::string report_address;  ///< a local part, or an address
    milliseconds keep_reports{};
    FailureReports failure_reports = FailureReports::Off;
    std::uint32_t failure_reports_per_domain = 0;  ///< to one destination's domain, in an hour
    std::uint32_t failure_reports_total = 0;       ///< in an hour
  } dmarc;

  struct Submission {
    std::vector<std::string> mechanisms;
    bool hide_client_address = true;
  } submission;

  struct Delivery {
    std::string recipient_delimiters;  ///< "+": user+detail; empty: none
  } delivery;

  struct Queue {
    std::vector<milliseconds> retry;  ///< the last one repeats
    milliseconds lifetime{};
    milliseconds delay_notice{};  ///< 0: none
    std::uint32_t max_recipients = 0;
    Bytes max_bytes;
  } queue;

  struct Transmit {
    std::uint32_t connections = 0;
    std::uint32_t connections_per_destination = 0;
    std::uint32_t messages_per_connection = 0;
    std::vector<IpAddress> source_addresses;  ///< at most one of each family
    std::uint16_t mx_port = 0;                ///< 0: see Config::mx_port()
    milliseconds connect_timeout{};
  } transmit;

  struct Dns {
    std::vector<Endpoint> resolver;       ///< empty: ask the authoritative servers ourselves
    std::filesystem::path zone_file;      ///< empty: none
    std::filesystem::path trust_anchors;  ///< empty: the root's
  } dns;

  struct Imap {
    std::vector<std::string> mechanisms;
    milliseconds timeout{};
    milliseconds login_timeout{};
    milliseconds command_timeout{};
    Bytes max_line;
    Bytes max_literal;
    Bytes max_command;
    Bytes max_append_size;
    std::uint32_t max_append_messages = 0;
    std::uint32_t max_errors = 0;
  } imap;

  struct Pop3 {
    std::vector<std::string> mechanisms;
    milliseconds timeout{};
    std::uint32_t max_errors = 0;
    bool lock = true;
  } pop3;

  struct Store {
    std::filesystem::path path;  ///< empty: data/ of the instance
    Bytes reserve;
    milliseconds retention{};
    milliseconds history{};
    milliseconds scrub_every{};
  } store;

  struct Limits {
    std::uint32_t connections = 0;
    std::uint32_t connections_per_address = 0;
    std::uint32_t connections_per_account = 0;
    std::uint32_t local_connections = 0;
    Bytes memory;  ///< 0: see app::session_memory()
    Bytes memory_per_connection;
  } limits;

  struct Logging {
    LogLevel level = LogLevel::Info;
    LogFormat format = LogFormat::Text;
  } log;

  /// The port of other servers' MX: transmit.mx_port, else 25, plus listen.port_base with
  /// server.local.
  std::uint16_t mx_port() const;
  /// True if some listener offers this login mechanism, so that credentials must be kept for it.
  bool offers(std::string_view mechanism) const;
};

}  // namespace hikyaku::config
