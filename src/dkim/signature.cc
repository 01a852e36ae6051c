#include "dkim/signature.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/text.h"
#include "dns/name.h"

namespace hikyaku::dkim {
namespace {

constexpr std::size_t kShown = 60;  ///< bytes of a stranger's value in a problem's text

/// A field-name of RFC 5322: visible ASCII but ":" (and ";", which ends the tag anyway).
bool is_field_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return c > 32 && c < 127 && c != ':' && c != ';';
  });
}

/// DKIM-Quoted-Printable (§2.11): space means nothing, =XX a byte.
std::optional<std::string> decode_quoted(std::string_view value) {
  std::string result;
  auto text = without_space(value);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '=') {
      result += text[i];
      continue;
    }
    auto byte = from_hex(std::string_view(text).substr(i + 1, 2));
    if (!byte || byte->size() != 1) return std::nullopt;
    result += *byte;
    i += 2;
  }
  return result;
}

std::optional<Canonicalization> parse_canonicalization(std::string_view word) {
  if (word == "simple") return Canonicalization::Simple;
  if (word == "relaxed") return Canonicalization::Relaxed;
  return std::nullopt;
}

/// Reads the tags one by one into a Signature. Each step gives the problem, empty when there is
/// none.
class Reader {
 public:
  Reader(const TagList& list, SignatureField field, const SignatureLimits& limits)
      : list_(list), field_(field), limits_(limits) {}

  std::string read() {
    for (auto step : {&Reader::version, &Reader::algorithm, &Reader::values,
                      &Reader::canonicalization, &Reader::names, &Reader::identity,
                      &Reader::instance, &Reader::fields, &Reader::times, &Reader::others})
      if (auto problem = (this->*step)(); !problem.empty()) return problem;
    return contradictions();
  }

  Signature result;
  bool contradiction = false;

 private:
  std::string version() {
    if (field_ == SignatureField::ArcMessage) return {};
    auto version = list_.find("v");
    if (!version) return "the version (v=) is missing";
    if (*version != "1") return fmt::format("unknown version v={}", printable(*version, kShown));
    return {};
  }

  std::string algorithm() {
    auto name = list_.find("a");
    if (!name) return "the algorithm (a=) is missing";
    auto known = parse_algorithm(*name);
    if (!known) return fmt::format("unknown algorithm a={}", printable(*name, kShown));
    if (field_ == SignatureField::ArcMessage && *known == Algorithm::RsaSha1)
      return "rsa-sha1 must not be used (RFC 8301 §3.1)";
    result.algorithm = *known;
    return {};
  }

  std::string values() {
    for (auto [tag, into] : {std::pair{"b", &result.value}, {"bh", &result.body_hash}}) {
      auto value = list_.find(tag);
      if (!value) return fmt::format("{}= is missing", tag);
      auto decoded = decode_base64_value(*value);
      if (!decoded || decoded->empty()) return fmt::format("{}= is not in base64", tag);
      *into = *std::move(decoded);
    }
    if (result.body_hash.size() != crypto::digest_size(hash_of(result.algorithm)))
      return fmt::format("bh= has {} bytes, which is not the size of the hash",
                         result.body_hash.size());
    return {};
  }

  std::string canonicalization() {
    auto value = list_.find("c");
    result.canonicalization_given = value.has_value();
    if (!value) return {};
    auto slash = value->find('/');
    auto header = parse_canonicalization(trim(value->substr(0, slash)));
    auto body = slash == value->npos ? Canonicalization::Simple
                                     : parse_canonicalization(trim(value->substr(slash + 1)));
    if (!header || !body)
      return fmt::format("unknown canonicalization c={}", printable(*value, kShown));
    result.header = *header;
    result.body = *body;
    return {};
  }

  std::string names() {
    auto domain = list_.find("d");
    if (!domain) return "the domain (d=) is missing";
    auto read_domain = parse_signature_domain(*domain, 2);
    if (!read_domain) return fmt::format("d={} is no domain", printable(*domain, kShown));
    auto selector = list_.find("s");
    if (!selector) return "the selector (s=) is missing";
    auto read_selector = parse_signature_domain(*selector, 1);
    if (!read_selector) return fmt::format("s={} is no selector", printable(*selector, kShown));
    if (read_domain->size() + read_selector->size() + std::string_view("._domainkey.").size() >
        dns::kMaxHostName)
      return "d= and s= together are too long for the DNS";
    result.domain = *std::move(read_domain);
    result.selector = *std::move(read_selector);
    return {};
  }

