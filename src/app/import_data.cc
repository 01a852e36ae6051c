#include "app/import_data.h"

#include <fmt/core.h>

#include "app/control.h"

namespace hikyaku::app {
namespace {

constexpr std::size_t kChunk = 32 * 1024;

}  // namespace

std::optional<std::string> ImportData::next() {
  if (error_ || ended_) return std::nullopt;
  progress_.set(source_.done() / 1024);
  auto piece = make();
  if (piece) return std::move(*piece);
  error_ = std::move(piece).error();
  return std::nullopt;  // in the middle of a message: the server drops it
}

Result<std::optional<std::string>> ImportData::make() {
  if (!chunk_.empty()) return chunk();
  if (in_message_) {
    TRY(chunk_, source_.read());
    if (!chunk_.empty()) return chunk();
    in_message_ = false;
    return "0\n";
  }
  TRY(auto item, source_.next());
  if (!item) {
    ended_ = true;
    return std::nullopt;
  }
  in_message_ = true;
  boost::json::array flags;
  for (auto& flag : item->flags) flags.push_back(json_text(flag));
  boost::json::object meta{{"mailbox", json_text(item->mailbox)}, {"flags", std::move(flags)}};
  if (item->received != Time{}) meta["received"] = format_rfc3339(item->received);
  return boost::json::serialize(meta) + '\n';
}

std::optional<std::string> ImportData::chunk() {
  auto part = chunk_.substr(0, kChunk);
  chunk_.erase(0, kChunk);
  return fmt::format("{}\n", part.size()) + part;
}

}  // namespace hikyaku::app
