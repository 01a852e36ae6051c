// mbox files (RFC 4155, the mboxrd kind).
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/copy_files.h"
#include "app/directory_listing.h"
#include "app/mail_files.h"
#include "app/program_mail.h"
#include "base/text.h"
#include "mime/date.h"
#include "mime/header.h"
#include "net/fd.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPiece = 64 * 1024;
constexpr std::size_t kMaxHeader = 256 * 1024;

struct FlagLetter {
  char letter;
  std::string_view name;
};
/// Of Status and X-Status.
constexpr FlagLetter kLetters[] = {
    {'R', "\\Seen"}, {'A', "\\Answered"}, {'F', "\\Flagged"}, {'T', "\\Draft"}, {'D', "\\Deleted"}};
/// Bits of X-Mozilla-Status.
struct MozillaBit {
  unsigned bit;
  std::string_view name;
};
constexpr MozillaBit kMozilla[] = {{0x1, "\\Seen"},
                                   {0x2, "\\Answered"},
                                   {0x4, "\\Flagged"},
                                   {0x8, "\\Deleted"},
                                   {0x1000, "$Forwarded"}};
/// Fields that belong to the file, not to the message.
constexpr std::string_view kOwnFields[] = {
    "Status",         "X-Status",         "X-Keywords",
    "X-UID",          "X-IMAP",           "X-IMAPbase",
    "Content-Length", "X-Mozilla-Status", "X-Mozilla-Status2",
    "X-Mozilla-Keys",
};

/// True if a line of a message's header, were it to stand in an mbox, would be taken for the file's
/// own: one of its fields, or, at the front, more of the field above. Such a line gets one ">" more
/// in front, as "From " does in mboxrd, and loses it when it is read.
bool needs_quote(std::string_view line, bool first) {
  auto begin = line.find_first_not_of('>');
  if (begin == std::string_view::npos) return false;
  line.remove_prefix(begin);
  if (first && (line.front() == ' ' || line.front() == '\t')) return true;
  auto colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  auto name = trim(line.substr(0, colon));
  return std::ranges::any_of(kOwnFields, [&](auto own) { return iequals(own, name); });
}

/// Without the quotes of header lines, up to the empty line.
std::string without_quotes(std::string_view header) {
  std::string out;
  for (bool first = true; !header.empty() && header != "\r\n"; first = false) {
    auto line = header.substr(0, header.find('\n') + 1);
    if (line.empty()) line = header;
    header.remove_prefix(line.size());
    if (line.starts_with('>') && needs_quote(line, first)) line.remove_prefix(1);
    out += line;
  }
  return out.append(header);
}

Error file_error(std::string_view what, const fs::path& path) {
  return errno_error(fmt::format("cannot {} {}", what, path.string()), errno);
}

/// The date of a "From " line; nullopt: it is no such line.
std::optional<Time> date_of_separator(std::string_view line) {
  if (!line.starts_with("From ")) return std::nullopt;
  auto rest = line.substr(5);
  // The sender may be missing, quoted, or hold spaces: the date begins at a weekday.
  for (auto at = std::size_t{0}; at < rest.size(); ++at) {
    if (at != 0 && rest[at - 1] != ' ') continue;
    for (auto day : {"Mon ", "Tue ", "Wed ", "Thu ", "Fri ", "Sat ", "Sun "}) {
      if (!rest.substr(at).starts_with(day)) continue;
      if (auto date = mime::parse_date(rest.substr(at))) return date->time;
    }
  }
  return std::nullopt;
}

/// The lines of a file, in pieces where they are long.
class Lines {
 public:
  void begin(const fs::path& path, net::UniqueFd file) {
    path_ = path;
    file_ = std::move(file);
    buffer_.clear();
    at_ = 0;
  }

  /// The next line with its newline, or the next piece of a long one; empty at the end.
  Result<std::string_view> next() {
    while (true) {
      auto end = buffer_.find('\n', at_);
      if (end != std::string::npos || buffer_.size() - at_ >= kPiece) {
        auto length = std::min(end == std::string::npos ? kPiece : end + 1 - at_, kPiece);
        auto line = std::string_view(buffer_).substr(at_, length);
        at_ += length;
        return line;
      }
      buffer_.erase(0, at_);
      at_ = 0;
      auto had = buffer_.size();
      buffer_.resize(had + kPiece);
      auto got = ::read(file_.get(), buffer_.data() + had, kPiece);
      buffer_.resize(had + (got > 0 ? static_cast<std::size_t>(got) : 0));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return std::unexpected(file_error("read", path_));
      read_ += static_cast<std::uint64_t>(got);
      if (got == 0) {
        at_ = buffer_.size();
        return std::string_view(buffer_);
      }
    }
  }
  std::uint64_t bytes_read() const { return read_; }

