// The OpenSPF test suites, case by case from their own files.
#include "testing/vectors.h"

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <set>

#include "base/text.h"
#include "dns/fake_resolver.h"
#include "spf/check.h"
#include "testing/test_loop.h"
#include "testing/yaml.h"

namespace hikyaku::spf {
namespace {

using testing::Yaml;

std::string zone_name(std::string_view name) {
  std::string shown;
  for (char c : name) {
    if (is_ascii_alnum(c) || c == '.' || c == '-' || c == '_')
      shown += c;
    else
      shown += fmt::format("\\{:03}", static_cast<unsigned char>(c));
  }
  return shown.ends_with('.') ? shown : shown + '.';
}

std::string zone_string(std::string_view text) {
  std::string shown;
  do {
    shown += " \"";
    for (char c : text.substr(0, 255)) {
      if (is_ascii_alnum(c) || std::string_view(" =:/.-_").contains(c))
        shown += c;
      else
        shown += fmt::format("\\{:03}", static_cast<unsigned char>(c));
    }
    shown += '"';
    text.remove_prefix(std::min<std::size_t>(255, text.size()));
  } while (!text.empty());
  return shown;
}

std::string record_line(const std::string& name, const std::string& type, const Yaml& value) {
  auto line = zone_name(name) + " " + type;
  if (type == "TXT") {
    if (value.kind == Yaml::Kind::List && value.items.empty()) return line + " \"\"\n";
    for (auto& text : value.texts()) line += zone_string(text);
  } else if (type == "MX") {
    line += " " + value.items.at(0).text + " " + zone_name(value.items.at(1).text);
  } else if (type == "A" || type == "AAAA") {
    line += " " + value.text;
  } else {
    line += " " + zone_name(value.text);
  }
  return line + "\n";
}

/// Master-file text of a scenario. SPF entries are TXT records, unless the name has TXT entries of
/// its own (RFC 7208 §3.1).
std::string zone_of(const Yaml& zonedata) {
  std::string zone;
  for (auto& [name, entries] : zonedata.members) {
    std::set<std::string> types;
    bool timeout = false;
    for (auto& entry : entries.items) {
      if (entry.kind == Yaml::Kind::Text) timeout = timeout || entry.text == "TIMEOUT";
      for (auto& [type, value] : entry.members) {
        if (value.text == "TIMEOUT") zone += ";!TIMEOUT " + zone_name(name) + " " + type + "\n";
        types.insert(type);
      }
    }
    bool has_txt = types.contains("TXT");
    if (types.contains("SPF")) types.insert("TXT");
    bool no_txt = false;
    for (auto& entry : entries.items) {
      for (auto& [type, value] : entry.members) {
        if (type == "TXT" && value.text == "NONE") no_txt = true;
        if (value.text == "NONE" || value.text == "TIMEOUT" || (type == "SPF" && has_txt)) continue;
        zone += record_line(name, type == "SPF" ? "TXT" : type, value);
      }
    }
    if (no_txt) types.erase("TXT");
    if (!timeout) continue;
    for (auto type : {"A", "AAAA", "MX", "PTR", "TXT"})
      if (!types.contains(type)) zone += ";!TIMEOUT " + zone_name(name) + " " + type + "\n";
  }
  return zone;
}

std::string steps_of(const Verdict& verdict) {
  auto text = fmt::format("{} {}", to_string(verdict.result), verdict.detail);
  for (auto& step : verdict.steps)
    text += fmt::format("\n  {}{}: {}", std::string(step.depth, ' '), printable(step.term),
                        to_string(step.effect));
  return text;
}

void run_suite(const std::string& file, std::size_t expected) {
  auto folder = testing::vectors::folder_or_skip("SPF suites");
  if (folder.empty()) return;
  std::size_t count = 0;
  for (auto& scenario : testing::read_yaml(testing::vectors::read(folder / "spf" / file))) {
    dns::FakeResolver resolver(zone_of(scenario["zonedata"]));
    for (auto& [name, test] : scenario["tests"].members) {
      ++count;
      CAPTURE(name);
      testing::TestLoop loop;
      Query query;
      query.ip = IpAddress::parse(test["host"].text).value();
      query.helo = test["helo"].text;
      query.mail_from = test["mailfrom"].text;
      query.receiver = "receiver.example";
      auto verdict = loop.run(check(resolver, loop, query));
      INFO(steps_of(verdict));
      std::string result(to_string(verdict.result));
      auto allowed = test["result"].texts();
      CHECK_MESSAGE(std::ranges::find(allowed, result) != allowed.end(),
                    "expected " << allowed.front());
      if (!test.has("explanation")) continue;
      auto& explanation = test["explanation"].text;
      CHECK(verdict.explanation == (explanation == "DEFAULT" ? "" : explanation));
    }
  }
  CHECK(count == expected);
}

}  // namespace

TEST_CASE("the suite of RFC 7208") {
  run_suite("rfc7208-tests.yml", 203);
}

TEST_CASE("the suite of RFC 4408") {
  run_suite("rfc4408-tests.yml", 191);
}

}  // namespace hikyaku::spf
