#include "dmarc/author.h"

#include <algorithm>

#include "base/text.h"
#include "dmarc/decoded_from_internal.h"
#include "dmarc/from_scanner_internal.h"
#include "dns/name.h"
#include "mime/address.h"
#include "mime/header.h"

namespace hikyaku::dmarc {
namespace {

constexpr std::size_t kShown = 200;
constexpr std::size_t kMostShown = 100;

void add_once(std::vector<std::string>& list, std::string value, std::size_t limit) {
  if (list.size() < limit && std::ranges::find(list, value) == list.end())
    list.push_back(std::move(value));
}

void add_too_many(Author& author) {
  if (std::ranges::find(author.findings, AuthorProblem::TooMany, &AuthorFinding::problem) ==
      author.findings.end())
    author.findings.push_back({AuthorProblem::TooMany, ""});
}

/// What any program may read in the field.
void collect_other_readings(std::string_view value, Author& author, const AuthorLimits& limits) {
  value = value.substr(0, limits.value_bytes);
  auto anything = read_anything(value);
  for (auto& [local, domain] : anything.addresses) {
    add_once(author.other_addresses, printable(local + '@' + domain, kShown), kMostShown);
    if (dns::to_ascii(domain)) add_once(author.other_domains, domain, limits.domains);
  }
  for (auto& address : mime::parse_address_list(value, limits.addresses))
    if (auto ascii = dns::to_ascii(address.domain); ascii && !address.domain.empty())
      add_once(author.other_domains, *ascii, limits.domains);
  if (anything.unclear) author.unclear = true;
  if (anything.too_many || author.other_addresses.size() == kMostShown) add_too_many(author);
}

/// RFC 2047 §6.2 has a reader parse first and decode then. Who does it the other way round must
/// find nobody else: a comma in a decoded name splits it, which harms nobody; an "@" makes an
/// address.
void check_decoded(std::string_view value, Author& author) {
  auto decoded = read_decoded(value);
  author.unclear = decoded.unclear;
  bool other = decoded.unclear || decoded.too_many;
  for (auto& [local, domain] : decoded.addresses) {
    if (std::ranges::find(author.domains, domain) != author.domains.end()) {
      author.decoded_addresses.push_back(printable(local + '@' + domain, kShown));
    } else {
      other = true;
    }
  }
  if (other)
    author.findings.push_back({AuthorProblem::EncodedAddress, printable(trim(value), kShown)});
}

/// A line that is no field, without what does not show.
std::string visible(std::string_view line) {
  std::string result;
  for (char c : line.substr(0, kShown))
    if (c > ' ' && c <= '~') result += c;
  return result;
}

/// A CR that ends no line, and after it what some programs take for a From field.
bool hides_from_behind_cr(std::string_view header) {
  for (auto at = header.find('\r'); at != header.npos; at = header.find('\r', at + 1)) {
    auto rest = header.substr(at + 1);
    // Of several in a row the last one tells.
    if (rest.starts_with('\n') || rest.starts_with('\r')) continue;
    if (istarts_with(trim(rest.substr(0, 64)), "from")) return true;
  }
  return false;
}

}  // namespace

Author read_author(std::string_view value, const AuthorLimits& limits) {
  Author author;
  if (value.size() > limits.value_bytes) {
    author.findings.push_back({AuthorProblem::TooMany, ""});
  } else {
    FromScanner scanner(value, limits, author);
    scanner.run();
    if (author.is_plain() && value.find("=?") != value.npos) check_decoded(value, author);
  }
  if (!author.is_plain()) collect_other_readings(value, author, limits);
  return author;
}

Author find_author(std::string_view header, const AuthorLimits& limits) {
  Author author;
  std::vector<AuthorFinding> about_lines;
  std::vector<std::string_view> values;
  std::size_t collected = 0;
  std::size_t fields = 0;
  bool junk_before = false;
  auto after_mbox = header.data() + mime::mbox_lines_length(header);
  for (auto& field : mime::HeaderView(header)) {
    if (field.is_junk()) {
      // What an mbox puts in front is no danger: nobody takes it for a field.
      bool separator = field.raw.data() < after_mbox;
      if (!separator && istarts_with(visible(field.raw), "from"))
        about_lines.push_back({AuthorProblem::FieldName, printable(trim(field.raw), kShown)});
      else if (!separator && fields == 0)
        junk_before = true;
    } else if (field.is("from")) {
      if (field.raw.size() > field.name.size() && field.raw[field.name.size()] != ':' &&
          about_lines.size() < 8)
        about_lines.push_back({AuthorProblem::FieldName, printable(trim(field.raw), kShown)});
      ++fields;
      if (values.size() < 8) values.push_back(field.value);
    }
    if (about_lines.size() >= 8) break;
  }
  if (fields == 0) {
    author.findings.push_back({AuthorProblem::Missing, ""});
  } else {
    author = read_author(values.front(), limits);
    if (!author.is_plain()) collected = 1;
    if (fields > 1)
      author.findings.push_back({AuthorProblem::SeveralFields, std::to_string(fields)});
    if (junk_before) author.findings.push_back({AuthorProblem::JunkBefore, ""});
  }
  if (hides_from_behind_cr(header)) about_lines.push_back({AuthorProblem::Control, ""});
  for (auto& finding : about_lines) author.findings.push_back(std::move(finding));
  if (!author.is_plain())
    for (; collected < values.size(); ++collected)
      collect_other_readings(values[collected], author, limits);
  return author;
}

std::string_view to_string(AuthorProblem problem) {
  switch (problem) {
    case AuthorProblem::Missing:
      return "no-from";
    case AuthorProblem::SeveralFields:
      return "several-from-fields";
    case AuthorProblem::FieldName:
      return "from-field-name";
    case AuthorProblem::JunkBefore:
      return "junk-before-from";
    case AuthorProblem::Control:
      return "control-characters";
    case AuthorProblem::Empty:
      return "no-address";
    case AuthorProblem::Group:
      return "group";
    case AuthorProblem::Route:
      return "source-route";
    case AuthorProblem::TextAround:
      return "text-around-address";
    case AuthorProblem::Comment:
      return "comment";
    case AuthorProblem::Quoting:
      return "quoting";
    case AuthorProblem::Direction:
      return "text-direction";
    case AuthorProblem::EncodedAddress:
      return "encoded-address";
    case AuthorProblem::Syntax:
      return "syntax";
    case AuthorProblem::Literal:
      return "address-literal";
    case AuthorProblem::Domain:
      return "bad-domain";
    case AuthorProblem::TooMany:
      return "too-many-addresses";
    case AuthorProblem::HeaderTooLong:
      break;
  }
  return "header-too-long";
}

std::optional<AuthorProblem> parse_author_problem(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(AuthorProblem::HeaderTooLong); ++i)
    if (auto problem = static_cast<AuthorProblem>(i); to_string(problem) == name) return problem;
  return std::nullopt;
}