 private:
  fs::path path_;
  net::UniqueFd file_;
  std::string buffer_;
  std::size_t at_ = 0;
  std::uint64_t read_ = 0;
};

class MboxSource final : public MailSource {
 public:
  struct File {
    fs::path path;
    std::string mailbox;
  };
  /// `alone`: it is the one file that was asked for, and must be readable; it may be a link.
  explicit MboxSource(File alone) : files_{std::move(alone)}, alone_(true) { count(); }
  /// Of files below the directory `top`; `unreadable`: what was met on the way to them.
  MboxSource(fs::path top, std::vector<File> files, PassedOver unreadable)
      : top_(std::move(top)), files_(std::move(files)) {
    passed_over_ = std::move(unreadable);
    count();
  }
  void count() {
    for (auto& file : files_) {
      std::error_code ignored;
      auto size = fs::file_size(file.path, ignored);
      if (!ignored) total_ += size;
    }
  }

  Result<std::optional<MailItem>> next() override {
    while (true) {
      while (in_message_) TRY_DO(read());
      if (!separator_) {
        if (file_at_ == files_.size()) return std::optional<MailItem>();
        auto begun = begin_file(files_[file_at_++]);
        if (!begun && alone_) return std::unexpected(std::move(begun).error());
        if (!begun) passed_over_.add(std::move(begun).error());
        continue;
      }
      MailItem item{files_[file_at_ - 1].mailbox, {}, *separator_};
      separator_.reset();
      in_message_ = true;
      TRY(auto is_mail, read_header(item));
      if (is_mail) return std::optional(std::move(item));
    }
  }

  Result<std::string> read() override {
    if (!header_.empty()) return std::exchange(header_, {});
    std::string out;
    while (in_message_ && out.size() < kPiece) {
      TRY(auto line, next_line());
      if (line) out += ends_.feed(*line);
    }
    if (!in_message_) out += ends_.finish();
    return out;
  }

  std::uint64_t done() const override { return lines_.bytes_read(); }
  std::uint64_t total() const override { return total_; }

 private:
  Result<net::UniqueFd> open(const File& file) const {
    if (!alone_) return open_below({top_, file.path.lexically_relative(top_).string()});
    net::UniqueFd opened(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened) return std::unexpected(file_error("read", file.path));
    return opened;
  }

  Result<void> begin_file(const File& file) {
    TRY(auto opened, open(file));
    lines_.begin(file.path, std::move(opened));
    TRY(auto line, lines_.next());
    while (!line.empty() && trim(line).empty()) {
      TRY(line, lines_.next());
    }
    if (line.empty()) return {};  // an empty mailbox
    separator_ = date_of_separator(trim(line));
    // Some programs write no date that anybody could read.
    if (!separator_ && line.starts_with("From ")) separator_ = Time{};
    if (!separator_)
      return fail(ErrorCode::Invalid, "{} is no mbox: it does not begin with a \"From \" line",
                  file.path.string());
    blank_ = at_line_start_ = true;
    held_blank_.clear();
    first_of_file_ = true;
    return {};
  }

  /// The next line of the message without mbox's quoting; nullopt: the message has ended, or the
  /// line waits (an empty one in front of the next separator belongs to the file).
  Result<std::optional<std::string>> next_line() {
    TRY(auto line, lines_.next());
    if (line.empty()) {
      in_message_ = false;
      held_blank_.clear();
      return std::optional<std::string>();
    }
    auto begins = std::exchange(at_line_start_, line.ends_with('\n'));
    if (begins && blank_ && line.starts_with("From ")) {
      if (auto date = date_of_separator(trim(line))) {
        separator_ = date;
        in_message_ = false;
        held_blank_.clear();
        return std::optional<std::string>();
      }
    }
    auto out = std::exchange(held_blank_, {});
    blank_ = begins && (line == "\n" || line == "\r\n");
    if (blank_) {
      held_blank_ = line;
      quoted_fields_ = false;
      return std::optional(std::move(out));
    }
    if (begins && line.starts_with('>')) {
      auto quotes = line.find_first_not_of('>');
      if (quoted_fields_ && needs_quote(line, false))
        line.remove_prefix(1);
      else if (quotes != std::string_view::npos && line.substr(quotes).starts_with("From "))
        line.remove_prefix(1);
    }
    out += line;
    return std::optional(std::move(out));
  }

