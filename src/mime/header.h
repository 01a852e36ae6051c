// Header fields as they stand in the bytes (RFC 5322 §2.2, §3.6.8; tolerant as RFC 7103 advises):
// exact ranges for DKIM and IMAP, unfolded values for everybody else.
#pragma once

#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hikyaku::mime {

/// One field, or one line of junk between fields. All views point into the header's bytes.
struct Field {
  std::string_view raw;    ///< the whole field with its folded lines and line ends
  std::string_view name;   ///< without space before the colon; empty for junk (no field syntax)
  std::string_view value;  ///< after the colon, folds included, without the last line end

  bool is_junk() const { return name.empty(); }
  bool is(std::string_view field_name) const;  ///< names match without regard to ASCII case
};

/// The fields of a header section in their order. Never fails: what is no field comes out as junk.
/// Ends at an empty line or at the end of the bytes. The bytes must outlive it.
class HeaderView {
 public:
  explicit HeaderView(std::string_view bytes) : bytes_(bytes) {}

  class iterator {
   public:
    using value_type = Field;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;

    iterator() = default;
    explicit iterator(std::string_view left) : left_(left) { advance(); }
    const Field& operator*() const { return field_; }
    const Field* operator->() const { return &field_; }
    iterator& operator++() {
      advance();
      return *this;
    }
    void operator++(int) { advance(); }
    bool operator==(std::default_sentinel_t) const { return done_; }

   private:
    void advance();

    std::string_view left_;
    Field field_;
    bool done_ = false;
  };

  iterator begin() const { return iterator(bytes_); }
  std::default_sentinel_t end() const { return {}; }

  /// The first field of that name (the one most programs show when there are several).
  std::optional<Field> find(std::string_view name) const;
  /// The first field's value, unfolded and trimmed; empty when there is none.
  std::string value(std::string_view name) const;
  std::vector<Field> find_all(std::string_view name) const;

 private:
  std::string_view bytes_;
};

/// The value that a lenient reader may see if it takes this, a field of that name or a line that is
/// none for us (folded before its colon, without one, odd bytes around the name), for a field of
/// that name; nullopt: nobody does.
std::optional<std::string_view> lenient_value(const Field& field, std::string_view name);

/// The header without the fields and lines for which `is_one` is true; all else stays as it is.
template <class IsOne>
std::string without_fields(std::string_view header, const IsOne& is_one) {
  std::string result;
  result.reserve(header.size());
  std::size_t copied = 0;
  for (auto& field : HeaderView(header)) {
    if (!is_one(field)) continue;
    auto at = static_cast<std::size_t>(field.raw.data() - header.data());
    result += header.substr(copied, at - copied);
    copied = at + field.raw.size();
  }
  result += header.substr(copied);
  return result;
}

/// The length of the header section at the front of `bytes`, with the empty line that ends it (LF
/// or CRLF). A line that is no field and no continuation ends it too, and belongs to the body,
/// unless a field follows within three lines, or a common one within thirty (then it is junk inside
/// the header); an mbox "From " line at the front never does.
std::size_t header_length(std::string_view bytes);

/// The length of what an mbox puts in front of a header ("From ", ">From "), with folded lines. It
/// is no field, and counts as the separator that it is only there: fields that are added go behind.
std::size_t mbox_lines_length(std::string_view header);

/// The same at the front of a message, for those who take it away. Where no field follows it is 0:
/// the text only begins like that.
std::size_t mbox_separator_length(std::string_view bytes);

/// What a line is inside a header section: the rule by which header_length and message.h agree.
enum class HeaderLine {
  End,     ///< the empty line
  Field,   ///< begins a field
  Folded,  ///< continues what stands above
  Junk,    ///< neither, but the header goes on
  Body,    ///< neither, and the header has ended before it
};

/// Classifies the line of `length` bytes at `at`. `in_field`: a field stands above it.
HeaderLine classify_header_line(std::string_view bytes, std::size_t at, std::size_t length,
                                bool in_field);

/// True when `line` begins a field: a name of visible ASCII, optional space, a colon. Gives the
/// name's length by `name_length` and the colon's place by `colon`.
bool begins_field(std::string_view line, std::size_t& name_length, std::size_t& colon);

/// Line ends that are followed by space removed (RFC 5322 §2.2.3), stray CR, LF and NUL become
/// spaces, both ends trimmed.
std::string unfold(std::string_view value);

/// The header's fields that are (or, with `others`, are not) named, as they stand, and an empty
/// line: what IMAP's HEADER.FIELDS and HEADER.FIELDS.NOT answer (RFC 9051 §6.4.5.1).
enum class Select { Named, Others };
std::string select_fields(std::string_view header, const std::vector<std::string>& names,
                          Select select);

}  // namespace hikyaku::mime
