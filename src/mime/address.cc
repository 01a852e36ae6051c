#include "mime/address.h"

#include <algorithm>

#include "base/text.h"
#include "mime/encoded_word.h"

namespace hikyaku::mime {
namespace {

bool is_fold_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

/// What the grammar is made of.
struct Token {
  enum class Kind : std::uint8_t { Atom, Quoted, Literal, Comment, Special, End };
  Kind kind = Kind::End;
  std::string text;    // unquoted; of a special the character
  bool space = false;  // white space or a comment stood before it

  bool is(char special) const { return kind == Kind::Special && text[0] == special; }
  bool is_word() const { return kind == Kind::Atom || kind == Kind::Quoted; }
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : left_(text) {}

  Token next() {
    Token token;
    while (!left_.empty() && is_fold_space(left_.front())) {
      left_.remove_prefix(1);
      token.space = true;
    }
    if (left_.empty()) return token;
    switch (left_.front()) {
      case '"':
        token.kind = Token::Kind::Quoted;
        token.text = quoted();
        break;
      case '(':
        token.kind = Token::Kind::Comment;
        token.text = comment();
        break;
      case '[':
        token.kind = Token::Kind::Literal;
        token.text = literal();
        break;
      default:
        atom(token);
    }
    return token;
  }

 private:
  std::string quoted() {
    // A quote that is never closed is a character like others, not the rest of the field.
    std::string result;
    std::size_t i = 1;
    for (; i < left_.size() && left_[i] != '"'; ++i) {
      if (left_[i] == '\\' && i + 1 < left_.size()) ++i;
      if (left_[i] != '\r' && left_[i] != '\n' && left_[i] != '\0') result += left_[i];
    }
    if (i >= left_.size() && !unclosed_quote_) {
      unclosed_quote_ = true;
      left_.remove_prefix(1);
      return {};
    }
    left_.remove_prefix(std::min(i + 1, left_.size()));
    return result;
  }

  std::string comment() {
    std::string result;
    std::size_t depth = 0, i = 0;
    for (; i < left_.size(); ++i) {
      char c = left_[i];
      if (c == '(' && ++depth == 1) continue;
      if (c == ')' && --depth == 0) break;
      if (c == '\\' && i + 1 < left_.size()) c = left_[++i];
      if (c != '\r' && c != '\n' && c != '\0') result += c;
    }
    left_.remove_prefix(std::min(i + 1, left_.size()));
    return std::string(trim(result));
  }

  std::string literal() {
    std::string result;
    std::size_t i = 0;
    for (; i < left_.size(); ++i) {
      if (left_[i] == ',' || left_[i] == '<' || left_[i] == '>') {
        left_.remove_prefix(i);
        return result;
      }
      if (!is_fold_space(left_[i])) result += left_[i];
      if (left_[i] == ']') break;
    }
    left_.remove_prefix(std::min(i + 1, left_.size()));
    return result;
  }

  void atom(Token& token) {
    std::size_t i = 0;
    // Inside an encoded word specials are text: "=?us-ascii?q?a,b?=" is met.
    while (i < left_.size() && (is_atom_char(left_[i]) || left_[i] == '\\')) {
      if (left_.substr(i, 2) == "=?") {
        if (auto length = encoded_word_length(left_.substr(i))) {
          i += length;
          continue;
        }
      }
      ++i;
    }
    if (i == 0) {
      token.kind = Token::Kind::Special;
      i = 1;
    } else {
      token.kind = Token::Kind::Atom;
    }
    token.text = left_.substr(0, i);
    left_.remove_prefix(i);
  }

  std::string_view left_;
  bool unclosed_quote_ = false;
};

/// Adds a word to a phrase: one space between words that had any between them.
void append_word(std::string& phrase, const Token& token) {
  if (token.space && !phrase.empty()) phrase += ' ';
  phrase += token.text;
}

class ListParser {
 public:
  ListParser(std::string_view value, std::size_t limit) : lexer_(value), limit_(limit) { take(); }

  std::vector<Address> run() {
    while (token_.kind != Token::Kind::End && list_.size() < limit_) {
      if (token_.is(',')) {
        take();
      } else if (token_.is(';')) {
        take();
        end_group();
      } else {
        member();
      }
    }
    end_group();
    return std::move(list_);
  }

 private:
  void take() { token_ = lexer_.next(); }

  void end_group() {
    if (!in_group_) return;
    in_group_ = false;
    list_.push_back({Address::Kind::GroupEnd, {}, {}, {}, {}});
  }

  /// A mailbox, or the name of a group: words until something decides what they were.
  void member() {
    phrase_.clear();
    local_.clear();
    comment_.clear();
    Address address;
    bool words = false;
    while (true) {
      if (token_.kind == Token::Kind::Comment) {
        keep_comment();
      } else if (token_.is_word()) {
        append_word(phrase_, token_);
        append_local(token_);
        words = true;
        take();
      } else if (token_.is('.')) {
        append_word(phrase_, token_);  // obs-phrase: "J. Doe"
        local_ += '.';
        words = true;
        take();
      } else if (token_.is('<')) {
        take();
        angle_address(address);
        address.name = phrase_;
        break;
      } else if (token_.is('@')) {
        take();
        address.local = local_;
        address.domain = domain();
        while (token_.is('@')) {
          // The last "@" divides: "a@b@c" has the local part "a@b".
          take();
          address.local += '@' + address.domain;
          address.domain = domain();
        }
        if (!token_.is('<') || address.local.empty()) break;
        // "a@b.example <a@b.example>": what stood before was an unquoted name.
        address.name = address.local + '@' + address.domain;
        phrase_ = address.name;
      } else if (token_.is(':') && !in_group_) {
        take();
        start_group();
        return;
      } else if (token_.kind == Token::Kind::End || token_.is(',') || token_.is(';')) {
        address.local = local_;
        if (!words) return;
        break;
      } else {
        // Characters that have no business here are part of the name.
        append_word(phrase_, token_);
        local_ += token_.text;
        words = true;
        take();
      }
    }
    rest_of_member(address);
    if (address.name.empty() && !comment_.empty()) address.name = comment_;
    if (!address.local.empty() || !address.domain.empty() || !address.name.empty())
      list_.push_back(std::move(address));
  }

