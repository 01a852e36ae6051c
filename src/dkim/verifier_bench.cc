// Verifying and signing a message of 4 KB with one RSA signature of 2,048 bits, the key decoded and
// kept, beside the bare OpenSSL operation and SHA-256 over the same bytes.
#include <algorithm>
#include <chrono>
#include <fmt/core.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <vector>

#include "base/base64.h"
#include "base/gate.h"
#include "dkim/body_hash.h"
#include "dkim/keys.h"
#include "dkim/signer.h"
#include "dkim/test_keys.h"
#include "dkim/verifier.h"

using namespace hikyaku;

namespace {

using Microseconds = std::chrono::duration<double, std::micro>;

/// Many short runs of both, taken in turn so that they meet the same machine; the median of the
/// pairs' ratios counts. Whether ours is at most 1.25 times the bare operation.
template <class Ours, class Bare>
bool compare(std::string_view name, Ours ours, Bare bare) {
  constexpr int kRuns = 200, kRounds = 20;
  std::vector<double> our_times, bare_times, ratios;
  auto measure = [](auto& work, std::vector<double>& times) {
    auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kRounds; ++i) work();
    times.push_back(Microseconds(std::chrono::steady_clock::now() - start).count() / kRounds);
  };
  for (int i = 0; i < kRuns; ++i) {
    measure(ours, our_times);
    measure(bare, bare_times);
    ratios.push_back(our_times.back() / bare_times.back());
  }
  auto median = [](std::vector<double>& times) {
    std::ranges::nth_element(times, times.begin() + kRuns / 2);
    return times[kRuns / 2];
  };
  auto our = median(our_times), other = median(bare_times), ratio = median(ratios);
  fmt::print("{:<10} {:8.2f} µs   OpenSSL alone {:8.2f} µs   ratio {:.3f} (at most 1.25)\n", name,
             our, other, ratio);
  return ratio <= 1.25;
}

void require(bool holds, std::string_view what) {
  if (holds) return;
  fmt::print("{} does not work\n", what);
  std::exit(1);
}

std::string sample_header() {
  return "Received: from mail.alpha.test (mail.alpha.test [192.0.2.1])\r\n"
         "\tby mx.beta.test with ESMTPS id 4XyZ; Sat, 21 Nov 2026 12:00:00 +0000\r\n"
         "Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n"
         "From: Anna Alpha <anna@alpha.test>\r\n"
         "To: Bob Beta <bob@beta.test>\r\n"
         "Subject: The minutes of the meeting, and what is to be done\r\n"
         "Message-ID: <20261121120000.1234@mail.alpha.test>\r\n"
         "MIME-Version: 1.0\r\n"
         "Content-Type: text/plain; charset=utf-8\r\n"
         "Content-Transfer-Encoding: 8bit\r\n"
         "\r\n";
}

std::string sample_body() {
  std::string body;
  while (body.size() < 4096)
    body += "The quick brown fox jumps over the lazy dog, and the dog does not mind at all.\r\n";
  return body;
}

/// Verifies again and again inside one coroutine, as a session does.
Task<void> verify(const std::string& message, std::size_t split, dns::Resolver& resolver,
                  dkim::KeyCache& keys, Time now, bool& passed) {
  dkim::Verifier verifier(message.substr(0, split), {.now = now, .keys = &keys});
  verifier.body(std::string_view(message).substr(split));
  auto verdicts = co_await verifier.finish(resolver);
  passed = verdicts.size() == 1 && verdicts[0].passed();
}

}  // namespace

int main() {
  const Time now{std::chrono::hours(24 * 365 * 56)};
  auto key = *crypto::PrivateKey::generate(crypto::KeyType::Rsa);
  auto header = sample_header(), body = sample_body();
  auto sign = [&] {
    dkim::Signer signer({{"alpha.test", "s1", key}}, {.now = now});
    signer.body(body);
    return *signer.finish(header);
  };
  auto fields = sign();
  auto message = fields + header + body;
  auto split = message.size() - body.size();

  // What OpenSSL alone is given: the same bytes, canonical already.
  dkim::HeaderFields all(std::string_view(message).substr(0, split));
  auto& own = all.all().front();
  auto signature = *dkim::parse_signature(own.value, dkim::SignatureField::Dkim);
  auto data = dkim::signed_data(all.select(signature.fields, &own), own, signature.header);
  auto pem = key.to_pem();
  auto* bio = BIO_new_mem_buf(pem.reveal().data(), static_cast<int>(pem.size()));
  auto* native = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  auto* sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  auto bytes = [](const std::string& text) {
    return reinterpret_cast<const unsigned char*>(text.data());
  };
  unsigned char digest[32];

  dkim::AnyTxtResolver resolver({dkim::write_key_record(key.public_key())});
  dkim::KeyCache keys;
  Gate gate([](std::exception_ptr) { std::abort(); });
  bool passed = false;
  auto verify_holds = compare(
      "verify",
      [&] {
        gate.spawn(verify(message, split, resolver, keys, now, passed));
        require(passed, "verify");
      },
      [&] {
        EVP_Digest(body.data(), body.size(), digest, nullptr, sha256, nullptr);
        auto* context = EVP_MD_CTX_new();
        auto right = EVP_DigestVerifyInit(context, nullptr, sha256, nullptr, native) == 1 &&
                     EVP_DigestVerify(context, bytes(signature.value), signature.value.size(),
                                      bytes(data), data.size()) == 1;
        EVP_MD_CTX_free(context);
        require(right, "OpenSSL's verify");
      });
  auto sign_holds = compare(
      "sign", [&] { require(!sign().empty(), "sign"); },
      [&] {
        EVP_Digest(body.data(), body.size(), digest, nullptr, sha256, nullptr);
        auto* context = EVP_MD_CTX_new();
        std::string made(512, '\0');
        auto size = made.size();
        auto right = EVP_DigestSignInit(context, nullptr, sha256, nullptr, native) == 1 &&
                     EVP_DigestSign(context, reinterpret_cast<unsigned char*>(made.data()), &size,
                                    bytes(data), data.size()) == 1;
        EVP_MD_CTX_free(context);
        require(right, "OpenSSL's sign");
      });
  fmt::print("asked the DNS {} times\n", resolver.asked);
  return verify_holds && sign_holds ? 0 : 1;
}
