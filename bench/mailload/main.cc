// mailload VERB --name value …: a mail client made for measuring, of any server (bench/README.md).
#include <cstdio>
#include <exception>
#include <map>

#include "verbs.h"

int main(int argc, char** argv) {
  using namespace mailload;
  static const std::map<std::string, void (*)(const Options&)> kVerbs = {
      {"smtp", smtp},           {"append", imap_append}, {"fill", imap_fill},
      {"imap", imap_time},      {"logins", imap_logins}, {"idle-latency", idle_latency},
      {"idle-hold", idle_hold}, {"pop3", pop3},
  };
  auto verb = kVerbs.find(argc > 1 ? argv[1] : "");
  if (verb == kVerbs.end()) {
    std::fprintf(stderr, "usage: mailload VERB --name value ...; verbs:");
    for (auto& [name, run] : kVerbs) std::fprintf(stderr, " %s", name.c_str());
    std::fprintf(stderr, "\n");
    return 2;
  }
  try {
    verb->second(Options(argc, argv, 2));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "mailload: %s\n", error.what());
    return 1;
  }
}
