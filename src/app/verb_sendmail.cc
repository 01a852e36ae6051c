// hikyaku sendmail: what programs know as /usr/sbin/sendmail.
#include <array>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

#include "app/cli.h"
#include "app/error_phrases.h"
#include "app/run_command.h"
#include "app/sendmail_options.h"
#include "app/submit.h"
#include "app/verbs.h"
#include "base/text.h"
#include "net/connect.h"
#include "net/fd.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kNotRunning{
    "the mail server does not run (nobody listens on {}); the message was not taken: try later",
    "メールサーバーが動いていません({} "
    "で応答がありません)。メッセージは受け付けられていません。後でもう一度お試しください"};
constexpr Phrase kWaiting{
    "the mail server does not run; waiting for it, {} seconds at most (Ctrl-C gives up)",
    "メールサーバーが動いていません。起動を最長 {} 秒待ちます(Ctrl-C で中止)"};
constexpr Phrase kNotRead{"the message could not be read to its end ({}); nothing was sent",
                          "メッセージを最後まで読み込めませんでした({})。何も送信していません"};
constexpr Phrase kNoRecipients{"no recipients: name them on the command line, or use -t",
                               "宛先がありません。コマンドラインで指定するか、-t を使ってください"};

/// Standard input, up to its end or to a line with nothing but a dot.
class Input {
 public:
  explicit Input(bool dot_ends) : dot_ends_(dot_ends) {}

  /// nullopt at the end; an error when it could not be read, of which nobody knows where it is.
  Result<std::optional<std::string>> next() {
    if (ended_) return std::nullopt;
    std::string bytes(kPiece, '\0');
    ssize_t got = 0;
    do {
      got = ::read(STDIN_FILENO, bytes.data(), bytes.size());
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
      failed_ = true;
      return std::unexpected(errno_error("standard input", errno));
    }
    ended_ = got == 0;
    bytes.resize(static_cast<std::size_t>(got));
    return dot_ends_ ? without_dot(std::move(bytes)) : std::move(bytes);
  }
  bool failed() const { return failed_; }

 private:
  static constexpr std::size_t kPiece = 48 * 1024;

  /// Keeps back the last line while it may be, or become, the lone dot.
  std::string without_dot(std::string bytes) {
    bytes.insert(0, std::exchange(held_, {}));
    std::size_t line = 0;
    while (true) {
      auto end = bytes.find('\n', line);
      auto text = std::string_view(bytes).substr(line, end - line);
      auto whole = end != std::string::npos || ended_;
      if (whole && at_line_start(line) && (text == "." || text == ".\r")) {
        ended_ = true;
        bytes.resize(line);
        return bytes;
      }
      if (end == std::string::npos) break;
      line = end + 1;
      fresh_ = true;
    }
    auto rest = std::string_view(bytes).substr(line);
    if (!ended_ && at_line_start(line) && (rest.empty() || rest == "." || rest == ".\r")) {
      held_ = rest;
      bytes.resize(line);
      fresh_ = true;
    } else {
      fresh_ = false;
    }
    return bytes;
  }
  bool at_line_start(std::size_t at) const { return at != 0 || fresh_; }

  bool dot_ends_;
  bool ended_ = false;
  bool fresh_ = true;  ///< what comes next begins a line
  std::string held_;
  bool failed_ = false;
};

Result<net::UniqueFd> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(ErrorCode::TooLarge, "{} is too long for a socket's name", path);
  path.copy(address.sun_path, path.size());
  net::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return std::unexpected(errno_error("socket", errno));
  // One that was stopped, and has its queue of connections full, is not waited for by connect().
  timeval patience{5, 0}, none{};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EAGAIN) return std::unexpected(net::takes_no_more(path));
    return std::unexpected(errno_error(path, errno));
  }
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
  return socket;
}

/// A server that is being started again is back in a moment, and who hands in mail (cron) mostly
/// does not try again. Nothing is read before it is there. One that takes no more connections is
/// there: what it does next says whether it hangs.
void wait_for_server(const Instance& instance, const SendmailOptions& options, Terminal& terminal) {
  constexpr std::chrono::milliseconds kBetween{200};
  std::error_code unknown;
  // Without an instance none will come.
  if (!std::filesystem::exists(instance.config.parent_path(), unknown)) return;
  auto until = std::chrono::steady_clock::now() + options.wait;
  for (bool told = false;; told = true) {
    auto socket = connect_to(instance.submit_socket.string());
    if (socket || socket.error().code == ErrorCode::Conflict) return;
    if (std::chrono::steady_clock::now() + kBetween > until) return;
    if (!told && ::isatty(STDERR_FILENO)) terminal.complain(kWaiting, options.wait.count());
    std::this_thread::sleep_for(kBetween);
  }
}

