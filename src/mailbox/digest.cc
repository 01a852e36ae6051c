#include "mailbox/digest.h"

#include <algorithm>
#include <array>

#include "base/codec.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "imap/body_structure.h"
#include "imap/envelope.h"
#include "mime/digest.h"
#include "mime/header.h"
#include "mime/message.h"
#include "mime/text.h"

namespace hikyaku::mailbox {

namespace {

/// Set 1, in lower case, sorted. What Thunderbird, Apple Mail, Outlook, mutt, Roundcube, K-9 and
/// imapflow ask for in message lists; a new name needs a new set.
constexpr std::array<std::string_view, 38> kSet1 = {
    "bcc",
    "cc",
    "content-class",
    "content-description",
    "content-transfer-encoding",
    "content-type",
    "date",
    "delivered-to",
    "disposition-notification-to",
    "from",
    "importance",
    "in-reply-to",
    "lines",
    "list-id",
    "list-post",
    "list-subscribe",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "mail-followup-to",
    "mail-reply-to",
    "message-id",
    "mime-version",
    "newsgroups",
    "precedence",
    "priority",
    "references",
    "reply-to",
    "return-path",
    "sender",
    "subject",
    "thread-topic",
    "to",
    "user-agent",
    "x-label",
    "x-mailer",
    "x-original-to",
    "x-priority",
    "x-spam-flag",
};
static_assert(std::is_sorted(kSet1.begin(), kSet1.end()));

struct Kept {
  std::string fields;
  std::vector<std::uint64_t> references;
  std::uint64_t message_id = 0;
};

void add_hash(std::vector<std::uint64_t>& hashes, std::uint64_t hash) {
  if (std::find(hashes.begin(), hashes.end(), hash) == hashes.end()) hashes.push_back(hash);
}

/// Message-IDs of a field; of the many that a hostile one has the first (the thread's root) and the
/// last ones.
std::vector<std::uint64_t> hashes_of(std::string_view value) {
  std::vector<std::uint64_t> hashes;
  for (auto& id : mime::message_ids(value, kMaxReferences)) add_hash(hashes, message_id_hash(id));
  return hashes;
}

Kept look_at_header(std::string_view header) {
  Kept kept;
  std::vector<std::uint64_t> answered;
  bool has_references = false, has_message_id = false, has_answered = false;
  for (const auto& field : mime::HeaderView(header)) {
    if (field.is_junk() || !keeps_field(kHeaderSet, field.name)) continue;
    kept.fields += field.raw;
    if (!field.raw.ends_with('\n')) kept.fields += "\r\n";
    if (!has_message_id && field.is("Message-ID")) {
      has_message_id = true;
      auto ids = mime::message_ids(field.value, 1);
      auto bare = mime::unfold(field.value);
      if (!ids.empty())
        kept.message_id = message_id_hash(ids[0]);
      else if (!bare.empty())
        kept.message_id = message_id_hash(bare);
    } else if (!has_references && field.is("References")) {
      has_references = true;
      kept.references = hashes_of(field.value);
    } else if (!has_answered && field.is("In-Reply-To")) {
      has_answered = true;
      answered = hashes_of(field.value);
    }
  }
  // What In-Reply-To names is the nearest, if References does not have it (RFC 5322 §3.6.4).
  for (auto hash : answered) add_hash(kept.references, hash);
  if (kept.references.size() > kMaxReferences)
    kept.references.erase(kept.references.begin() + 1,
                          kept.references.end() - (kMaxReferences - 1));
  return kept;
}

}  // namespace

std::uint64_t message_id_hash(std::string_view message_id) {
  return Decoder(crypto::digest(crypto::Hash::Sha256, message_id)).u64_be();
}

bool keeps_field(std::uint8_t header_set, std::string_view name) {
  if (header_set != 1) return false;
  return std::binary_search(kSet1.begin(), kSet1.end(), to_lower(name));
}

namespace {

/// What parsing the body has come to. `header` is a part of it.
struct Parsed {
  std::string_view header;
  std::string body_structure;
  std::string parts;
};

Parsed parse(std::string_view body) {
  auto message = mime::parse_message(body);
  return {message.header(message.root()),
          imap::body_structure(message, imap::BodyForm::BodyStructure),
          mime::Digest(message).encode()};
}

struct ParsedView {
  std::string_view header, body_structure, parts;
};

Digest join(std::string_view prefix, const ParsedView& body, std::size_t max_bytes) {
  std::string joined;
  auto header = body.header;
  if (!prefix.empty()) {
    joined.reserve(prefix.size() + header.size());
    joined.append(prefix).append(header);
    header = joined;
  }
  auto kept = look_at_header(header);
  Digest digest;
  digest.reference_hashes = std::move(kept.references);
  digest.message_id_hash = kept.message_id;
  digest.envelope = imap::envelope(mime::HeaderView(header));
  auto bytes =
      digest.envelope.size() + body.body_structure.size() + body.parts.size() + kept.fields.size();
  if (bytes > max_bytes) {
    digest.envelope.clear();
    digest.complete = false;
    return digest;
  }
  digest.body_structure = body.body_structure;
  digest.parts = body.parts;
  digest.header_fields = std::move(kept.fields);
  digest.header_set = kHeaderSet;
  return digest;
}

}  // namespace

BodyDigest::BodyDigest(std::string_view body) {
  auto parsed = parse(body);
  header_ = parsed.header;
  storable_ = parsed.body_structure.size() + parsed.parts.size() <= kMaxDigestBytes;
  if (!storable_) return;
  body_structure_ = std::move(parsed.body_structure);
  parts_ = std::move(parsed.parts);
}

Digest BodyDigest::with_prefix(std::string_view prefix) const {
  return join(prefix, {header_, body_structure_, parts_}, storable_ ? kMaxDigestBytes : 0);
}

Digest make_digest(std::string_view prefix, std::string_view body, std::size_t max_bytes) {
  auto parsed = parse(body);
  return join(prefix, {parsed.header, parsed.body_structure, parsed.parts}, max_bytes);
}

namespace {

/// Copies a BODYSTRUCTURE without extension data. Its own stack, no recursion: stored bytes.
class BodyForm {
 public:
  explicit BodyForm(std::string_view structure) : in_(structure) {}

