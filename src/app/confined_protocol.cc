#include "app/confined_protocol.h"

#include <algorithm>

#include "base/codec.h"
#include "base/text.h"

namespace hikyaku::app {
namespace {

constexpr std::size_t kReplyHeaderBytes = 5;
constexpr std::size_t kMostWords = 400;

}  // namespace

std::string_view to_string(ConfinedJob job) {
  switch (job) {
    case ConfinedJob::ReadReport:
      return "report";
  }
  return "unknown";
}

std::string encode_job_header(ConfinedJob job, std::size_t request_bytes) {
  Encoder out;
  out.u8(static_cast<std::uint8_t>(job));
  out.u64_be(request_bytes);
  return out.take();
}

std::optional<JobHeader> decode_job_header(std::string_view bytes) {
  if (bytes.size() != kJobHeaderBytes) return std::nullopt;
  Decoder in(bytes);
  JobHeader header;
  header.job = static_cast<ConfinedJob>(in.u8());
  header.bytes = in.u64_be();
  return header;
}

std::string encode_reply_header(bool answered, std::size_t bytes) {
  Encoder out;
  out.u8(answered ? 1 : 0);
  out.u32_be(static_cast<std::uint32_t>(bytes));
  return out.take();
}

Result<void> ConfinedReply::feed(std::string_view bytes) {
  if (!size_) {
    auto missing = std::min(kReplyHeaderBytes - header_.size(), bytes.size());
    header_ += bytes.substr(0, missing);
    bytes.remove_prefix(missing);
    if (header_.size() < kReplyHeaderBytes) return {};
    Decoder in(header_);
    auto outcome = in.u8();
    auto size = in.u32_be();
    if (outcome > 1) return fail(ErrorCode::Invalid, "the worker's reply is malformed");
    if (size > most_)
      return fail(ErrorCode::Invalid, "the worker's reply has {} bytes, more than {}", size, most_);
    answered_ = outcome == 1;
    size_ = size;
  }
  if (bytes.size() > *size_ - body_.size())
    return fail(ErrorCode::Invalid, "the worker's reply is longer than it says");
  body_ += bytes;
  return {};
}

Result<std::string> ConfinedReply::take() {
  if (answered_) return std::move(body_);
  return fail(ErrorCode::Invalid, "{}", printable(body_, kMostWords));
}

std::string encode_note(const SpawnerNote& note) {
  Encoder out;
  out.u8(static_cast<std::uint8_t>(note.kind));
  out.u64_be(note.job);
  out.u32_be(note.value);
  out.text(utf8_prefix(note.words, kMostWords));
  return out.take();
}

std::optional<SpawnerNote> decode_note(std::string_view bytes) {
  Decoder in(bytes);
  SpawnerNote note;
  note.kind = static_cast<SpawnerNote::Kind>(in.u8());
  note.job = in.u64_be();
  note.value = in.u32_be();
  note.words = printable(in.text(), kMostWords);
  bool known = note.kind >= SpawnerNote::Kind::Ready && note.kind <= SpawnerNote::Kind::NotStarted;
  if (in.failed() || !in.at_end() || !known) return std::nullopt;
  return note;
}

}  // namespace hikyaku::app
