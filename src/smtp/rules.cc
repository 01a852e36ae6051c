#include "smtp/rules.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "smtp/parameters.h"
#include "smtp/replies.h"

namespace hikyaku::smtp {
namespace {

constexpr unsigned in(Phase phase) {
  return 1u << static_cast<unsigned>(phase);
}
constexpr unsigned kConnected = in(Phase::Connected);
constexpr unsigned kReady = in(Phase::Ready);
constexpr unsigned kSender = in(Phase::Sender);
constexpr unsigned kRecipients = in(Phase::Recipients);
constexpr unsigned kChunks = in(Phase::Chunks);
constexpr unsigned kAny = kConnected | kReady | kSender | kRecipients | kChunks;

// clang-format off
constexpr std::array kTable{
    //          verb             phases                          pre_tls pre_login last_in_group junk
    CommandRule{Verb::Helo,      kAny,                           true,   true,     true,         true},
    CommandRule{Verb::Ehlo,      kAny,                           true,   true,     true,         true},
    CommandRule{Verb::Mail,      kReady,                         false,  false,    false,        false},
    CommandRule{Verb::Rcpt,      kSender | kRecipients,          false,  false,    false,        false},
    CommandRule{Verb::Data,      kRecipients,                    false,  false,    true,         false},
    CommandRule{Verb::Bdat,      kRecipients | kChunks,          false,  false,    false,        false},
    CommandRule{Verb::Rset,      kAny,                           true,   true,     false,        true},
    CommandRule{Verb::Vrfy,      kConnected | kReady | kSender | kRecipients,
                                                                 false,  false,    true,         true},
    CommandRule{Verb::Expn,      kConnected | kReady | kSender | kRecipients,
                                                                 false,  false,    true,         true},
    CommandRule{Verb::Help,      kAny,                           true,   true,     true,         true},
    CommandRule{Verb::Noop,      kAny,                           true,   true,     true,         true},
    CommandRule{Verb::Quit,      kAny,                           true,   true,     true,         false},
    CommandRule{Verb::Starttls,  kConnected | kReady,            true,   true,     true,         true},
    CommandRule{Verb::Auth,      kReady,                         false,  true,     true,         true},
    CommandRule{Verb::Obsolete,  kAny,                           true,   true,     true,         true},
    CommandRule{Verb::Foreign,   kAny,                           true,   true,     true,         true},
    CommandRule{Verb::Unknown,   kAny,                           true,   true,     false,        true},
};
// clang-format on

template <std::size_t... I>
constexpr bool in_order(std::index_sequence<I...>) {
  return ((kTable[I].verb == static_cast<Verb>(I)) && ...);
}
static_assert(kTable.size() == std::variant_size_v<Command>);
static_assert(in_order(std::make_index_sequence<kTable.size()>()));

bool contains(const std::vector<std::string>& list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

bool is_submission(Flavour flavour) {
  return flavour == Flavour::Submission || flavour == Flavour::Submissions;
}

bool offers_auth(const Settings& settings) {
  return !settings.mechanisms_in_clear.empty() || !settings.mechanisms_under_tls.empty();
}

bool offers_starttls(const Session& session) {
  const auto& settings = session.settings();
  return settings.starttls && !session.tls() && settings.flavour != Flavour::Local;
}

/// The answer to a command whose phase is not the present one.
Reply wrong_phase(const Session& session, Verb verb) {
  auto phase = session.phase();
  if (phase == Phase::Connected) return replies::hello_first();
  if (phase == Phase::Chunks) return replies::not_between_chunks(to_string(verb));
  switch (verb) {
    case Verb::Mail:
      return replies::nested_mail();
    case Verb::Starttls:
    case Verb::Auth:
      return replies::not_in_transaction(to_string(verb));
    case Verb::Data:
    case Verb::Bdat:
      if (phase == Phase::Ready) return replies::mail_first();
      if (session.transaction()->deferred_recipients) return replies::no_recipients_now();
      if (session.transaction()->refused_recipients) return replies::no_valid_recipients();
      return replies::rcpt_first();
    default:
      return replies::mail_first();
  }
}

std::optional<Reply> check_mail(const Session& session, const Mail& mail) {
  const auto& settings = session.settings();
  const auto& parameters = mail.parameters;
  if (parameters.smtputf8 && !settings.smtputf8) return replies::parameter_not_offered("SMTPUTF8");
  if (!parameters.smtputf8 && mail.from.mailbox && mail.from.mailbox->written_in_utf8())
    return replies::needs_smtputf8(true);
  if (parameters.body == Body::BinaryMime && !(settings.binary_mime && settings.chunking))
    return replies::parameter_not_offered("BODY=BINARYMIME");
  if ((parameters.ret || parameters.envid) && !settings.dsn)
    return replies::parameter_not_offered("DSN");
  if (parameters.size && *parameters.size > settings.max_size)
    return replies::too_large(settings.max_size);
  return std::nullopt;
}

std::optional<Reply> check_rcpt(const Session& session, const Rcpt& rcpt) {
  const auto& settings = session.settings();
  const auto& transaction = *session.transaction();
  if (!transaction.parameters.smtputf8 && rcpt.to.written_in_utf8())
    return replies::needs_smtputf8(false);
  if ((rcpt.parameters.notify || rcpt.parameters.orcpt) && !settings.dsn)
    return replies::parameter_not_offered("DSN");
  if (transaction.recipients.size() + transaction.repeated_recipients >= settings.max_recipients)
    return replies::too_many_recipients(settings.max_recipients);
  return std::nullopt;
}

std::optional<Reply> check_starttls(const Session& session) {
  if (session.tls()) return replies::already_tls();
  if (!offers_starttls(session)) return replies::not_implemented("STARTTLS");
  return std::nullopt;
}

std::optional<Reply> check_auth(const Session& session, const Auth& auth) {
  const auto& settings = session.settings();
  if (!offers_auth(settings)) return replies::auth_not_offered();
  if (!session.user().empty()) return replies::already_logged_in();
  const auto& now = session.mechanisms();
  if (contains(now, auth.mechanism)) return std::nullopt;
  bool under_tls = contains(settings.mechanisms_under_tls, auth.mechanism);
  if (!session.tls() && (under_tls || now.empty())) return replies::auth_needs_tls();
  return replies::auth_unknown_mechanism(fmt::format("{}", fmt::join(now, " ")));
}

/// RFC 6409 §4.3, RFC 3207 §4.
std::optional<Reply> check_rights(const Session& session, const CommandRule& rule) {
  const auto& settings = session.settings();
  if (settings.require_tls && !session.tls() && !rule.pre_tls) return replies::tls_first();
  if (!is_submission(settings.flavour) || !session.user().empty() || rule.pre_login)
    return std::nullopt;
  return session.mechanisms().empty() ? replies::tls_and_login_first() : replies::login_first();
}

std::optional<Reply> check_details(const Session& session, const Command& command) {
  if (const auto* mail = std::get_if<Mail>(&command)) return check_mail(session, *mail);
  if (const auto* rcpt = std::get_if<Rcpt>(&command)) return check_rcpt(session, *rcpt);
  if (const auto* auth = std::get_if<Auth>(&command)) return check_auth(session, *auth);
  if (std::holds_alternative<Starttls>(command)) return check_starttls(session);
  const auto* transaction = session.transaction();
  if (std::holds_alternative<Data>(command) && transaction->parameters.body == Body::BinaryMime)
    return replies::bdat_for_binary();
  if (std::holds_alternative<Bdat>(command) && transaction->failed)
    return replies::transaction_failed();
  return std::nullopt;
}

/// Commands that are never carried out.
std::optional<Reply> check_known(const Session& session, const Command& command) {
  if (const auto* unknown = std::get_if<Unknown>(&command))
    return replies::unknown_command(unknown->verb);
  if (const auto* obsolete = std::get_if<Obsolete>(&command))
    return replies::obsolete_command(obsolete->verb);
  if (std::holds_alternative<Foreign>(command)) return replies::foreign_protocol();
  if (std::holds_alternative<Bdat>(command) && !session.settings().chunking)
    return replies::not_implemented("BDAT");
  return std::nullopt;
}

/// What equals for the same recipient with the same parameters. Local parts are compared in their
/// own case: what they mean is for their own server to say.
std::string identity_of(const Rcpt& rcpt) {
  auto identity = rcpt.to.to_string();
  auto& [notify, orcpt] = rcpt.parameters;
  if (notify) identity += " NOTIFY=" + to_string(*notify);
  if (orcpt) identity += " ORCPT=" + orcpt->type + ";" + orcpt->address;
  return identity;
}

}  // namespace

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::Connected:
      return "connected";
    case Phase::Ready:
      return "ready";
    case Phase::Sender:
      return "sender";
    case Phase::Recipients:
      return "recipients";
    case Phase::Chunks:
      break;
  }
  return "chunks";
}

