#include "world.h"

#include <fmt/format.h>

#include "mailbox/check.h"
#include "seeded_random.h"
#include "store/verify.h"

namespace hikyaku::torture {
namespace {

using store::BlobId;
using store::Key;
using store::kInstance;
using store::Reader;

/// The first table behind the store's own.
constexpr store::Table kFirstTable = 0x10;

template <class... Args>
[[noreturn]] void broken(fmt::format_string<Args...> format, Args&&... args) {
  throw Broken(fmt::format(format, std::forward<Args>(args)...));
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (unsigned char c : bytes) text += fmt::format("{:02x}", c);
  return text;
}

using Rows = std::map<std::string, std::string, std::less<>>;

Rows all_rows(Reader& reader) {
  Rows rows;
  for (store::AccountId account = kInstance; account <= kAccounts; ++account) {
    auto begin = Key(account, account == kInstance ? kFirstTable : store::Table{0}).bytes();
    reader.scan({begin, Key(account + 1, 0).bytes()},
                [&](std::string_view key, std::string_view value) {
                  rows.emplace(key, value);
                  return true;
                });
  }
  auto history = Key(kInstance, kHistory).children();
  rows.erase(rows.lower_bound(history.begin), rows.lower_bound(history.end));
  return rows;
}

void compare_rows(const Rows& want, const Rows& have) {
  if (want == have) return;
  auto a = want.begin();
  auto b = have.begin();
  while (a != want.end() && b != have.end() && *a == *b) ++a, ++b;
  if (b == have.end() || (a != want.end() && a->first < b->first))
    broken("the row {} is lost", hex(a->first));
  if (a == want.end() || b->first < a->first)
    broken("the row {} should not be there", hex(b->first));
  broken("the row {} is {} and should be {}", hex(a->first), hex(b->second), hex(a->second));
}

}  // namespace

World::World(std::uint64_t s, Break what)
    : seed(s), random(s), files(s ^ 0xD15C), watched(files, what), broken_part(what) {
  seed_system_random(s);
  loop.grace = {};
  loop.patience = std::chrono::milliseconds(0);
}

World::~World() {
  store_.reset();
}

store::Options World::options() {
  store::Options options{.directory = "/store", .workers = workers, .clock = loop};
  options.if_missing = store::IfMissing::Make;
  options.files = &watched;
  options.on_one_thread = true;
  options.reserve = 0;
  options.index_memory = 8 << 20;
  options.smallest_segment = 32 << 10;
  options.largest_segment = 256 << 10;
  // Small, so that the index is flushed again and again.
  options.most_tail_bytes = 64 << 10;
  options.most_tail_records = 400;
  options.lazy_delay = std::chrono::milliseconds(5);
  options.journal_failed = [](const Error&) {};
  return options;
}

void World::open(bool crashes_too) {
  while (true) {
    if (crashes_too && one_in(3)) files.power_off_at(1 + number(60));
    auto opened = store::open_store(options());
    if (opened && files.powered()) {
      files.power_off_at(0);
      store_ = std::make_unique<RecordedStore>(std::move(*opened), recorder);
      auto read_only = store_->statistics().read_only;
      if (!read_only.empty()) broken("the store opens for reading only: {}", read_only);
      return;
    }
    if (!opened && files.powered())
      broken("the store does not open: {}", opened.error().describe());
    if (opened) opened->reset();
    ++crashes;
    files.power_off();
    files.power_on();
  }
}

std::string World::try_open() {
  auto opened = store::open_store(options());
  if (!opened) return opened.error().describe();
  store_ = std::make_unique<RecordedStore>(std::move(*opened), recorder);
  return store_->statistics().read_only;
}

void World::close() {
  store_.reset();
}

Task<void> World::read_history() {
  auto history = co_await store_->read([](Reader& reader) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> all;
    reader.scan(
        Key(kInstance, kHistory).children(), [&](std::string_view key, std::string_view value) {
          all.emplace_back(store::key_fields(key).u64_be(), std::stoull(std::string(value)));
          return true;
        });
    return all;
  });
  for (std::size_t i = 0; i < history.size(); ++i) {
    auto [n, transaction] = history[i];
    if (n != i + 1) broken("place {} of the history is lost", i + 1);
    if (i < in_order_.size()) {
      if (in_order_[i] != transaction) broken("the history has changed at place {}", n);
      continue;
    }
    if (!seen_.insert(transaction).second) broken("transaction {} is there twice", transaction);
    in_order_.push_back(transaction);
    model_.apply(*recorder.all().at(transaction));
  }
  if (history.size() < in_order_.size()) broken("the end of the history is lost");
  for (const auto& [transaction, recorded] : recorder.all())
    if (recorded->acknowledged && !seen_.contains(transaction))
      broken("transaction {} was acknowledged and is lost", transaction);
}

