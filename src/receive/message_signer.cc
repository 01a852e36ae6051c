#include "receive/message_signer.h"

#include <algorithm>
#include <fmt/core.h>

#include "base/async.h"
#include "mime/header.h"
#include "receive/submission_header.h"

namespace hikyaku::receive {
namespace {

/// Authors whose domains sign; each of them makes two signatures.
constexpr std::size_t kMostAuthors = 4;

}  // namespace

Task<void> MessageSigner::begin(std::string_view header, Time now) {
  if (!services_.keys) co_return;
  std::vector<dkim::SigningKey> all;
  for (auto& author : author_domains(header, kMostAuthors)) {
    auto found = co_await services_.keys->keys_for(author);
    auto same = [&](auto& other) { return other.domain == found.domain; };
    if (found.domain.empty() || std::ranges::any_of(keys_, same)) continue;
    std::ranges::copy(found.keys, std::back_inserter(all));
    keys_.push_back(std::move(found));
  }
  if (all.empty()) co_return;
  signer_.emplace(std::move(all), dkim::SignOptions{.now = now,
                                                    .lifetime = settings_.signature_lifetime,
                                                    .oversigned = settings_.oversigned});
  // Text without an empty line is a body, whatever it was taken for while it came.
  signer_->body(header.substr(mime::header_length(header)));
}

Task<MessageSigner::Signed> MessageSigner::finish(std::string header, Log log) {
  Signed result;
  std::string problem;
  if (signer_) {
    auto made = co_await run_on(
        services_.workers, [signer = std::move(*signer_), header = std::move(header)]() mutable {
          return signer.finish(header);
        });
    signer_.reset();
    if (made)
      result.fields = std::move(*made);
    else
      problem = made.error().describe();
  }
  for (auto& [domain, keys, missing] : keys_) {
    if (keys.empty() || !problem.empty()) {
      auto& why = problem.empty() ? missing : problem;
      result.findings.push_back(
          {"dkim-sign", "unsigned", fmt::format("d={}; problem={}", domain, why)});
      log.warn("message.unsigned", {{"domain", domain}, {"err", why}});
      continue;
    }
    std::string selectors;
    for (auto& key : keys) selectors += (selectors.empty() ? "" : ",") + key.selector;
    result.findings.push_back(
        {"dkim-sign", "signed", fmt::format("d={}; s={}", domain, selectors)});
  }
  co_return result;
}

}  // namespace hikyaku::receive