Phase Session::phase() const {
  if (hello_.empty() && settings_->flavour != Flavour::Local) return Phase::Connected;
  if (!transaction_) return Phase::Ready;
  if (transaction_->chunks_begun) return Phase::Chunks;
  return transaction_->recipients.empty() ? Phase::Sender : Phase::Recipients;
}

void Session::said_hello(std::string name, bool esmtp) {
  hello_ = std::move(name);
  esmtp_ = esmtp;
  end_transaction();
}

void Session::begin(Mail mail) {
  end_transaction();
  transaction_.emplace();
  transaction_->from = std::move(mail.from);
  transaction_->parameters = std::move(mail.parameters);
}

void Session::end_transaction() {
  transaction_.reset();
  named_.clear();
}

bool Session::add_recipient(Rcpt rcpt) {
  if (!named_.insert(identity_of(rcpt)).second) {
    ++transaction_->repeated_recipients;
    return false;
  }
  transaction_->recipients.push_back({std::move(rcpt.to), std::move(rcpt.parameters)});
  return true;
}

void Session::started_tls() {
  tls_ = true;
  esmtp_ = false;
  hello_.clear();
  user_.clear();
  end_transaction();
}

const std::vector<std::string>& Session::mechanisms() const {
  return tls_ ? settings_->mechanisms_under_tls : settings_->mechanisms_in_clear;
}

