// The commands of ImapClient.
#include <algorithm>

#include "base/async.h"
#include "base/text.h"
#include "client/imap_client.h"
#include "imap/date.h"
#include "imap/quote.h"

namespace hikyaku::client {
namespace {

using Kind = ImapClient::Refusal::Kind;

std::string_view prefix_of(ImapClient::By by) {
  return by == ImapClient::By::Uid ? "UID " : "";
}

ImapClient::Refusal misunderstood(std::string text) {
  return {Kind::Bad, {}, std::move(text)};
}

/// "1:3,7" in the order in which it stands: APPENDUID and COPYUID pair by it. At most `most`.
std::vector<std::uint32_t> expand(std::string_view set, std::size_t most) {
  std::vector<std::uint32_t> uids;
  for (auto range : split(set, ',')) {
    auto colon = range.find(':');
    auto first = parse_decimal(range.substr(0, colon), UINT32_MAX);
    auto last = colon == std::string_view::npos
                    ? first
                    : parse_decimal(range.substr(colon + 1), UINT32_MAX);
    if (!first || !last) return {};
    if (*first > *last) std::swap(first, last);
    if (*last - *first >= most - std::min(most, uids.size())) return {};
    for (auto uid = *first; uid <= *last; ++uid) uids.push_back(static_cast<std::uint32_t>(uid));
  }
  return uids;
}

/// Gathers the simple items.
class DataSink final : public FetchSink {
 public:
  explicit DataSink(std::vector<imap::FetchData>& into) : into_(into) {}
  Task<void> message(const imap::Response& response) override {
    if (auto data = imap::read_fetch(response)) into_.push_back(std::move(*data));
    co_return;
  }

 private:
  std::vector<imap::FetchData>& into_;
};

/// Gathers one item's content, streamed or as a value.
class TextSink final : public FetchSink {
 public:
  TextSink(std::uint32_t uid, std::string label, std::size_t most)
      : uid_(uid), label_(std::move(label)), most_(most) {}

  Task<void> begin(const imap::FetchData&, std::string_view, std::uint64_t size) override {
    text_.clear();
    too_large_ = size > most_;
    co_return;
  }
  Task<void> data(std::string_view bytes) override {
    if (!too_large_) text_ += bytes;
    co_return;
  }
  Task<void> end() override {
    streamed_ = true;
    co_return;
  }
  Task<void> message(const imap::Response& response) override {
    auto data = imap::read_fetch(response);
    bool other = !data || (data->uid && *data->uid != uid_);
    if (!other && streamed_) {
      found_ = true;
    } else if (auto* value = other ? nullptr : imap::find_item(response, label_)) {
      if (value->kind != imap::Value::Kind::Nil) {
        found_ = true;
        text_ = value->text;
      }
    }
    streamed_ = false;
    co_return;
  }

  ImapClient::Outcome<std::string> take() {
    if (too_large_)
      return std::unexpected(
          ImapClient::Refusal{Kind::Ours, "TOOLARGE", fmt::format("more than {} bytes", most_)});
    if (!found_)
      return std::unexpected(ImapClient::Refusal{Kind::Ours, "NONEXISTENT", "no such message"});
    return std::move(text_);
  }

 private:
  std::uint32_t uid_;
  std::string label_;
  std::size_t most_;
  std::string text_;
  bool streamed_ = false;
  bool found_ = false;
  bool too_large_ = false;
};

class TextSource final : public MessageSource {
 public:
  explicit TextSource(std::string text) : text_(std::move(text)) {}
  Task<Result<std::string>> next() override { co_return std::exchange(text_, {}); }