  /// Takes the file's own fields out of the header. False: it is no message but the file's own
  /// notes (of c-client), at its front.
  Result<bool> read_header(MailItem& item) {
    ends_ = {};
    blank_ = false;
    std::string header;
    bool ended = false;
    while (in_message_ && header.size() < kMaxHeader && !ended) {
      TRY(auto line, next_line());
      if (line) header += ends_.feed(*line);
      // The empty line that ends the header is held back like any other.
      ended = !held_blank_.empty();
      if (ended) header += ends_.feed(std::exchange(held_blank_, {}));
    }
    quoted_fields_ = !ended;
    auto length = mime::header_length(header);
    bool for_c_client = false, internal = false;
    for (auto& field : mime::HeaderView(std::string_view(header).substr(0, length))) {
      auto value = mime::unfold(field.value);
      for_c_client |= field.is("X-IMAP");
      internal |= field.is("Subject") && value.starts_with("DON'T DELETE THIS MESSAGE");
      if (std::ranges::any_of(kOwnFields, [&](auto name) { return field.is(name); }))
        take_flags(field, value, item);
      else
        header_ += field.raw;
    }
    auto fields_end = length;
    auto text = std::string_view(header).substr(0, length);
    if (text == "\r\n" || text.ends_with("\r\n\r\n")) fields_end = length - 2;
    header_ = without_quotes(header_ + header.substr(fields_end));
    if (!in_message_) header_ += ends_.finish();
    if (item.received == Time{}) {
      auto date = mime::parse_date(mime::HeaderView(header_).value("Date"));
      if (date) item.received = date->time;
    }
    // Anybody may write such a subject.
    auto first = std::exchange(first_of_file_, false);
    internal = internal && for_c_client && first;
    if (internal) header_.clear();
    return !internal;
  }

  static void take_flags(const mime::Field& field, const std::string& value, MailItem& item) {
    if (field.is("Status") || field.is("X-Status")) {
      for (auto& [letter, name] : kLetters)
        if (value.contains(letter)) item.flags.emplace_back(name);
    } else if (field.is("X-Keywords") || field.is("X-Mozilla-Keys")) {
      for (auto word : split(value, ' '))
        if (!trim(word).empty()) item.flags.emplace_back(trim(word));
    } else if (field.is("X-Mozilla-Status") && value.size() == 4) {
      auto bytes = from_hex(value);
      if (!bytes) return;
      auto bits = static_cast<unsigned>(static_cast<unsigned char>((*bytes)[0])) << 8 |
                  static_cast<unsigned char>((*bytes)[1]);
      for (auto& [bit, name] : kMozilla)
        if (bits & bit) item.flags.emplace_back(name);
    }
  }

  fs::path top_;  ///< unless it is one file
  std::vector<File> files_;
  bool alone_ = false;
  std::size_t file_at_ = 0;
  Lines lines_;
  std::optional<Time> separator_;  ///< of the message that comes next
  bool in_message_ = false;
  bool blank_ = false;          ///< the line before was empty
  bool first_of_file_ = false;  ///< no message of this file was read
  bool quoted_fields_ = false;  ///< read() is still in the header
  bool at_line_start_ = true;
  std::string held_blank_;  ///< an empty line that may belong to the file
  std::string header_;
  LineEnds ends_;
  std::uint64_t total_ = 0;
};

/// The *.mbox files below a directory; `unreadable` is what may have held more.
std::vector<fs::path> mbox_files(const fs::path& top, PassedOver& unreadable) {
  std::vector<fs::path> files;
  std::vector<fs::path> left{top};
  while (!left.empty()) {
    auto listing = list_directory(std::exchange(left.back(), {}));
    left.pop_back();
    if (listing.problem) unreadable.add(*listing.problem);
    for (auto& entry : listing.entries) {
      std::error_code error;
      auto kind = entry.symlink_status(error).type();
      if (kind == fs::file_type::symlink) {
        if (entry.path().extension() == ".mbox" || entry.is_directory(error))
          unreadable.add(refuse_link(entry.path()));
      } else if (kind == fs::file_type::directory) {
        left.push_back(entry.path());
      } else if (entry.path().extension() == ".mbox") {
        if (!error && entry.is_regular_file(error))
          files.push_back(entry.path());
        else if (error)
          unreadable.add(cannot_read(entry.path(), error));
      }
    }
  }
  return files;
}