Model World::model_without(const std::set<std::uint64_t>& lost) const {
  Model model;
  for (auto transaction : in_order_)
    if (!lost.contains(transaction)) model.apply(*recorder.all().at(transaction));
  return model;
}

Task<void> World::compare_all(const Model& model, const std::set<BlobId>& unreadable) {
  auto rows = co_await store_->read([](Reader& reader) { return all_rows(reader); });
  compare_rows(model.rows(), rows);
  for (const auto& [id, body] : model.bodies()) {
    if (body.owners.empty() || unreadable.contains(id) || !body.bytes) continue;
    if (body.given_twice) broken("the id of body {} was given out twice", id);
    auto blob = co_await store_->open_blob(id);
    if (!blob) broken("body {}: {}", id, blob.error().describe());
    if ((*blob)->size() != body.bytes->size()) broken("body {} has another size", id);
    for (std::uint64_t at = 0; at < body.bytes->size(); at += 1 << 20) {
      auto bytes = co_await (*blob)->read(at, 1 << 20);
      if (!bytes) broken("body {}: {}", id, bytes.error().describe());
      if (*bytes != std::string_view(*body.bytes).substr(at, 1 << 20))
        broken("body {} is not what was written", id);
    }
  }
}

void World::compare(const Model& model, const std::set<BlobId>& unreadable) {
  loop.run(compare_all(model, unreadable));
}

void World::check() {
  loop.run(read_history());
  compare(model_);
  for (store::AccountId account = 1; account <= kAccounts; ++account) {
    auto problems = loop.run(store_->read([=](Reader& reader) {
      return mailbox::check_account(reader, account, mailbox::Owners::Look).problems;
    }));
    if (!problems.empty()) broken("account {}: {}", account, problems.front());
  }
}

void World::verify() {
  auto report = store::verify_store(options(), {});
  if (!report) broken("verify: {}", report.error().describe());
  if (!report->good()) broken("verify: {}", report->problems.front());
  if (report->groups > 0 && report->rows == 0) broken("verify did not compare the index");
}

std::set<std::uint64_t> World::acknowledged() const {
  std::set<std::uint64_t> all;
  for (const auto& [transaction, recorded] : recorder.all())
    if (recorded->acknowledged) all.insert(transaction);
  return all;
}

void World::check_backup(const std::set<std::uint64_t>& transactions) {
  auto copy = options();
  copy.directory = kBackup;
  copy.for_reading = true;
  auto report = store::verify_store(copy, {});
  if (!report) broken("the backup: {}", report.error().describe());
  if (!report->good()) broken("the backup: {}", report->problems.front());
  auto opened = store::open_store(copy);
  if (!opened) broken("the backup: {}", opened.error().describe());
  std::set<std::uint64_t> there;
  auto read = [&](Reader& reader) {
    reader.scan(Key(kInstance, kHistory).children(), [&](std::string_view, std::string_view value) {
      return there.insert(std::stoull(std::string(value))).second;
    });
    return true;
  };
  testing::TestLoop reading;
  reading.run((*opened)->read(read));
  for (auto transaction : transactions)
    if (!there.contains(transaction)) broken("transaction {} is not in the backup", transaction);
  ++backups;
}

}  // namespace hikyaku::torture
