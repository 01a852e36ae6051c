// Text for reading and searching: bodies with encoding and charset removed, search that does not
// see case and width, base subjects and Message-IDs for threading.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "mime/message.h"

namespace hikyaku::mime {

/// A part's body with its transfer encoding removed, at most `limit` bytes of it.
std::string decoded_body(const Message& message, const Part& part,
                         std::size_t limit = 64 * 1024 * 1024);

/// A text part's body in UTF-8 (its charset parameter applied; HTML stays HTML); for HTML without
/// a charset parameter the one of a <meta> element in its first kilobyte.
std::string body_text(const Message& message, const Part& part,
                      std::size_t limit = 64 * 1024 * 1024);

/// The file name of a part as its sender wrote it, in UTF-8: filename of Content-Disposition, else
/// name of Content-Type; empty when there is none. Not safe to save under: see safe_file_name.
std::string file_name(const Part& part);

/// A Disposition value's kind in small letters ("attachment", "inline"); empty without field.
std::string disposition_kind(const Part& part);

/// Text made comparable: Unicode NFKC and case folding, so that "Ｈｅｌｌｏ", "hello" and "HELLO",
/// half- and full-width kana are the same. Ill-formed UTF-8 becomes U+FFFD. Of more than 30
/// combining characters in a row, each 30 are folded for themselves (UAX #15 §13).
std::string fold(std::string_view utf8);

/// True if `text` contains `folded_needle`, which fold() made. An empty needle is in every text.
bool contains_folded(std::string_view text, std::string_view folded_needle);

/// Texts made by fold() that are looked for together: what is looked through is folded once.
class FoldedTexts {
 public:
  explicit FoldedTexts(std::vector<std::string> folded);

  std::size_t size() const { return texts_.size(); }

  /// Which of the texts were found in what has been looked through.
  class Found {
   public:
    /// `texts` must outlive it.
    explicit Found(const FoldedTexts& texts)
        : texts_(&texts), found_(texts.texts_.size()), left_(found_.size()) {}

    /// Looks through a whole text (not a piece of one). True when nothing is left to be found.
    bool look_in(std::string_view text);
    /// Whether the text, one of those looked for, was found.
    bool contains(std::string_view folded) const;

   private:
    bool look_at(std::string_view folded);

    const FoldedTexts* texts_;
    std::vector<bool> found_;
    std::size_t left_;
  };

 private:
  std::vector<std::string> texts_;  ///< sorted, each once
  std::size_t longest_ = 0;
};

/// What IMAP's SEARCH BODY looks at: the text of all text parts, `limit` bytes of it.
/// (RFC 9051 §6.4.4)
void look_in_bodies(const Message& message, FoldedTexts::Found& found,
                    std::size_t limit = 64 * 1024 * 1024);

/// A header field as search sees it: unfolded and decoded.
std::string field_text(const Field& field);

/// The base subject of RFC 5256 §2.1 of a Subject value: decoded, without "Re:", "Fwd:", "[list]"
/// and "(fwd)". `is_reply` is set when something of that was there.
std::string base_subject(std::string_view subject_value, bool* is_reply = nullptr);

/// The Message-IDs in a Message-ID, In-Reply-To or References value, without the angle brackets and
/// inner space (RFC 5322 §3.6.4); words without brackets are skipped. At most `limit`, of more the
/// first and the last ones.
std::vector<std::string> message_ids(std::string_view value, std::size_t limit = 100);

}  // namespace hikyaku::mime
