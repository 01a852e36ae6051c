#include "unbound/resolver.h"

#include <atomic>
#include <mutex>
#include <unbound.h>
#include <unordered_map>

#include "base/completion.h"
#include "base/executor.h"
#include "base/text.h"
#include "base/time.h"
#include "dns/message.h"
#include "dns/name.h"
#include "dns/record.h"
#include "net/cores.h"
#include "net/fd_watch.h"

namespace hikyaku::unbound {
namespace {

using dns::Status;

/// The root's key-signing keys 20326 and 38696, as IANA publishes them.
constexpr const char* kRootAnchors[] = {
    ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
    ". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16"};

/// Zones that libunbound answers itself unless told otherwise, and that are ours to ask: test names
/// (RFC 6761) always, loopback addresses when somebody else is asked anyway.
constexpr const char* kTestZone = "test.";
constexpr const char* kLoopbackZones[] = {
    "127.in-addr.arpa.",
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa."};

constexpr int kClassIn = 1;
constexpr int kNoError = 0;

struct ResultFree {
  void operator()(ub_result* result) const { ub_resolve_free(result); }
};
struct ContextFree {
  void operator()(ub_ctx* context) const { ub_ctx_delete(context); }
};

/// One answer, not yet decoded.
struct Reply {
  Status status = Status::Failed;
  std::vector<std::string> data;
  std::chrono::seconds ttl{0};
  bool secure = false;
  std::string name;
  std::string problem;
};

constexpr const char* kEnding = "no DNS lookups any more: the server is ending";

Reply failed_reply(std::string problem) {
  Reply reply;
  reply.problem = std::move(problem);
  return reply;
}

std::string rcode_text(int rcode) {
  switch (rcode) {
    case 1:
      return "the question was called malformed (FORMERR)";
    case 2:
      return "no server could answer (SERVFAIL)";
    case 4:
      return "the server does not do that (NOTIMP)";
    case 5:
      return "the server refused (REFUSED)";
    default:
      return fmt::format("the server answered with code {}", rcode);
  }
}

/// The forwarder has not looked further: libunbound hands that on as "no such record". (Where it
/// asks the domains' own servers it follows referrals, and such an answer is one without SOA.)
bool is_referral(const ub_result& result) {
  if (result.havedata || !result.answer_packet || result.answer_len <= 0) return false;
  return dns::is_referral({static_cast<const char*>(result.answer_packet),
                           static_cast<std::size_t>(result.answer_len)});
}

Reply to_reply(const std::string& name, const ub_result& result, bool by_forwarder) {
  Reply reply;
  reply.name = name;
  if (result.bogus) {
    reply.status = Status::Bogus;
    reply.problem =
        fmt::format("DNSSEC for {}: {}", name,
                    result.why_bogus ? printable(result.why_bogus) : "validation failed");
    return reply;
  }
  if (result.canonname)
    if (auto canonical = dns::normal_name(result.canonname)) reply.name = *canonical;
  reply.ttl = std::chrono::seconds(std::max(result.ttl, 0));
  reply.secure = result.secure != 0;
  if (result.nxdomain) {
    reply.status = Status::NoName;
  } else if (result.rcode != kNoError) {
    reply.secure = false;
    reply.problem = fmt::format("DNS lookup of {}: {}", name, rcode_text(result.rcode));
  } else if (by_forwarder && is_referral(result)) {
    reply.secure = false;
    reply.problem = fmt::format("DNS lookup of {}: the server only names other servers", name);
  } else if (!result.havedata) {
    reply.status = Status::NoRecord;
  } else {
    reply.status = Status::Ok;
    for (int i = 0; result.data[i]; ++i)
      reply.data.emplace_back(result.data[i], static_cast<std::size_t>(result.len[i]));
  }
  return reply;
}

}  // namespace

/// libunbound's context, and who waits for its answers.
class Resolver::Context {
 public:
  Context(net::Cores& cores, Settings settings) : cores_(cores), settings_(std::move(settings)) {}
  ~Context();

  Result<> open();
  Task<Reply> ask(std::string name, dns::Type type);
  void give_up();
  const Settings& settings() const { return settings_; }
  Counters counters() const;

 private:
  /// One question. Who comes first, the answer or the time limit, gives.
  struct Query {
    Query(std::string normal, Completion<Reply>::Giver to)
        : name(std::move(normal)), giver(std::move(to)) {}
    void give(Reply reply) {
      if (!given.exchange(true)) giver(std::move(reply));
    }
    std::string name;
    Completion<Reply>::Giver giver;
    std::atomic<bool> given{false};
    Context* context = nullptr;
  };

  static void on_answer(void* query, int error, ub_result* result);
  Result<> set(const char* option, const std::string& value);
  Result<> check(int code, std::string_view doing) const;
  std::shared_ptr<Query> take(Query* query);

