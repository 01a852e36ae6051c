// A verdict in words, for the command line, the story of a message and the web.
#pragma once

#include <string>

#include "base/phrase.h"
#include "dmarc/evaluate.h"
#include "dmarc/legacy.h"

namespace hikyaku::dmarc {

/// What it means, in a sentence or two. One line, printable.
std::string summary(const Verdict& verdict, Language language);

/// How it came to be: what is wrong with From, each identifier with its alignment, the record;
/// lines for a terminal. What was asked is in Verdict::asked.
std::string details(const Verdict& verdict, Language language);

/// Where the rules of RFC 7489 end otherwise, one line; empty where they do not.
std::string describe_difference(const LegacyOpinion& opinion, const Verdict& verdict,
                                Language language);

/// Everything as one JSON object: {"result", "policy", "header_from", "may_pass_later", "from":
/// {"domains", "other_domains", "addresses", "findings": [{"problem", "text"}]}, "outcomes":
/// [{"domain", "result", "policy_domain", "organizational_domain", "tag", "published", "effective",
/// "record", "author_exists", "spf_aligned", "dkim_aligned", "identifiers": [{"method", "domain",
/// "mode", "aligned", "organizational_domain"}], "problem"}], "asked": [{"name", "found", "ttl",
/// "secure", "text"}]}. What is unknown is null.
std::string describe_json(const Verdict& verdict);

/// Of Asked::found: "record", "none", "several", "near-miss", "failed", "exists", "nxdomain".
std::string_view to_string(Asked::Found found);

}  // namespace hikyaku::dmarc
