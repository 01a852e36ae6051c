#include "app/health.h"

#include <algorithm>
#include <fmt/format.h>

#include "app/hung_disk.h"
#include "app/names_needed.h"
#include "base/json.h"

namespace hikyaku::app {
namespace {

using State = HealthCheck::State;

/// An entry that is due and not tried for so long: sending has come to a halt.
constexpr std::chrono::minutes kStuck{15};
/// ACME renews a month before the end; whoever renews by hand has a week left.
constexpr std::chrono::days kCertificateWarning{7};

/// What cannot be read of the mail that is there; empty if nothing is known to be damaged.
std::string damage_of(const store::Statistics& store) {
  std::string what;
  if (store.lost_segments != 0) what = store.lost_segment;
  if (store.lost_segments > 1) what += fmt::format(", and {} more", store.lost_segments - 1);
  if (store.unreadable_bodies != 0)
    what += fmt::format("{}{} {} cannot be read", what.empty() ? "" : "; ", store.unreadable_bodies,
                        store.unreadable_bodies == 1 ? "message" : "messages");
  if (store.damaged_records != 0)
    what += fmt::format("{}{}{}", what.empty() ? "" : "; ", store.damaged_record,
                        store.damaged_records == 1
                            ? std::string()
                            : fmt::format(", and {} more", store.damaged_records - 1));
  if (!what.empty())
    what +=
        "; stop the server and run `hikyaku verify`, then restore from a backup, or `hikyaku "
        "verify --repair`";
  return what;
}

/// The index, apart: a restart mends it, or says why it cannot.
std::string index_damage_of(const store::Statistics& store) {
  if (store.index_damage.empty()) return "";
  return "a part of the index cannot be read (" + store.index_damage +
         "): restart the server, it makes the index again from the journal, or says in its log why "
         "it cannot";
}

/// A disk that hangs, or is much too slow.
HealthCheck check_writes(const store::Statistics& store) {
  auto age = store.write_under_way;
  if (age < kLongWrite) return {"store", State::Ok, ""};
  return {"store", age < kHungWrite ? State::Warning : State::Failing,
          fmt::format("a write has gone on for {}: the disk hangs or is much too slow, and mail "
                      "waits to be accepted. See the kernel's log (dmesg); a restart does not mend "
                      "it",
                      format_duration(std::chrono::floor<seconds>(age)))};
}

HealthCheck check_store(const HealthFacts& facts) {
  if (!facts.store.read_only.empty())
    return {"store", State::Failing,
            "read-only: " + facts.store.read_only +
                "; no mail is accepted. Stop the server and run `hikyaku verify`, then `hikyaku "
                "verify --repair`"};
  if (facts.store.index_stall >= 2)
    return {"store", State::Failing, "the index does not take writes at the moment"};
  if (auto writes = check_writes(facts.store); writes.state != State::Ok) return writes;
  if (auto text = index_damage_of(facts.store); !text.empty())
    return {"store", State::Warning, text};
  if (auto text = damage_of(facts.store); !text.empty()) return {"store", State::Warning, text};
  if (facts.store.index_stall == 1)
    return {"store", State::Warning, "the index takes writes slowly"};
  return {"store", State::Ok, ""};
}

/// What was kept for a full disk is gone, and there is no room for it again.
bool lacks_ballast(const store::Statistics& store) {
  return store.read_only.empty() && store.ballast_bytes < store.ballast_wanted &&
         store.ballast_bytes == 0;
}

HealthCheck check_disk(const HealthFacts& facts) {
  if (lacks_ballast(facts.store))
    return {"disk", State::Failing,
            fmt::format("{} bytes are free: the disk is full, and the space kept for that "
                        "(data/BALLAST) is used up. No mail is accepted. Make room on the disk, or "
                        "delete mail, then: hikyaku undelete --purge",
                        facts.free_bytes)};
  if (facts.free_bytes < facts.reserve)
    return {"disk", State::Failing,
            fmt::format("{} bytes are free, less than store.reserve ({}): no mail is accepted",
                        facts.free_bytes, facts.reserve)};
  if (facts.no_inodes)
    return {"disk", State::Warning,
            "the file system has no inodes left for new files (df -i): mail is refused as soon as "
            "the journal needs one"};
  if (facts.free_bytes < 2 * facts.reserve)
    return {"disk", State::Warning,
            fmt::format("{} bytes are free, store.reserve is {}", facts.free_bytes, facts.reserve)};
  return {"disk", State::Ok, ""};
}

HealthCheck check_queue(const HealthFacts& facts) {
  if (facts.watch.overdue >= kStuck)
    return {"queue", State::Failing,
            fmt::format("mail is due since {} and was not tried",
                        format_duration(std::chrono::floor<seconds>(facts.watch.overdue)))};
  if (facts.watch.held > 0)
    return {"queue", State::Warning,
            fmt::format("{} {} held", facts.watch.held,
                        facts.watch.held == 1 ? "recipient is" : "recipients are")};
  return {"queue", State::Ok, ""};
}

HealthCheck check_certificate(const HealthFacts& facts) {
  if (!facts.certificate_end)
    return {"certificate", State::Warning, "there is none: nobody can use TLS"};
  auto when = format_rfc3339(*facts.certificate_end);
  if (*facts.certificate_end <= facts.now)
    return {"certificate", State::Failing, "it has ended: " + when};
  if (*facts.certificate_end - facts.now < kCertificateWarning)
    return {"certificate", State::Warning, "it ends soon: " + when};
  return {"certificate", State::Ok, ""};
}

HealthCheck check_resolver(const HealthFacts& facts) {
  if (!facts.needs_dns) return {"resolver", State::Ok, std::string(kNeedsNoDns.en)};
  auto& problem = facts.watch.resolver_problem;
  return {"resolver", problem.empty() ? State::Ok : State::Failing, problem};
}

HealthCheck check_confined(const HealthFacts& facts) {
  if (!facts.confined)
    return {"confined", State::Warning,
            "the process that starts confined processes is gone: reports of others wait until the "
            "server is started again"};
  return {"confined", State::Ok, ""};
}

std::string_view word_of(State state) {
  switch (state) {
    case State::Ok:
      return "ok";
    case State::Warning:
      return "warning";
    case State::Failing:
      return "failing";
  }
  return "failing";
}

}  // namespace

std::vector<HealthCheck> check_health(const HealthFacts& facts) {
  return {check_store(facts),       check_disk(facts),     check_queue(facts),
          check_certificate(facts), check_resolver(facts), check_confined(facts)};
}

http::Response health_response(const std::vector<HealthCheck>& checks) {
  auto worst = std::ranges::max(checks, {}, &HealthCheck::state).state;
  JsonWriter json;
  json.begin_object().member("status", word_of(worst)).key("checks").begin_array();
  for (auto& check : checks) {
    json.begin_object().member("name", check.name).member("status", word_of(check.state));
    if (!check.text.empty()) json.member("text", check.text);
    json.end_object();
  }
  json.end_array().end_object();
  http::Response response{.status = worst == State::Failing ? 503 : 200,
                          .type = "application/json"};
  response.body = json.take() + '\n';
  response.fields.push_back({"Cache-Control", "no-store"});
  return response;
}

}  // namespace hikyaku::app
