// mail.submit: a program of this machine hands in a message.
#include <algorithm>
#include <fmt/core.h>
#include <set>

#include "app/commands.h"
#include "app/program_mail.h"
#include "app/system_user.h"
#include "auth/directory.h"
#include "base/async.h"
#include "base/text.h"
#include "receive/receiver.h"
#include "smtp/parameters.h"

namespace hikyaku::app {
namespace {

using boost::json::object;
using Answer = Result<object>;

/// Recipients between two moments for others.
constexpr std::size_t kAtOnce = 100;
/// Of so many bad recipients it is told what is wrong with them.
constexpr std::size_t kMostTold = 20;
/// Of a refused message so much is read, so that the program gets to the end and hears why.
constexpr std::uint64_t kMaxDropped = 64ull << 20;
constexpr smtp::PathRules kAnyAddress{.characters = smtp::Characters::Utf8,
                                      .limits = smtp::kReversePathLimits};

/// What a reply means for a program.
std::unexpected<Error> refusal(const smtp::Reply& reply) {
  auto code = ErrorCode::Denied;
  if (reply.temporary())
    code = ErrorCode::Unavailable;
  else if (reply.status && reply.status->subject == 1)
    code = ErrorCode::NotFound;
  else if (reply.code == 552)
    code = ErrorCode::TooLarge;
  else if (reply.code == 554 || reply.code == 501)
    code = ErrorCode::Invalid;
  return std::unexpected(Error{code, reply.to_string(), nullptr});
}

/// The domain of addresses that have none: the one that was here first.
std::string own_domain(store::Reader& reader, const std::string& host_name) {
  auto first = auth::first_domain(reader);
  return first ? first->name : host_name;
}

/// One message being handed in.
class Submission {
 public:
  Submission(Core& core, receive::Receiver& receiver, ControlCall& call)
      : core_(core), receiver_(receiver), call_(call) {}

  Task<Answer> run() {
    auto answer = co_await take();
    if (!answer) co_await drop_rest();
    co_return answer;
  }

 private:
  Task<Answer> take() {
    CO_TRY_DO(co_await find_sender());
    CO_TRY_DO(take_notice_wishes());
    CO_TRY_DO(co_await read_header());
    CO_TRY(auto extract, call_.flag("extract"));
    CO_TRY(auto recipients, given_recipients());
    auto most = core_.config().smtp.max_recipients;
    auto header =
        co_await run_on(core_.workers(), [&] { return prepare_header(begin_, sender_, most); });
    if (extract) {
      if (header.too_many)
        co_return fail(ErrorCode::TooLarge,
                       "a field of the header names more than {} recipients "
                       "(smtp.max_recipients)",
                       most);
      recipients.insert(recipients.end(), header.recipients.begin(), header.recipients.end());
    }
    CO_TRY_DO(co_await check_recipients(recipients));
    CO_TRY(auto eight_bit, call_.flag("eight_bit"));
    auto body = std::string_view(begin_).substr(header.taken);
    eight_bit |= header.has_8bit || !is_ascii(body);
    if (eight_bit) transaction_.parameters.body = smtp::Body::EightBitMime;
    transaction_.parameters.smtputf8 |= !is_ascii(header.text) && is_utf8(header.text);

    auto incoming = receiver_.begin(peer_, transaction_);
    co_await incoming->append(header.text);
    co_await incoming->append(body);
    while (!ended_) {
      begin_.clear();
      CO_TRY_DO(co_await read_more());
      co_await incoming->append(begin_);
    }
    auto reply = co_await incoming->finish();
    if (!reply.positive()) co_return refusal(reply);
    co_return object{{"id", story::to_text(incoming->id())},
                     {"recipients", transaction_.recipients.size()}};
  }

