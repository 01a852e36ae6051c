// XmlReader: just enough XML for reports from strangers. It knows nothing that could do harm: no
// DTD, no entities but the five and character references, nothing is ever fetched. Small mistakes
// that are met in the wild are read over, and named.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hikyaku::dmarc {

struct XmlLimits {
  std::size_t depth = 32;        ///< of elements
  std::size_t name_bytes = 256;  ///< of an element's or attribute's name
  std::size_t attributes = 32;   ///< of an element
  std::size_t attribute_bytes = 4096;
  std::size_t text_bytes = 64 * 1024;  ///< of one element's text; what exceeds it is dropped
};

class XmlReader {
 public:
  enum class Event { Start, End, Finished };

  /// `bytes` (UTF-8, see xml_text) must outlive it.
  explicit XmlReader(std::string_view bytes, XmlLimits limits = {})
      : left_(bytes), limits_(limits) {}

  /// The next element that begins or ends; ends come for every start, whatever is missing. Invalid:
  /// no XML. Denied: a DTD with declarations. TooLarge: deeper or larger than the limits.
  hikyaku::Result<Event> next();

  /// Of the element that begins or ends: its name without a prefix.
  const std::string& name() const { return name_; }
  /// At Start: an attribute's value by its name without a prefix ("xmlns" itself too).
  std::optional<std::string_view> attribute(std::string_view name) const;
  /// At Start: the prefix stood for a namespace of its own ("dmarc:feedback").
  const std::string& prefix() const { return prefix_; }
  /// At End: the text since the last start or end, references replaced, trimmed.
  std::string_view text() const;

  /// What was read over, in words; each once, at most a few.
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  struct Attribute {
    std::string name, value;
  };

  hikyaku::Result<void> markup();
  hikyaku::Result<bool> tag();
  bool end_tag();
  bool start_tag();
  bool read_attribute(std::string_view& rest);
  hikyaku::Result<void> skip_declaration();
  bool skip_past(std::string_view end);
  void add_text(std::string_view text);
  void problem(std::string_view what);
  Event pop();

  std::string_view left_;
  XmlLimits limits_;
  std::vector<std::string> open_;
  std::string name_, prefix_, text_;
  std::vector<Attribute> attributes_;
  std::vector<std::string> problems_;
  std::size_t to_close_ = 0;  // elements that an end tag or the end of the bytes ends
  bool self_closed_ = false;
  bool started_ = false;  // the event to give is Start
  bool any_ = false;      // an element was seen
  bool too_large_ = false;
};

/// The bytes of an XML document as UTF-8, by its byte order mark, its declaration, or what they
/// look like.
std::string xml_text(std::string_view bytes);

/// `text` for an element's content or an attribute: well-formed UTF-8, escaped, without characters
/// that XML cannot hold.
std::string xml_escape(std::string_view text);

}  // namespace hikyaku::dmarc
