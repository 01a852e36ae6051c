#include "receive/sealing.h"

#include <algorithm>
#include <fmt/core.h>
#include <memory>

#include "arc/sealer.h"
#include "base/async.h"
#include "dns/name.h"

namespace hikyaku::receive {
namespace {

constexpr std::size_t kPiece = 1 << 20;

/// Hashes a body that is too large to be in memory.
Task<Result<void>> read_body(arc::Sealer& sealer, const Departure& message, WorkerPool& workers,
                             store::Store& store) {
  CO_TRY(auto reader, co_await store.open_staged(message.staged));
  for (auto at = message.staged_header; at < message.staged.size();) {
    CO_TRY(auto piece, co_await reader->read(at, kPiece));
    if (piece.empty())
      co_return fail(ErrorCode::Corrupt, "the staged message is shorter than it was");
    at += piece.size();
    sealer =
        co_await run_on(workers, [sealer = std::move(sealer), piece = std::move(piece)]() mutable {
          sealer.body(piece);
          return std::move(sealer);
        });
  }
  co_return Result<void>{};
}

Task<Result<std::string>> make_fields(dkim::SigningKey key, Departure message, WorkerPool& workers,
                                      store::Store& store) {
  arc::Sealer sealer({.key = std::move(key), .now = message.now});
  if (message.staged) CO_TRY_DO(co_await read_body(sealer, message, workers, store));
  co_return co_await run_on(
      workers, [sealer = std::move(sealer), message = std::move(message)]() mutable {
        sealer.body(message.body);
        return sealer.finish(message.header, message.chain, std::move(message.found));
      });
}

story::Finding not_sealed(const std::string& domain, const std::string& problem) {
  return {"arc-seal", "unsealed", fmt::format("domain={}; problem={}", domain, problem)};
}

}  // namespace

std::vector<std::string> sealing_domains(const Plan& plan, const std::string& host_name) {
  std::vector<std::string> domains;
  auto add = [&](std::string_view name) {
    auto domain = dns::to_ascii(name);
    if (domain && std::ranges::find(domains, *domain) == domains.end())
      domains.push_back(std::move(*domain));
  };
  for (auto& entry : plan.queued)
    if (!entry.delivered_to.empty())
      add(std::string_view(entry.delivered_to).substr(entry.delivered_to.rfind('@') + 1));
  add(host_name);
  return domains;
}

std::optional<dkim::SigningKey> choose_sealing_key(const std::vector<dkim::SigningKey>& keys) {
  // A chain has one signature a set, not one for each algorithm as DKIM has, and whoever cannot
  // check it takes the whole chain for broken. RFC 8617 verifiers know RSA (§4.1.2 takes a= from
  // RFC 6376; Ed25519 came beside it, with RFC 8463).
  auto rsa =
      std::ranges::find_if(keys, [](auto& key) { return key.key.type() == crypto::KeyType::Rsa; });
  if (rsa != keys.end()) return *rsa;
  if (!keys.empty()) return keys.front();
  return std::nullopt;
}

Task<Sealed> seal(Departure message, KeyRing& keys, WorkerPool& workers, store::Store& store) {
  std::optional<dkim::SigningKey> key;
  std::optional<story::Finding> problem;
  for (auto& domain : message.domains) {
    auto found = co_await keys.keys_for(domain);
    key = choose_sealing_key(found.keys);
    if (key) break;
    if (!found.domain.empty() && !problem) problem = not_sealed(found.domain, found.problem);
  }
  if (!key) co_return Sealed{{}, std::move(problem)};
  auto domain = key->domain;
  auto selector = key->selector;
  auto made = co_await make_fields(std::move(*key), std::move(message), workers, store);
  if (!made) co_return Sealed{{}, not_sealed(domain, made.error().describe())};
  if (made->empty()) {
    // RFC 8617 §5.1.2: nobody adds to a chain whose newest seal says that it is broken.
    co_return Sealed{{}, not_sealed(domain, "its chain was ended before, or is full")};
  }
  co_return Sealed{std::move(*made),
                   story::Finding{"arc-seal", "sealed",
                                  fmt::format("domain={}; selector={}", domain, selector)}};
}

}  // namespace hikyaku::receive
