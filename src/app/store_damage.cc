#include "app/store_damage.h"

#include "app/error_phrases.h"
#include "app/progress.h"
#include "app/run_command.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kMessages{"{} [message|messages] could not be read", "読めないメッセージ {} 通"};
constexpr Phrase kSegments{"{} (lost segments of the journal: {})",
                           "{} (失われたジャーナルのセグメント: {} 個)"};
constexpr Phrase kRecords{"{} (damaged records of the journal: {})",
                          "{} (壊れたジャーナルの記録: {} 個)"};
constexpr Phrase kIndex{"a part of the index could not be read: {}", "索引の一部が読めません: {}"};

}  // namespace

std::vector<std::string> StoreDamage::describe(Language language) const {
  std::vector<std::string> all;
  if (segments != 0)
    all.push_back(say(language, kSegments, told_in(segment, language), grouped(segments)));
  if (messages != 0) all.push_back(say(language, kMessages, grouped(messages)));
  if (records != 0)
    all.push_back(say(language, kRecords, told_in(record, language), grouped(records)));
  if (!index.empty()) all.push_back(say(language, kIndex, told_in(index, language)));
  for (auto& file : files) all.push_back(told_in(file, language));
  return all;
}

StoreDamage damage_of(const store::Statistics& statistics) {
  return {.messages = statistics.unreadable_bodies,
          .segments = statistics.lost_segments,
          .segment = statistics.lost_segment,
          .records = statistics.damaged_records,
          .record = statistics.damaged_record,
          .index = statistics.index_damage};
}

boost::json::object to_json(const StoreDamage& damage) {
  return {{"messages", damage.messages},          {"segments", damage.segments},
          {"segment", json_text(damage.segment)}, {"records", damage.records},
          {"record", json_text(damage.record)},   {"index", json_text(damage.index)},
          {"files", json_texts(damage.files)},    {"zeroed", json_texts(damage.zeroed)}};
}

StoreDamage damage_in(const boost::json::object& object) {
  StoreDamage damage{.messages = number_in(object, "messages"),
                     .segments = number_in(object, "segments"),
                     .segment = text_in(object, "segment"),
                     .records = number_in(object, "records"),
                     .record = text_in(object, "record"),
                     .index = text_in(object, "index")};
  auto take = [&](std::string_view name, std::vector<std::string>& into) {
    auto found = object.if_contains(name);
    if (!found || !found->is_array()) return;
    for (auto& file : found->get_array())
      if (file.is_string()) into.emplace_back(file.get_string());
  };
  take("files", damage.files);
  take("zeroed", damage.zeroed);
  return damage;
}

}  // namespace hikyaku::app
