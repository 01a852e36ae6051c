// FETCH of what the records hold: envelopes, structures, the usual header fields. The text is made
// while the records are read, in bounded pieces.
#include <algorithm>

#include "base/async.h"
#include "imapd/fetching.h"
#include "imapd/limits.h"
#include "mailbox/digest.h"
#include "mime/header.h"

namespace hikyaku::imapd {
namespace {

using imap::FetchAtt;

struct Rendered {
  std::string text;
  std::size_t done = 0;     ///< messages of the piece that are in `text` (or missing)
  bool incomplete = false;  ///< the next one's digest must be made from its bytes
  bool missing = false;
};

}  // namespace

void Session::append_record_items(imap::FetchResponse& response, const imap::FetchItems& items,
                                  const mailbox::MessageRecord& record) const {
  auto& digest = record.digest;
  if (items.has(FetchAtt::Envelope)) response.envelope(digest.envelope);
  if (items.has(FetchAtt::BodyStructure)) response.body_structure(digest.body_structure);
  if (items.has(FetchAtt::Body)) response.body(mailbox::body_form(digest.body_structure));
  if (items.has(FetchAtt::SaveDate)) response.save_date(record.saved);
}

mailbox::MessageSummary Session::row_of(std::uint32_t sequence,
                                        const mailbox::MessageRecord& record) const {
  auto row = selected_->messages.at(sequence);
  if (row.email != 0) return row;
  // A ghost of which only the UID is known.
  row.email = record.email;
  row.thread = record.thread;
  row.size = record.size;
  row.received = record.received;
  return row;
}

namespace {

/// Renders a piece of a FETCH inside a read of the store.
template <class Append>
class RecordRenderer {
 public:
  RecordRenderer(store::Reader& reader, mailbox::AccountId account, mailbox::MailboxId mailbox,
                 Append append, std::size_t most_text)
      : reader_(reader),
        account_(account),
        mailbox_(mailbox),
        append_(std::move(append)),
        most_text_(most_text) {}

  struct Wanted {
    std::uint32_t sequence = 0;
    mailbox::Uid uid = 0;
  };

  Rendered run(std::span<const Wanted> wanted) {
    std::size_t begin = 0;
    while (begin < wanted.size() && !stopped_) {
      auto end = begin + 1;
      while (end < wanted.size() && wanted[end].sequence == wanted[end - 1].sequence + 1) ++end;
      neighbours(wanted.subspan(begin, end - begin));
      begin = end;
    }
    return std::move(result_);
  }

 private:
  /// So many messages next to each other are worth a scan.
  static constexpr std::size_t kScan = 4;

  void neighbours(std::span<const Wanted> wanted) {
    std::size_t next = 0;
    if (wanted.size() >= kScan) {
      mailbox::scan_messages(reader_, account_, mailbox_, wanted.front().uid, wanted.back().uid,
                             [&](mailbox::Uid uid, const mailbox::MessageRecord& record) {
                               while (!stopped_ && next < wanted.size() && wanted[next].uid < uid)
                                 alone(wanted[next++]);
                               if (!stopped_ && next < wanted.size() && wanted[next].uid == uid)
                                 put(wanted[next++], record);
                               return !stopped_;
                             });
    }
    while (!stopped_ && next < wanted.size()) alone(wanted[next++]);
  }

  void alone(const Wanted& one) {
    if (auto record = mailbox::get_message_or_ghost(reader_, account_, mailbox_, one.uid)) {
      put(one, *record);
    } else {
      result_.missing = true;
      ++result_.done;
    }
  }

  void put(const Wanted& one, const mailbox::MessageRecord& record) {
    if (!append_(result_.text, one.sequence, record)) {
      result_.incomplete = true;
      stopped_ = true;
      return;
    }
    ++result_.done;
    stopped_ = result_.text.size() >= most_text_;
  }

  store::Reader& reader_;
  mailbox::AccountId account_;
  mailbox::MailboxId mailbox_;
  Append append_;
  std::size_t most_text_;
  Rendered result_;
  bool stopped_ = false;
};

}  // namespace

bool Session::append_from_record(std::string& text, const Fetching& fetching,
                                 std::uint32_t sequence,
                                 const mailbox::MessageRecord& record) const {
  auto& digest = record.digest;
  if (fetching.needs_digest && !digest.complete) return false;
  if (!fetching.items.bodies.empty() && digest.header_set != mailbox::kHeaderSet) return false;
  imap::FetchResponse response(text, sequence);
  append_row_items(response, fetching.items, row_of(sequence, record));
  append_record_items(response, fetching.items, record);
  for (std::size_t i = 0; i < fetching.items.bodies.size(); ++i) {
    auto& item = fetching.items.bodies[i];
    auto fields =
        mime::select_fields(digest.header_fields, item.section.fields, mime::Select::Named);
    std::string_view bytes = fields;
    if (item.partial) {
      auto kept = mime::partial({0, bytes.size()}, item.partial->offset, item.partial->length);
      bytes = bytes.substr(kept.offset, kept.size);
    }
    response.literal(fetching.labels[i], bytes);
  }
  response.end();
  return true;
}

Task<void> Session::fetch_records(Fetching& fetching) {
  SequencePieces pieces(fetching.sequences);
  for (auto piece = pieces.next(kRecordsPerRead); !piece.empty();
       piece = pieces.next(kRecordsPerRead)) {
    auto append = [this, &fetching](std::string& text, std::uint32_t sequence,
                                    const mailbox::MessageRecord& record) {
      return append_from_record(text, fetching, sequence, record);
    };
    using Renderer = RecordRenderer<decltype(append)>;
    std::vector<typename Renderer::Wanted> wanted;
    RowWalk walk(selected_->messages);
    for (auto sequence : piece) {
      auto& row = walk.at(sequence);
      if (!fetching.skips(row)) wanted.push_back({sequence, row.uid});
    }
    std::span<const typename Renderer::Wanted> left = wanted;
    while (!left.empty()) {
      auto rendered =
          co_await services_.store.read([&, id = account(), mailbox = selected_->mailbox,
                                         most = at_once(kTextPerRead)](store::Reader& reader) {
            return Renderer(reader, id, mailbox, append, most).run(left);
          });
      fetching.missing |= rendered.missing;
      work_with(rendered.text.capacity());
      co_await output_.write(rendered.text);
      rendered.text = {};
      work_with(0);
      co_await yield_now();
      left = left.subspan(rendered.done);
      if (rendered.incomplete) {
        co_await fetch_content_of(fetching, {left.front().sequence});
        left = left.subspan(1);
      }
    }
  }
}

}  // namespace hikyaku::imapd
