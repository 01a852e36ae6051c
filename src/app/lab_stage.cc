#include "app/lab_stage.h"

#include "app/text_width.h"
#include "base/json.h"
#include "base/text.h"

namespace hikyaku::app::lab {
namespace {

/// Longer lines of a dialogue are cut: the rest of a base64 block teaches nobody.
constexpr std::size_t kLongestLine = 200;

constexpr Phrase kScene{"Scene: {}", "場面: {}"};
constexpr Phrase kAsItShould{"ended as it should", "期待どおりに終わりました"};
constexpr Phrase kNotAsItShould{"DID NOT END AS IT SHOULD: {}",
                                "期待どおりに終わりませんでした: {}"};

/// One line for programs.
std::string event(std::string_view kind, std::string_view scene,
                  std::initializer_list<std::pair<std::string_view, std::string_view>> members) {
  JsonWriter json;
  json.begin_object().member("event", kind).member("scene", scene);
  for (auto& [name, value] : members) json.member(name, value);
  json.end_object();
  return json.take() + "\n";
}

}  // namespace

void Stage::begin_scene(std::string_view name, const Phrase& title, const Phrase& about) {
  scene_ = name;
  steps_ = 0;
  failures_.clear();
  auto lang = language();
  if (is_json()) {
    terminal_.out(event("scene", scene_, {{"title", title.in(lang)}, {"about", about.in(lang)}}));
    return;
  }
  terminal_.out("\n" + terminal_.toned(Tone::Strong, say(lang, kScene, title.in(lang))) + "  " +
                terminal_.toned(Tone::Faint, "--scene " + scene_) + "\n");
  terminal_.paragraph(about.in(lang));
}

bool Stage::end_scene() {
  auto good = failures_.empty();
  if (is_json()) {
    JsonWriter json;
    json.begin_object().member("event", "end").member("scene", scene_).member("ok", good);
    json.key("failures").begin_array();
    for (auto& failure : failures_) json.value(failure);
    json.end_array().end_object();
    terminal_.out(json.take() + "\n");
    return good;
  }
  auto text = good ? scene_ + ": " + std::string(kAsItShould.in(language()))
                   : scene_ + ": " + say(language(), kNotAsItShould, join(failures_, "; "));
  terminal_.out("\n" + terminal_.toned(good ? Tone::Good : Tone::Bad, text) + "\n");
  return good;
}

void Stage::show_step(std::string_view text) {
  stop_if_interrupted();
  ++steps_;
  if (is_json()) {
    terminal_.out(event("step", scene_, {{"text", text}}));
    return;
  }
  terminal_.out("\n" +
                terminal_.toned(Tone::Strong, std::to_string(steps_) + ". " + std::string(text)) +
                "\n");
}

void Stage::show_note(std::string_view text) {
  if (is_json()) {
    terminal_.out(event("note", scene_, {{"text", text}}));
    return;
  }
  terminal_.paragraph(text, 3);
}

void Stage::line(std::string_view talk, bool by_client, std::string_view text) {
  auto shown = printable(text, kLongestLine);
  if (is_json()) {
    terminal_.out(
        event("line", scene_, {{"talk", talk}, {"by", by_client ? "C" : "S"}, {"text", shown}}));
    return;
  }
  auto who = std::string(talk) + (talk.empty() ? "" : " ") + (by_client ? "C: " : "S: ");
  auto all = "   " + who + shown;
  terminal_.out((by_client ? all : terminal_.toned(Tone::Faint, all)) + "\n");
}

client::Observer Stage::observer(std::string talk) {
  return [this, talk = std::move(talk)](bool by_client, std::string_view text) {
    line(talk, by_client, text);
  };
}

void Stage::dns(std::string_view question, std::string_view answer) {
  if (is_json()) {
    terminal_.out(event("dns", scene_, {{"question", question}, {"answer", answer}}));
    return;
  }
  static constexpr Phrase kNothing[] = {
      {"no such name", "その名前は存在しません"},
      {"no such record", "その種類のレコードはありません"},
  };
  for (auto& phrase : kNothing)
    if (answer == phrase.en) answer = phrase.in(terminal_.language());
  terminal_.out("   DNS " + std::string(question) + "?  " + std::string(answer) + "\n");
}

void Stage::story(std::string_view server, std::string_view text) {
  if (is_json()) {
    terminal_.out(event("story", scene_, {{"server", server}, {"text", text}}));
    return;
  }
  for (auto piece : split(text, '\n')) {
    if (trim(piece).empty()) continue;
    terminal_.out("   " + terminal_.toned(Tone::Faint, std::string(server) + " |") + " " +
                  std::string(piece) + "\n");
  }
}

bool Stage::show_check(bool holds, std::string_view what) {
  if (!holds) failures_.emplace_back(what);
  if (is_json()) {
    JsonWriter json;
    json.begin_object().member("event", "check").member("scene", scene_);
    json.member("ok", holds).member("text", what).end_object();
    terminal_.out(json.take() + "\n");
    return holds;
  }
  auto mark = terminal_.toned(holds ? Tone::Good : Tone::Bad, holds ? "ok" : "NO");
  terminal_.out("   " + mark + "  " + std::string(what) + "\n");
  return holds;
}

}  // namespace hikyaku::app::lab
