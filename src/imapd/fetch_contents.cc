// FETCH of the messages' bytes: sections as pieces of prefix and body, streamed (RFC 9051 §6.4.5,
// RFC 3516).
#include <algorithm>
#include <span>
#include <utility>

#include "base/async.h"
#include "base/semaphore.h"
#include "imapd/content.h"
#include "imapd/fetching.h"
#include "imapd/limits.h"
#include "imapd/own_changes.h"
#include "mailbox/section.h"
#include "mime/transfer.h"
#include "store/index_error.h"

namespace hikyaku::imapd {
namespace {

using Form = imap::BodyItem::Form;

/// Octets [offset, offset + length) of what passes through it.
class Window {
 public:
  explicit Window(const std::optional<imap::Partial>& partial) {
    if (!partial) return;
    begin_ = partial->offset;
    length_ = partial->length;
  }
  std::uint64_t size_of(std::uint64_t total) const {
    return begin_ >= total ? 0 : std::min(length_, total - begin_);
  }
  std::string_view pass(std::string_view bytes) {
    auto at = std::exchange(passed_, passed_ + bytes.size());
    auto skip = begin_ > at ? std::min<std::uint64_t>(begin_ - at, bytes.size()) : 0;
    bytes.remove_prefix(skip);
    auto left = length_ - std::min(length_, at + skip > begin_ ? at + skip - begin_ : 0);
    return bytes.substr(0, left);
  }

 private:
  std::uint64_t begin_ = 0;
  std::uint64_t length_ = UINT64_MAX;
  std::uint64_t passed_ = 0;
};

/// What a section is when its transfer encoding is removed.
struct Decoded {
  std::uint64_t size = 0;
  bool has_nul = false;
};

Task<Result<Decoded>> measure(Content& content, const mailbox::SectionBytes& bytes) {
  SectionReader reader(content, bytes);
  mime::TransferDecoder decoder(bytes.encoding);
  Decoded decoded;
  std::string out;
  auto count = [&] {
    decoded.size += out.size();
    decoded.has_nul |= out.find('\0') != std::string::npos;
    out.clear();
  };
  while (!reader.done()) {
    CO_TRY(auto piece, co_await reader.next());
    decoder.feed(piece, out);
    count();
    co_await yield_now();
  }
  decoder.finish(out);
  count();
  co_return decoded;
}

/// Bodies that were opened together, of messages [begin, end) of a piece.
struct Bodies {
  std::size_t begin = 0;
  std::size_t end = 0;
  store::OpenedBlobs blobs;
  std::uint64_t bytes = 0;  ///< that they take until the last of them goes: they share them

