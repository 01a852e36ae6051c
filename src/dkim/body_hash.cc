#include "dkim/body_hash.h"

#include <algorithm>

namespace hikyaku::dkim {

/// One digest.
struct BodyHash::Entry {
  explicit Entry(const BodyHashKind& of) : kind(of), running(of.hash) {}

  BodyHashKind kind;
  crypto::Digest running;
  std::string value;
  std::uint64_t seen = 0;  ///< canonical bytes, those beyond kind.length included

  void write(std::string_view bytes) {
    auto wanted = kind.length ? *kind.length - std::min(*kind.length, seen) : bytes.size();
    seen += bytes.size();
    bytes = bytes.substr(0, wanted);
    if (!bytes.empty()) running.update(bytes);
  }
};

/// One canonical form of the body and the digests over it.
struct BodyHash::Stream final : ByteSink {
  explicit Stream(Canonicalization of) : canonicalization(of), canonicalizer(of) {}

  Canonicalization canonicalization;
  BodyCanonicalizer canonicalizer;
  std::vector<Entry*> entries;

  void write(std::string_view bytes) override {
    for (auto* entry : entries) entry->write(bytes);
  }
};

BodyHash::BodyHash() = default;
BodyHash::BodyHash(BodyHash&&) noexcept = default;
BodyHash& BodyHash::operator=(BodyHash&&) noexcept = default;
BodyHash::~BodyHash() = default;

std::size_t BodyHash::add(const BodyHashKind& kind) {
  auto known = std::ranges::find(entries_, kind, [](auto& entry) { return entry->kind; });
  if (known != entries_.end()) return static_cast<std::size_t>(known - entries_.begin());
  auto* entry = entries_.emplace_back(std::make_unique<Entry>(kind)).get();
  auto stream = std::ranges::find(streams_, kind.canonicalization,
                                  [](auto& s) { return s->canonicalization; });
  if (stream == streams_.end())
    stream = streams_.insert(stream, std::make_unique<Stream>(kind.canonicalization));
  (*stream)->entries.push_back(entry);
  return entries_.size() - 1;
}

void BodyHash::update(std::string_view bytes) {
  for (auto& stream : streams_) stream->canonicalizer.update(bytes, *stream);
}

void BodyHash::finish() {
  for (auto& stream : streams_) stream->canonicalizer.finish(*stream);
  for (auto& entry : entries_) entry->value = entry->running.finish();
}

const std::string& BodyHash::digest(std::size_t number) const {
  return entries_[number]->value;
}

std::uint64_t BodyHash::canonical_size(std::size_t number) const {
  return entries_[number]->seen;
}

}  // namespace hikyaku::dkim
