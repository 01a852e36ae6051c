// Stage: where the scenes of the lab are shown: steps, dialogues, answers of the DNS, the servers'
// stories, and what was checked. Every line of a dialogue comes from a socket.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "app/terminal.h"
#include "base/phrase.h"
#include "client/observer.h"

namespace hikyaku::app::lab {

/// Thrown by require(): the scene cannot go on. The reason was shown already.
struct SceneEnded {};
/// Thrown by step() and wait loops after Ctrl-C.
struct Interrupted {};

class Stage {
 public:
  enum class Form {
    People,
    Json,  ///< one object a line: {"event":"line", …}
  };
  Stage(Terminal& terminal, Form form) : terminal_(terminal), form_(form) {}

  Language language() const { return terminal_.language(); }
  Terminal& terminal() { return terminal_; }
  bool is_json() const { return form_ == Form::Json; }

  void begin_scene(std::string_view name, const Phrase& title, const Phrase& about);
  /// True if all checks held.
  bool end_scene();

  /// A numbered heading: what happens next, and who plays which part.
  template <class... Args>
  void step(const Phrase& phrase, const Args&... args) {
    show_step(say(language(), phrase, args...));
  }
  /// Something worth knowing about what was just seen.
  template <class... Args>
  void note(const Phrase& phrase, const Args&... args) {
    show_note(say(language(), phrase, args...));
  }

  /// One line of a dialogue. `talk` tells several apart; may be empty.
  void line(std::string_view talk, bool by_client, std::string_view text);
  /// For a client: shows what it says and hears.
  client::Observer observer(std::string talk);
  /// A question to the DNS and its answer.
  void dns(std::string_view question, std::string_view answer);
  /// What a server recorded: its story of a message, its queue.
  void story(std::string_view server, std::string_view text);

  /// What a scene is about: did it end as it should? Shown, and counted when not.
  template <class... Args>
  bool check(bool holds, const Phrase& what, const Args&... args) {
    return show_check(holds, say(language(), what, args...));
  }
  /// The same, where nothing can follow without it.
  template <class... Args>
  void require(bool holds, const Phrase& what, const Args&... args) {
    if (!check(holds, what, args...)) throw SceneEnded();
  }
  /// What went wrong outside of all checks (a lost connection).
  void failure(std::string_view what) { show_check(false, what); }

  const std::vector<std::string>& failures() const { return failures_; }

  /// From a signal handler's loop.
  void interrupt() { interrupted_ = true; }
  bool interrupted() const { return interrupted_; }
  void stop_if_interrupted() const {
    if (interrupted_) throw Interrupted();
  }

 private:
  void show_step(std::string_view text);
  void show_note(std::string_view text);
  bool show_check(bool holds, std::string_view what);

  Terminal& terminal_;
  Form form_;
  std::string scene_;
  int steps_ = 0;
  std::vector<std::string> failures_;
  std::atomic<bool> interrupted_ = false;
};

}  // namespace hikyaku::app::lab
