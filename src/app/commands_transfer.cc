// account.export and account.import: mail out of an account and into it, message by message, in
// bounded memory.
//
// Import data is a sequence of messages: a line of JSON {"mailbox","flags","received"}, then chunks
// (a line with the number of bytes, the bytes), then the line "0". Export answers with the same as
// items: {"message":{…}}, {"bytes":"<base64>"} …, {"end":true}. {"unreadable":{…}} stands for a
// message that is damaged, or in place of the end of one; {"unreadable_mailbox":{…}} for the rest
// of a mailbox of which the index cannot be read.
#include <fmt/core.h>
#include <map>

#include "app/commands.h"
#include "app/kept_messages.h"
#include "app/still_there.h"
#include "auth/directory.h"
#include "base/async.h"
#include "base/base64.h"
#include "base/text.h"
#include "mailbox/digest.h"
#include "mailbox/mailboxes.h"
#include "mailbox/messages.h"
#include "mailbox/rows.h"
#include "mime/encoded_word.h"
#include "mime/header.h"
#include "store/index_error.h"

namespace hikyaku::app {
namespace {

using boost::json::object;
using Answer = Result<object>;

constexpr std::size_t kPiece = 48 * 1024;
constexpr std::size_t kMaxMetaLine = 64 * 1024;
/// One transaction of an import.
constexpr std::size_t kBatch = 200;
constexpr std::uint64_t kBatchBytes = 8 << 20;
constexpr std::size_t kMaxProblems = 100;

Task<Result<auth::Account>> account_of(Core& core, ControlCall& call) {
  CO_TRY(auto address, call.needed_text("address"));
  auto account = co_await core.store().read(
      [&](store::Reader& reader) { return auth::find_account(reader, address); });
  if (!account)
    co_return fail(ErrorCode::NotFound, "there is no account {}: hikyaku account list", address);
  co_return std::move(*account);
}

// --- export ---

class Export {
 public:
  Export(Core& core, ControlCall& call, store::AccountId account)
      : core_(core), call_(call), account_(account) {}

  Task<Answer> run(const std::string& only) {
    auto mailboxes = co_await core_.store().read(
        [&](store::Reader& reader) { return mailbox::list_mailboxes(reader, account_); });
    bool found = false;
    for (auto& one : mailboxes) {
      if (!only.empty() && one.path != only && !one.path.starts_with(only + '/')) continue;
      found = true;
      if (!one.selectable) continue;
      co_await call_.item({{"mailbox", json_text(one.path)}});
      auto done = co_await readable_folder(one);
      if (!done && !is_damage(done.error())) co_return std::unexpected(std::move(done).error());
      if (!done) co_await unreadable_rest(one, done.error());
    }
    if (!found) co_return fail(ErrorCode::NotFound, "there is no mailbox {}", only);
    co_return object{{"count", count_},
                     {"bytes", bytes_},
                     {"unreadable", unreadable_},
                     {"unreadable_mailboxes", unreadable_mailboxes_}};
  }

 private:
  /// One message that cannot be read is no reason not to give the others away.
  Task<void> unreadable(const mailbox::MailboxInfo& info, const KeptMessage& row,
                        const Error& error) {
    ++unreadable_;
    mime::HeaderView header(row.header_fields);
    co_await call_.item({{"unreadable",
                          {{"mailbox", json_text(info.path)},
                           {"uid", row.summary.uid},
                           {"received", format_rfc3339(row.summary.received)},
                           {"size", row.summary.size},
                           {"from", json_text(mime::decode_words(header.value("From")))},
                           {"subject", json_text(mime::decode_words(header.value("Subject")))},
                           {"why", json_text(error.describe())}}}});
  }
  /// Nor is one mailbox.
  Task<void> unreadable_rest(const mailbox::MailboxInfo& info, const Error& error) {
    ++unreadable_mailboxes_;
    co_await call_.item({{"unreadable_mailbox",
                          {{"mailbox", json_text(info.path)},
                           {"from", next_uid_},
                           {"why", json_text(error.describe())}}}});
  }
  static bool is_damage(const Error& error) {
    return error.code == ErrorCode::Corrupt || error.code == ErrorCode::Io;
  }

  /// What the index cannot tell of a folder or a message is Corrupt.
  Task<Result<void>> readable_folder(const mailbox::MailboxInfo& info) {
    next_uid_ = 1;
    try {
      co_return co_await folder(info);
    } catch (const store::IndexError& error) {
      co_return fail(ErrorCode::Corrupt, "{}", error.what());
    } catch (const mailbox::CorruptRow& error) {
      co_return fail(ErrorCode::Corrupt, "{}", error.what());
    }
  }
  Task<Result<std::unique_ptr<store::Blob>>> open(store::BlobId blob) {
    try {
      co_return co_await core_.store().open_blob(blob);
    } catch (const store::IndexError& error) {
      co_return fail(ErrorCode::Corrupt, "{}", error.what());
    }
  }

