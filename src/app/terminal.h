// Terminal: where the output of a command goes, and how it looks there.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/phrase.h"

namespace hikyaku::app {

/// What a word wants to say; shown as colour on a terminal, as nothing elsewhere.
enum class Tone { Plain, Strong, Faint, Good, Bad, Warning };

/// Rows of texts under headings.
struct Table {
  std::vector<std::string> headings;
  std::vector<std::vector<std::string>> rows;
};

/// The two outputs of a command. Colour and progress lines only where a person looks on. Used by
/// one thread.
class Terminal {
 public:
  /// False: it could not be written, and errno says why.
  using Write = std::function<bool(std::string_view)>;

  /// How an output is; see for_process() for the real one.
  struct Shape {
    std::size_t width = 80;  ///< columns
    bool colour = false;     ///< colour on standard output
    bool progress = false;   ///< standard error is a terminal
    Language language = Language::English;
  };
  Terminal(Write out, Write err, Shape shape);

  /// Standard output and error of this process, with the width, colour and language of the
  /// environment (COLUMNS, NO_COLOR, LC_ALL, LC_MESSAGES, LANG).
  static Terminal for_process();

  Language language() const { return shape_.language; }
  void set_language(Language language) { shape_.language = language; }
  /// What the user calls this program: "hikyaku", or a path while it is not where the shell looks.
  const std::string& program() const { return program_; }
  void set_program(std::string program) { program_ = std::move(program); }
  /// Columns to write in: the terminal's, but at most 100, which reads better.
  std::size_t width() const { return shape_.width; }
  /// From now on commands in texts for people are to be for this instance: hints.h.
  void name_instance(std::vector<std::string> verbs, std::string dir_words) {
    instance_verbs_ = std::move(verbs);
    dir_words_ = std::move(dir_words);
  }
  /// A text as say() would show it, but for its lines.
  std::string for_instance(std::string_view text) const;
  bool shows_progress() const { return shape_.progress; }

  /// To standard output, as it is.
  void out(std::string_view text);
  /// To standard error, as it is.
  void err(std::string_view text);

  /// A phrase in the language of this terminal, with its {} filled in, wrapped, to standard output.
  template <class... Args>
  void say(const Phrase& phrase, const Args&... args) {
    paragraph(hikyaku::say(language(), phrase, args...));
  }
  /// "hikyaku: …" on standard error.
  template <class... Args>
  void complain(const Phrase& phrase, const Args&... args) {
    complain_text(hikyaku::say(language(), phrase, args...));
  }
  /// The same for texts that have no translation (errors from below).
  void complain_text(std::string_view text);

  /// Lines with words of strangers in them, to standard output: nothing but colours reaches the
  /// terminal as a command.
  void lines(std::string_view text);
  void paragraph(std::string_view text, std::size_t indent = 0);
  /// Columns as wide as they need; control characters in cells are made visible.
  void table(const Table& table);

  /// `text` in a tone, where colour is shown.
  std::string toned(Tone tone, std::string_view text) const;

  /// False once something could not be written to standard output (a full disk): exit 74 then.
  bool intact() const { return intact_; }
  /// That was because whoever read it wanted no more (a pipe into head).
  bool reader_left() const { return reader_left_; }

 private:
  Write out_, err_;
  Shape shape_;
  std::string program_ = "hikyaku";
  std::vector<std::string> instance_verbs_;
  std::string dir_words_;
  bool intact_ = true;
  bool reader_left_ = false;
};

}  // namespace hikyaku::app