  net::Cores& cores_;
  Settings settings_;
  std::unique_ptr<ub_ctx, ContextFree> ub_;
  std::unique_ptr<net::FdWatch> watch_;
  mutable std::mutex mutex_;
  std::unordered_map<Query*, std::shared_ptr<Query>> pending_;
  bool gave_up_ = false;
  std::uint64_t asked_ = 0;
  std::uint64_t refused_ = 0;
  std::atomic<std::uint64_t> timed_out_{0};
};

Resolver::Context::~Context() {
  watch_ = nullptr;  // no callback from here on
  ub_ = nullptr;     // ends libunbound's thread
  for (auto& [raw, query] : pending_) query->give(failed_reply("the resolver was shut down"));
}

Result<> Resolver::Context::check(int code, std::string_view doing) const {
  if (code == 0) return {};
  return fail(ErrorCode::Invalid, "DNS resolver: {}: {}", doing, ub_strerror(code));
}

Result<> Resolver::Context::set(const char* option, const std::string& value) {
  return check(ub_ctx_set_option(ub_.get(), option, value.c_str()), option);
}

Result<> Resolver::Context::open() {
  ub_.reset(ub_ctx_create());
  if (!ub_) return fail(ErrorCode::NoSpace, "DNS resolver: no memory");
  ub_ctx_debugout(ub_.get(), nullptr);
  TRY_DO(check(ub_ctx_async(ub_.get(), 1), "thread"));
  // A quarter for whole answers, half for their records, as libunbound's manual advises; the rest
  // for keys, negative answers and what is known about servers.
  TRY_DO(set("msg-cache-size:", std::to_string(settings_.cache / 4)));
  TRY_DO(set("rrset-cache-size:", std::to_string(settings_.cache / 2)));
  TRY_DO(set("key-cache-size:", std::to_string(settings_.cache / 8)));
  TRY_DO(set("neg-cache-size:", std::to_string(settings_.cache / 8)));
  // Somebody who repairs a missing record shall not wait for a day.
  TRY_DO(set("cache-max-negative-ttl:", "900"));
  TRY_DO(set("edns-buffer-size:", "1232"));
  TRY_DO(set("qname-minimisation:", "yes"));
  TRY_DO(set("do-not-query-localhost:", "no"));
  TRY_DO(set("unblock-lan-zones:", settings_.forwarders.empty() ? "no" : "yes"));
  for (auto& server : settings_.forwarders) {
    auto address = fmt::format("{}@{}", server.address.to_string(), server.port);
    TRY_DO(check(ub_ctx_set_fwd(ub_.get(), address.c_str()), "server " + address));
  }
  if (!settings_.dnssec) TRY_DO(set("module-config:", "iterator"));
  if (settings_.trust_anchors.empty())
    settings_.trust_anchors.assign(std::begin(kRootAnchors), std::end(kRootAnchors));
  for (auto& anchor : settings_.trust_anchors)
    if (settings_.dnssec)
      TRY_DO(check(ub_ctx_add_ta(ub_.get(), anchor.c_str()), "trust anchor \"" + anchor + "\""));
  // This ends the configuration: nothing can be set behind it. It is also where malformed anchors
  // are found.
  TRY_DO(check(ub_ctx_zone_remove(ub_.get(), kTestZone), "set-up (is a trust anchor malformed?)"));
  if (!settings_.forwarders.empty())
    for (auto* zone : kLoopbackZones) TRY_DO(check(ub_ctx_zone_remove(ub_.get(), zone), "set-up"));
  watch_ =
      std::make_unique<net::FdWatch>(cores_, ub_fd(ub_.get()), [this] { ub_process(ub_.get()); });
  return {};
}

std::shared_ptr<Resolver::Context::Query> Resolver::Context::take(Query* query) {
  std::lock_guard lock(mutex_);
  auto found = pending_.find(query);
  if (found == pending_.end()) return nullptr;
  auto taken = std::move(found->second);
  pending_.erase(found);
  return taken;
}

void Resolver::Context::on_answer(void* raw, int error, ub_result* result) {
  std::unique_ptr<ub_result, ResultFree> owned(result);
  auto* pointer = static_cast<Query*>(raw);
  auto& context = *pointer->context;
  auto query = context.take(pointer);
  if (!query) return;
  if (error != 0 || !result)
    query->give(failed_reply(fmt::format("DNS lookup of {}: {}", query->name, ub_strerror(error))));
  else
    query->give(to_reply(query->name, *result, !context.settings_.forwarders.empty()));
}

Task<Reply> Resolver::Context::ask(std::string name, dns::Type type) {
  auto normal = dns::normal_name(name);
  if (!normal) {
    Reply reply;
    reply.status = Status::NoName;
    reply.name = std::move(name);
    co_return reply;
  }
  Completion<Reply> answered;
  // The root's own name is empty.
  auto shown = normal->empty() ? "." : *normal;
  auto query = std::make_shared<Query>(shown, answered.giver());
  query->context = this;
  {
    std::lock_guard lock(mutex_);
    if (gave_up_) co_return failed_reply(kEnding);
    if (pending_.size() >= settings_.max_pending) {
      ++refused_;
      co_return failed_reply("too many DNS lookups are under way");
    }
    ++asked_;
    pending_.emplace(query.get(), query);
  }
  auto text = *normal + ".";
  int code = ub_resolve_async(ub_.get(), text.c_str(), static_cast<int>(type), kClassIn,
                              query.get(), on_answer, nullptr);
  if (code != 0) {
    take(query.get());
    co_return failed_reply(fmt::format("DNS lookup of {}: {}", shown, ub_strerror(code)));
  }
  auto timer = Executor::current()->after(settings_.timeout, [this, query] {
    if (query->given) return;  // perhaps because this Context is gone
    ++timed_out_;
    query->give(failed_reply(fmt::format("DNS lookup of {}: no answer within {}", query->name,
                                         format_duration(settings_.timeout))));
  });
  co_return co_await answered;
}

void Resolver::Context::give_up() {
  std::vector<std::shared_ptr<Query>> waiting;
  {
    std::lock_guard lock(mutex_);
    gave_up_ = true;
    for (auto& [raw, query] : pending_) waiting.push_back(query);
  }
  for (auto& query : waiting) query->give(failed_reply(kEnding));
}

Resolver::Counters Resolver::Context::counters() const {
  std::lock_guard lock(mutex_);
  return {asked_, timed_out_, refused_, pending_.size()};
}

namespace {

template <class Value>
dns::Answer<Value> to_answer(Reply reply, std::optional<Value> (*decode)(std::string_view)) {
  dns::Answer<Value> answer;
  answer.status = reply.status;
  answer.ttl = reply.ttl;
  answer.secure = reply.secure;
  answer.name = std::move(reply.name);
  answer.problem = std::move(reply.problem);
  for (auto& data : reply.data)
    if (auto value = decode(data)) answer.records.push_back(std::move(*value));
  if (answer.ok() && answer.records.empty()) {
    answer.status = Status::Failed;
    answer.problem = fmt::format("DNS lookup of {}: the records are malformed", answer.name);
  }
  return answer;
}

}  // namespace

Resolver::Resolver(std::unique_ptr<Context> context) : context_(std::move(context)) {}

Resolver::~Resolver() = default;

Result<std::unique_ptr<Resolver>> Resolver::create(net::Cores& cores, Settings settings) {
  auto context = std::make_unique<Context>(cores, std::move(settings));
  TRY_DO(context->open());
  return std::unique_ptr<Resolver>(new Resolver(std::move(context)));
}

Task<dns::Answer<dns::Mx>> Resolver::mx(std::string name) {
  co_return to_answer(co_await context_->ask(std::move(name), dns::Type::MX), dns::decode_mx);
}
Task<dns::Answer<IpAddress>> Resolver::a(std::string name) {
  co_return to_answer(co_await context_->ask(std::move(name), dns::Type::A), dns::decode_a);
}
Task<dns::Answer<IpAddress>> Resolver::aaaa(std::string name) {
  co_return to_answer(co_await context_->ask(std::move(name), dns::Type::AAAA), dns::decode_aaaa);
}
Task<dns::Answer<std::string>> Resolver::txt(std::string name) {
  co_return to_answer(co_await context_->ask(std::move(name), dns::Type::TXT), dns::decode_txt);
}
Task<dns::Answer<std::string>> Resolver::ptr(IpAddress address) {
  co_return to_answer(co_await context_->ask(address.reverse_name(), dns::Type::PTR),
                      dns::decode_name);
}
Task<dns::Answer<dns::Tlsa>> Resolver::tlsa(std::string name) {
  co_return to_answer(co_await context_->ask(std::move(name), dns::Type::TLSA), dns::decode_tlsa);
}
Task<dns::Answer<dns::Srv>> Resolver::srv(std::string name) {
  co_return to_answer(co_await context_->ask(std::move(name), dns::Type::SRV), dns::decode_srv);
}
Task<dns::Answer<std::string>> Resolver::cname(std::string name) {
  co_return to_answer(co_await context_->ask(std::move(name), dns::Type::CNAME), dns::decode_name);
}

Task<SelfTest> Resolver::self_test() {
  using Outcome = SelfTest::Result;
  auto& settings = context_->settings();
  if (!settings.dnssec) co_return SelfTest{Outcome::Off, {}};
  auto& anchor = settings.trust_anchors.front();
  auto zone = anchor.substr(0, anchor.find_first_of(" \t"));
  auto reply = co_await context_->ask(zone, dns::Type::DNSKEY);
  if (reply.status == Status::Ok && reply.secure) co_return SelfTest{Outcome::Works, {}};
  if (reply.status == Status::Failed) co_return SelfTest{Outcome::NoAnswer, reply.problem};
  auto problem = reply.problem.empty() ? fmt::format("the keys of \"{}\" are not signed", zone)
                                       : reply.problem;
  co_return SelfTest{Outcome::Breaks, std::move(problem)};
}

void Resolver::give_up() {
  context_->give_up();
}

Resolver::Counters Resolver::counters() const {
  return context_->counters();
}

}  // namespace hikyaku::unbound