/// An interrupted message must not be sent as if it were whole.
Exit submit(const Instance& instance, const SendmailOptions& options, Terminal& terminal) {
  if (options.recipients.empty() && !options.extract) {
    terminal.complain(kNoRecipients);
    return Exit::Usage;
  }
  boost::json::array recipients;
  for (auto& one : options.recipients) recipients.push_back(json_text(one));
  boost::json::object args{{"recipients", std::move(recipients)},
                           {"extract", options.extract},
                           {"eight_bit", options.eight_bit}};
  if (options.from) args["from"] = json_text(options.from->empty() ? "<>" : *options.from);
  if (!options.full_name.empty()) args["full_name"] = json_text(options.full_name);
  if (!options.notify.empty()) args["notify"] = json_text(options.notify);
  if (!options.ret.empty()) args["ret"] = json_text(options.ret);
  if (!options.envelope_id.empty()) args["envelope_id"] = json_text(options.envelope_id);
  wait_for_server(instance, options, terminal);
  Input input(!options.ignore_dots);
  auto answer =
      ask_server(instance.submit_socket, {"mail.submit", std::move(args), {}},
                 {.starting = tell_of_start(terminal), .data = [&] { return input.next(); }});
  if (!answer.running) {
    terminal.complain(kNotRunning, instance.submit_socket.string());
    return Exit::TryLater;
  }
  if (answer.result) {
    if (options.verbose) terminal.out(text_in(*answer.result, "id") + '\n');
    return Exit::Ok;
  }
  auto& error = answer.result.error();
  if (input.failed()) {
    terminal.complain(kNotRead, error.describe());
    return Exit::Io;
  }
  terminal.complain_text(error.describe());
  if (error.temporary()) return Exit::TryLater;
  return error.code == ErrorCode::NotFound ? Exit::NoAccount : exit_for(error.code);
}

// --- -bs ---

