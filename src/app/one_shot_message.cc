#include "app/one_shot_message.h"

#include "app/input_file.h"
#include "base/text.h"
#include "crypto/secret.h"
#include "mime/header.h"

namespace hikyaku::app {
namespace {

constexpr std::size_t kMaxKeyFile = 64 * 1024;

std::string without_crlf(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text.substr(i, 2) != "\r\n") result += text[i];
  return result;
}

/// What cannot be read is bad data for these commands, whatever the reason.
Error unreadable(const Error& error) {
  return {ErrorCode::Invalid, error.describe(), nullptr};
}

}  // namespace

Result<OneShotMessage> read_message(const std::string& name) {
  auto bytes = read_input(name);
  if (!bytes) return std::unexpected(unreadable(bytes.error()));
  OneShotMessage message;
  auto end = bytes->find('\n');
  message.was_lf = end != std::string::npos && (end == 0 || (*bytes)[end - 1] != '\r');
  message.bytes = message.was_lf ? with_crlf(*bytes) : *std::move(bytes);
  message.header_size = mime::header_length(message.bytes);
  return message;
}

std::string with_fields(const std::string& fields, const OneShotMessage& message) {
  auto whole = message.bytes;
  whole.insert(mime::mbox_lines_length(message.header()), fields);
  return message.was_lf ? without_crlf(whole) : whole;
}

ArgumentSpec message_argument() {
  return {"FILE",
          {"the message; - or nothing: standard input", "メッセージ。- または省略で標準入力"},
          ArgumentSpec::Count::Optional};
}

OptionSpec time_option() {
  return {.name = "--time",
          .value = "T",
          .help = {"do as if it were this time: seconds since 1970, or 2026-11-21T12:00:00Z",
                   "この時刻とみなす: 1970 年からの秒数、または 2026-11-21T12:00:00Z"}};
}

Result<Time> time_of(const Invocation& invocation) {
  auto text = invocation.value("--time");
  if (!text) return SystemClock().now();
  constexpr std::uint64_t kYear9999 = 253'402'300'799;
  if (auto count = parse_decimal(*text, kYear9999))
    return Time(seconds(static_cast<std::int64_t>(*count)));
  if (auto time = parse_rfc3339(*text)) return *time;
  return fail(ErrorCode::Invalid,
              "--time {}: give seconds since 1970, or a time such as 2026-11-21T12:00:00Z",
              printable(*text, 80));
}

std::vector<OptionSpec> signing_options(SigningKeys keys) {
  auto several = keys == SigningKeys::Several;
  return {
      {.name = "--domain",
       .value = "D",
       .help = {"the domain that signs (d=)", "署名するドメイン (d=)"}},
      {.name = "--selector",
       .value = "S",
       .help = several ? Phrase{"the key's name in the DNS: S._domainkey.D; one for each --key",
                                "DNS 上の鍵の名前: S._domainkey.D。--key ごとに一つ"}
                       : Phrase{"the key's name in the DNS: S._domainkey.D",
                                "DNS 上の鍵の名前: S._domainkey.D"},
       .repeatable = several},
      {.name = "--key",
       .value = "PEM",
       .help =
           several
               ? Phrase{"a file with the private key, RSA or Ed25519; may be given several times",
                        "秘密鍵のファイル (RSA または Ed25519)。複数指定可"}
               : Phrase{"a file with the private key, RSA or Ed25519",
                        "秘密鍵のファイル (RSA または Ed25519)"},
       .repeatable = several},
      {.name = "--headers",
       .value = "A:B",
       .help = {"sign these fields; without it all that a reader is shown",
                "署名するフィールド。省略時は読み手に見えるものすべて"}},
  };
}

Result<std::vector<dkim::SigningKey>> signing_keys(const Invocation& invocation) {
  auto domain = invocation.value("--domain");
  auto selectors = invocation.values("--selector");
  auto files = invocation.values("--key");
  if (!domain || selectors.empty() || selectors.size() != files.size())
    return fail(ErrorCode::Invalid, "give --domain, and a --selector for each --key");
  std::vector<dkim::SigningKey> keys;
  for (std::size_t i = 0; i < files.size(); ++i) {
    auto bytes = read_input(files[i], kMaxKeyFile);
    if (!bytes) return std::unexpected(unreadable(bytes.error()));
    auto pem = crypto::Secret::take(*std::move(bytes));
    auto key = crypto::PrivateKey::from_pem(pem.reveal());
    if (!key)
      return fail(ErrorCode::Invalid, "{}: {}", printable(files[i], 200), key.error().describe());
    keys.push_back({*domain, selectors[i], *std::move(key)});
    TRY_DO(dkim::check_signing_key(keys.back()));
  }
  return keys;
}

std::vector<std::string> header_names(const Invocation& invocation) {
  std::vector<std::string> names;
  if (auto text = invocation.value("--headers"))
    for (auto name : split(*text, ':'))
      if (!trim(name).empty()) names.emplace_back(trim(name));
  return names;
}

}  // namespace hikyaku::app
