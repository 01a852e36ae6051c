// What `hikyaku top` shows: rates from two looks at the server's totals (stats).
#pragma once

#include <string>

#include "app/json.h"
#include "app/terminal.h"
#include "base/phrase.h"

namespace hikyaku::app {

/// Two answers of the command stats, and the seconds between them.
struct TopView {
  boost::json::object before;
  boost::json::object now;
  double seconds = 1;
};

/// The numbers of one frame, for programs.
boost::json::object top_numbers(const TopView& view);

/// The frame for people: lines of at most `columns`, at most `lines` of them.
struct TopSize {
  std::size_t columns = 80;
  std::size_t lines = 24;
};
std::string top_frame(const TopView& view, const Terminal& terminal, TopSize size);

}  // namespace hikyaku::app