/// A level as the name of a file or directory: none of them is "..", none hidden.
std::string level_to_file(std::string_view level) {
  return level.starts_with('.') ? "\\2e" + std::string(level.substr(1)) : std::string(level);
}

/// True if a directory or (without .mbox) a file cannot have this name, or not it alone.
bool is_unusable(std::string_view level, std::size_t room) {
  return level_to_file(level).size() > room || is_shortened(level) || level.starts_with("\\2e");
}

/// Where a mailbox is: "Work/Projects.mbox". From a level on that cannot be called so, the rest is
/// one shortened name.
fs::path file_of_mailbox(std::string_view path) {
  constexpr std::string_view kEnding = ".mbox";
  constexpr auto kRoom = kMaxFileName - kEnding.size();
  // As many bytes of directories leave room for those in which they are: PATH_MAX is 4096.
  constexpr std::size_t kDirectories = 1024;
  fs::path place;
  auto rest = path;
  while (true) {
    auto end = rest.find('/');
    auto level = rest.substr(0, end);
    bool last = end == std::string_view::npos;
    bool usable = last ? !is_unusable(level, kRoom)
                       : !is_unusable(level, kMaxFileName) && !level.ends_with(kEnding) &&
                             place.native().size() + level.size() <= kDirectories;
    // These are files of the export's own.
    if (!last && place.empty()) usable &= level != kIncompleteNote && level != LongNames::kFile;
    if (!usable) break;
    place /= level_to_file(level);
    if (last) return place += kEnding;
    rest.remove_prefix(end + 1);
  }
  auto name = shortened_name(rest, kRoom, [](std::string_view begin) {
    auto one_level = level_to_file(begin);
    std::ranges::replace(one_level, '/', '-');
    return one_level;
  });
  return (place /= name) += kEnding;
}

std::string path_from_file(const fs::path& relative) {
  std::string path;
  for (auto& part : relative) {
    auto level = part.string();
    if (level.starts_with("\\2e")) level.replace(0, 3, ".");
    path += (path.empty() ? "" : "/") + level;
  }
  return path;
}

/// "From - Sat Nov 21 22:44:10 2026", in UTC.
std::string separator_of(Time received) {
  auto seconds = std::chrono::floor<std::chrono::seconds>(received).time_since_epoch().count();
  return fmt::format("From MAILER-DAEMON {:%a %b %e %H:%M:%S %Y}\n", fmt::gmtime(seconds));
}

class MboxSink final : public MailSink {
 public:
  explicit MboxSink(fs::path path) : path_(std::move(path)) {}

