#include "dkim/signer.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/base64.h"
#include "base/text.h"
#include "dkim/body_hash.h"
#include "dkim/keys.h"
#include "dkim/signature.h"

namespace hikyaku::dkim {
namespace {

/// Shown to the reader or deciding about what is shown, and added by nobody underway.
constexpr std::string_view kOversigned[] = {
    "from",       "to",           "cc",           "reply-to",
    "subject",    "date",         "message-id",   "in-reply-to",
    "references", "mime-version", "content-type", "content-transfer-encoding"};

/// Signed as often as they are there.
constexpr std::string_view kSigned[] = {"sender",
                                        "content-id",
                                        "content-description",
                                        "content-disposition",
                                        "resent-from",
                                        "resent-to",
                                        "resent-cc",
                                        "resent-date",
                                        "resent-sender",
                                        "resent-message-id",
                                        "list-id",
                                        "list-help",
                                        "list-subscribe",
                                        "list-unsubscribe",
                                        "list-unsubscribe-post",
                                        "list-post",
                                        "list-owner",
                                        "list-archive",
                                        "auto-submitted",
                                        "autocrypt"};

constexpr std::size_t kLine = 76;

/// Appends "a:b:c" to a field whose last line has `column` characters, folded behind colons.
void append_names(std::string& out, const std::vector<std::string>& names, std::size_t column) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto piece = names[i] + (i + 1 < names.size() ? ":" : ";");
    if (column + piece.size() > kLine && column > 1) {
      out += "\r\n ";
      column = 1;
    }
    out += piece;
    column += piece.size();
  }
}

/// The field with an empty b=, not ended.
std::string unsigned_field(const SigningKey& key, Algorithm algorithm, const SignOptions& options,
                           const std::vector<std::string>& names, const std::string& body_hash) {
  auto count = [](Time time) {
    return std::chrono::duration_cast<seconds>(time.time_since_epoch()).count();
  };
  auto field = fmt::format("DKIM-Signature: v=1; a={}; c={}/{};\r\n d={}; s={};\r\n t={};",
                           to_string(algorithm), to_string(options.header), to_string(options.body),
                           key.domain, key.selector, count(options.now));
  if (options.lifetime) field += fmt::format(" x={};", count(options.now + *options.lifetime));
  field += "\r\n h=";
  append_names(field, names, 3);
  field += fmt::format("\r\n bh={};\r\n b=", base64_encode(body_hash));
  return field;
}

mime::Field as_field(std::string_view raw) {
  auto colon = raw.find(':');
  return {raw, raw.substr(0, colon), raw.substr(colon + 1)};
}

}  // namespace

struct Signer::State {
  std::vector<SigningKey> keys;
  SignOptions options;
  BodyHash body_hash;
  std::size_t number = 0;
};

Signer::Signer(std::vector<SigningKey> keys, SignOptions options)
    : state_(std::make_unique<State>()) {
  state_->keys = std::move(keys);
  std::ranges::stable_partition(
      state_->keys, [](const SigningKey& key) { return key.key.type() == crypto::KeyType::Rsa; });
  state_->options = std::move(options);
  state_->number = state_->body_hash.add({state_->options.body, crypto::Hash::Sha256, {}});
}
Signer::Signer(Signer&&) noexcept = default;
Signer& Signer::operator=(Signer&&) noexcept = default;
Signer::~Signer() = default;

void Signer::body(std::string_view bytes) {
  state_->body_hash.update(bytes);
}

hikyaku::Result<std::string> Signer::finish(std::string_view header) {
  auto& options = state_->options;
  state_->body_hash.finish();
  HeaderFields fields(header);
  if (!fields.problem().empty())
    return fail(ErrorCode::Invalid, "the message is not signed: {}", fields.problem());
  auto names = options.fields.empty() ? names_to_sign(fields, options.oversigned) : options.fields;
  if (std::ranges::none_of(names, [](auto& name) { return iequals(name, "from"); }))
    return fail(ErrorCode::Invalid, "From must be among the signed fields (RFC 6376 §5.4)");
  std::vector<std::string> lower;
  for (auto& name : names) lower.push_back(to_lower(name));
  auto selected = fields.select(lower, nullptr);

  std::string result;
  for (auto& key : state_->keys) {
    TRY_DO(check_signing_key(key));
    auto field = unsigned_field(key, *algorithm_for(key.key.type()), options, names,
                                state_->body_hash.digest(state_->number));
    TRY(auto signature, sign_data(key.key, signed_data(selected, as_field(field), options.header)));
    result += field;
    result += fold_signature_value(base64_encode(signature));
    result += "\r\n";
  }
  return result;
}

std::vector<std::string> default_oversigned() {
  return {std::begin(kOversigned), std::end(kOversigned)};
}

std::vector<std::string> names_to_sign(const HeaderFields& fields,
                                       const std::vector<std::string>& oversigned) {
  // A field that stands there more often than anybody means it to is named so often only: h= must
  // stay readable.
  constexpr std::size_t kMost = 10;
  std::vector<std::string> names;
  auto add = [&](std::string_view name, std::size_t more) {
    auto count = std::min(fields.count(name), kMost) + more;
    names.insert(names.end(), count, std::string(name));
  };
  auto once_more = oversigned.empty() ? default_oversigned() : oversigned;
  auto is_oversigned = [&](std::string_view name) {
    return std::ranges::any_of(once_more, [&](auto& other) { return iequals(other, name); });
  };
  for (auto& name : once_more) add(to_lower(name), 1);
  for (auto name : kOversigned)
    if (!is_oversigned(name)) add(name, 0);
  for (auto name : kSigned)
    if (!is_oversigned(name)) add(name, 0);
  return names;
}

hikyaku::Result<void> check_signing_key(const SigningKey& key) {
  if (!algorithm_for(key.key.type()))
    return fail(ErrorCode::Invalid, "a {} key cannot sign DKIM: use RSA or Ed25519",
                crypto::to_string(key.key.type()));
  if (key.key.type() == crypto::KeyType::Rsa && key.key.bits() < kLeastRsaBits)
    return fail(ErrorCode::Invalid, "the RSA key has {} bits, fewer than {} (RFC 8301 §3.2)",
                key.key.bits(), kLeastRsaBits);
  if (!parse_signature_domain(key.domain, 2))
    return fail(ErrorCode::Invalid, "\"{}\" is no domain to sign for", printable(key.domain, 80));
  if (!parse_signature_domain(key.selector, 1))
    return fail(ErrorCode::Invalid, "\"{}\" is no selector", printable(key.selector, 80));
  return {};
}

std::string fold_signature_value(std::string_view base64) {
  constexpr std::size_t kPiece = 72;
  std::string result;
  for (std::size_t at = 0; at < base64.size(); at += kPiece) {
    result += "\r\n ";
    result += base64.substr(at, kPiece);
  }
  return result;
}

hikyaku::Result<std::string> sign_data(const crypto::PrivateKey& key, std::string_view data) {
  if (key.type() == crypto::KeyType::Ed25519)
    return key.sign(crypto::Signature::Ed25519, crypto::digest(crypto::Hash::Sha256, data));
  return key.sign(crypto::Signature::RsaSha256, data);
}

}  // namespace hikyaku::dkim