  std::string identity() {
    if (field_ == SignatureField::ArcMessage) return {};
    result.identity = "@" + result.domain;
    auto value = list_.find("i");
    if (!value) return {};
    auto decoded = decode_quoted(*value);
    auto at = decoded ? decoded->rfind('@') : std::string::npos;
    if (at == std::string::npos || !is_utf8(*decoded))
      return fmt::format("i={} is no address", printable(*value, kShown));
    auto domain = parse_signature_domain(std::string_view(*decoded).substr(at + 1), 2);
    if (!domain) return fmt::format("i={} has no domain", printable(*value, kShown));
    result.identity = decoded->substr(0, at + 1) + *domain;
    return {};
  }

  std::string instance() {
    if (field_ == SignatureField::Dkim) return {};
    auto value = list_.find("i");
    auto number = value ? parse_decimal(*value, 50) : std::nullopt;
    if (!number || *number == 0) return "i= is no instance from 1 to 50";
    result.instance = static_cast<std::uint32_t>(*number);
    return {};
  }

  std::string fields() {
    auto value = list_.find("h");
    if (!value) return "the list of signed fields (h=) is missing";
    // An empty list means that nothing but the signature itself is signed: of use for ARC only.
    if (value->empty()) return field_ == SignatureField::Dkim ? "h= is empty" : "";
    auto names = split_colons(*value);
    if (names.size() > limits_.fields)
      return fmt::format("h= names more than {} fields", limits_.fields);
    result.fields.reserve(names.size());
    for (auto name : names) {
      if (name.empty() && field_ == SignatureField::ArcMessage) continue;
      if (!is_field_name(name))
        return fmt::format("h= names \"{}\", which is no field", printable(name, kShown));
      result.fields.push_back(to_lower(name));
    }
    return {};
  }

  std::string times() {
    for (auto [tag, into] :
         {std::pair{"t", &result.signed_at}, std::pair{"x", &result.expires_at}}) {
      auto value = list_.find(tag);
      if (!value) continue;
      *into = parse_signature_time(*value);
      if (!*into) return fmt::format("{}={} is no time", tag, printable(*value, kShown));
    }
    return {};
  }

  std::string others() {
    if (auto methods = list_.find("q")) {
      auto list = split_colons(*methods);
      if (!std::ranges::any_of(list, [](auto method) { return method == "dns/txt"; }))
        return fmt::format("the key cannot be asked for by q={}", printable(*methods, kShown));
    }
    if (auto length = list_.find("l"); length && field_ == SignatureField::Dkim) {
      // §3.5: up to 76 digits; no message is longer than what 64 bits count.
      auto digits =
          length->size() <= 76 && !length->empty() && std::ranges::all_of(*length, is_ascii_digit);
      if (!digits) return fmt::format("l={} is no number", printable(*length, kShown));
      result.body_length = parse_decimal(*length).value_or(UINT64_MAX);
    }
    if (auto copies = list_.find("z")) read_copies(*copies);
    return {};
  }

  /// What is no copy is passed over: z= decides nothing.
  void read_copies(std::string_view value) {
    for (auto piece : split(value, '|')) {
      auto decoded = decode_quoted(piece);
      auto colon = decoded ? decoded->find(':') : std::string::npos;
      if (colon == std::string::npos || result.copied.size() >= limits_.fields) continue;
      result.copied.emplace_back(decoded->substr(0, colon), decoded->substr(colon + 1));
    }
  }

  /// What §6.1.1 asks to be checked when the syntax is right.
  std::string contradictions() {
    contradiction = true;
    if (field_ == SignatureField::ArcMessage) {
      // RFC 8617 §4.1.2
      if (signs("arc-seal")) return "h= names ARC-Seal, which must not be signed";
      return {};
    }
    if (!signs("from")) return "From is not signed";
    if (!dns::is_within(result.identity_domain(), result.domain))
      return fmt::format("i={} is not within d={}", printable(result.identity, kShown),
                         result.domain);
    if (result.signed_at && result.expires_at && *result.expires_at <= *result.signed_at)
      return "it expires (x=) before it was made (t=)";
    return {};
  }

  bool signs(std::string_view name) const {
    return std::ranges::find(result.fields, name) != result.fields.end();
  }

  const TagList& list_;
  SignatureField field_;
  const SignatureLimits& limits_;
};

}  // namespace

