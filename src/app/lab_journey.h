// Journey: one message from Anna to somewhere, and what became of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "app/lab_play.h"

namespace hikyaku::app::lab {

class Journey {
 public:
  Journey(Play& play, std::string rcpt, std::string subject);

  const Letter& letter() const { return letter_; }
  /// Anna hands it in; the scene ends if she cannot.
  void submit();
  /// The first attempt with this result ("bounced"), once there is one.
  std::optional<boost::json::object> await_attempt(std::string_view result,
                                                   milliseconds patience = kPatience);
  std::size_t attempts() const;
  /// What alpha said to other servers since submit() or the last show_dialogue(), and heard.
  void show_dialogue();
  /// What alpha's story tells of the attempts.
  void show_events();
  /// Anna finds the bounce in her mailbox and reads it; it must name the recipient and `status`.
  void read_bounce(std::string_view status);
  /// A person of beta's finds the message and reads it; it must be what Anna wrote.
  void read_at_beta(std::string_view address);

 private:
  Play& play_;
  std::string rcpt_;
  Letter letter_;
  std::uintmax_t log_start_ = 0;
  boost::json::object story_;
};

}  // namespace hikyaku::app::lab
