// A record as its owner should see it: what is mistyped, without effect, or surprising.
#include <algorithm>
#include <array>
#include <span>

#include "base/suggest.h"
#include "base/text.h"
#include "dmarc/record.h"
#include "dmarc/report_address.h"
#include "dmarc/tags_internal.h"

namespace hikyaku::dmarc {
namespace {

constexpr std::array<std::string_view, 3> kPolicies{"none", "quarantine", "reject"};
constexpr std::array<std::string_view, 2> kAlignments{"r", "s"};
constexpr std::array<std::string_view, 2> kYesNo{"y", "n"};
constexpr std::array<std::string_view, 3> kPsd{"y", "n", "u"};

}  // namespace

std::string_view nearest_value(KnownTag tag, std::string_view value) {
  // Words spelt out where a letter is wanted.
  auto letter = [&](std::span<const std::string_view> letters) -> std::string_view {
    if (value.empty()) return {};
    for (auto candidate : letters)
      if (ascii_lower(value.front()) == candidate.front()) return candidate;
    return {};
  };
  switch (tag) {
    case KnownTag::P:
    case KnownTag::Sp:
    case KnownTag::Np:
      return closest(value, kPolicies);
    case KnownTag::Adkim:
    case KnownTag::Aspf:
      return letter(kAlignments);
    case KnownTag::T:
      return letter(kYesNo);
    case KnownTag::Psd:
      return letter(kPsd);
    default:
      return {};
  }
}

/// "reject, rua=mailto:…" — where a comma is followed by a tag, a semicolon was meant.
std::size_t comma_before_tag(std::string_view value) {
  for (std::size_t at = value.find(','); at != value.npos; at = value.find(',', at + 1)) {
    auto rest = trim_front(value.substr(at + 1, 32));
    auto equals = rest.substr(0, 9).find('=');
    if (equals != rest.npos && known_tag(trim_space(rest.substr(0, equals)))) return at;
  }
  return value.npos;
}

namespace {

constexpr std::size_t kShown = 120;
constexpr std::size_t kMostRemarks = 40;

class Examiner {
 public:
  explicit Examiner(std::string_view text) : text_(text.substr(0, kMaxRecord)) {}

  std::vector<Remark> run() {
    if (auto rest = after_version(text_))
      tags(*rest);
    else
      version();
    return std::move(remarks_);
  }

 private:
  using Kind = Remark::Kind;

  void say(Kind kind, std::string_view tag, std::string_view value = {},
           std::string_view suggestion = {}) {
    if (remarks_.size() < kMostRemarks)
      remarks_.push_back({kind, printable(to_lower(tag), kShown), printable(value, kShown),
                          std::string(suggestion)});
  }

  /// The text is no record: is it meant as one?
  void version() {
    auto text = trim(text_);
    if (!text.empty() && text.front() == '"') text = trim(text.substr(1));
    auto end = std::min(text.find_first_of(";,"), text.size());
    auto first = trim(text.substr(0, end));
    auto equals = first.find('=');
    if (equals != first.npos && iequals(trim_space(first.substr(0, equals)), "v")) {
      auto value = trim_space(first.substr(equals + 1));
      if (text.size() != text_.size() && after_version(text))
        return say(Kind::VersionPlace, "v", text_.substr(0, kShown));
      if (value == "DMARC1" && end < text.size() && text[end] == ',')
        return say(Kind::Comma, "v", text.substr(0, kShown));
      if (istarts_with(value, "dmarc1") && value.size() > 6 && is_ascii_space(value[6]))
        return say(Kind::NoSeparator, "v", text.substr(0, kShown));
      if (edit_distance(value, "DMARC1", 2) <= 2 || istarts_with(value, "dmarc"))
        return say(Kind::Version, "v", first, "v=DMARC1");
      return;
    }
    if (equals != first.npos && begins_with_policy(first.substr(0, equals), text))
      return say(Kind::VersionPlace, "v", text.substr(0, kShown));
    if (istarts_with(text, "dmarc") || ifind(text, "v=dmarc1") != text.npos)
      say(Kind::VersionPlace, "v", text.substr(0, kShown));
  }