  Result<std::unique_ptr<store::Blob>> take(std::size_t message) {
    if (message < begin || message >= end) return nullptr;
    return std::move(blobs[message - begin]);
  }
};

/// The bodies of `records` from `begin` on, as many as have `most` bytes, and at least one.
Task<Bodies> open_bodies(store::Store& store,
                         std::span<const std::optional<mailbox::MessageRecord>> records,
                         std::size_t begin, std::uint64_t most) {
  Bodies bodies{.begin = begin, .end = begin, .blobs = {}};
  std::vector<store::BlobId> ids;
  while (bodies.end < records.size() && records[bodies.end]) {
    auto bytes = bodies.bytes + std::min(records[bodies.end]->size, kBodiesAtOnce);
    if (!ids.empty() && bytes > most) break;
    bodies.bytes = bytes;
    ids.push_back(records[bodies.end++]->blob);
  }
  bodies.blobs = co_await store.open_blobs(std::move(ids));
  co_return bodies;
}

}  // namespace

SessionEnds Session::broken_literal(const Error& error) {
  // So many octets were promised, and there is no way to take that back.
  return {imap::bye(refusal(error).text, "UNAVAILABLE")};
}

Task<void> Session::fetch_contents(Fetching& fetching) {
  SequencePieces pieces(fetching.sequences);
  for (auto piece = pieces.next(kContentsPerPiece); !piece.empty();
       piece = pieces.next(kContentsPerPiece)) {
    if (fetching.changed_since) {
      std::erase_if(
          piece, [&](auto sequence) { return fetching.skips(selected_->messages.at(sequence)); });
    }
    if (fetching.items.sets_seen() && !state_.read_only) co_await set_seen(fetching, piece);
    co_await fetch_content_of(fetching, std::move(piece));
    co_await yield_now();
  }
}

Task<void> Session::fetch_content_of(Fetching& fetching, std::vector<std::uint32_t> sequences) {
  std::span<const std::uint32_t> left = sequences;
  while (!left.empty()) left = left.subspan(co_await fetch_first_of(fetching, left));
}

Task<std::size_t> Session::fetch_first_of(Fetching& fetching,
                                          std::span<const std::uint32_t> sequences) {
  co_await go_on();
  std::vector<mailbox::Uid> uids;
  for (auto sequence : sequences) uids.push_back(selected_->messages.at(sequence).uid);
  auto records =
      co_await services_.store.read([&, id = account(), mailbox = selected_->mailbox,
                                     most = at_once(kRecordBytesPerRead)](store::Reader& reader) {
        return mailbox::get_messages_or_ghosts(reader, id, mailbox, uids, most);
      });
  std::uint64_t held = 0;
  for (auto& record : records)
    if (record) held += record->memory();
  Bodies bodies;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (!records[i]) {
      fetching.missing = true;
      continue;
    }
    if (fetching.needs_bodies && i >= bodies.end) {
      bodies = Bodies{};
      bodies = co_await open_bodies(services_.store, records, i, at_once(kBodiesAtOnce));
    }
    auto blob = bodies.take(i);
    if (!blob && blob.error().code == ErrorCode::NotFound && !co_await is_still_there(uids[i])) {
      fetching.missing = true;
      held -= records[i]->memory();
      continue;
    }
    // With the piece that is on its way: the client may let us wait.
    work_with(held +
              (fetching.needs_bodies ? bodies.bytes + std::min(records[i]->size, kReadPiece) : 0));
    held -= records[i]->memory();
    co_await fetch_message(fetching, sequences[i], std::move(*records[i]), std::move(blob));
    if (output_.full()) co_await output_.flush();
  }
  work_with(0);
  co_return records.size();
}

/// False: it was expunged, perhaps since its record was read, and its body given up.
Task<bool> Session::is_still_there(mailbox::Uid uid) {
  co_return co_await services_.store.read(
      [id = account(), mailbox = selected_->mailbox, uid](store::Reader& reader) {
        return mailbox::get_message(reader, id, mailbox, uid).has_value();
      });
}

Task<void> Session::set_seen(Fetching& fetching, const std::vector<std::uint32_t>& sequences) {
  std::vector<mailbox::Uid> uids;
  OwnChanges own;
  for (auto sequence : sequences) {
    auto& row = selected_->messages.at(sequence);
    if ((row.flags & mailbox::kSeen) != 0) continue;
    uids.push_back(row.uid);
    own.messages.push_back({sequence, sequence});
  }
  fetching.just_seen.clear();
  if (uids.empty()) co_return;
  mailbox::StoreFlags wish;
  wish.change = mailbox::FlagChange::Add;
  wish.system_flags = mailbox::kSeen;
  wish.known = selected_->messages.view().change();
  mailbox::StoredFlags stored;
  auto done = co_await services_.store.transact(
      {account()},
      [&, id = account(), mailbox = selected_->mailbox,
       now = services_.clock.now()](store::Transaction& tx) -> Result<void> {
        TRY(stored, mailbox::store_flags(tx, id, mailbox, uids, wish, now));
        return {};
      });
  // A full disk is no reason not to show the message.
  if (!done) co_return;
  own.news = std::move(stored.news);
  own.stored.push_back({UINT32_MAX, 0});
  for (auto& row : stored.changed) {
    fetching.just_seen.push_back(row.uid);
    own.stored.back().change = std::max(own.stored.back().change, row.changed);
  }
  std::ranges::sort(fetching.just_seen);
  co_await refresh(Expunges::HoldBack, &own);
}

Task<void> Session::fetch_message(Fetching& fetching, std::uint32_t sequence,
                                  mailbox::MessageRecord record,
                                  Result<std::unique_ptr<store::Blob>> blob) {
  Content content(services_.store, record, std::move(blob));
  if (!record.digest.complete) {
    auto permit = co_await services_.large_messages.acquire(record.size);
    co_await go_on();
    if (auto done = co_await complete_digest(services_, content, record); !done) {
      fetching.failed = refusal(done.error());
      co_return;
    }
    work_with(work_ + record.digest.memory());
    co_await go_on();
  }
  auto row = row_of(sequence, record);
  imap::FetchItems items{fetching.items.attributes, {}};
  if (std::ranges::binary_search(fetching.just_seen, row.uid)) {
    items.add(imap::FetchAtt::Flags);
    if (state_.tells_modseq()) items.add(imap::FetchAtt::ModSeq);
  }
  imap::FetchResponse response(out(), sequence);
  append_row_items(response, items, row);
  append_record_items(response, items, record);
  try {
    co_await send_sections(fetching, record, content, response);
  } catch (const store::IndexError&) {
    throw SessionEnds{imap::bye("The message cannot be read", "CORRUPTION")};
  }
  response.end();
}