  void keep_comment() {
    if (!token_.text.empty()) comment_ = token_.text;
    take();
  }

  /// The local part is collected without spaces: obsolete syntax allows them around dots; where
  /// there is no dot they stay, so that a bare name without any address is readable.
  void append_local(const Token& word) {
    if (word.space && !local_.empty() && local_.back() != '.') local_ += ' ';
    local_ += word.text;
  }

  void start_group() {
    in_group_ = true;
    list_.push_back({Address::Kind::GroupStart, phrase_, {}, {}, {}});
  }

  /// "<" has been taken: [route ":"] addr-spec ">".
  void angle_address(Address& address) {
    std::string local;
    bool after_at = false;
    while (token_.kind != Token::Kind::End && !token_.is('>')) {
      if (token_.is('@')) {
        take();
        if (local.empty() && !after_at) {
          auto name = domain();
          if (token_.is(':') || token_.is(',') || token_.is('@')) {
            route(address, std::move(name));
            continue;
          }
          address.domain = std::move(name);
        } else {
          if (after_at) local += '@' + address.domain;
          address.domain = domain();
        }
        after_at = true;
        continue;
      }
      if (token_.kind == Token::Kind::Comment) {
        keep_comment();
        continue;
      }
      if (token_.is(',') || token_.is(';') || token_.is('<')) {
        if (token_.is('<')) {
          take();
          continue;
        }
        // An address that was never closed: the list goes on.
        break;
      }
      if (!after_at) {
        if (token_.space && !local.empty() && local.back() != '.' && !token_.is('.')) local += ' ';
        local += token_.text;
      }
      take();
    }
    if (token_.is('>')) take();
    address.local = std::move(local);
  }

  /// An obsolete route whose first domain has been read (RFC 5322 §4.4 obs-route).
  void route(Address& address, std::string first) {
    address.route = '@' + first;
    while (!token_.is(':') && !token_.is('>') && token_.kind != Token::Kind::End) {
      if (token_.is('@')) {
        take();
        address.route += (address.route.empty() ? "@" : ",@") + domain();
      } else {
        take();
      }
    }
    if (token_.is(':')) take();
  }

  /// Atoms and dots, or a literal.
  std::string domain() {
    std::string result;
    while (true) {
      if (token_.kind == Token::Kind::Comment) {
        keep_comment();
        continue;
      }
      if (token_.kind == Token::Kind::Literal) {
        result += token_.text;
      } else if (token_.is('.')) {
        result += '.';
      } else if (token_.kind == Token::Kind::Atom &&
                 (result.empty() || result.back() == '.' || !token_.space)) {
        result += token_.text;
      } else {
        return result;
      }
      take();
    }
  }

  /// What stands between an address and the next comma: comments, or rubbish that is dropped.
  void rest_of_member(Address& address) {
    std::string words;
    while (token_.kind != Token::Kind::End && !token_.is(',') && !token_.is(';')) {
      if (token_.kind == Token::Kind::Comment) {
        keep_comment();
        continue;
      }
      // "<a@b> <c@d>" and "a@b <a@b>": a second address of which the comma was forgotten.
      if (token_.is('<')) break;
      if ((token_.is_word() || token_.is('.')) && words.size() < 1000) append_word(words, token_);
      take();
    }
    if (address.name.empty() && comment_.empty()) address.name = words;
  }

  Lexer lexer_;
  std::size_t limit_;
  Token token_;
  std::vector<Address> list_;
  bool in_group_ = false;
  std::string phrase_;   // the words of the member so far, as a name
  std::string local_;    // and as a local part
  std::string comment_;  // the last comment of the member
};

bool is_dot_atom(std::string_view text) {
  if (text.empty() || text.front() == '.' || text.back() == '.') return false;
  if (text.find("..") != text.npos) return false;
  return std::ranges::all_of(text, [](char c) { return c == '.' || is_atom_char(c); });
}

}  // namespace

bool is_atom_char(char c) {
  auto byte = static_cast<unsigned char>(c);
  return byte > 32 && byte != 127 &&
         std::string_view("()<>[]:;@\\,.\"").find(c) == std::string_view::npos;
}

std::string quote_local_part(std::string_view local) {
  if (is_dot_atom(local)) return std::string(local);
  std::string result = "\"";
  for (char c : local) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

std::string Address::addr_spec() const {
  if (domain.empty()) return local;
  return quote_local_part(local) + '@' + domain;
}

std::string Address::display_name() const {
  return decode_words(name);
}

std::vector<Address> parse_address_list(std::string_view value, std::size_t limit) {
  return ListParser(value, limit).run();
}

Address first_mailbox(std::string_view value) {
  for (auto& address : parse_address_list(value))
    if (address.kind == Address::Kind::Mailbox) return address;
  return {};
}

}  // namespace hikyaku::mime