  Task<Result<void>> folder(const mailbox::MailboxInfo& info) {
    auto names = co_await core_.store().read(
        [&](store::Reader& reader) { return mailbox::keywords(reader, account_, info.id); });
    while (true) {
      auto rows = co_await core_.store().read([&](store::Reader& reader) {
        return kept_messages(reader, account_, info.id, next_uid_);
      });
      if (rows.empty()) co_return Result<void>{};
      next_uid_ = rows.back().summary.uid + 1;
      for (auto& row : rows) {
        if (row.blob != 0) CO_TRY_DO(co_await message(info, names, row));
      }
    }
  }

  Task<Result<void>> message(const mailbox::MailboxInfo& info,
                             const std::vector<std::string>& names, const KeptMessage& row) {
    auto blob = co_await open(row.blob);
    // Before anything of it is given away.
    auto whole = blob ? co_await (*blob)->check(0, (*blob)->size())
                      : Result<void>(std::unexpected(blob.error()));
    if (!whole) {
      // Expunged a moment ago; what is neither that nor damage is worth stopping for.
      if (whole.error().code == ErrorCode::NotFound) co_return Result<void>{};
      if (!is_damage(whole.error()))
        co_return wrap(std::move(whole).error(), "UID {} of {}", row.summary.uid, info.path);
      co_await unreadable(info, row, whole.error());
      co_return Result<void>{};
    }
    boost::json::array flags;
    for (auto& name : flag_names(row.summary.flags, names)) flags.push_back(json_text(name));
    co_await call_.item({{"message",
                          {{"mailbox", json_text(info.path)},
                           {"flags", std::move(flags)},
                           {"received", format_rfc3339(row.summary.received)},
                           {"size", row.summary.size}}}});
    if (!row.prefix.empty()) co_await call_.item({{"bytes", base64_encode(row.prefix)}});
    for (std::uint64_t at = 0; at < (*blob)->size();) {
      auto piece = co_await (*blob)->read(at, kPiece);
      if (piece && piece->empty()) piece = fail(ErrorCode::Corrupt, "the body is too short");
      if (!piece && !is_damage(piece.error())) co_return std::unexpected(std::move(piece).error());
      if (!piece) {
        co_await unreadable(info, row, piece.error());
        co_return Result<void>{};
      }
      at += piece->size();
      co_await call_.item({{"bytes", base64_encode(*piece)}});
    }
    co_await call_.item({{"end", true}});
    ++count_;
    bytes_ += row.summary.size;
    co_return Result<void>{};
  }

  Core& core_;
  ControlCall& call_;
  store::AccountId account_;
  std::uint64_t count_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t unreadable_ = 0;
  std::uint64_t unreadable_mailboxes_ = 0;
  mailbox::Uid next_uid_ = 1;  ///< of the folder, to be read
};

Task<Answer> account_export(Core& core, ControlCall& call) {
  CO_TRY(auto account, co_await account_of(core, call));
  CO_TRY(auto only, call.text("mailbox"));
  Export work(core, call, account.id);
  co_return co_await work.run(only);
}

// --- import ---

/// The data of a call as lines and counted bytes.
class DataInput {
 public:
  explicit DataInput(ControlCall& call) : call_(call) {}

  /// The next line without its newline; nullopt at the end of the data.
  Task<Result<std::optional<std::string>>> line() {
    while (true) {
      auto end = buffer_.find('\n', at_);
      if (end != std::string::npos) {
        auto text = buffer_.substr(at_, end - at_);
        at_ = end + 1;
        co_return std::optional(std::move(text));
      }
      if (buffer_.size() - at_ > kMaxMetaLine)
        co_return fail(ErrorCode::TooLarge, "import data: a line is too long");
      CO_TRY(auto more, co_await fill());
      if (more) continue;
      if (at_ != buffer_.size()) co_return fail(ErrorCode::Invalid, "the data ended too early");
      co_return std::optional<std::string>();
    }
  }

  /// At least one of the next `count` bytes, valid until the next call.
  Task<Result<std::string_view>> some(std::uint64_t count) {
    if (at_ == buffer_.size()) {
      CO_TRY(auto more, co_await fill());
      if (!more) co_return fail(ErrorCode::Invalid, "the data ended too early");
    }
    auto bytes = std::string_view(buffer_).substr(at_, count);
    at_ += bytes.size();
    co_return bytes;
  }