 private:
  std::string text_;
};

}  // namespace

std::string ImapClient::name_argument(std::string_view name) const {
  std::string out;
  imap::append_astring(out, imap::encode_name(name, form_),
                       form_ == imap::NameForm::Utf8 ? imap::Wire::Utf8 : imap::Wire::Ascii);
  return out;
}

Task<ImapClient::Outcome<std::vector<std::string>>> ImapClient::enable(
    std::vector<std::string> capabilities) {
  std::vector<std::string> enabled;
  auto done = co_await run("ENABLE " + join(capabilities, " "), [&](auto& response) {
    if (!response.is("ENABLED")) return;
    for (auto& value : response.values) enabled.push_back(to_upper(value.text));
  });
  if (!done) co_return std::unexpected(std::move(done).error());
  for (auto& name : enabled)
    if (name == "UTF8=ACCEPT" || name == "IMAP4REV2") form_ = imap::NameForm::Utf8;
  co_return enabled;
}

// --- mailboxes ---

Task<ImapClient::Outcome<std::vector<imap::ListData>>> ImapClient::list(Listing listing) {
  bool extended = has("LIST-EXTENDED");
  std::string line = "LIST ";
  if (listing.subscribed) line = extended ? "LIST (SUBSCRIBED) " : "LSUB ";
  line += name_argument(listing.reference) + " ";
  imap::append_string(line, imap::encode_name(listing.pattern, form_));
  // RFC 6154 §2: without LIST-EXTENDED the attributes come by themselves.
  if (listing.special_use && extended && has("SPECIAL-USE")) line += " RETURN (SPECIAL-USE)";
  std::vector<imap::ListData> found;
  auto done = co_await run(std::move(line), [&](auto& response) {
    auto entry = imap::read_list_line(response);
    if (!entry) return;
    if (auto name = imap::decode_name(entry->name, form_)) entry->name = std::move(*name);
    found.push_back(std::move(*entry));
  });
  if (!done) co_return std::unexpected(std::move(done).error());
  co_return found;
}

Task<ImapClient::Outcome<ImapClient::Namespace>> ImapClient::personal_namespace() {
  Namespace result;
  if (has("NAMESPACE")) {
    bool told = false;
    auto done = co_await run("NAMESPACE", [&](auto& response) {
      if (!response.is("NAMESPACE") || response.values.empty() || told) return;
      auto& personal = response.values.front();
      if (personal.items.empty() || personal.items.front().items.size() < 2) return;
      told = true;
      auto& first = personal.items.front().items;
      result.prefix = imap::decode_name(first[0].text, form_).value_or(first[0].text);
      if (first[1].text.size() == 1) result.separator = first[1].text.front();
    });
    if (!done) co_return std::unexpected(std::move(done).error());
    if (told) co_return result;
  }
  // LIST with an empty name tells the separator (RFC 9051 §6.3.9).
  auto done = co_await run(R"(LIST "" "")", [&](auto& response) {
    if (auto root = imap::read_list_line(response)) result.separator = root->separator;
  });
  if (!done) co_return std::unexpected(std::move(done).error());
  co_return result;
}

Task<ImapClient::Outcome<>> ImapClient::create(std::string name, std::string special_use) {
  auto line = "CREATE " + name_argument(name);
  if (!special_use.empty()) line += " (USE (" + special_use + "))";
  co_return co_await run_plain(std::move(line));
}

Task<ImapClient::Outcome<>> ImapClient::remove(std::string name) {
  co_return co_await run_plain("DELETE " + name_argument(name));
}

Task<ImapClient::Outcome<>> ImapClient::rename(std::string from, std::string to) {
  co_return co_await run_plain("RENAME " + name_argument(from) + " " + name_argument(to));
}

Task<ImapClient::Outcome<>> ImapClient::subscribe(std::string name) {
  co_return co_await run_plain("SUBSCRIBE " + name_argument(name));
}

Task<ImapClient::Outcome<>> ImapClient::unsubscribe(std::string name) {
  co_return co_await run_plain("UNSUBSCRIBE " + name_argument(name));
}

Task<ImapClient::Outcome<imap::StatusData>> ImapClient::status(std::string name,
                                                               std::string items) {
  std::optional<imap::StatusData> found;
  auto done =
      co_await run("STATUS " + name_argument(name) + " (" + items + ")", [&](auto& response) {
        if (auto data = imap::read_status_line(response)) found = *data;
      });
  if (!done) co_return std::unexpected(std::move(done).error());
  if (!found) co_return std::unexpected(misunderstood("an answer to STATUS without STATUS"));
  co_return std::move(*found);
}

Task<ImapClient::Outcome<>> ImapClient::select(std::string name, Access access) {
  selected_ = {};
  selected_.name = name;
  auto verb = access == Access::ReadOnly ? "EXAMINE " : "SELECT ";
  auto done = co_await run_plain(verb + name_argument(name));
  if (!done) selected_ = {};
  co_return done;
}

Task<ImapClient::Outcome<>> ImapClient::unselect() {
  // CLOSE would expunge what is marked \Deleted, unless the mailbox is read-only.
  if (!has("UNSELECT") && !has("IMAP4REV2") && !selected_.read_only) {
    if (auto examined = co_await select(selected_.name, Access::ReadOnly); !examined)
      co_return examined;
  }
  auto done = co_await run_plain(has("UNSELECT") || has("IMAP4REV2") ? "UNSELECT" : "CLOSE");
  if (done) selected_ = {};
  co_return done;
}

// --- messages ---

Task<ImapClient::Outcome<imap::SearchData>> ImapClient::search(std::string criteria, By by) {
  imap::SearchData found;
  auto done =
      co_await run(fmt::format("{}SEARCH {}", prefix_of(by), criteria), [&](auto& response) {
        if (!response.is("SEARCH") && !response.is("ESEARCH")) return;
        if (auto data = imap::read_search(response)) found = std::move(*data);
      });
  if (!done) co_return std::unexpected(std::move(done).error());
  co_return found;
}

Task<ImapClient::Outcome<>> ImapClient::fetch(std::string set, std::string items, FetchSink& sink,
                                              By by) {
  auto done = co_await run(fmt::format("{}FETCH {} {}", prefix_of(by), set, items), {}, &sink);
  if (!done) co_return std::unexpected(std::move(done).error());
  co_return Outcome<>{};
}

Task<ImapClient::Outcome<std::vector<imap::FetchData>>> ImapClient::fetch_data(std::string set,
                                                                               std::string items,
                                                                               By by) {
  std::vector<imap::FetchData> found;
  DataSink sink(found);
  auto done = co_await fetch(std::move(set), std::move(items), sink, by);
  if (!done) co_return std::unexpected(std::move(done).error());
  co_return found;
}

Task<ImapClient::Outcome<std::string>> ImapClient::fetch_content(std::uint32_t uid,
                                                                 std::string item,
                                                                 std::size_t most) {
  auto label = item;
  if (auto peek = ifind(label, ".PEEK["); peek != std::string::npos) label.erase(peek, 5);
  TextSink sink(uid, std::move(label), most);
  auto done = co_await fetch(std::to_string(uid), "(UID " + item + ")", sink);
  if (!done) co_return std::unexpected(std::move(done).error());
  co_return sink.take();
}

Task<ImapClient::Outcome<>> ImapClient::store(std::string set, std::string action,
                                              imap::Flags flags, By by) {
  auto line = fmt::format("{}STORE {} {} ", prefix_of(by), set, action);
  imap::append_flags(line, flags.system & imap::kSettableFlags, flags.keywords);
  co_return co_await run_plain(std::move(line));
}

Task<ImapClient::Outcome<ImapClient::Copied>> ImapClient::transfer(std::string_view verb,
                                                                   std::string set,
                                                                   std::string mailbox, By by) {
  Copied copied;
  auto take = [&](const imap::Response& response) {
    auto& values = response.code_values;
    if (response.code != "COPYUID" || values.size() < 3) return;
    copied = {static_cast<std::uint32_t>(values[0].number().value_or(0)), values[1].text,
              values[2].text};
  };
  // MOVE tells it before its end (RFC 6851 §4.3).
  auto done = co_await run(
      fmt::format("{}{} {} {}", prefix_of(by), verb, set, name_argument(mailbox)), take);
  if (!done) co_return std::unexpected(std::move(done).error());
  take(*done);
  co_return copied;
}

Task<ImapClient::Outcome<ImapClient::Copied>> ImapClient::copy(std::string set, std::string mailbox,
                                                               By by) {
  co_return co_await transfer("COPY", std::move(set), std::move(mailbox), by);
}

Task<ImapClient::Outcome<ImapClient::Copied>> ImapClient::move(std::string set, std::string mailbox,
                                                               By by) {
  co_return co_await transfer("MOVE", std::move(set), std::move(mailbox), by);
}

Task<ImapClient::Outcome<>> ImapClient::expunge(std::string uids) {
  co_return co_await run_plain(uids.empty() ? "EXPUNGE" : "UID EXPUNGE " + uids);
}

// --- APPEND ---

Task<ImapClient::Outcome<>> ImapClient::begin_append(std::string mailbox, NewMessage message) {
  stream_->set_timeout(timeouts_.command);
  std::string line;
  if (append_tag_.empty()) {
    append_tag_ = next_tag();
    line = append_tag_ + " APPEND " + name_argument(mailbox);
  }
  line += ' ';
  imap::append_flags(line, message.flags.system & imap::kSettableFlags, message.flags.keywords);
  if (message.internal_date) {
    line += " \"";
    imap::append_date_time(line, *message.internal_date);
    line += '"';
  }
  bool plus = has("LITERAL+") || (has("LITERAL-") && message.size <= 4096);
  line += fmt::format(" {{{}{}}}\r\n", message.size, plus ? "+" : "");
  say(line);
  if (plus) co_return Outcome<>{};
  auto asked = co_await await_continuation();
  if (!asked) append_tag_.clear();
  co_return asked;
}

Task<void> ImapClient::append_data(std::string_view bytes) {
  co_await output_.write(bytes);
}

Task<ImapClient::Outcome<ImapClient::Appended>> ImapClient::end_append() {
  output_.append("\r\n");
  auto done = co_await finish(std::exchange(append_tag_, {}), {});
  if (!done) co_return std::unexpected(std::move(done).error());
  Appended appended;
  if (done->code == "APPENDUID" && done->code_values.size() >= 2) {
    appended.uid_validity = static_cast<std::uint32_t>(done->code_values[0].number().value_or(0));
    appended.uids = expand(done->code_values[1].text, 100'000);
  }
  co_return appended;
}

Task<ImapClient::Outcome<ImapClient::Appended>> ImapClient::append(std::string mailbox,
                                                                   NewMessage message,
                                                                   MessageSource& source) {
  auto size = message.size;
  auto begun = co_await begin_append(std::move(mailbox), std::move(message));
  if (!begun) co_return std::unexpected(std::move(begun).error());
  auto broken = [&](std::string why) {
    // There is no other way to end a literal early.
    append_tag_.clear();
    stream_->close();
    return std::unexpected(Refusal{Kind::Ours, {}, std::move(why)});
  };
  std::uint64_t sent = 0;
  while (true) {
    auto piece = co_await source.next();
    if (!piece) co_return broken("cannot read the message: " + piece.error().describe());
    if (piece->empty()) break;
    sent += piece->size();
    if (sent > size) co_return broken("the message is longer than its announced size");
    co_await append_data(*piece);
  }
  if (sent < size) co_return broken("the message is shorter than its announced size");
  co_return co_await end_append();
}

Task<ImapClient::Outcome<ImapClient::Appended>> ImapClient::append_text(std::string mailbox,
                                                                        NewMessage message,
                                                                        std::string text) {
  message.size = text.size();
  TextSource source(std::move(text));
  co_return co_await append(std::move(mailbox), std::move(message), source);
}

// --- IDLE ---

Task<ImapClient::Outcome<>> ImapClient::idle() {
  stream_->set_timeout(timeouts_.command);
  idle_tag_ = next_tag();
  say(idle_tag_ + " IDLE\r\n");
  auto begun = co_await await_continuation();
  if (!begun) idle_tag_.clear();
  co_return begun;
}

Task<std::optional<imap::Response>> ImapClient::idle_event(milliseconds patience) {
  stream_->set_timeout(patience + timeouts_.command);
  bool over = false;
  auto timer = Executor::current()->after(patience, [&over, stream = stream_.get()] {
    over = true;
    stream->wake();
  });
  while (true) {
    auto response = co_await read(nullptr);
    if (response || over) co_return response;
  }
}

Task<ImapClient::Outcome<>> ImapClient::idle_done() {
  stream_->set_timeout(timeouts_.command);
  say("DONE\r\n");
  auto done = co_await finish(std::exchange(idle_tag_, {}), {});
  if (!done) co_return std::unexpected(std::move(done).error());
  co_return Outcome<>{};
}

Task<ImapClient::Outcome<>> ImapClient::noop() {
  co_return co_await run_plain("NOOP");
}

}  // namespace hikyaku::client
