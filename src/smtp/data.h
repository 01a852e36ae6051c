// The message itself on the wire: DATA with its dots (RFC 5321 §4.5.2) and BDAT chunks (RFC 3030).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hikyaku::smtp {

/// Why a message cannot be taken; known as soon as it happens, told after its end.
enum class DataProblem {
  None,
  BareCr,    ///< a CR without LF: somebody may read it as a line end
  BareLf,    ///< an LF without CR: likewise (SMTP smuggling, RFC 5321 §2.3.8)
  Nul,       ///< a NUL octet (RFC 5322 §4; binary content comes in BDAT with BINARYMIME)
  TooLarge,  ///< beyond the size limit
};

/// Checks what a message is made of as it comes, wherever it is cut. Used by both decoders.
class ContentCheck {
 public:
  enum class Kind { Text, Binary };  ///< Binary: no rule but the size
  ContentCheck(std::uint64_t max_size, Kind kind) : max_size_(max_size), kind_(kind) {}

  /// Looks at the next octets. False once there is a problem: they are not to be kept.
  bool add(std::string_view bytes);
  /// The message is over: a CR at its very end was bare.
  void finish();

  DataProblem problem() const { return problem_; }
  std::uint64_t size() const { return size_; }  ///< all octets, also those not kept
  /// The longest line so far without CRLF; RFC 5321 §4.5.3.1.6 says 998, real mail exceeds it.
  std::uint64_t longest_line() const { return longest_line_; }
  bool has_8bit() const { return has_8bit_; }
  void set_problem(DataProblem problem);

 private:
  void add_text(std::string_view bytes);

  std::uint64_t max_size_;
  Kind kind_;
  DataProblem problem_ = DataProblem::None;
  std::uint64_t size_ = 0;
  std::uint64_t line_ = 0;
  std::uint64_t longest_line_ = 0;
  bool after_cr_ = false;
  bool has_8bit_ = false;
};

/// Octets of a refused message that are read and dropped in search of its end, beyond the size
/// limit; then the connection is to be closed.
inline constexpr std::uint64_t kMaxDropped = 64ull << 20;

/// What follows a 354. The end is CRLF "." CRLF and nothing that looks like it.
class DataDecoder {
 public:
  explicit DataDecoder(std::uint64_t max_size)
      : max_size_(max_size), check_(max_size, ContentCheck::Kind::Text) {}

  /// Takes bytes up to the end of the message; returns how many. The content is appended to `out`,
  /// without the doubled dots, until there is a problem; then bytes are only skipped.
  std::size_t feed(std::string_view bytes, std::string& out);
  bool done() const { return state_ == State::Done; }
  /// So much was dropped that the answer is to be given now and the connection closed.
  bool hopeless() const;

  const ContentCheck& content() const { return check_; }
  DataProblem problem() const { return check_.problem(); }

 private:
  enum class State {
    LineStart,  ///< behind a CRLF (or nothing was read yet)
    Line,
    LineCr,  ///< within a line, behind a CR
    Dot,     ///< behind CRLF "."
    DotCr,   ///< behind CRLF "." CR
    Done,
  };
  std::size_t take_line(std::string_view bytes, std::string& out);
  void emit(std::string_view bytes, std::string& out);

  std::uint64_t max_size_;
  ContentCheck check_;
  State state_ = State::LineStart;
};

/// The octets of BDAT chunks. One decoder for the chunks of one message.
class BdatDecoder {
 public:
  BdatDecoder(std::uint64_t max_size, ContentCheck::Kind kind)
      : max_size_(max_size), check_(max_size, kind) {}

  /// A BDAT command came. `keep` false: it was refused; its octets are dropped.
  void begin_chunk(std::uint64_t size, bool last, bool keep = true);
  /// Takes bytes up to the end of the chunk; returns how many.
  std::size_t feed(std::string_view bytes, std::string& out);
  /// The chunk is over: answer it.
  bool chunk_done() const { return left_ == 0; }
  /// The LAST chunk is over.
  bool done() const { return last_ && left_ == 0; }
  /// As DataDecoder. A chunk size that is too large by far is hopeless before it comes.
  bool hopeless() const;

  const ContentCheck& content() const { return check_; }
  DataProblem problem() const { return check_.problem(); }

 private:
  std::uint64_t max_size_;
  ContentCheck check_;
  std::uint64_t left_ = 0;
  std::uint64_t dropped_ = 0;
  bool last_ = false;
  bool keep_ = true;
};

/// Writes a message as DATA: dots doubled at line starts, the end added. Lines must end in CRLF: a
/// bare CR or LF is refused, never repaired (it may be signed), never sent on.
class DataEncoder {
 public:
  /// Appends the wire form of the next piece to `out`. Invalid: a bare CR or LF; close the
  /// connection then, the message must not be ended.
  Result<void> feed(std::string_view bytes, std::string& out);
  /// Appends the end: CRLF if the message lacks it, then "." CRLF.
  Result<void> finish(std::string& out);

 private:
  enum class State { LineStart, Line, Cr };
  State state_ = State::LineStart;
};

}  // namespace hikyaku::smtp