Task<void> Session::send_sections(Fetching& fetching, const mailbox::MessageRecord& record,
                                  Content& content, imap::FetchResponse& response) {
  mailbox::Sections sections(record);
  if (!sections.good())
    fetching.failed =
        refusal({ErrorCode::Corrupt, "the stored structure of a message is damaged", nullptr});
  for (std::size_t i = 0; i < fetching.items.bodies.size(); ++i) {
    auto& item = fetching.items.bodies[i];
    auto is_binary = item.form == Form::Binary || item.form == Form::BinarySize;
    Piece piece{item, fetching.labels[i], response, content};
    count_memory();
    auto sent = is_binary ? co_await send_binary(piece, sections.find(item))
                          : co_await send_section(piece, sections.find(item));
    if (sent) continue;
    if (item.form == Form::BinarySize)
      response.number(piece.label, 0);
    else
      response.nil(piece.label);
    fetching.failed = sent.error().code == ErrorCode::Unsupported
                          ? imap::no(sent.error().text, "UNKNOWN-CTE")
                          : refusal(sent.error());
  }
}

Task<Result<void>> Session::send_section(Piece piece, std::optional<mailbox::SectionBytes> found) {
  if (!found) {
    piece.response.nil(piece.label);
    co_return Result<void>{};
  }
  if (found->to_select) {
    CO_TRY(auto header, co_await piece.content.read_all(*found));
    auto select = [&] {
      return mailbox::Sections::select(header, piece.item.section, piece.item.partial);
    };
    found = header.size() <= kInlineDigest ? select() : co_await run_on(services_.workers, select);
  }
  SectionReader reader(piece.content, *found);
  CO_TRY_DO(co_await reader.prepare());
  piece.response.begin_literal(piece.label, found->size);
  // A message that came as binary (RFC 3516 §4.4, or BDAT) may hold NUL, and only the answer to
  // BINARY[] may be a literal8. To refuse such messages would lose mail, to store them otherwise
  // than they came would break signatures, and clients that meet NUL here stop reading the
  // connection.
  while (!reader.done()) {
    auto bytes = co_await reader.next();
    if (!bytes) throw broken_literal(bytes.error());
    imap::mask_nul(*bytes);
    co_await output_.write(*bytes);
    if (!reader.done()) co_await yield_now();
  }
  co_return Result<void>{};
}

Task<Result<void>> Session::send_binary(Piece piece, std::optional<mailbox::SectionBytes> found) {
  auto wants_size = piece.item.form == Form::BinarySize;
  if (!found) {
    if (wants_size)
      piece.response.number(piece.label, 0);
    else
      piece.response.nil(piece.label);
    co_return Result<void>{};
  }
  // The whole message is not in its own body's encoding.
  if (piece.item.section.part.empty()) found->encoding = mime::Encoding::Binary;
  if (found->encoding == mime::Encoding::Unknown)
    co_return fail(ErrorCode::Unsupported, "The part's transfer encoding is not known");
  CO_TRY(auto decoded, co_await measure(piece.content, *found));
  if (wants_size) {
    piece.response.number(piece.label, decoded.size);
    co_return Result<void>{};
  }

  Window window(piece.item.partial);
  auto size = window.size_of(decoded.size);
  if (decoded.has_nul)
    piece.response.begin_literal8(piece.label, size);
  else
    piece.response.begin_literal(piece.label, size);
  SectionReader reader(piece.content, *found);
  mime::TransferDecoder decoder(found->encoding);
  std::string bytes;
  while (!reader.done()) {
    auto encoded = co_await reader.next();
    if (!encoded) throw broken_literal(encoded.error());
    bytes.clear();
    decoder.feed(*encoded, bytes);
    co_await output_.write(window.pass(bytes));
    co_await yield_now();
  }
  bytes.clear();
  decoder.finish(bytes);
  co_await output_.write(window.pass(bytes));
  co_return Result<void>{};
}

}  // namespace hikyaku::imapd