  Result<void> mailbox(const std::string& path) override {
    TRY_DO(flush());
    auto file = file_of_mailbox(path);
    if (is_shortened(file.stem().native())) TRY_DO(long_names_.add(path_, file.string(), path));
    place_ = path_ / file;
    std::error_code error;
    fs::create_directories(place_.parent_path(), error);
    file_ = net::UniqueFd(::open(place_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file_) return std::unexpected(file_error("make", place_));
    written_ = 0;
    return {};
  }

  Result<void> begin(const MailItem& item) override {
    begun_ = written_ + buffer_.size();
    buffer_ += separator_of(item.received);
    std::string status, x_status, keywords;
    for (auto& flag : item.flags) {
      auto known = std::ranges::find_if(kLetters, [&](auto& l) { return iequals(l.name, flag); });
      if (known == std::end(kLetters))
        keywords += ' ' + flag;
      else
        (known->letter == 'R' ? status : x_status) += known->letter;
    }
    buffer_ += "Status: " + status + "O\n";
    if (!x_status.empty()) buffer_ += "X-Status: " + x_status + '\n';
    if (!keywords.empty()) buffer_ += "X-Keywords:" + keywords + '\n';
    line_.clear();
    at_line_start_ = in_header_ = first_line_ = true;
    return {};
  }

  Result<void> write(std::string_view bytes) override {
    while (!bytes.empty()) {
      auto end = bytes.find('\n');
      auto piece = bytes.substr(0, end == std::string_view::npos ? end : end + 1);
      bytes.remove_prefix(piece.size());
      line_ += piece;
      if (line_.ends_with('\n') || line_.size() >= kPiece) put_line();
    }
    return buffer_.size() >= kPiece ? flush() : Result<void>();
  }

  Result<void> end() override {
    if (!line_.empty()) put_line();
    if (!line_.empty()) {  // a CR at the very end
      buffer_ += std::exchange(line_, {});
      at_line_start_ = false;
    }
    if (!at_line_start_) buffer_ += '\n';
    buffer_ += '\n';  // between messages
    return buffer_.size() >= kPiece ? flush() : Result<void>();
  }

  Result<void> abandon() override {
    line_.clear();
    if (begun_ >= written_) {
      buffer_.resize(begun_ - written_);
      return {};
    }
    buffer_.clear();
    auto end = static_cast<off_t>(begun_);
    if (::ftruncate(file_.get(), end) != 0 || ::lseek(file_.get(), end, SEEK_SET) != end)
      return std::unexpected(file_error("shorten", place_));
    written_ = begun_;
    return {};
  }

  Result<void> finish() override { return flush(); }

 private:
  /// One line, or a piece of a long one, in the form of the file.
  void put_line() {
    if (at_line_start_) {
      auto quotes = line_.find_first_not_of('>');
      if (quotes != std::string::npos &&
          std::string_view(line_).substr(quotes).starts_with("From "))
        buffer_ += '>';
      in_header_ = in_header_ && line_ != "\r\n" && line_ != "\n";
      if (in_header_ && needs_quote(line_, first_line_)) buffer_ += '>';
      first_line_ = false;
    }
    at_line_start_ = line_.ends_with('\n');
    if (line_.ends_with("\r\n")) {
      line_.resize(line_.size() - 2);
      line_ += '\n';
    }
    auto keep = line_.ends_with('\r');  // perhaps the half of a CRLF
    if (keep) line_.pop_back();
    buffer_ += line_;
    line_ = keep ? "\r" : "";
  }

  Result<void> flush() {
    for (std::string_view left = buffer_; !left.empty();) {
      auto wrote = ::write(file_.get(), left.data(), left.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return std::unexpected(file_error("write", place_));
      left.remove_prefix(static_cast<std::size_t>(wrote));
      written_ += static_cast<std::size_t>(wrote);
    }
    buffer_.clear();
    return {};
  }

  fs::path path_;
  fs::path place_;
  net::UniqueFd file_;
  std::string buffer_;
  std::string line_;
  bool at_line_start_ = true;
  bool in_header_ = true;    ///< no empty line of the message was written
  bool first_line_ = true;   ///< nothing of it was
  std::size_t written_ = 0;  ///< bytes in the file
  std::size_t begun_ = 0;    ///< where the present message begins in it
};

}  // namespace

Result<std::unique_ptr<MailSource>> open_mbox(const fs::path& path, const std::string& into) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    auto mailbox = into.empty() ? "INBOX" : into;
    return std::make_unique<MboxSource>(MboxSource::File{path, mailbox});
  }
  std::vector<MboxSource::File> files;
  PassedOver unreadable;
  auto long_names = LongNames::read(path);
  if (!long_names) unreadable.add(long_names.error());
  for (auto& file : mbox_files(path, unreadable)) {
    auto relative = file.lexically_relative(path);
    auto told = long_names ? long_names->find(relative.string()) : nullptr;
    auto mailbox = told ? *told : path_from_file(relative.replace_extension());
    if (!into.empty()) mailbox = mailbox == "INBOX" ? into : into + '/' + mailbox;
    files.push_back({file, std::move(mailbox)});
  }
  if (files.empty() && unreadable.count() != 0) return std::unexpected(unreadable.kept().front());
  if (files.empty())
    return fail(ErrorCode::NotFound,
                "{} is neither a Maildir (no cur/ in it) nor a directory with *.mbox files",
                path.string());
  std::ranges::sort(files, {}, &MboxSource::File::mailbox);
  return std::make_unique<MboxSource>(path, std::move(files), std::move(unreadable));
}

Result<std::unique_ptr<MailSink>> make_mbox(const fs::path& path) {
  TRY_DO(make_empty_directory(path));
  return std::make_unique<MboxSink>(path);
}

}  // namespace hikyaku::app
