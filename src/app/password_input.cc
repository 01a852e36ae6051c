#include "app/password_input.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include "auth/credentials.h"
#include "net/fd.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kAsk{"Password, {} characters or more (empty: one is made up): ",
                      "パスワード({} 文字以上。空欄なら自動で作ります): "};
constexpr Phrase kAgain{"The same again: ", "もう一度: "};

/// Without i, l, o, 0, 1 and the like.
constexpr std::string_view kAlphabet = "abcdefghjkmnpqrstuvwxyz23456789";

/// Reads up to a newline, byte by byte: what follows belongs to others.
Result<crypto::Secret> read_line(int descriptor) {
  std::string line;
  while (true) {
    char c = 0;
    auto got = ::read(descriptor, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(errno_error("cannot read the password", errno));
    if (got == 0 || c == '\n') break;
    line += c;
    if (line.size() > auth::kMaxPassword) {
      crypto::wipe(line);
      return fail(ErrorCode::Invalid, "a password has at most {} bytes", auth::kMaxPassword);
    }
  }
  if (line.ends_with('\r')) line.pop_back();
  return crypto::Secret::take(std::move(line));
}

/// No echo on the terminal while it lives.
class Silence {
 public:
  explicit Silence(int terminal) : terminal_(terminal) {
    if (::tcgetattr(terminal_, &before_) != 0) return;
    auto silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = ::tcsetattr(terminal_, TCSAFLUSH, &silent) == 0;
  }
  ~Silence() {
    if (changed_) ::tcsetattr(terminal_, TCSAFLUSH, &before_);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  int terminal_;
  termios before_{};
  bool changed_ = false;
};

Result<crypto::Secret> ask_once(int descriptor, Terminal& terminal, std::string_view question) {
  Silence silence(descriptor);
  terminal.err(question);
  auto line = read_line(descriptor);
  terminal.err("\n");
  return line;
}

}  // namespace

const OptionSpec& password_stdin_option() {
  static const OptionSpec option{.name = "--password-stdin",
                                 .help = {"take the password from the first line of standard input",
                                          "標準入力の1行目をパスワードとする"}};
  return option;
}

crypto::Secret generate_password(crypto::Random& random) {
  std::string text;
  for (int i = 0; i < 16; ++i) {
    if (i != 0 && i % 4 == 0) text += '-';
    text += kAlphabet[random.below(static_cast<std::uint32_t>(kAlphabet.size()))];
  }
  return crypto::Secret::take(std::move(text));
}

Result<ChosenPassword> choose_password(const Invocation& invocation, Terminal& terminal, Ask ask) {
  if (invocation.has("--password-stdin")) {
    TRY(auto line, read_line(STDIN_FILENO));
    if (line.empty())
      return fail(ErrorCode::Invalid, "the first line of standard input is empty, no password");
    TRY_DO(auth::check_chosen(line));
    return ChosenPassword{std::move(line), false};
  }
  if (ask == Ask::OnTerminal && ::isatty(STDIN_FILENO) && ::isatty(STDERR_FILENO)) {
    TRY(auto first,
        ask_once(STDIN_FILENO, terminal, say(terminal.language(), kAsk, auth::kLeastPassword)));
    if (!first.empty()) {
      TRY_DO(auth::check_chosen(first));
      TRY(auto second, ask_once(STDIN_FILENO, terminal, kAgain.in(terminal.language())));
      if (!(first == second))
        return fail(ErrorCode::Invalid, "the two passwords differ; nothing was changed");
      return ChosenPassword{std::move(first), false};
    }
  }
  crypto::SystemRandom random;
  return ChosenPassword{generate_password(random), true};
}

Result<crypto::Secret> ask_password(const Invocation& invocation, Terminal& terminal,
                                    std::string_view question) {
  auto from_stdin = invocation.has("--password-stdin");
  if (!from_stdin && (!::isatty(STDIN_FILENO) || !::isatty(STDERR_FILENO)))
    return fail(ErrorCode::Invalid,
                "{}nobody to ask; --password-stdin takes it from standard input", question);
  auto password = from_stdin ? read_line(STDIN_FILENO) : ask_once(STDIN_FILENO, terminal, question);
  if (password && password->empty())
    return fail(ErrorCode::Invalid, "{}{}", question,
                from_stdin ? "standard input has no such line" : "none was given");
  return password;
}

}  // namespace hikyaku::app
