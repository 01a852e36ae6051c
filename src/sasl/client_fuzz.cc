// Every mechanism's client fed with arbitrary challenges. It must never take a SCRAM server for
// proven: the fuzzer does not know the password.
#include <cstdlib>

#include "base/text.h"
#include "sasl/client.h"

using namespace hikyaku;
using namespace hikyaku::sasl;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto choice = static_cast<Mechanism>(data[0] % mechanisms().size());
  auto client = make_client(choice, {.authcid = "user",
                                     .password = crypto::Secret("pencil"),
                                     .nonce = "n",
                                     .bindings = {{BindingType::TlsExporter, "x"}},
                                     .min_iterations = 1,
                                     .max_iterations = 3});
  if (!client) return 0;
  (void)(*client)->initial();
  for (auto challenge : split(input, '\n'))
    if (!(*client)->respond(challenge)) break;
  if (info(choice).needs == Needs::ScramKeys && (*client)->finish()) std::abort();
  return 0;
}
