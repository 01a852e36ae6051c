// A verdict in words, for the command line, the story of a message and the web.
#pragma once

#include <string>

#include "base/ip.h"
#include "base/phrase.h"
#include "spf/verdict.h"

namespace hikyaku::spf {

/// What it means for this client, in a sentence or two: "example.org says that 192.0.2.1 may not
/// send its mail: the term "-all" in the record of example.org matched." One line, printable.
std::string summary(const Verdict& verdict, const IpAddress& ip, Language language);

/// How it came to be: the records, each term that was tried with what it did; lines for a terminal.
/// What was asked is in Verdict::lookups.
std::string details(const Verdict& verdict, Language language);

/// Everything as one JSON object: {"result", "identity", "domain", "mechanism", "explanation",
/// "problem", "detail", "records": [{"domain", "text"}], "steps": [{"record", "depth", "term",
/// "effect", "lookups": [INDEX…]}], "lookups": [{"name", "type", "status", "records", "ttl"}]}.
/// "explanation" is in the words of strangers.
std::string describe_json(const Verdict& verdict);

}  // namespace hikyaku::spf