  /// "p=none; rua=…": all of a record but its version.
  static bool begins_with_policy(std::string_view name, std::string_view text) {
    if (iequals(trim_space(name), "p"))
      return is_valid_value(KnownTag::P, value_of(text)) ||
             !nearest_value(KnownTag::P, value_of(text)).empty();
    return (iequals(trim_space(name), "rua") || iequals(trim_space(name), "ruf")) &&
           istarts_with(value_of(text), "mailto:");
  }
  static std::string_view value_of(std::string_view text) {
    text = text.substr(0, std::min(text.find(';'), text.size()));
    return trim_space(text.substr(text.find('=') + 1));
  }

  void tags(std::string_view rest) {
    Tag tag;
    while (next_tag(rest, tag)) look_at(tag);
    if (!has(KnownTag::P) && !bad_policy_) say(Kind::NoPolicy, "p");
    if (!has(KnownTag::Rua)) say(Kind::NoReports, "rua");
    if (has(KnownTag::Fo) && !has(KnownTag::Ruf)) say(Kind::UnusedOption, "fo");
  }

  bool has(KnownTag tag) const { return (seen_ & (1u << static_cast<unsigned>(tag))) != 0; }

  void look_at(const Tag& tag) {
    if (!std::ranges::all_of(tag.piece, [](char c) { return c >= ' ' && c <= '~'; }))
      say(Kind::BadCharacter, tag.name, tag.piece);
    if (!tag.has_equals) return say(Kind::NoValue, "", tag.piece);
    auto known = known_tag(tag.name);
    if (!known) {
      if (iequals(tag.name, "v")) return say(Kind::Repeated, "v", tag.piece);
      return say(Kind::UnknownTag, tag.name, tag.piece, closest(tag.name, kTagNames));
    }
    if (has(*known)) return say(Kind::Repeated, tag.name, tag.piece);
    seen_ |= 1u << static_cast<unsigned>(*known);
    if (comma_before_tag(tag.value) != tag.value.npos) {
      say(Kind::Comma, tag.name, tag.piece);
      bad_policy_ = bad_policy_ || *known == KnownTag::P;
      return;
    }
    switch (*known) {
      case KnownTag::Rua:
      case KnownTag::Ruf:
        return uris(tag);
      case KnownTag::Pct:
      case KnownTag::Rf:
      case KnownTag::Ri:
        return historic(tag, *known);
      default:
        break;
    }
    if (!is_valid_value(*known, tag.value)) {
      bad_policy_ = bad_policy_ || *known == KnownTag::P;
      say(Kind::BadValue, tag.name, tag.value, nearest_value(*known, tag.value));
    } else if (*known == KnownTag::Psd && iequals(tag.value, "y")) {
      say(Kind::SuffixClaim, "psd", "y");
    }
  }

  void historic(const Tag& tag, KnownTag known) {
    if (known == KnownTag::Pct && parse_decimal(tag.value, 99))
      return say(Kind::Sampling, tag.name, tag.value, "t=y");
    say(Kind::Historic, tag.name, tag.value);
  }

  void uris(const Tag& tag) {
    for (auto piece : split(tag.value, ',')) {
      piece = trim_space(piece);
      if (piece.empty()) {
        say(Kind::BadUri, tag.name, tag.value);
        continue;
      }
      auto uri = parse_report_uri(piece);
      if (!uri) {
        bool bare = piece.find('@') != piece.npos && piece.find(':') == piece.npos;
        say(Kind::BadUri, tag.name, piece, bare ? "mailto:" + std::string(piece) : std::string());
        continue;
      }
      if (uri->scheme != "mailto") say(Kind::Scheme, tag.name, piece);
      if (piece.find('!') != piece.npos) say(Kind::SizeLimit, tag.name, piece);
    }
  }

