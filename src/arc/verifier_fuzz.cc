// Chains against a DNS that says anything: lines of records, an empty line, the message.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "arc/explain.h"
#include "arc/sealer.h"
#include "arc/verifier.h"
#include "base/gate.h"
#include "base/text.h"
#include "dkim/test_keys.h"

namespace {

using namespace hikyaku;

const Time kNow{std::chrono::hours(24 * 365 * 56)};

void require(bool holds) {
  if (!holds) std::abort();
}

Task<arc::Verdict> verify(dns::Resolver& resolver, std::string_view message, std::size_t piece) {
  auto split = mime::header_length(message);
  arc::Verifier verifier(std::string(message.substr(0, split)), {.now = kNow});
  for (auto left = message.substr(split); !left.empty();
       left.remove_prefix(std::min(piece, left.size())))
    verifier.body(left.substr(0, piece));
  co_return co_await verifier.finish(resolver);
}

void judge(const arc::Verdict& verdict) {
  using dkim::Result;
  require(verdict.result == Result::None || verdict.result == Result::Pass ||
          verdict.result == Result::Fail);
  require((verdict.result == Result::Fail) == !verdict.problem.empty());
  require(!verdict.passed() || !verdict.hops.empty());
  require(verdict.hops.size() <= 50);
  for (auto language : {Language::English, Language::Japanese})
    require(is_utf8(arc::details(verdict, language)));
  (void)arc::describe_json(verdict);
  auto text = mime::write_authentication_results(
      {.authserv_id = "x", .methods = {arc::authentication_method(verdict)}});
  require(mime::parse_authentication_results(text).has_value());
}

/// Our set on top keeps a chain what it was.
Task<void> seal_and_verify(std::string_view message, const arc::Verdict& before) {
  static const auto key = *crypto::PrivateKey::generate(crypto::KeyType::Ed25519);
  auto split = mime::header_length(message);
  arc::Sealer sealer({.key = {"alpha.test", "s", key}, .now = kNow});
  sealer.body(message.substr(split));
  dkim::HeaderFields fields(message.substr(0, split));
  auto added = sealer.finish(message.substr(0, split), before, arc::collect_results(fields, "x"));
  require(added.has_value());
  if (added->empty() || before.result != dkim::Result::None || fields.all().empty() ||
      !message.substr(0, split).ends_with("\r\n\r\n"))
    co_return;
  dkim::AnyTxtResolver resolver({dkim::write_key_record(key.public_key())});
  std::string sealed(message);
  sealed.insert(mime::mbox_lines_length(message.substr(0, split)), *added);
  auto after = co_await verify(resolver, sealed, 1000);
  require(after.passed());
}

Task<void> run(std::string_view message, std::vector<std::string> records) {
  dkim::AnyTxtResolver resolver(std::move(records));
  auto whole = co_await verify(resolver, message, message.size() + 1);
  require(resolver.asked <= 51);
  judge(whole);
  auto pieces = co_await verify(resolver, message, 3);
  require(pieces.result == whole.result && pieces.problem == whole.problem);
  co_await seal_and_verify(message, whole);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto gap = text.find("\n\n");
  if (gap == text.npos) return 0;
  std::vector<std::string> records;
  for (auto line : split(text.substr(0, gap), '\n')) records.emplace_back(line);
  Gate gate([](std::exception_ptr) { std::abort(); });
  gate.spawn(run(text.substr(gap + 2), std::move(records)));
  return 0;
}
