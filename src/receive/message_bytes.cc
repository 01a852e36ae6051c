#include "receive/message_bytes.h"

#include <algorithm>
#include <fmt/core.h>

#include "base/text.h"
#include "mime/authentication_results.h"
#include "mime/header.h"
#include "receive/refused_forms.h"
#include "receive/submission_header.h"

namespace hikyaku::receive {
namespace {

/// Up to this size a message is kept here until its digest is made; larger ones are read back from
/// where they are staged, which is memory too while there is some.
constexpr std::size_t kSmall = 64 * 1024;
constexpr std::size_t kReadPiece = 1 << 20;

}  // namespace

MessageBytes::MessageBytes(const Surroundings& surroundings, const Delivery& delivery,
                           Authentication* authentication)
    : surroundings_(surroundings),
      delivery_(delivery),
      authentication_(authentication),
      signer_(surroundings.settings, surroundings.services),
      writer_(surroundings.services.store.stage(delivery.from.to_string().substr(0, 150))) {}

MessageBytes::~MessageBytes() = default;

std::string_view MessageBytes::header_alone() const {
  return std::string_view(header_).substr(0, mime::header_length(header_));
}

std::uint64_t MessageBytes::size() const {
  return writer_->size();
}

Task<void> MessageBytes::append(std::string_view bytes) {
  if (header_ended_) {
    co_await pass_on(bytes);
    co_return;
  }
  auto max_header = surroundings_.settings.max_header;
  auto searched = header_.size();
  header_ += bytes;
  auto end = header_end(header_, searched);
  if (end != std::string::npos && end <= max_header) {
    auto body = header_.substr(end);
    header_.resize(end);
    co_await end_header();
    co_await pass_on(body);
  } else if (header_.size() > max_header) {
    header_too_long_ = true;
    co_await end_header();
  }
}

/// The next bytes of the body, to everybody who looks at it.
Task<void> MessageBytes::pass_on(std::string_view body) {
  if (authentication_) co_await authentication_->body(body);
  signer_.body(body);
  co_await keep(body);
}

Task<Result<void>> MessageBytes::end() {
  if (!header_ended_) co_await end_header();
  if (error_) co_return std::unexpected(*error_);
  co_return Result<void>{};
}

Task<Result<store::StagedBlob>> MessageBytes::stage() {
  return writer_->finish();
}

Task<void> MessageBytes::end_header() {
  header_ended_ = true;
  auto taken = take_header(std::move(header_));
  if (authentication_) authentication_->header(taken.examined(), !header_too_long_);
  header_folded_ = taken.folded;
  header_ = std::move(taken.bytes);
  remove_forged_fields();
  auto& delivery = delivery_;
  if (delivery.submitted() && !header_too_long_) {
    header_ =
        complete_header(header_, {.from = default_author(),
                                  .now = delivery.began,
                                  .message_id = fmt::format("{}@{}", story::to_text(delivery.id),
                                                            surroundings_.settings.host_name)});
  }
  // Whatever others sent is theirs to sign.
  if (delivery.peer.kind != Peer::Kind::Server && !header_too_long_)
    co_await signer_.begin(header_, delivery.began);
  co_await keep(header_);
}

/// Only we say what we found out, and whom the envelope names: a field that claims to be ours can
/// only be forged (RFC 8601 §5), and our Return-Path shall be the only one (RFC 5321 §4.4). The
/// signatures are checked on what was there before.
void MessageBytes::remove_forged_fields() {
  if (delivery_.is_ours()) return;
  auto& host_name = surroundings_.settings.host_name;
  auto is_forged = [&](const mime::Field& field) {
    if (mime::is_claimed_results(field, host_name)) {
      ++removed_results_;
      return true;
    }
    bool is_path = mime::lenient_value(field, "Return-Path").has_value();
    if (is_path) ++removed_paths_;
    return is_path;
  };
  header_ = mime::without_fields(header_, is_forged);
}

/// Whom a message without From is from: the envelope knows (a user's sender was checked at MAIL).
std::string MessageBytes::default_author() const {
  if (!delivery_.from.is_null()) return delivery_.from.to_string();
  if (delivery_.peer.login) return delivery_.peer.login->address;
  return "postmaster@" + surroundings_.settings.host_name;
}

Task<void> MessageBytes::keep(std::string_view bytes) {
  if (error_ || bytes.empty()) co_return;
  // What we write ourselves is in memory anyway, and must not wait for what it belongs to.
  if (is_small_ && !delivery_.is_ours() && small_.size() + bytes.size() > kSmall) {
    is_small_ = false;
    small_ = {};
  }
  if (is_small_) small_ += bytes;
  auto appended = co_await writer_->append(bytes);
  if (!appended) error_ = std::move(appended).error();
}

Task<Result<std::string>> MessageBytes::read(store::StagedBlob blob) const {
  CO_TRY(auto reader, co_await surroundings_.services.store.open_staged(blob));
  std::string bytes;
  bytes.reserve(blob.size());
  while (bytes.size() < blob.size()) {
    CO_TRY(auto piece, co_await reader->read(bytes.size(), kReadPiece));
    if (piece.empty())
      co_return fail(ErrorCode::Corrupt, "the staged message is shorter than it was");
    bytes += piece;
  }
  co_return bytes;
}

}  // namespace hikyaku::receive