 private:
  Task<Result<bool>> fill() {
    buffer_.erase(0, at_);
    at_ = 0;
    CO_TRY(auto piece, co_await call_.data());
    if (!piece) co_return false;
    buffer_ += *piece;
    co_return true;
  }

  ControlCall& call_;
  std::string buffer_;
  std::size_t at_ = 0;
};

class Import {
 public:
  enum class Known {
    Nothing,   ///< everything is taken
    Mailbox,   ///< not what the mailbox that it is for has
    Anywhere,  ///< nor what the account has in any mailbox
  };
  Import(Core& core, ControlCall& call, auth::Account account, Known known)
      : core_(core),
        data_(call),
        account_(std::move(account)),
        left_out_(known),
        still_there_(core, account_.id),
        max_size_(core.config().imap.max_append_size.count) {}

  Task<Answer> run() {
    if (left_out_ == Known::Anywhere) co_await still_there_.look();
    while (true) {
      CO_TRY(auto line, co_await data_.line());
      if (!line) break;
      CO_TRY(auto message, parse(*line));
      CO_TRY_DO(co_await receive(std::move(message)));
      if (waiting_.size() >= kBatch || waiting_bytes_ >= kBatchBytes) CO_TRY_DO(co_await commit());
    }
    CO_TRY_DO(co_await commit());
    boost::json::array problems;
    for (auto& problem : problems_) problems.push_back(json_text(problem));
    co_return object{{"imported", imported_},
                     {"known", known_},
                     {"refused", refused_},
                     {"problems", std::move(problems)}};
  }

 private:
  struct Waiting {
    mailbox::MailboxId mailbox = 0;
    mailbox::NewMessage message;
  };

  struct Message {
    std::string mailbox;
    mailbox::NewMessage message;
  };

  Result<Message> parse(const std::string& line) const {
    boost::json::error_code error;
    auto value = boost::json::parse(line, error);
    if (error || !value.is_object()) return fail(ErrorCode::Invalid, "import data: no message");
    auto& meta = value.get_object();
    auto text = [&](std::string_view name) {
      auto found = meta.if_contains(name);
      return found && found->is_string() ? std::string(found->get_string()) : std::string();
    };
    Message parsed{text("mailbox"), {}};
    auto received = parse_rfc3339(text("received"));
    parsed.message.received = received ? *received : core_.clock().now();
    auto flags = meta.if_contains("flags");
    if (!flags || !flags->is_array()) return parsed;
    for (auto& flag : flags->get_array()) {
      if (!flag.is_string()) continue;
      std::string name(flag.get_string());
      if (auto system = system_flag(name))
        parsed.message.system_flags |= system;
      else if (!name.starts_with('\\'))
        parsed.message.keywords.push_back(std::move(name));
    }
    return parsed;
  }

  /// The mailbox of this path; 0: it is still to be made.
  Task<mailbox::MailboxId*> target(const std::string& path) {
    auto found = targets_.find(path);
    if (found != targets_.end()) co_return &found->second;
    auto there = co_await core_.store().read(
        [&](store::Reader& reader) { return mailbox::find_mailbox(reader, account_.id, path); });
    mailbox::MailboxId id = there && there->selectable ? there->id : 0;
    if (id != 0 && left_out_ == Known::Mailbox) co_await still_there_.look_into(id);
    co_return &targets_.emplace(path, id).first->second;
  }

  /// Only for a message that goes into it.
  Task<Result<void>> make(mailbox::MailboxId& target, const std::string& path) {
    if (target != 0) co_return Result<void>{};
    auto now = core_.clock().now();  // not within the step: it may run more than once
    co_return co_await core_.store().transact(
        {account_.id}, [&](store::Transaction& tx) -> Result<void> {
          if (auto there = mailbox::find_mailbox(tx, account_.id, path); there) {
            target = there->id;
            if (there->selectable) return {};
          }
          TRY(auto info, mailbox::create_mailbox(tx, account_.id, path, mailbox::Role::None, now));
          target = info.id;
          return mailbox::subscribe_mailbox(tx, account_.id, path, true, now);
        });
  }

