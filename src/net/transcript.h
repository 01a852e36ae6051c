// Dialogues as test files: what a client says and what a server answers, line by line. For tests of
// servers on FakeStream and testing::TestLoop.
//
//     # a comment
//     ! flavour=submission        settings for the test program, before everything else
//     C: EHLO client.test         the client sends this line and CRLF; lines of C: that follow each
//     C: NOOP                     other go out together
//     S: 250-mx.alpha.test        the server answers this; * stands for anything
//     S: 250 *
//     C~ abc\r\n\x00              sent as it is: \r \n \0 \\ and {N*c}, which is c N times
//     TLS                         the client's side of a handshake after STARTTLS
//     WAIT 6m                     nothing happens for so long
//     CLOSE                       the client closes
//     END                         the server closes
#pragma once

#include <algorithm>
#include <array>
#include <filesystem>
#include <fmt/core.h>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "base/async.h"
#include "base/text.h"
#include "base/time.h"
#include "net/fake_stream.h"
#include "net/tls.h"

namespace hikyaku::net::testing {

struct Transcript {
  struct Step {
    enum class Kind { Client, Server, Tls, Wait, Close, End };
    Kind kind = Kind::Client;
    std::string text;  ///< bytes of the client, pattern of the server's line, duration
    int line = 0;
  };
  std::string name;
  std::vector<std::string> settings;  ///< the words behind "!"
  std::vector<Step> steps;

  bool has(std::string_view setting) const {
    return std::ranges::find(settings, setting) != settings.end();
  }
};

inline std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      char c = text[++i];
      out += c == 'r' ? '\r' : c == 'n' ? '\n' : c == '0' ? '\0' : c;
    } else if (auto star = text.find('*', i); text[i] == '{' && star != std::string_view::npos) {
      auto count = parse_decimal(text.substr(i + 1, star - i - 1)).value();
      out.append(static_cast<std::size_t>(count), text[star + 1]);
      i = star + 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

inline Transcript parse_transcript(std::string name, std::istream& in) {
  Transcript script;
  script.name = std::move(name);
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    using Kind = Transcript::Step::Kind;
    auto rest = [&](std::size_t from) { return line.size() > from ? line.substr(from) : ""; };
    if (line.empty() || line.starts_with("#")) continue;
    if (line.starts_with("! ")) {
      std::istringstream words(rest(2));
      for (std::string word; words >> word;) script.settings.push_back(word);
    } else if (line.starts_with("C:")) {
      script.steps.push_back({Kind::Client, unescape(rest(3)) + "\r\n", number});
    } else if (line.starts_with("C~")) {
      script.steps.push_back({Kind::Client, unescape(rest(3)), number});
    } else if (line.starts_with("S:")) {
      script.steps.push_back({Kind::Server, rest(3), number});
    } else if (line == "TLS") {
      script.steps.push_back({Kind::Tls, "", number});
    } else if (line.starts_with("WAIT ")) {
      script.steps.push_back({Kind::Wait, rest(5), number});
    } else if (line == "CLOSE") {
      script.steps.push_back({Kind::Close, "", number});
    } else if (line == "END") {
      script.steps.push_back({Kind::End, "", number});
    } else {
      throw std::runtime_error(fmt::format("{}:{}: what is this? {}", script.name, number, line));
    }
  }
  return script;
}

/// Every *.session file of a directory, by name.
inline std::vector<Transcript> read_transcripts(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  for (auto& entry : std::filesystem::directory_iterator(directory))
    if (entry.path().extension() == ".session") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Transcript> scripts;
  for (auto& path : files) {
    std::ifstream in(path);
    scripts.push_back(parse_transcript(path.stem().string(), in));
  }
  return scripts;
}

/// `*` stands for any text.
inline bool matches(std::string_view pattern, std::string_view text) {
  auto star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == text;
  if (!text.starts_with(pattern.substr(0, star))) return false;
  pattern.remove_prefix(star + 1);
  for (text.remove_prefix(star);; text.remove_prefix(1)) {
    if (matches(pattern, text)) return true;
    if (text.empty()) return false;
  }
}

/// One side of a conversation that a test leads by hand. Waits longer than a minute are failures.
class Talker {
 public:
  explicit Talker(Stream& stream) : stream_(stream) { stream.set_timeout(std::chrono::minutes(1)); }

  Task<void> send(std::string bytes) {
    // A server that has closed already says so in what is read.
    try {
      co_await stream_.write(bytes);
    } catch (const Disconnected&) {
    }
  }
  /// The next line without CRLF; "END" at the end of the peer's bytes, "NOTHING" when none comes.
  Task<std::string> line() {
    while (true) {
      if (auto end = buffer_.find("\r\n"); end != std::string::npos) {
        auto line = buffer_.substr(0, end);
        buffer_.erase(0, end + 2);
        co_return line;
      }
      std::string problem;
      try {
        std::array<char, 4096> piece;
        auto got = stream_.try_read(piece);
        if (!got) {
          co_await stream_.wait_readable();
        } else if (*got == 0) {
          problem = "END";
        } else {
          buffer_.append(piece.data(), *got);
        }
      } catch (const Disconnected& gone) {
        problem = gone.why() == Disconnected::Why::Timeout ? "NOTHING" : "END";
      }
      if (!problem.empty()) co_return buffer_.empty() ? problem : std::exchange(buffer_, {});
    }
  }
  bool has_unread() const { return !buffer_.empty(); }
  Stream& stream() { return stream_; }

 private:
  Stream& stream_;
  std::string buffer_;
};

/// Plays the client's part; the first thing that is not as written, or "".
inline Task<std::string> play(const Transcript& script, Stream& stream, const ClientTls& tls) {
  using Kind = Transcript::Step::Kind;
  Talker talker(stream);
  std::string pending;
  for (auto& step : script.steps) {
    if (step.kind == Kind::Client) {
      pending += step.text;
      continue;
    }
    if (!pending.empty()) co_await talker.send(std::exchange(pending, {}));
    auto where = fmt::format("{}:{}: ", script.name, step.line);
    switch (step.kind) {
      case Kind::Server: {
        auto line = co_await talker.line();
        if (!matches(step.text, line))
          co_return fmt::format("{}expected {} but got {}", where, step.text, line);
        break;
      }
      case Kind::Tls: {
        if (talker.has_unread()) co_return where + "there is more before the handshake";
        auto info = co_await stream.start_tls(tls, "test");
        if (!info) co_return where + info.error().text;
        break;
      }
      case Kind::Wait:
        co_await sleep_for(parse_duration(step.text).value());
        break;
      case Kind::Close:
        stream.finish();
        break;
      default: {
        auto line = co_await talker.line();
        if (line != "END") co_return fmt::format("{}expected the end but got {}", where, line);
        break;
      }
    }
  }
  if (!pending.empty()) co_await talker.send(std::move(pending));
  co_return std::string();
}

}  // namespace hikyaku::net::testing
