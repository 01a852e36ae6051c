// ImapClient: the client's side of one IMAP connection (RFC 9051, RFC 3501), for the lab, migrate,
// check and bench.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "base/time.h"
#include "client/login.h"
#include "client/message_source.h"
#include "client/observer.h"
#include "imap/mailbox_name.h"
#include "imap/response_data.h"
#include "imap/response_parser.h"
#include "net/input.h"
#include "net/output.h"
#include "net/stream.h"
#include "net/tls.h"

namespace hikyaku::client {

struct ImapTimeouts {
  milliseconds greeting = std::chrono::minutes(1);
  /// Each wait for bytes of an answer: some servers think long about a large mailbox.
  milliseconds command = std::chrono::minutes(5);
};

/// How much a server may answer to one command, content of messages apart; it is another's machine.
struct ImapReplyLimits {
  /// Lists, numbers that were found: what is kept as a whole. Ten million found messages, half a
  /// million mailboxes.
  std::uint64_t kept = 128ULL << 20;
  /// FETCH responses, which go to the sink one by one: what ten million messages have to tell.
  std::uint64_t fetched = 2ULL << 30;
};

/// Takes what a FETCH brings. What it is given is valid until its task ends; while it works the
/// server waits.
class FetchSink {
 public:
  virtual ~FetchSink() = default;
  /// One whole FETCH response; content was streamed before and is only announced in it.
  virtual Task<void> message(const imap::Response& response);
  /// Content begins: `so_far` is what came before it in the same response.
  virtual Task<void> begin(const imap::FetchData& so_far, std::string_view label,
                           std::uint64_t size);
  virtual Task<void> data(std::string_view bytes);
  virtual Task<void> end();
};

/// Names of mailboxes here are UTF-8 with the server's own separator between levels. Every function
/// may throw net::Disconnected: the connection is gone, or what came was no IMAP.
class ImapClient {
 public:
  /// An answer that was not hoped for.
  struct Refusal {
    enum class Kind {
      No,    ///< the server will not or cannot
      Bad,   ///< the server did not understand, or we did not understand it
      Bye,   ///< the server ends the connection
      Ours,  ///< we did not even ask: nothing to log in with, an untrustworthy server
    };
    Kind kind = Kind::No;
    std::string code;  ///< response code in capitals, such as "TRYCREATE", or empty
    std::string text;
    /// "NO [TRYCREATE] no such mailbox".
    std::string describe() const;
  };
  template <class T = void>
  using Outcome = std::expected<T, Refusal>;
  using OnResponse = std::function<void(const imap::Response&)>;

  explicit ImapClient(std::unique_ptr<net::Stream> stream, ImapTimeouts timeouts = {},
                      Observer observer = {}, ImapReplyLimits limits = {});
  ~ImapClient();

  // --- connecting ---

  struct TlsResult {
    std::optional<Refusal> refusal;
    std::optional<Error> tls_error;  ///< the handshake failed: the connection is of no use
    bool ok() const { return !refusal && !tls_error; }
  };
  /// Implicit TLS (port 993): before greet().
  Task<TlsResult> secure(const net::ClientTls& tls, std::string server_name);
  /// Reads the greeting, and the capabilities if it does not tell them. After PREAUTH
  /// is_logged_in().
  Task<Outcome<>> greet();
  /// STARTTLS, the handshake, and the capabilities anew.
  Task<TlsResult> start_tls(const net::ClientTls& tls, std::string server_name);
  /// AUTHENTICATE with the best mechanism, or LOGIN where there is none. `login` outlives it.
  Task<Outcome<>> log_in(const Login& login);
  bool is_logged_in() const { return logged_in_; }

  /// As last told, in capitals.
  const std::vector<std::string>& capabilities() const { return capabilities_; }
  bool has(std::string_view capability) const;
  Task<Outcome<>> ask_capabilities();
  /// What the server enabled of these. UTF8=ACCEPT and IMAP4rev2 change how names are written; this
  /// object follows.
  Task<Outcome<std::vector<std::string>>> enable(std::vector<std::string> capabilities);

