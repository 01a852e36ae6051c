#include "reports/rows.h"

#include <algorithm>

#include "base/codec.h"
#include "base/text.h"

namespace hikyaku::reports {
namespace {

constexpr std::size_t kMostSignatures = 16;
constexpr std::size_t kMostReasons = 4;
constexpr std::size_t kMostSpf = 2;
constexpr std::size_t kNameLength = 255;
constexpr std::size_t kCommentLength = 200;
constexpr std::size_t kMostRua = 2048;

void put_text(Encoder& out, std::string_view text, std::size_t limit) {
  out.text(utf8_prefix(text, limit));
}

/// An enumeration from a stored byte; what no version has written becomes the first value.
template <class Enum>
Enum get_enum(Decoder& in, Enum last) {
  auto value = in.u8();
  return value <= static_cast<std::uint8_t>(last) ? static_cast<Enum>(value) : Enum{};
}

template <class Enum>
void put_enum(Encoder& out, Enum value) {
  out.u8(static_cast<std::uint8_t>(value));
}

/// 0: absent.
template <class Enum>
void put_optional(Encoder& out, const std::optional<Enum>& value) {
  out.u8(value ? static_cast<std::uint8_t>(static_cast<std::uint8_t>(*value) + 1) : 0);
}

template <class Enum>
std::optional<Enum> get_optional(Decoder& in, Enum last) {
  auto value = in.u8();
  if (value == 0 || value > static_cast<std::uint8_t>(last) + 1) return std::nullopt;
  return static_cast<Enum>(value - 1);
}

/// Rows also come from a process that reads bytes of strangers (digest.h): nothing may be longer
/// than what we write.
std::string get_text(Decoder& in, std::size_t limit) {
  return std::string(utf8_prefix(in.text(), limit));
}
/// How many of something follow; 0 and a refusal when there are more than we write.
std::uint64_t get_count(Decoder& in, std::size_t most, bool& refused) {
  auto count = in.varint();
  if (count <= most) return count;
  refused = true;
  return 0;
}

std::optional<IpAddress> get_address(Decoder& in) {
  auto bytes = in.text();
  if (bytes.size() == 4) {
    std::array<std::uint8_t, 4> v4;
    std::ranges::copy(bytes, v4.begin());
    return IpAddress(v4);
  }
  if (bytes.size() == 16) {
    std::array<std::uint8_t, 16> v6;
    std::ranges::copy(bytes, v6.begin());
    return IpAddress(v6);
  }
  return std::nullopt;
}

}  // namespace

std::string encode_identity(const dmarc::ReportRecord& record) {
  Encoder out;
  out.text(record.source.bytes());
  put_enum(out, record.disposition);
  out.u8(static_cast<std::uint8_t>((record.dkim_aligned ? 1 : 0) | (record.spf_aligned ? 2 : 0)));
  auto reasons = std::min(record.reasons.size(), kMostReasons);
  out.varint(reasons);
  for (std::size_t i = 0; i < reasons; ++i) {
    put_enum(out, record.reasons[i].type);
    put_text(out, record.reasons[i].comment, kCommentLength);
  }
  put_text(out, record.header_from, kNameLength);
  put_text(out, record.envelope_from, kNameLength);
  put_text(out, record.envelope_to, kNameLength);
  auto signatures = std::min(record.dkim.size(), kMostSignatures);
  out.varint(signatures);
  for (std::size_t i = 0; i < signatures; ++i) {
    auto& signature = record.dkim[i];
    put_text(out, signature.domain, kNameLength);
    put_text(out, signature.selector, kNameLength);
    put_enum(out, signature.result);
    put_text(out, signature.human_result, kCommentLength);
  }
  auto spf = std::min(record.spf.size(), kMostSpf);
  out.varint(spf);
  for (std::size_t i = 0; i < spf; ++i) {
    put_text(out, record.spf[i].domain, kNameLength);
    put_enum(out, record.spf[i].scope);
    put_enum(out, record.spf[i].result);
    out.u8(record.spf[i].by_policy ? 1 : 0);
    put_text(out, record.spf[i].human_result, kCommentLength);
  }
  return out.take();
}

dmarc::ReportRecord without_source(const dmarc::ReportRecord& record) {
  dmarc::ReportRecord coarse;
  coarse.disposition = record.disposition;
  coarse.dkim_aligned = record.dkim_aligned;
  coarse.spf_aligned = record.spf_aligned;
  coarse.reasons = {
      {dmarc::OverrideType::Other, "messages of further sources, too many for a row each"}};
  return coarse;
}

std::string encode_row(std::uint64_t count, std::string_view identity) {
  Encoder out;
  out.varint(count);
  out.raw(identity);
  return out.take();
}

std::optional<std::uint64_t> decode_count(std::string_view row) {
  Decoder in(row);
  auto count = in.varint();
  if (in.failed()) return std::nullopt;
  return count;
}

std::optional<dmarc::ReportRecord> decode_row(std::string_view row) {
  Decoder in(row);
  dmarc::ReportRecord record;
  record.count = in.varint();
  auto source = get_address(in);
  if (!source) return std::nullopt;
  record.source = *source;
  record.disposition = get_enum(in, dmarc::Applied::Reject);
  auto aligned = in.u8();
  record.dkim_aligned = (aligned & 1) != 0;
  record.spf_aligned = (aligned & 2) != 0;
  bool refused = false;
  for (auto left = get_count(in, kMostReasons, refused); left > 0 && !in.failed(); --left) {
    dmarc::Override reason;
    reason.type = get_enum(in, dmarc::OverrideType::TrustedForwarder);
    reason.comment = get_text(in, kCommentLength);
    record.reasons.push_back(std::move(reason));
  }
  record.header_from = get_text(in, kNameLength);
  record.envelope_from = get_text(in, kNameLength);
  record.envelope_to = get_text(in, kNameLength);
  for (auto left = get_count(in, kMostSignatures, refused); left > 0 && !in.failed(); --left) {
    dmarc::ReportedDkim signature;
    signature.domain = get_text(in, kNameLength);
    signature.selector = get_text(in, kNameLength);
    signature.result = get_enum(in, dkim::Result::PermError);
    signature.human_result = get_text(in, kCommentLength);
    record.dkim.push_back(std::move(signature));
  }
  for (auto left = get_count(in, kMostSpf, refused); left > 0 && !in.failed(); --left) {
    dmarc::ReportedSpf spf;
    spf.domain = get_text(in, kNameLength);
    spf.scope = get_enum(in, dmarc::ReportedSpf::Scope::Helo);
    spf.result = get_enum(in, spf::Result::PermError);
    spf.by_policy = in.u8() != 0;
    spf.human_result = get_text(in, kCommentLength);
    record.spf.push_back(std::move(spf));
  }
  if (in.failed() || refused) return std::nullopt;
  return record;
}

RowPiece read_row_piece(store::Reader& reader, store::KeyRange range, std::string_view from,
                        std::size_t limit) {
  if (!from.empty()) range.begin = from;
  RowPiece piece;
  std::size_t seen = 0;
  reader.scan(range, [&](std::string_view key, std::string_view value) {
    if (seen++ == limit) {
      piece.next = key;
      return false;
    }
    if (auto row = decode_row(value)) piece.rows.push_back(std::move(*row));
    return true;
  });
  return piece;
}

std::string encode_policy(const dmarc::PublishedPolicy& policy) {
  Encoder out;
  put_optional(out, policy.discovery_method);
  put_optional(out, policy.p);
  put_optional(out, policy.sp);
  put_optional(out, policy.np);
  put_optional(out, policy.adkim);
  put_optional(out, policy.aspf);
  out.u8(policy.testing ? (*policy.testing ? 2 : 1) : 0);
  put_text(out, policy.fo, 16);
  return out.take();
}

std::string encode_domain(const EvaluatedDomain& domain) {
  Encoder out;
  out.varint(domain.rows);
  put_text(out, domain.rua, kMostRua);
  out.raw(encode_policy(domain.policy));
  return out.take();
}

std::optional<EvaluatedDomain> decode_domain(std::string_view value) {
  Decoder in(value);
  EvaluatedDomain found;
  found.rows = in.varint();
  found.rua = in.text();
  auto& policy = found.policy;
  policy.discovery_method = get_optional(in, dmarc::DiscoveryMethod::TreeWalk);
  policy.p = get_optional(in, dmarc::Policy::Reject);
  policy.sp = get_optional(in, dmarc::Policy::Reject);
  policy.np = get_optional(in, dmarc::Policy::Reject);
  policy.adkim = get_optional(in, dmarc::Alignment::Strict);
  policy.aspf = get_optional(in, dmarc::Alignment::Strict);
  if (auto testing = in.u8(); testing != 0) policy.testing = testing == 2;
  policy.fo = in.text();
  if (in.failed()) return std::nullopt;
  return found;
}

bool erase_days_before(store::Transaction& tx, store::Table table, Day day, std::size_t& most) {
  using store::Key;
  return store::erase_some(
      tx,
      {Key(store::kInstance, table).u32(0).bytes(), Key(store::kInstance, table).u32(day).bytes()},
      most);
}

}  // namespace hikyaku::reports