const Phrase& explain(AuthorProblem problem) {
  static constexpr Phrase kPhrases[] = {
      {"there is no From field", "From フィールドがありません"},
      {"there is more than one From field, and programs differ in which one they show",
       "From フィールドが複数あり、どれを表示するかはプログラムによって異なります"},
      {"a From field's name is written so that programs differ in whether they see it",
       "From フィールドの名前の書き方がおかしく、認識しないプログラムがあります"},
      {"a line that is no header field stands before From: some programs end the header there",
       "From の前にヘッダーでない行があり、そこでヘッダーが終わると読むプログラムがあります"},
      {"control characters stand in or before the From field",
       "From フィールドに制御文字があります"},
      {"the From field has no address", "From フィールドにアドレスがありません"},
      {"the From field is a group, which programs show differently",
       "From フィールドがグループで、プログラムによって表示が異なります"},
      {"the address in From has a source route, which programs read differently",
       "From のアドレスに経路指定があり、プログラムによって読み方が異なります"},
      {"text stands around the address in From that some programs take for the address",
       "From のアドレスの前後に、アドレスと読まれうる文字があります"},
      {"a comment in From hides or splits the address", "From のコメントがアドレスを隠しています"},
      {"quotes or backslashes in From are read differently by programs",
       "From の引用符やバックスラッシュは、プログラムによって読み方が異なります"},
      {"characters in From that turn the direction of the text change how the address looks",
       "From に文字の並ぶ向きを変える文字があり、アドレスが違って見えます"},
      {"an encoded word in From is, or hides, an address",
       "From のエンコードされた語がアドレスになっているか、アドレスを隠しています"},
      {"the From field is no list of addresses", "From フィールドがアドレスの形になっていません"},
      {"the address in From has an IP address in place of a domain",
       "From のアドレスがドメインではなく IP アドレスです"},
      {"the domain in From is no valid domain name", "From のドメイン名が正しくありません"},
      {"the From field has too many addresses", "From フィールドのアドレスが多すぎます"},
      {"the header is longer than what is looked at, and a From field may stand behind that",
       "ヘッダーが長すぎて、調べた範囲の後ろに From フィールドがあるかもしれません"},
  };
  return kPhrases[static_cast<std::size_t>(problem)];
}

}  // namespace hikyaku::dmarc
