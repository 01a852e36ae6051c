#include "imap/response.h"

#include <algorithm>

#include "imap/date.h"

namespace hikyaku::imap {
namespace {

void append_keywords(std::string& out, const std::vector<std::string>& keywords) {
  for (auto& keyword : keywords) {
    out += ' ';
    out += keyword;
  }
}

constexpr std::string_view kSettable = "\\Answered \\Flagged \\Deleted \\Seen \\Draft";

void append_untagged(std::string& out, std::uint32_t number, std::string_view what) {
  out += "* ";
  append_number(out, number);
  out += what;
}

void append_mailbox(std::string& out, std::string_view name, NameForm form) {
  append_astring(out, encode_name(name, form), form == NameForm::Utf8 ? Wire::Utf8 : Wire::Ascii);
}

}  // namespace

void mask_nul(std::span<char> bytes) {
  std::ranges::replace(bytes, '\0', '\x80');
}

FetchResponse::FetchResponse(std::string& out, std::uint32_t number) : out_(out) {
  append_untagged(out_, number, " FETCH (");
}

void FetchResponse::item(std::string_view name) {
  if (!first_) out_ += ' ';
  first_ = false;
  out_ += name;
}

void FetchResponse::flags(FlagBits system, const std::vector<std::string>& keywords) {
  item("FLAGS ");
  append_flags(out_, system, keywords);
}

void FetchResponse::flags(FlagBits system, std::uint64_t keyword_bits,
                          const std::vector<std::string>& names) {
  item("FLAGS ");
  append_flags(out_, system, keyword_bits, names);
}

void FetchResponse::uid(std::uint32_t uid) {
  item("UID ");
  append_number(out_, uid);
}

void FetchResponse::modseq(std::uint64_t modseq) {
  item("MODSEQ (");
  append_number(out_, modseq);
  out_ += ')';
}

void FetchResponse::internal_date(Time date) {
  item("INTERNALDATE \"");
  append_date_time(out_, date);
  out_ += '"';
}

void FetchResponse::rfc822_size(std::uint64_t size) {
  item("RFC822.SIZE ");
  append_number(out_, size);
}

void FetchResponse::email_id(std::string_view id) {
  item("EMAILID (");
  out_ += id;
  out_ += ')';
}

void FetchResponse::thread_id(std::string_view id) {
  if (id.empty()) {
    item("THREADID NIL");
    return;
  }
  item("THREADID (");
  out_ += id;
  out_ += ')';
}

void FetchResponse::save_date(std::optional<Time> date) {
  if (!date) {
    item("SAVEDATE NIL");
    return;
  }
  item("SAVEDATE \"");
  append_date_time(out_, *date);
  out_ += '"';
}

void FetchResponse::envelope(std::string_view finished) {
  item("ENVELOPE ");
  out_ += finished;
}

void FetchResponse::body_structure(std::string_view finished) {
  item("BODYSTRUCTURE ");
  out_ += finished;
}

void FetchResponse::body(std::string_view finished) {
  item("BODY ");
  out_ += finished;
}

void FetchResponse::literal(std::string_view label, std::string_view bytes) {
  begin_literal(label, bytes.size());
  out_ += bytes;
  mask_nul(std::span(out_).last(bytes.size()));
}

void FetchResponse::begin_literal(std::string_view label, std::uint64_t size) {
  item(label);
  out_ += " {";
  append_number(out_, size);
  out_ += "}\r\n";
}

void FetchResponse::begin_literal8(std::string_view label, std::uint64_t size) {
  item(label);
  out_ += " ~{";
  append_number(out_, size);
  out_ += "}\r\n";
}

void FetchResponse::nil(std::string_view label) {
  item(label);
  out_ += " NIL";
}

void FetchResponse::number(std::string_view label, std::uint64_t value) {
  item(label);
  out_ += ' ';
  append_number(out_, value);
}

void FetchResponse::end() {
  out_ += ")\r\n";
}

void append_exists(std::string& out, std::uint32_t count) {
  append_untagged(out, count, " EXISTS\r\n");
}
void append_recent(std::string& out, std::uint32_t count) {
  append_untagged(out, count, " RECENT\r\n");
}
void append_expunge(std::string& out, std::uint32_t number) {
  append_untagged(out, number, " EXPUNGE\r\n");
}

void append_vanished(std::string& out, const NumberSet& uids, bool earlier) {
  if (uids.empty()) return;
  out += earlier ? "* VANISHED (EARLIER) " : "* VANISHED ";
  uids.append_to(out);
  out += "\r\n";
}

void append_capability(std::string& out, std::string_view list) {
  out += "* CAPABILITY ";
  out += list;
  out += "\r\n";
}

void append_enabled(std::string& out, const std::vector<std::string>& capabilities) {
  out += "* ENABLED";
  append_keywords(out, capabilities);
  out += "\r\n";
}

void append_mailbox_flags(std::string& out, const std::vector<std::string>& keywords) {
  out += "* FLAGS (";
  out += kSettable;
  append_keywords(out, keywords);
  out += ")\r\n";
}

Reply permanent_flags(const std::vector<std::string>& keywords, bool writable, bool can_create) {
  if (!writable) return ok("No flags can be changed", "PERMANENTFLAGS ()");
  std::string code = "PERMANENTFLAGS (";
  code += kSettable;
  append_keywords(code, keywords);
  code += can_create ? " \\*)" : ")";
  return ok("These flags are kept", std::move(code));
}

void append_id(std::string& out,
               const std::vector<std::pair<std::string, std::optional<std::string>>>& fields) {
  if (fields.empty()) {
    out += "* ID NIL\r\n";
    return;
  }
  char before = '(';
  out += "* ID ";
  for (auto& [name, value] : fields) {
    out += before;
    before = ' ';
    append_string(out, name);
    out += ' ';
    append_nstring(out, value);
  }
  out += ")\r\n";
}

void append_list(std::string& out, const ListEntry& entry, NameForm form, bool lsub) {
  out += lsub ? "* LSUB (" : "* LIST (";
  for (auto& attribute : entry.attributes) {
    if (&attribute != &entry.attributes.front()) out += ' ';
    out += attribute;
  }
  out += ") \"";
  out += kSeparator;
  out += "\" ";
  append_mailbox(out, entry.name, form);
  if (!entry.child_info.empty()) {
    out += " (CHILDINFO (";
    for (auto& criterion : entry.child_info) {
      if (&criterion != &entry.child_info.front()) out += ' ';
      append_string(out, criterion);
    }
    out += "))";
  }
  out += "\r\n";
}

void append_list_root(std::string& out, bool lsub) {
  out += lsub ? "* LSUB" : "* LIST";
  out += " (\\Noselect) \"/\" \"\"\r\n";
}

void append_namespace(std::string& out) {
  out += "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n";
}

void append_status(std::string& out, std::string_view mailbox, NameForm form, StatusItems items,
                   const StatusValues& values) {
  out += "* STATUS ";
  append_mailbox(out, mailbox, form);
  out += ' ';
  char before = '(';
  auto begin = [&](StatusItem item, std::string_view name) {
    if (!items.has(item)) return false;
    out += before;
    before = ' ';
    out += name;
    out += ' ';
    return true;
  };
  auto put = [&](StatusItem item, std::string_view name, std::uint64_t value) {
    if (begin(item, name)) append_number(out, value);
  };
  put(StatusItem::Messages, "MESSAGES", values.messages);
  put(StatusItem::Recent, "RECENT", values.recent);
  put(StatusItem::UidNext, "UIDNEXT", values.uid_next);
  put(StatusItem::UidValidity, "UIDVALIDITY", values.uid_validity);
  put(StatusItem::Unseen, "UNSEEN", values.unseen);
  put(StatusItem::Deleted, "DELETED", values.deleted);
  put(StatusItem::Size, "SIZE", values.size);
  put(StatusItem::HighestModSeq, "HIGHESTMODSEQ", values.highest_modseq);
  if (begin(StatusItem::MailboxId, "MAILBOXID")) out += '(' + values.mailbox_id + ')';
  if (before == '(') out += '(';
  out += ")\r\n";
}

void SearchResponse::begin(std::string& out, std::string_view tag, bool uid,
                           const SearchProgram& program) {
  if (form_ == Form::Search) {
    out += "* SEARCH";
    return;
  }
  out += "* ESEARCH (TAG ";
  append_string(out, tag);
  out += uid ? ") UID" : ")";
  auto put = [&](std::string_view name, std::uint64_t value) {
    out += name;
    append_number(out, value);
  };
  if (!found_.empty() && program.wants(SearchReturn::Min)) put(" MIN ", found_.lowest());
  if (!found_.empty() && program.wants(SearchReturn::Max)) put(" MAX ", found_.highest());
  if (program.wants(SearchReturn::Count)) put(" COUNT ", found_.count());
  if (modseq_ && !found_.empty()) put(" MODSEQ ", *modseq_);
  has_numbers_ = !found_.empty() && (program.wants(SearchReturn::All) || program.options == 0);
  if (has_numbers_) out += " ALL ";
}

bool SearchResponse::append_some(std::string& out) {
  constexpr std::size_t kAtOnce = 1'000;
  for (std::size_t i = 0; i < kAtOnce; ++i) {
    if (!has_numbers_ || range_ == found_.ranges().size()) return false;
    append_next(out);
  }
  return true;
}

void SearchResponse::append_next(std::string& out) {
  auto& range = found_.ranges()[range_];
  if (form_ == Form::ESearch) {
    if (range_ != 0) out += ',';
    append_number(out, range.first);
    if (range.last != range.first) {
      out += ':';
      append_number(out, range.last);
    }
    ++range_;
    return;
  }
  out += ' ';
  append_number(out, range.first + done_);
  if (range.first + done_ != range.last) {
    ++done_;
  } else {
    ++range_;
    done_ = 0;
  }
}

void SearchResponse::end(std::string& out) const {
  if (form_ == Form::Search && modseq_ && !found_.empty()) {
    out += " (MODSEQ ";
    append_number(out, *modseq_);
    out += ')';
  }
  out += "\r\n";
}

}  // namespace hikyaku::imap