  std::string run() {
    if (!begin_body()) return {};
    while (!open_.empty()) {
      bool good = open_.back() == Kind::Multipart ? go_on_multipart() : end_message();
      if (!good) return {};
    }
    return at_ == in_.size() ? std::move(out_) : std::string();
  }

 private:
  enum class Kind { Multipart, Message };

  bool next_is(char c) const { return at_ < in_.size() && in_[at_] == c; }

  /// The place behind the element at `at`: string, literal, atom, list. npos if it is none.
  std::size_t element_end(std::size_t at) const {
    int depth = 0;
    while (at < in_.size()) {
      char c = in_[at];
      if (c == '(') {
        ++depth;
        ++at;
      } else if (c == ')') {
        if (--depth < 0) return std::string_view::npos;
        ++at;
      } else if (c == ' ') {
        if (depth == 0) return std::string_view::npos;
        ++at;
        continue;
      } else if (c == '"') {
        for (++at; at < in_.size() && in_[at] != '"'; ++at)
          if (in_[at] == '\\') ++at;
        ++at;
      } else if (c == '{') {
        auto close = in_.find('}', at);
        if (close == std::string_view::npos) return close;
        auto length = parse_decimal(in_.substr(at + 1, close - at - 1), in_.size());
        if (!length) return std::string_view::npos;
        at = close + 3 + *length;
      } else {
        while (at < in_.size() && in_[at] != ' ' && in_[at] != '(' && in_[at] != ')') ++at;
      }
      if (depth == 0) return at <= in_.size() ? at : std::string_view::npos;
    }
    return std::string_view::npos;
  }

  bool copy_element() {
    auto end = element_end(at_);
    if (end == std::string_view::npos) return false;
    out_ += in_.substr(at_, end - at_);
    at_ = end;
    return true;
  }

  bool copy_space() {
    if (!next_is(' ')) return false;
    out_ += ' ';
    ++at_;
    return true;
  }

  /// Passes over what is left of a body, to behind its ")".
  bool close_body() {
    while (next_is(' ')) {
      auto end = element_end(at_ + 1);
      if (end == std::string_view::npos) return false;
      at_ = end;
    }
    if (!next_is(')')) return false;
    ++at_;
    out_ += ')';
    return true;
  }

  bool begin_body() {
    for (;;) {
      if (!next_is('(') || open_.size() > 1'000) return false;
      out_ += '(';
      ++at_;
      if (next_is('(')) {
        open_.push_back(Kind::Multipart);
        continue;
      }
      // type subtype parameters id description encoding octets
      for (int field = 0; field < 7; ++field)
        if ((field > 0 && !copy_space()) || !copy_element()) return false;
      if (next_is(' ') && at_ + 1 < in_.size()) {
        char next = in_[at_ + 1];
        if (is_ascii_digit(next)) {  // lines of a text
          if (!copy_space() || !copy_element()) return false;
        } else if (next == '(') {  // envelope, body and lines of a message
          if (!copy_space() || !copy_element() || !copy_space()) return false;
          open_.push_back(Kind::Message);
          continue;
        }
      }
      return close_body();
    }
  }

  bool go_on_multipart() {
    if (next_is('(')) return begin_body();
    open_.pop_back();
    return copy_space() && copy_element() && close_body();
  }

  bool end_message() {
    open_.pop_back();
    return copy_space() && copy_element() && close_body();
  }

  std::string_view in_;
  std::size_t at_ = 0;
  std::string out_;
  std::vector<Kind> open_;
};

}  // namespace

std::string body_form(std::string_view body_structure) {
  return BodyForm(body_structure).run();
}

}  // namespace hikyaku::mailbox
