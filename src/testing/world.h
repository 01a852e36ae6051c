// A whole small server in memory without listeners: directory, mailboxes, queue, authenticator,
// receiver. For the tests of everything that stands on them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "auth/authenticator.h"
#include "auth/credentials.h"
#include "auth/directory.h"
#include "base/semaphore.h"
#include "crypto/master_key.h"
#include "mailbox/mailboxes.h"
#include "mailbox/messages.h"
#include "queue/queue.h"
#include "receive/receiver.h"
#include "store/memory_store.h"
#include "testing/test_loop.h"

namespace hikyaku::testing {

/// Runs what is submitted at once.
class InlinePool final : public WorkerPool {
 public:
  void submit(Callback work) override { work(); }
};

/// alpha.test with anna and bob (password "secret"), carl (switched off), the aliases team (anna,
/// bob and ext@beta.test), away (ext@beta.test) and sales (anna).
struct World {
  TestLoop loop;
  store::MemoryStore store;
  InlinePool pool;
  crypto::SeededRandom random{7};
  crypto::MasterKey master = crypto::MasterKey::generate(random);
  auth::CredentialUses uses{.scram = true, .legacy = true};
  auth::Account anna, bob, carl;
  receive::Settings settings;
  Semaphore large_messages{64 << 20};  ///< bytes
  std::unique_ptr<auth::Authenticator> authenticator;
  std::unique_ptr<receive::Receiver> receiver;

  /// None: nobody can log in, and nothing slow is worked out (fuzzers).
  enum class Passwords { Secret, None };
  explicit World(Passwords passwords = Passwords::Secret) {
    loop.grace = milliseconds(0);  // one thread
    change([&](store::Transaction& tx) -> Result<void> {
      anna = auth::add_account(tx, "anna@alpha.test", "Anna", Language::English, true, loop.now())
                 .value();
      bob =
          auth::add_account(tx, "bob@alpha.test", "", Language::English, false, loop.now()).value();
      carl = auth::add_account(tx, "carl@alpha.test", "", Language::English, false, loop.now())
                 .value();
      carl.enabled = false;
      TRY_DO(auth::update_account(tx, carl));
      TRY_DO(auth::add_alias(tx, "team@alpha.test",
                             {"anna@alpha.test", "bob@alpha.test", "ext@beta.test"}));
      TRY_DO(auth::add_alias(tx, "away@alpha.test", {"ext@beta.test"}));
      TRY_DO(auth::add_alias(tx, "sales@alpha.test", {"anna@alpha.test"}));
      if (passwords == Passwords::None) return {};
      for (auto* account : {&anna, &bob, &carl})
        auth::put_credential(tx, account->id, password_of(account->address));
      return {};
    });
    settings.host_name = "mx.alpha.test";
    auth::AuthenticatorSettings login;
    login.host_name = settings.host_name;
    login.uses = [this] { return uses; };
    login.limits.max_failures = 10;
    login.failure_delay = milliseconds(0);
    authenticator = auth::make_authenticator(
        login, {.store = store, .workers = pool, .clock = loop, .random = random, .master = master},
        {});
    make_receiver();
  }

  void make_receiver() {
    receiver = receive::make_receiver(settings, {store, pool, loop, random, large_messages}, {});
  }

  /// The credential for "secret", made once for each address: Argon2 and PBKDF2 take their time.
  auth::Credential password_of(const std::string& address) {
    static std::map<std::string, auth::Credential> made;
    auto& credential = made[address];
    if (credential.hash.empty()) {
      credential =
          auth::make_password({master, random, address, loop.now()}, crypto::Secret("secret"), uses)
              .value();
    }
    return credential;
  }

  template <class Step>
  void change(Step step) {
    auto result = store.keys().run(step);
    if (!result) throw std::runtime_error(result.error().describe());
  }

  /// A stored message, as a client reads it.
  struct Mail {
    std::string bytes;
    mailbox::MessageRecord record;
  };
  std::vector<Mail> inbox(store::AccountId account) {
    std::vector<Mail> all;
    auto inbox = mailbox::find_role(store.keys(), account, mailbox::Role::Inbox);
    std::vector<mailbox::MessageRecord> records;
    mailbox::scan_messages(store.keys(), account, inbox->id, 1, UINT32_MAX,
                           [&](mailbox::Uid, const mailbox::MessageRecord& record) {
                             records.push_back(record);
                             return true;
                           });
    for (auto& record : records)
      all.push_back({record.prefix + *store.keys().bodies().at(record.blob).bytes, record});
    return all;
  }
  std::vector<queue::Entry> queued() { return queue::list(store.keys(), 0, 10'000); }
};

}  // namespace hikyaku::testing