  // --- mailboxes ---

  struct Listing {
    std::string reference = {};
    std::string pattern = "*";
    bool subscribed = false;   ///< only those (LSUB where LIST cannot)
    bool special_use = false;  ///< with the attributes of RFC 6154, where the server needs asking
  };
  /// Names decoded; one that cannot be decoded stays as it came.
  Task<Outcome<std::vector<imap::ListData>>> list(Listing listing);
  /// The personal namespace (RFC 2342): prefix of its mailboxes, "INBOX." with some servers, and
  /// the separator.
  struct Namespace {
    std::string prefix;
    std::optional<char> separator;
  };
  Task<Outcome<Namespace>> personal_namespace();
  /// `special_use`: "\Sent", for servers with CREATE-SPECIAL-USE.
  Task<Outcome<>> create(std::string name, std::string special_use = {});
  Task<Outcome<>> remove(std::string name);
  Task<Outcome<>> rename(std::string from, std::string to);
  Task<Outcome<>> subscribe(std::string name);
  Task<Outcome<>> unsubscribe(std::string name);
  /// `items`: "MESSAGES UIDNEXT".
  Task<Outcome<imap::StatusData>> status(std::string name, std::string items);

  /// The selected mailbox, kept up to date by every answer.
  struct Selected {
    std::string name;
    bool read_only = false;
    std::uint32_t exists = 0;
    std::uint32_t uid_validity = 0;
    std::uint32_t uid_next = 0;  ///< 0: not told
    std::uint64_t highest_modseq = 0;
    imap::Flags flags;
    imap::Flags permanent_flags;
    bool any_keyword = false;  ///< PERMANENTFLAGS has \*
  };
  enum class Access { ReadWrite, ReadOnly };
  Task<Outcome<>> select(std::string name, Access access = Access::ReadWrite);
  const Selected& selected() const { return selected_; }
  Task<Outcome<>> unselect();  ///< CLOSE on a read-only mailbox where UNSELECT is not known

  // --- messages ---

  enum class By { Uid, Number };
  /// `criteria`: "UNSEEN SINCE 1-Feb-2024".
  Task<Outcome<imap::SearchData>> search(std::string criteria, By by = By::Uid);
  /// `set`: "1:*"; `items`: "(FLAGS BODY.PEEK[])". `sink` outlives it.
  Task<Outcome<>> fetch(std::string set, std::string items, FetchSink& sink, By by = By::Uid);
  /// The simple items of each message; all of them in memory.
  Task<Outcome<std::vector<imap::FetchData>>> fetch_data(std::string set, std::string items,
                                                         By by = By::Uid);
  /// The content of one item of one message, such as "BODY.PEEK[1]"; TOOLARGE beyond `most` bytes.
  Task<Outcome<std::string>> fetch_content(std::uint32_t uid, std::string item,
                                           std::size_t most = 64 * 1024 * 1024);
  /// `action`: "FLAGS", "+FLAGS.SILENT", "-FLAGS" …
  Task<Outcome<>> store(std::string set, std::string action, imap::Flags flags, By by = By::Uid);
  /// What COPYUID and APPENDUID tell (RFC 4315); zero and empty where the server does not.
  struct Copied {
    std::uint32_t uid_validity = 0;
    std::string from;
    std::string to;
  };
  Task<Outcome<Copied>> copy(std::string set, std::string mailbox, By by = By::Uid);
  Task<Outcome<Copied>> move(std::string set, std::string mailbox, By by = By::Uid);
  /// All with \Deleted, or only those of `uids` (needs UIDPLUS).
  Task<Outcome<>> expunge(std::string uids = {});

