// trace: the story of a message.
#include <fmt/core.h>

#include "app/commands.h"
#include "auth/directory.h"
#include "base/text.h"
#include "story/story.h"

namespace hikyaku::app {
namespace {

using boost::json::object;
using Answer = Result<object>;

constexpr Phrase kUnknown{"no message is known by {} in the last {} days",
                          "{} に当たるメッセージは最近 {} 日間にありません"};

/// By id, by address or by Message-ID; newest first.
Task<Answer> trace(Core& core, ControlCall& call) {
  CO_TRY(auto what, call.needed_text("what"));
  CO_TRY(auto most, call.number("most", 10));
  CO_TRY(auto days, call.number("days", 90));
  auto since = core.clock().now() - std::chrono::days(days);
  auto ids = co_await core.store().read([&](store::Reader& reader) {
    if (auto id = story::parse_message_id(what)) return std::vector<story::MessageId>{*id};
    auto found = story::find_by_message_id(reader, what, since, most);
    if (found.empty() && !what.starts_with('<'))
      found = story::find_by_message_id(reader, "<" + what + ">", since, most);
    if (found.empty()) found = story::find_by_address(reader, what, since, most);
    // Stories have addresses as they came over the wire: mostly with an A-label.
    if (auto normal = auth::normalize_address(what); found.empty() && normal)
      found = story::find_by_address(reader, *normal, since, most);
    return found;
  });
  std::uint64_t count = 0;
  for (auto id : ids) {
    auto story = co_await core.store().read(
        [id](store::Reader& reader) { return story::find_story(reader, id); });
    if (!story) continue;
    ++count;
    co_await call.item({{"id", story::to_text(id)},
                        {"text", json_text(story::tell(*story, call.request().language))},
                        {"story", boost::json::parse(story::to_json(*story))}});
  }
  if (count == 0)
    co_return fail(ErrorCode::NotFound, "{}", say(call.request().language, kUnknown, what, days));
  co_return object{{"count", count}};
}

}  // namespace

void add_story_commands(ControlTable& table, Core& core) {
  table.add({.verb = "trace", .run = [&core](ControlCall& call) { return trace(core, call); }});
}

}  // namespace hikyaku::app
