// Whole messages against a DNS that says anything: lines of records, an empty line, the message.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/gate.h"
#include "base/text.h"
#include "dkim/authentication_results.h"
#include "dkim/explain.h"
#include "dkim/keys.h"
#include "dkim/signer.h"
#include "dkim/test_keys.h"
#include "dkim/verifier.h"

namespace {

using namespace hikyaku;

const Time kNow{std::chrono::hours(24 * 365 * 56)};

void require(bool holds) {
  if (!holds) std::abort();
}

void judge(const dkim::Verdict& verdict) {
  require(verdict.passed() == verdict.problem.empty());
  require(verdict.result != dkim::Result::None);
  require(!verdict.passed() || (!verdict.domain.empty() && !verdict.body_limited));
  require(is_utf8(verdict.problem));
  for (auto language : {Language::English, Language::Japanese})
    require(is_utf8(dkim::summary(verdict, language)));
  JsonWriter json;
  dkim::describe_json(json, verdict);
  auto method = dkim::authentication_method(verdict);
  auto text = mime::write_authentication_results({.authserv_id = "x", .methods = {method}});
  auto read = mime::parse_authentication_results(text);
  require(read && read->methods.size() == 1 && read->methods[0].result == method.result);
}

Task<std::vector<dkim::Verdict>> verify(dns::Resolver& resolver, dkim::KeyCache* keys,
                                        std::string_view message, std::size_t piece) {
  auto split = mime::header_length(message);
  dkim::Verifier verifier(std::string(message.substr(0, split)), {.now = kNow, .keys = keys});
  for (auto left = message.substr(split); !left.empty();
       left.remove_prefix(std::min(piece, left.size())))
    verifier.body(left.substr(0, piece));
  co_return co_await verifier.finish(resolver);
}

/// What we sign, we verify, if its header can be read in one way only.
Task<void> sign_and_verify(std::string_view message) {
  static const auto key = *crypto::PrivateKey::generate(crypto::KeyType::Ed25519);
  auto split = mime::header_length(message);
  dkim::Signer signer({{"alpha.test", "s", key}}, {.now = kNow});
  signer.body(message.substr(split));
  auto fields = signer.finish(message.substr(0, split));
  bool ends = message.substr(0, split).ends_with("\r\n\r\n");
  if (!fields || !ends) co_return;
  dkim::AnyTxtResolver resolver({dkim::write_key_record(key.public_key())});
  std::string ours(message);
  ours.insert(mime::mbox_lines_length(message.substr(0, split)), *fields);
  auto verdicts = co_await verify(resolver, nullptr, ours, 1000);
  auto& own = verdicts.at(0);
  // More copies of a field than are signed.
  require(own.passed() || own.result == dkim::Result::Policy);
}

Task<void> run(std::string_view message, std::vector<std::string> records) {
  dkim::AnyTxtResolver resolver(std::move(records));
  auto whole = co_await verify(resolver, nullptr, message, message.size() + 1);
  require(whole.size() <= 8 && resolver.asked <= whole.size());
  for (auto& verdict : whole) judge(verdict);
  dkim::KeyCache keys;
  auto pieces = co_await verify(resolver, &keys, message, 3);
  require(pieces.size() == whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    require(pieces[i].result == whole[i].result);
    require(pieces[i].problem == whole[i].problem);
  }
  co_await sign_and_verify(message);
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