  struct NewMessage {
    imap::Flags flags = {};
    std::optional<Time> internal_date = {};
    std::uint64_t size = 0;
  };
  struct Appended {
    std::uint32_t uid_validity = 0;   ///< 0: not told
    std::vector<std::uint32_t> uids;  ///< in the order of the messages
  };
  /// One message from a source of exactly `message.size` bytes; otherwise the connection is closed
  /// in the middle, and nothing was appended. `source` outlives it.
  Task<Outcome<Appended>> append(std::string mailbox, NewMessage message, MessageSource& source);
  Task<Outcome<Appended>> append_text(std::string mailbox, NewMessage message, std::string text);
  /// The same in steps: begin_append for each message (more than one needs MULTIAPPEND, RFC 3502),
  /// append_data for exactly its bytes, end_append at the end. A refused begin ends it all.
  Task<Outcome<>> begin_append(std::string mailbox, NewMessage message);
  Task<void> append_data(std::string_view bytes);
  Task<Outcome<Appended>> end_append();

  /// IDLE (RFC 2177). While idling only these three may be called.
  Task<Outcome<>> idle();
  /// The next thing the server tells, nullopt after `patience` without any.
  Task<std::optional<imap::Response>> idle_event(milliseconds patience);
  Task<Outcome<>> idle_done();

  Task<Outcome<>> noop();
  /// Says LOGOUT and closes; never throws.
  Task<void> log_out();

  /// One command by hand: the line without tag and CRLF; literals stand in it as
  /// "{3}\r\nabc". `on_response` gets every untagged response.
  Task<Outcome<imap::Response>> command(std::string line, OnResponse on_response = {});

  net::Stream& stream() { return *stream_; }

 private:
  using Read = std::optional<imap::Response>;  // nullopt: woken while idling
  /// After each response: whether the reply that it belongs to has become too long.
  void check_length(const imap::Response& response);
  Task<Read> read(FetchSink* sink);
  Task<imap::Response> read_response(FetchSink* sink = nullptr);
  void absorb(const imap::Response& response);
  void absorb_code(const imap::Response& response);
  void set_capabilities(const imap::Response& response);

  std::string next_tag();
  void say(std::string_view line_with_crlf, std::string_view shown = {});
  /// Sends "tag line", literals as the server takes them. A refusal: it took one not.
  Task<Outcome<>> send(std::string text, std::string shown = {});
  Task<Outcome<imap::Response>> finish(std::string tag, OnResponse on_response,
                                       FetchSink* sink = nullptr);
  Task<Outcome<imap::Response>> run(std::string line, OnResponse on_response = {},
                                    FetchSink* sink = nullptr);
  Task<Outcome<>> run_plain(std::string line);
  Task<Outcome<>> await_continuation();
  class AuthWire;
  Task<Outcome<>> authenticate(LoginExchange exchange, bool show_secrets);
  Task<Outcome<>> logged_in_by(imap::Response reply);
  Task<Outcome<Copied>> transfer(std::string_view verb, std::string set, std::string mailbox,
                                 By by);
  std::string name_argument(std::string_view name) const;
  void watch(std::string_view bytes);

  std::unique_ptr<net::Stream> stream_;
  net::Input input_;
  net::Output output_;
  ImapTimeouts timeouts_;
  ImapReplyLimits limits_;
  std::uint64_t kept_ = 0, fetched_ = 0, response_ = 0;  ///< bytes: of the reply so far, of one
  Observer observer_;
  imap::ResponseParser parser_;
  std::vector<std::string> capabilities_;
  imap::NameForm form_ = imap::NameForm::Utf7;
  Selected selected_;
  std::string seen_line_;   // what the observer has not been shown yet
  std::string append_tag_;  // of the APPEND that is under way
  std::string idle_tag_;
  std::string bye_;
  unsigned tags_ = 0;
  bool logged_in_ = false;
  bool told_capabilities_ = false;  // since the last question or change of state
};

}  // namespace hikyaku::client