/// Moves what is there. False at the end; an error when one of the two cannot be used.
Result<bool> pump(int from, int to) {
  std::array<char, 16384> buffer;
  ssize_t got = 0;
  do {
    got = ::read(from, buffer.data(), buffer.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0) return std::unexpected(errno_error("cannot read", errno));
  if (got > 0 && !net::write_all(to, {buffer.data(), static_cast<std::size_t>(got)}))
    return std::unexpected(errno_error("cannot write", errno));
  return got > 0;
}

/// Who listens at the other end; 0: not known.
std::int32_t process_at(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

Result<std::string> read_line_alone(int socket) {
  std::string line;
  // Byte by byte: it ends with the first newline, and the greeting may follow in the same packet.
  for (char c = 0; c != '\n';) {
    pollfd wait{socket, POLLIN, 0};
    auto ready = ::poll(&wait, 1, static_cast<int>(kSilence.count()));
    if (ready == 0) return std::unexpected(no_answer_of(process_at(socket), kSilence));
    auto got = ready < 0 ? ready : ::read(socket, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got != 1) return fail(ErrorCode::Unavailable, "the server ended the connection");
    if (c != '\n') line += c;
    if (line.size() > kMaxControlLine) return fail(ErrorCode::TooLarge, "too long an answer");
  }
  return line;
}

/// The server's answer to the wish for SMTP.
Result<void> read_consent(int socket, const OnStarting& starting) {
  while (true) {
    TRY(auto line, read_line_alone(socket));
    TRY(auto decoded, decode_control_line(line));
    if (auto working = std::get_if<ControlWorking>(&decoded)) {
      if (working->starting) starting();
      continue;
    }
    if (auto error = std::get_if<Error>(&decoded)) return std::unexpected(std::move(*error));
    if (std::holds_alternative<ControlResult>(decoded)) return {};
    return fail(ErrorCode::Invalid, "the server's answer is not one");
  }
}

/// Longer than a server waits for its client, whatever smtp.timeout says (an hour at most): where
/// nothing has moved for so long, it hangs.
constexpr std::chrono::milliseconds kDialogueSilence = std::chrono::minutes(65);

/// Until the server has said its last word. What could not be read to its end is cut off for the
/// server, too, which takes no message without its end.
Exit pass_on(int socket, Terminal& terminal) {
  bool listening = true;
  auto exit = Exit::Ok;
  auto fails = [&](const Error& error) {
    terminal.complain_text("-bs: " + error.describe());
    exit = Exit::Io;
  };
  while (true) {
    std::array<pollfd, 2> waits{{{socket, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}}};
    auto ready =
        ::poll(waits.data(), listening ? 2 : 1, static_cast<int>(kDialogueSilence.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return Exit::Io;
    if (ready == 0) {
      fails(no_answer_of(process_at(socket), kDialogueSilence));
      return Exit::TryLater;
    }
    if (waits[0].revents != 0) {
      auto moved = pump(socket, STDOUT_FILENO);
      if (!moved) fails(moved.error());
      if (!moved || !*moved) return exit;
    }
    if (listening && waits[1].revents != 0) {
      auto moved = pump(STDIN_FILENO, socket);
      if (!moved) fails(moved.error());
      if (moved && *moved) continue;
      listening = false;
      ::shutdown(socket, SHUT_WR);
    }
  }
}

/// The dialogue of a program on standard input and output with the server.
Exit speak_smtp(const Instance& instance, const SendmailOptions& options, Terminal& terminal) {
  wait_for_server(instance, options, terminal);
  auto socket = connect_to(instance.submit_socket.string());
  if (!socket && socket.error().code == ErrorCode::Conflict) {
    terminal.complain_text(socket.error().describe());
    return Exit::TryLater;
  }
  if (!socket) {
    terminal.complain(kNotRunning, instance.submit_socket.string());
    return Exit::TryLater;
  }
  auto request = encode_control_line(ControlRequest{std::string(kSubmitSmtp), {}, {}}) + '\n';
  if (!net::write_all(socket->get(), request)) return Exit::TryLater;
  if (auto taken = read_consent(socket->get(), tell_of_start(terminal)); !taken) {
    terminal.complain_text(taken.error().describe());
    // Nothing was said yet: whatever it was, the caller still has its mail.
    return Exit::TryLater;
  }
  return pass_on(socket->get(), terminal);
}

Exit list_queue(const Invocation& invocation, Terminal& terminal) {
  auto mailq = verb_mailq();
  Invocation list(mailq);
  for (std::size_t i = 0; i + 1 < invocation.arguments().size(); ++i)
    if (invocation.argument(i) == "--dir") list.add_option("--dir", invocation.argument(i + 1));
  return mailq.run(list, terminal);
}

Exit run(const Invocation& invocation, Terminal& terminal) {
  auto options = parse_sendmail_options(invocation.arguments());
  if (!options) {
    terminal.complain_text(error_in(options.error(), terminal.language()));
    return Exit::Usage;
  }
  auto instance = Instance::from(options->dir);
  switch (options->mode) {
    case SendmailOptions::Mode::Submit:
      return submit(instance, *options, terminal);
    case SendmailOptions::Mode::Smtp:
      return speak_smtp(instance, *options, terminal);
    case SendmailOptions::Mode::ListQueue:
      return list_queue(invocation, terminal);
    case SendmailOptions::Mode::Nothing:
      return Exit::Ok;
  }
  return Exit::Software;
}

}  // namespace

Verb verb_sendmail() {
  return {
      .name = "sendmail",
      .group = Group::Mail,
      .summary = {"hands in mail for programs, with sendmail's options",
                  "プログラムのメールを受け付ける(sendmail 互換)"},
      .details =
          {"The message comes on standard input. Understood are -t (recipients from To, Cc and "
           "Bcc), -f and -r (sender), -F (full name), -i and -oi (a dot alone does not end it), "
           "-bs (SMTP), -bp (the queue), -bi (nothing to do), -B8BITMIME, -v, --dir, and what is "
           "to be told of the delivery (RFC 3461): -N (never, or some of success, failure, "
           "delay), -R (full or hdrs: what of the message comes back), -V (a name for it, which "
           "the notices bear); others that programs pass are taken without effect. A name without "
           "a domain is one of the "
           "server's first domain; when nobody has it, postmaster gets the mail. A recipient "
           "that is refused refuses the whole message: exit code 67. A server that does not run "
           "(it is being started again, perhaps) is waited for: 60 seconds at most, or --wait "
           "SECONDS; then the exit code is 75, nothing was taken, and it is for the caller to try "
           "later. One that is still starting is waited for until it has started. Linked as "
           "sendmail, mailq or newaliases the program "
           "behaves as such.",
           "メッセージは標準入力から読みます。-t(To、Cc、Bcc の宛先)、-f と "
           "-r(差出人)、-F(氏名)、-i と -oi(ドットだけの行で終わらない)、-bs(SMTP)、"
           "-bp(キュー)、-bi(何もしない)、-B8BITMIME、-v、--dir、配送通知 (RFC 3461) の "
           "-N(never、または "
           "success、failure、delay の組み合わせ)、-R(full か hdrs: 返送する範囲)、"
           "-V(通知に付ける識別子)"
           "が使え、プログラムがよく渡すほかのオプションは無視します。ドメインのない名前は"
           "サーバーの最初のドメインのものとみなし、該当者がいなければ postmaster "
           "に届きます。一つでも宛先が拒否されると全体を拒否し、終了コードは 67 "
           "です。サーバーが動いていないとき(再起動中など)は"
           "最長 60 秒(--wait 秒数 で変更)待ち、それでも動かなければ終了コードは 75 です。その場合"
           "何も受け付けていないので、後でやり直してください。起動処理中のサーバーは、"
           "起動が終わるまで待ちます。sendmail、mailq、newaliases "
           "という名前でリンクすると、それぞれとして動きます。"},
      .arguments = {{"OPTION",
                     {"sendmail's options and recipients", "sendmail のオプションと宛先"},
                     ArgumentSpec::Count::Any}},
      .examples = {{"hikyaku sendmail -t -i < letter.eml",
                    {"to whom the header names", "ヘッダーの宛先へ送る"}},
                   {"hikyaku sendmail -f anna@example.org ben@example.net < letter.eml",
                    {"with sender and recipient", "差出人と宛先を指定して送る"}}},
      .raw_arguments = true,
      .run = run,
  };
}

}  // namespace hikyaku::app