std::optional<Reply> Session::count(Verb verb, const Reply& answer) {
  if (answer.closes()) return std::nullopt;
  auto error = answer.permanent();
  if (transaction_ && verb == Verb::Rcpt) {
    if (answer.permanent()) ++transaction_->refused_recipients;
    if (answer.temporary()) error = ++transaction_->deferred_recipients > settings_->max_recipients;
  }
  if (transaction_ && verb == Verb::Bdat && !answer.positive()) transaction_->failed = true;
  if (error && ++errors_ > settings_->max_errors)
    return replies::too_many_errors(settings_->host_name);
  if (rule_of(verb).counts_as_junk) ++junk_;
  if (junk_ > settings_->max_junk) return replies::too_much_junk(settings_->host_name);
  return std::nullopt;
}

const CommandRule& rule_of(Verb verb) {
  return kTable[static_cast<std::size_t>(verb)];
}

std::optional<Reply> check(const Session& session, const Command& command) {
  const auto& rule = rule_of(verb_of(command));
  if (auto refusal = check_known(session, command)) return refusal;
  if (auto refusal = check_rights(session, rule)) return refusal;
  if (!(rule.phases & in(session.phase()))) return wrong_phase(session, rule.verb);
  return check_details(session, command);
}

Reply hello_reply(const Session& session, const Command& hello) {
  const auto& settings = session.settings();
  Reply reply{250, std::nullopt, settings.host_name};
  if (!std::holds_alternative<Ehlo>(hello)) return reply;
  auto offer = [&](std::string_view line) { (reply.text += '\n') += line; };
  offer("PIPELINING");
  offer(fmt::format("SIZE {}", settings.max_size));
  offer("8BITMIME");
  offer("ENHANCEDSTATUSCODES");
  if (settings.smtputf8) offer("SMTPUTF8");
  if (settings.dsn) offer("DSN");
  if (settings.chunking) offer("CHUNKING");
  if (settings.chunking && settings.binary_mime) offer("BINARYMIME");
  if (offers_starttls(session)) offer("STARTTLS");
  bool may_log_in = session.user().empty() && !(settings.require_tls && !session.tls());
  if (may_log_in && !session.mechanisms().empty())
    offer(fmt::format("AUTH {}", fmt::join(session.mechanisms(), " ")));
  offer(fmt::format("LIMITS RCPTMAX={}", settings.max_recipients));
  offer("HELP");
  return reply;
}

std::string with_protocol(const Session& session) {
  const auto* transaction = session.transaction();
  bool utf8 = transaction && transaction->parameters.smtputf8;
  bool secure = session.tls();
  bool known = !session.user().empty() && session.settings().flavour != Flavour::Local;
  if (!utf8 && !secure && !known && !session.esmtp()) return "SMTP";
  return fmt::format("{}{}{}", utf8 ? "UTF8SMTP" : "ESMTP", secure ? "S" : "", known ? "A" : "");
}

}  // namespace hikyaku::smtp
