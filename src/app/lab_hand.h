// Hand: a person at a keyboard, connected to a port (telnet): lines as they are typed, answers as
// they come.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/lab_play.h"
#include "net/input.h"
#include "net/stream.h"

namespace hikyaku::app::lab {

class Hand {
 public:
  /// Connects; the scene ends when nobody answers.
  Hand(Play& play, Endpoint to, std::optional<IpAddress> from = {}, std::string talk = {});
  Hand(const Hand&) = delete;
  Hand& operator=(const Hand&) = delete;
  ~Hand();

  /// One line, a few keystrokes at a time; shown. CRLF is added.
  void type(std::string_view line);
  /// One line from the server, without CRLF; shown. nullopt when it has closed.
  std::optional<std::string> hear();
  /// A whole SMTP reply: all of its lines, the last decides.
  struct Reply {
    int code = 0;
    std::string text;  ///< the lines, separated by \n
  };
  Reply hear_smtp();
  /// type() and hear_smtp().
  Reply smtp(std::string_view line);

 private:
  Task<std::optional<std::string>> read_line();

  Play& play_;
  std::string talk_;
  std::unique_ptr<net::Stream> stream_;
  std::unique_ptr<net::Input> input_;
};

}  // namespace hikyaku::app::lab
