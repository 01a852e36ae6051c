// An account in a real store in a temporary directory. For tests.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "mailbox/messages.h"
#include "store/open.h"
#include "testing/temporary_directory.h"
#include "testing/test_loop.h"
#include "testing/test_pool.h"

namespace hikyaku::mailbox {

struct OnDisk {
  static constexpr AccountId kId = 5;
  testing::TestLoop loop;
  testing::TestPool pool;
  testing::TemporaryDirectory directory;
  std::unique_ptr<store::Store> store;
  MailboxId inbox = 0;

  OnDisk() {
    open();
    transact([this](store::Transaction& tx) -> Result<void> {
      create_standard_mailboxes(tx, kId, Language::English, loop.now());
      return {};
    });
    inbox = id("INBOX");
  }
  void open() {
    store::Options options{.directory = directory.path.string(), .workers = pool, .clock = loop};
    options.if_missing = store::IfMissing::Make;
    options.reserve = 0;
    options.smallest_segment = 1 << 20;
    auto opened = store::open_store(std::move(options));
    if (!opened) throw std::runtime_error(opened.error().describe());
    store = std::move(*opened);
  }
  void transact(store::Step step) {
    auto done = loop.run(store->transact({kId}, std::move(step)));
    if (!done) throw std::runtime_error(done.error().describe());
  }
  MailboxId id(std::string path) {
    return loop.run(store->read([path](store::Reader& reader) {
      auto info = find_mailbox(reader, kId, path);
      return info ? info->id : 0;
    }));
  }
  Counters counters(MailboxId mailbox) {
    return loop.run(store->read(
        [mailbox](store::Reader& reader) { return get_counters(reader, kId, mailbox); }));
  }
  NewMessage message(std::string text) {
    auto writer = store->stage();
    if (!loop.run(writer->append(text))) throw std::runtime_error("staging");
    NewMessage message;
    message.body = loop.run(writer->finish()).value();
    return message;
  }
  void deliver(MailboxId mailbox, int count, std::string text = "hello") {
    auto one = message(std::move(text));
    transact([=, this](store::Transaction& tx) -> Result<void> {
      for (int i = 0; i < count; ++i)
        if (auto placed = mailbox::deliver(tx, kId, mailbox, one, loop.now()); !placed)
          return std::unexpected(placed.error());
      return {};
    });
  }
};

}  // namespace hikyaku::mailbox