  /// Who it is, by the kernel's word, and as whom it sends.
  Task<Result<void>> find_sender() {
    auto user = find_user(call_.caller().uid);
    auto name = user ? user->name : fmt::format("uid-{}", call_.caller().uid);
    peer_.kind = receive::Peer::Kind::Program;
    peer_.with = "LOCAL";
    peer_.log = call_.caller().log;
    peer_.program = fmt::format("uid {} ({})", call_.caller().uid, name);
    sender_.domain = co_await core_.store().read(
        [&](store::Reader& reader) { return own_domain(reader, core_.host_name()); });

    CO_TRY(auto full_name, call_.text("full_name"));
    sender_.full_name = !full_name.empty() ? full_name : user ? user->full_name : "";
    CO_TRY(auto from, call_.text("from"));
    sender_.address = qualified(from.empty() || from == "<>" ? name : from, sender_.domain);
    if (from == "<>") co_return Result<void>{};  // a bounce
    auto mailbox = smtp::parse_mailbox(sender_.address, kAnyAddress);
    if (!mailbox)
      co_return fail(ErrorCode::Invalid, "{} is no address to send from: {}",
                     printable(sender_.address, 200), mailbox.error().describe());
    transaction_.from.mailbox = *mailbox;
    // Bounces of a system user without a mailbox must reach somebody.
    if (!from.contains('@') && co_await receiver_.check_recipient(peer_, *mailbox, 0))
      transaction_.from.mailbox->local_part = "postmaster";
    co_return Result<void>{};
  }

  /// NOTIFY, RET and ENVID (RFC 3461).
  Result<void> take_notice_wishes() {
    TRY(auto notify, call_.text("notify"));
    if (!notify.empty()) {
      notify_ = smtp::parse_notify(notify);
      if (!notify_)
        return fail(ErrorCode::Invalid,
                    "notify is {}, and must be never or a list of success, failure, delay",
                    printable(notify, 60));
    }
    TRY(auto ret, call_.text("ret"));
    auto& mail = transaction_.parameters;
    if (iequals(ret, "full")) mail.ret = smtp::Return::Full;
    if (iequals(ret, "hdrs")) mail.ret = smtp::Return::Headers;
    if (!ret.empty() && !mail.ret)
      return fail(ErrorCode::Invalid, "ret is {}, and must be full or hdrs", printable(ret, 60));
    TRY(auto envelope_id, call_.text("envelope_id"));
    if (envelope_id.empty()) return {};
    mail.envid = smtp::check_envid(envelope_id);
    if (!mail.envid)
      return fail(ErrorCode::Invalid,
                  "an envelope id is printable ASCII, at most 100 characters in xtext (RFC 3461)");
    return {};
  }

  Result<std::vector<std::string>> given_recipients() const {
    std::vector<std::string> recipients;
    auto value = call_.args().if_contains("recipients");
    if (!value) return recipients;
    if (!value->is_array()) return fail(ErrorCode::Invalid, "recipients must be a list");
    for (auto& one : value->get_array()) {
      if (!one.is_string()) return fail(ErrorCode::Invalid, "recipients must be a list of texts");
      recipients.emplace_back(one.get_string());
    }
    return recipients;
  }

  /// All must be good: a program learns at once that one is not, and nobody gets the mail twice
  /// when it tries again.
  Task<Result<void>> check_recipients(const std::vector<std::string>& recipients) {
    auto most = core_.config().smtp.max_recipients;
    if (recipients.size() > most)
      co_return fail(ErrorCode::TooLarge, "a message has at most {} recipients", most);
    std::string problems;
    std::optional<Error> worst;
    std::size_t looked_at = 0, bad = 0;
    for (auto& given : recipients) {
      if (++looked_at % kAtOnce == 0) co_await yield_now();
      auto checked = co_await check_recipient(given);
      if (checked) continue;
      if (++bad <= kMostTold)
        problems += (problems.empty() ? "" : "; ") + checked.error().describe();
      if (!worst || worst->temporary()) worst = checked.error();
    }
    if (bad > kMostTold) problems += fmt::format("; and {} more", bad - kMostTold);
    if (worst) co_return fail_with(worst->code, problems);
    if (transaction_.recipients.empty())
      co_return fail(ErrorCode::Invalid, "the message has no recipients");
    co_return Result<void>{};
  }
  static Result<void> fail_with(ErrorCode code, std::string text) {
    return std::unexpected(Error{code, std::move(text), nullptr});
  }