  /// Reads the chunks of one message and puts it among those that wait for the next commit.
  Task<Result<void>> receive(Message message) {
    std::string problem;
    auto writer = core_.store().stage("imported into " + account_.address);
    std::string body;
    while (true) {
      CO_TRY(auto line, co_await data_.line());
      auto size = line ? parse_decimal(*line, kMaxControlData * 16) : std::nullopt;
      if (!size) co_return fail(ErrorCode::Invalid, "import data: no chunk");
      if (*size == 0) break;
      for (std::uint64_t left = *size; left != 0;) {
        CO_TRY(auto bytes, co_await data_.some(left));
        left -= bytes.size();
        if (!problem.empty()) continue;
        if (body.size() + bytes.size() > max_size_) {
          problem = fmt::format("larger than {} bytes (imap.max_append_size)", max_size_);
          continue;
        }
        body += bytes;
        CO_TRY_DO(co_await writer->append(bytes));
      }
    }
    if (!problem.empty()) {
      refuse(message.mailbox, problem);
      co_return Result<void>{};
    }
    message.message.digest =
        co_await run_on(core_.workers(), [&body] { return mailbox::make_digest("", body); });
    auto into = co_await target(message.mailbox);
    auto wanted = co_await missing(message, *into, body);
    if (!wanted) co_return Result<void>{};
    if (wanted->mailbox != message.mailbox) into = co_await target(wanted->mailbox);
    message.mailbox = wanted->mailbox;
    message.message.system_flags = wanted->system_flags;
    message.message.keywords = std::move(wanted->keywords);
    if (auto made = co_await make(*into, message.mailbox); !made) {
      if (made.error().code == ErrorCode::Unavailable || made.error().code == ErrorCode::NoSpace)
        co_return made;
      refuse(message.mailbox, made.error().describe());
      co_return Result<void>{};
    }
    CO_TRY(message.message.body, co_await writer->finish());
    waiting_bytes_ += body.size();
    waiting_.push_back({*into, std::move(message.message)});
    co_return Result<void>{};
  }

  /// What is to be put somewhere with these bytes, if anything is: it need not be this message,
  /// but may be another one with the same bytes that it was taken for until now.
  Task<std::optional<StillThere::Wanted>> missing(const Message& message, mailbox::MailboxId into,
                                                  std::string_view body) {
    auto& facts = message.message;
    std::optional<StillThere::Wanted> wanted{{message.mailbox, facts.system_flags, facts.keywords}};
    auto same = co_await still_there_.find(into, facts.digest, facts.received, body);
    std::optional<StillThere::Wanted> instead;
    if (StillThere::take_own(same, into, instead)) {
      if (!instead) {
        ++known_;
        co_return std::nullopt;
      }
      wanted = std::move(instead);  // this one takes its place in the count, too
    }
    if (left_out_ != Known::Anywhere || !StillThere::take_moved(same, *wanted)) co_return wanted;
    ++known_;
    co_return std::nullopt;
  }

  void refuse(const std::string& mailbox, const std::string& why) {
    ++refused_;
    if (problems_.size() < kMaxProblems)
      problems_.push_back(fmt::format("{}: {}", printable(mailbox, 200), why));
  }

  /// All that waits, in one transaction: durable, or nothing of it.
  Task<Result<void>> commit() {
    if (waiting_.empty()) co_return Result<void>{};
    auto now = core_.clock().now();
    CO_TRY_DO(
        co_await core_.store().transact({account_.id}, [&](store::Transaction& tx) -> Result<void> {
          for (auto& one : waiting_)
            TRY_DO(mailbox::deliver(tx, account_.id, one.mailbox, one.message, now));
          return {};
        }));
    imported_ += waiting_.size();
    waiting_.clear();
    waiting_bytes_ = 0;
    co_return Result<void>{};
  }

  Core& core_;
  DataInput data_;
  auth::Account account_;
  Known left_out_;
  StillThere still_there_;
  std::uint64_t max_size_;
  std::map<std::string, mailbox::MailboxId> targets_;
  std::vector<Waiting> waiting_;
  std::uint64_t waiting_bytes_ = 0;
  std::uint64_t imported_ = 0;
  std::uint64_t known_ = 0;
  std::uint64_t refused_ = 0;
  std::vector<std::string> problems_;
};

Task<Answer> account_import(Core& core, ControlCall& call) {
  CO_TRY(auto account, co_await account_of(core, call));
  CO_TRY(auto duplicates, call.flag("duplicates"));
  CO_TRY(auto anywhere, call.flag("anywhere"));
  using Known = Import::Known;
  auto known = duplicates ? Known::Nothing : anywhere ? Known::Anywhere : Known::Mailbox;
  Import work(core, call, std::move(account), known);
  co_return co_await work.run();
}

}  // namespace

void add_transfer_commands(ControlTable& table, Core& core) {
  table.add({.verb = "account.export",
             .run = [&core](ControlCall& call) { return account_export(core, call); }});
  table.add({.verb = "account.import",
             .run = [&core](ControlCall& call) { return account_import(core, call); }});
}

}  // namespace hikyaku::app
