// Stored rows of the directory, of credentials and signing keys, each of any bytes: all that reads
// them comes to its end.
#include <cstdlib>

#include "auth/credentials.h"
#include "auth/directory.h"
#include "auth/signing_keys.h"
#include "store/memory_transaction.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku;
  using namespace hikyaku::auth;
  static const auto filled = [] {
    store::MemoryTransaction memory;
    auto anna = add_account(memory, "anna@a.test", "Anna", Language::English, true, Time{}).value();
    add_alias(memory, "sales@a.test", {"anna@a.test", "c@c.test"}).value();
    Credential phone;
    phone.name = "phone";
    put_credential(memory, anna.id, phone);
    SigningKey key;
    key.domain = "a.test";
    key.selector = "s1";
    add_signing_keys(memory, {key}, {}).value();
    return memory;
  }();
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto memory = filled;
  for (auto& [key, value] : filled.keys()) memory.put(key, bytes);

  (void)first_domain(memory);
  for (auto& account : list_accounts(memory)) (void)find_account(memory, account.address);
  (void)list_aliases(memory);
  for (auto* address : {"anna@a.test", "sales+x@a.test", "nobody@a.test", "postmaster@a.test"})
    if (resolve(memory, address, "+").accounts.size() > 1'000) std::abort();
  (void)CachedResolver("+").may_send_as(memory, 1, "sales@a.test");
  (void)directory_version(memory);
  for (auto& credential : list_credentials(memory, 1)) put_credential(memory, 1, credential);
  for (auto& key : list_signing_keys(memory))
    if (to_string(key.state).empty() || to_string(key.algorithm).empty()) std::abort();
  (void)signing_domain(memory, "mail.a.test");
  return 0;
}