  Task<Result<void>> check_recipient(const std::string& given) {
    auto to = smtp::parse_mailbox(qualified(given, sender_.domain), kAnyAddress);
    if (!to)
      co_return fail(ErrorCode::Invalid, "{}: {}", printable(given, 200), to.error().describe());
    auto problem = co_await receiver_.check_recipient(peer_, *to, 0);
    if (problem && !given.contains('@') && problem->permanent()) {
      // Mail of the system (cron writes to "root") must not be lost for want of an alias.
      to->local_part = "postmaster";
      problem = co_await receiver_.check_recipient(peer_, *to, 0);
    }
    if (problem) co_return refusal(*problem);
    if (known_.insert(*to).second) {
      transaction_.parameters.smtputf8 |= to->needs_utf8();
      transaction_.recipients.push_back({std::move(*to), {notify_, {}}});
    }
    co_return Result<void>{};
  }

  /// The next bytes into begin_.
  Task<Result<void>> read_more() {
    CO_TRY(auto piece, co_await call_.data());
    if (!piece) {
      ended_ = true;
      begin_ += lines_.finish();
      co_return Result<void>{};
    }
    if (piece->contains('\0'))
      co_return fail(ErrorCode::Invalid, "the message has NUL bytes (RFC 5322 §4): encode it");
    auto text = lines_.feed(*piece);
    size_ += text.size();
    if (size_ > core_.config().smtp.max_message_size.count)
      co_return fail(ErrorCode::TooLarge, "the message is larger than {} bytes",
                     core_.config().smtp.max_message_size.count);
    begin_ += text;
    co_return Result<void>{};
  }

  /// All of the header: what stands behind a part of it would go out as the body, Bcc too.
  Task<Result<void>> read_header() {
    auto most = core_.config().smtp.max_header.count;
    std::size_t searched = 0;
    while (!ended_ && begin_.size() <= most) {
      CO_TRY_DO(co_await read_more());
      if (has_whole_header(begin_, std::exchange(searched, begin_.size())))
        co_return Result<void>{};
    }
    if (begin_.size() > most && header_goes_on(begin_))
      co_return fail(ErrorCode::TooLarge, "the header is longer than {} bytes (smtp.max_header)",
                     most);
    co_return Result<void>{};
  }

  Task<void> drop_rest() {
    for (std::uint64_t dropped = 0; !ended_ && dropped < kMaxDropped;) {
      auto piece = co_await call_.data();
      if (!piece || !*piece) co_return;
      dropped += (*piece)->size();
    }
  }

  Core& core_;
  receive::Receiver& receiver_;
  ControlCall& call_;
  receive::Peer peer_;
  ProgramSender sender_;
  smtp::Transaction transaction_;
  std::set<smtp::Mailbox> known_;  ///< the recipients of transaction_
  std::optional<smtp::Notify> notify_;
  LineEnds lines_;
  std::string begin_;
  std::uint64_t size_ = 0;
  bool ended_ = false;
};

Task<Answer> submit(Core& core, receive::Receiver& receiver, ControlCall& call) {
  Submission submission(core, receiver, call);
  co_return co_await submission.run();
}

}  // namespace

void add_mail_commands(ControlTable& table, Core& core, receive::Receiver& receiver) {
  table.add(
      {.verb = "mail.submit",
       .who = ControlCommand::For::Anybody,
       .run = [&core, &receiver](ControlCall& call) { return submit(core, receiver, call); }});
}

}  // namespace hikyaku::app