std::string_view to_string(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::RsaSha256:
      return "rsa-sha256";
    case Algorithm::RsaSha1:
      return "rsa-sha1";
    case Algorithm::Ed25519Sha256:
      return "ed25519-sha256";
  }
  return "";
}

std::optional<Algorithm> parse_algorithm(std::string_view text) {
  for (auto algorithm : {Algorithm::RsaSha256, Algorithm::RsaSha1, Algorithm::Ed25519Sha256})
    if (text == to_string(algorithm)) return algorithm;
  return std::nullopt;
}

crypto::Hash hash_of(Algorithm algorithm) {
  return algorithm == Algorithm::RsaSha1 ? crypto::Hash::Sha1 : crypto::Hash::Sha256;
}

std::optional<Algorithm> algorithm_for(crypto::KeyType type) {
  switch (type) {
    case crypto::KeyType::Rsa:
      return Algorithm::RsaSha256;
    case crypto::KeyType::Ed25519:
      return Algorithm::Ed25519Sha256;
    case crypto::KeyType::EcdsaP256:
      return std::nullopt;
  }
  return std::nullopt;
}

std::string_view Signature::identity_domain() const {
  std::string_view text = identity;
  return text.substr(text.rfind('@') + 1);
}

std::expected<Signature, UnusableSignature> parse_signature(std::string_view value,
                                                            SignatureField field,
                                                            SignatureLimits limits) {
  auto list = TagList::parse(value, limits.tags);
  if (!list) return std::unexpected(UnusableSignature{list.error().text, {}, {}, {}, {}, false});
  Reader reader(*list, field, limits);
  auto problem = reader.read();
  if (problem.empty()) return std::move(reader.result);

  UnusableSignature unusable{std::move(problem), {}, {}, {}, {}, reader.contradiction};
  if (auto domain = list->find("d")) unusable.domain = printable(*domain, kShown);
  if (auto selector = list->find("s")) unusable.selector = printable(*selector, kShown);
  if (auto algorithm = list->find("a")) unusable.algorithm = printable(*algorithm, kShown);
  if (auto b = list->find("b")) unusable.b_prefix = printable(without_space(*b).substr(0, 8));
  return std::unexpected(std::move(unusable));
}

mime::Field without_signature_value(const mime::Field& field, std::string& storage) {
  storage.clear();
  auto value_at = static_cast<std::size_t>(field.value.data() - field.raw.data());
  storage.reserve(field.raw.size());
  storage += field.raw.substr(0, value_at);
  auto rest = field.raw.substr(value_at);
  bool taken = false;
  for (std::size_t at = 0; at < rest.size();) {
    auto end = rest.find(';', at);
    auto piece = rest.substr(at, end == rest.npos ? rest.npos : end + 1 - at);
    at += piece.size();
    auto equals = piece.find('=');
    if (!taken && equals != piece.npos && trim(piece.substr(0, equals)) == "b") {
      taken = true;
      storage += piece.substr(0, equals + 1);
      if (piece.ends_with(';')) storage += ';';
    } else {
      storage += piece;
    }
  }
  mime::Field result;
  result.raw = storage;
  result.name = result.raw.substr(0, field.name.size());
  result.value = result.raw.substr(value_at);
  if (result.value.ends_with('\n')) result.value.remove_suffix(1);
  if (result.value.ends_with('\r')) result.value.remove_suffix(1);
  return result;
}

std::optional<std::string> parse_signature_domain(std::string_view value,
                                                  std::size_t least_labels) {
  if (value.empty() || value.size() > dns::kMaxHostName || value.ends_with('.'))
    return std::nullopt;
  std::string name;
  if (is_ascii(value)) {
    if (!dns::is_domain_name(value)) return std::nullopt;
    name = to_lower(value);
  } else {
    auto ascii = dns::to_ascii(value);
    if (!ascii) return std::nullopt;
    name = *std::move(ascii);
  }
  if (dns::label_count(name) < least_labels) return std::nullopt;
  return name;
}

std::optional<Time> parse_signature_time(std::string_view value) {
  // Later than anybody needs, and far from what milliseconds in 64 bits overflow at.
  constexpr std::uint64_t kMax = 999'999'999'999;
  auto count = parse_decimal(value, kMax);
  if (!count) return std::nullopt;
  return Time(seconds(static_cast<std::int64_t>(*count)));
}

}  // namespace hikyaku::dkim
