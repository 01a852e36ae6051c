// Verdicts in words, for the command line, the story of a message and the web.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/phrase.h"
#include "dkim/verdict.h"

namespace hikyaku::dkim {

/// One line about one signature, printable: "fail example.org, selector s1, rsa-sha256, 2048 bits:
/// the body was changed …".
std::string summary(const Verdict& verdict, Language language);

/// Writes one verdict as a JSON object: {"result", "problem", "domain", "selector", "algorithm",
/// "identity", "b", "key_bits", "testing", "type_unsigned", "unsigned_bytes", "signed_at",
/// "expires_at", "fields", "lookups": [{"name", "status", "ttl", "secure"}]}; times are seconds
/// since 1970 or null.
void describe_json(JsonWriter& json, const Verdict& verdict);
void describe_json(JsonWriter& json, const std::vector<Lookup>& lookups);

}  // namespace hikyaku::dkim
