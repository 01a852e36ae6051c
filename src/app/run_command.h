// How a verb gets a command of the control table done: by the running server, or, when none runs,
// in this process on the store.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "app/control_io.h"
#include "app/exit.h"
#include "app/instance.h"
#include "app/terminal.h"
#include "app/verb.h"

namespace hikyaku::app {

/// The commands of one instance, for one verb. The first call finds out whether the server runs;
/// if not, it opens the store, which stays open (and locked) as long as this object.
class Commands {
 public:
  /// Whose rights we have once the store is open, when root calls us and no server runs.
  enum class Rights {
    OfServer,  ///< those of the server's user, for good
    Own,       ///< ours still: for verbs that read or write files of whoever calls. The store is
               ///< opened by another process; no other threads may run at the first call
  };

  /// By --dir and --json of the invocation. Both must outlive this.
  Commands(const Invocation& invocation, Terminal& terminal, Rights rights = Rights::OfServer);
  ~Commands();

  using Answer = std::expected<boost::json::object, Error>;

  /// Runs `verb`; items and data go through `handlers`, progress is shown under `label` unless the
  /// handlers take it. An error has not been shown yet; Unavailable when only a running server can
  /// do it.
  Answer run(std::string_view verb, boost::json::object args, ControlHandlers handlers = {},
             std::string label = {});

  /// Shows an error of run() with its remedy (as JSON too, with --json), and gives the exit code.
  /// `missing` is the code for NotFound.
  Exit report(const Error& error, Exit missing = Exit::NoAccount);

  /// The instance has no configuration, or one with mistakes: shown already; run() gave an error.
  const Instance& instance() const { return instance_; }

 private:
  class Offline;
  class Here;
  class Apart;
  Result<void> open_here();

  const Invocation& invocation_;
  Terminal& terminal_;
  Rights rights_;
  Instance instance_;
  std::unique_ptr<Offline> offline_;
  bool asked_ = false;  ///< the server has answered: it is not to be replaced half-way
  std::optional<Exit> shown_;
};

/// Whether there is an instance (its configuration); shows that there is none and how to make one.
bool instance_is_there(const Instance& instance, Terminal& terminal);

/// Says to a person who looks on that the server is still starting, and waits on.
OnStarting tell_of_start(Terminal& terminal);

/// What a command says that only a running server can do when none runs: Unavailable.
Error no_server(const Instance& instance, Language language);

/// Loads the instance's configuration. Shows what is wrong with it, or that there is none and how
/// to make one; the exit code then.
std::expected<config::Config, Exit> load_instance_config(const Instance& instance,
                                                         Terminal& terminal);

/// A member of an answer as text: "" when it is not there or null.
std::string text_in(const boost::json::object& object, std::string_view name);
std::uint64_t number_in(const boost::json::object& object, std::string_view name);
bool flag_in(const boost::json::object& object, std::string_view name);

/// Prints the items of a list: one JSON array, or a table. The cells are what `row` makes of an
/// item; `none` is said when there are none.
class ItemList {
 public:
  using Row = std::function<std::vector<std::string>(const boost::json::object&)>;
  ItemList(const Invocation& invocation, Terminal& terminal, std::vector<Phrase> headings, Row row);

  /// For ControlHandlers::item. JSON is written at once, so that any number takes no memory.
  void add(const boost::json::object& item);
  /// The end of the list.
  void finish(const Phrase& none);

 private:
  bool json_;
  Terminal& terminal_;
  Row row_;
  Table table_;
  std::size_t count_ = 0;
};

/// "12 KB", "3.4 MB": for people.
std::string short_size(std::uint64_t bytes);

/// Texts of whatever bytes, as a JSON array.
boost::json::array json_texts(const std::vector<std::string>& texts);

/// The same with whole numbers written as such: "0", where Boost writes a double as "0E0".
boost::json::value with_whole_numbers(boost::json::value value);

/// One line of JSON on standard output.
void print_json(Terminal& terminal, const boost::json::value& value);

}  // namespace hikyaku::app