  std::string_view text_;
  std::vector<Remark> remarks_;
  unsigned seen_ = 0;
  bool bad_policy_ = false;
};

Phrase phrase(const Remark& remark) {
  using Kind = Remark::Kind;
  bool suggested = !remark.suggestion.empty();
  switch (remark.kind) {
    case Kind::Version:
      return {"“{1}” is not “{2}”: nobody reads this as a DMARC record",
              "「{1}」は「{2}」ではないため、DMARC レコードとして読まれません"};
    case Kind::VersionPlace:
      return {"v=DMARC1 must be the very first thing in the record; here it is “{1}”",
              "v=DMARC1 はレコードの先頭になければなりません。今は「{1}」です"};
    case Kind::NoSeparator:
      return {"a semicolon is missing after v=DMARC1 in “{1}”: nobody reads this as a DMARC record",
              "「{1}」は v=DMARC1 の後のセミコロンが抜けていて、DMARC レコードとして読まれません"};
    case Kind::Comma:
      return {"“{1}” has a comma where a semicolon must stand, so {0} does not say what is meant",
              "「{1}」ではセミコロンの代わりにカンマがあり、{0} が意図どおりに読まれません"};
    case Kind::UnknownTag:
      return suggested ? Phrase{"there is no tag “{0}”: everybody skips it (is “{2}” meant?)",
                                "「{0}」というタグはなく、読み飛ばされます(「{2}」のことですか?)"}
                       : Phrase{"there is no tag “{0}”; everybody skips it",
                                "「{0}」というタグはなく、読み飛ばされます"};
    case Kind::BadValue:
      return suggested ? Phrase{"{0}={1} means nothing; write {0}={2}",
                                "{0}={1} には意味がありません。{0}={2} と書いてください"}
                       : Phrase{"{0}={1} means nothing, and counts as if it were not there",
                                "{0}={1} には意味がなく、ないものとして扱われます"};
    case Kind::NoValue:
      return {"“{1}” is no tag: it has no “=”", "「{1}」には「=」がなく、タグになっていません"};
    case Kind::Repeated:
      return {"{0} stands there twice; only the first counts",
              "{0} が二つあります。最初のものだけが有効です"};
    case Kind::NoPolicy:
      return {"there is no p: say p=none, p=quarantine or p=reject",
              "p がありません。p=none、p=quarantine、p=reject のいずれかを書いてください"};
    case Kind::BadUri:
      return suggested ? Phrase{"{0}: “{1}” is no URI; write {2}",
                                "{0}: 「{1}」は URI ではありません。{2} と書いてください"}
                       : Phrase{"{0}: “{1}” is no URI to which reports can go",
                                "{0}: 「{1}」は報告の宛先になる URI ではありません"};
    case Kind::BadCharacter:
      return {"“{1}” contains characters that a record cannot have (printable ASCII only)",
              "「{1}」にレコードに使えない文字があります (印字可能な ASCII だけが使えます)"};
    case Kind::Scheme:
      return {"{0}: nobody needs to support “{1}”; name a mailto: address too",
              "{0}: 「{1}」に対応しない相手もあります。mailto: の宛先も書いてください"};
    case Kind::Historic:
      return {"{0} has no effect any more (RFC 9989); it can be removed",
              "{0} はもう効果がありません (RFC 9989)。消してかまいません"};
    case Kind::SizeLimit:
      return {"{0}: the size limit in “{1}” has no effect any more (RFC 9989)",
              "{0}: 「{1}」のサイズ制限はもう効果がありません (RFC 9989)"};
    case Kind::Sampling:
      return {
          "pct={1} has no effect any more: the policy applies to all mail; to try it out, say t=y",
          "pct={1} はもう効果がなく、ポリシーは全メールに適用されます。試すには t=y を使います"};
    case Kind::SuffixClaim:
      return {
          "psd=y says that this is a public suffix such as co.jp; remove it unless you run a "
          "registry",
          "psd=y は co.jp "
          "のような公開サフィックスだという宣言です。レジストリでなければ消してください"};
    case Kind::NoReports:
      return {"there is no rua: nobody will report who sends as this domain",
              "rua がないため、このドメインを名乗る送信元の報告は届きません"};
    case Kind::UnusedOption:
      break;
  }
  return {"fo has no effect without ruf", "fo は ruf がないと効果がありません"};
}

}  // namespace

std::string Remark::describe(Language language) const {
  return say(language, phrase(*this), tag, value, suggestion);
}

std::vector<Remark> examine_record(std::string_view text) {
  return Examiner(text).run();
}

bool is_meant_as_record(std::string_view text) {
  return is_record(text) || !examine_record(text).empty();
}

}  // namespace hikyaku::dmarc
