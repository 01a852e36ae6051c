// Maildir with folders (Maildir++), as Dovecot and Courier keep it.
#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/copy_files.h"
#include "app/core.h"
#include "app/directory_listing.h"
#include "app/mail_files.h"
#include "app/program_mail.h"
#include "base/text.h"
#include "imap/mailbox_name.h"
#include "net/fd.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPiece = 64 * 1024;
/// Dovecot's letters for keywords: a to z.
constexpr std::size_t kKeywords = 26;

struct FlagLetter {
  char letter;
  std::string_view name;
};
constexpr FlagLetter kLetters[] = {{'D', "\\Draft"},    {'F', "\\Flagged"}, {'P', "$Forwarded"},
                                   {'R', "\\Answered"}, {'S', "\\Seen"},    {'T', "\\Deleted"}};

Error file_error(std::string_view what, const fs::path& path) {
  return errno_error(fmt::format("cannot {} {}", what, path.string()), errno);
}

/// One level of a folder's name. A dot separates levels, so one within a level is written \2e, as
/// Dovecot's listescape does.
std::string level_to_file(std::string_view level) {
  std::string escaped;
  for (auto c : level) {
    if (c == '.' || c == '\\')
      escaped += fmt::format("\\{:02x}", c);
    else
      escaped += c;
  }
  return imap::to_utf7(escaped);
}

std::string level_from_file(std::string_view name) {
  auto decoded = imap::from_utf7(name);
  auto text = decoded ? *decoded : to_valid_utf8(name);
  std::string level;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto hex = text[i] == '\\' ? from_hex(std::string_view(text).substr(i + 1, 2)) : std::nullopt;
    if (hex && hex->size() == 1) {
      level += *hex;
      i += 2;
    } else {
      level += text[i];
    }
  }
  // A slash within a level has its form in paths.
  for (auto at = level.find('/'); at != std::string::npos; at = level.find('/', at))
    level.replace(at, 1, "%2F");
  return level;
}

std::string path_of_folder(const std::string& directory) {
  std::string path;
  for (auto level : split(std::string_view(directory).substr(1), '.')) {
    if (level.empty()) continue;
    path += (path.empty() ? "" : "/") + level_from_file(level);
  }
  return path;
}

std::string folder_of_path(const std::string& path) {
  if (path == "INBOX") return ".";
  std::string folder;
  for (auto level : split(path, '/')) folder += '.' + level_to_file(level);
  return folder;
}

/// "0 $Label1" lines.
std::vector<std::string> read_keywords(const FileBelow& file) {
  std::vector<std::string> names(kKeywords);
  auto text = read_below(file);
  if (!text) return names;
  for (auto line : split(*text, '\n')) {
    auto space = line.find(' ');
    if (space == std::string_view::npos) continue;
    auto number = parse_decimal(line.substr(0, space), kKeywords - 1);
    if (number) names[*number] = trim(line.substr(space + 1));
  }
  return names;
}

class MaildirSource final : public MailSource {
 public:
  MaildirSource(const fs::path& path, std::string into) : top_(path), into_(std::move(into)) {
    folders_.push_back({"", mailbox_name("INBOX")});
    find_folders();
    std::ranges::sort(folders_, {}, &Folder::mailbox);
    for (auto& folder : folders_) {
      for (auto part : {"cur", "new"}) {
        if (is_link(top_ / folder.name / part)) continue;
        for (auto& entry : list_directory(top_ / folder.name / part).entries) {
          std::error_code ignored;
          auto size = entry.is_symlink(ignored) ? 0 : entry.file_size(ignored);
          if (!ignored) total_ += size;
        }
      }
    }
  }

  Result<std::optional<MailItem>> next() override {
    file_ = {};
    while (!file_) {
      while (file_at_ == files_.size()) {
        if (folder_at_ == folders_.size()) return std::optional<MailItem>();
        list(folders_[folder_at_++]);
      }
      auto opened = open_below({top_, files_[file_at_++]});
      if (opened)
        file_ = std::move(*opened);
      else
        passed_over_.add(std::move(opened).error());
    }
    auto path = top_ / files_[file_at_ - 1];
    auto& folder = folders_[folder_at_ - 1];
    struct stat facts{};
    if (::fstat(file_.get(), &facts) != 0) return std::unexpected(file_error("read", path));
    MailItem item{folder.mailbox, flags_of(path), {}};
    item.received = Time(std::chrono::seconds(facts.st_mtim.tv_sec) +
                         std::chrono::milliseconds(facts.st_mtim.tv_nsec / 1'000'000));
    ends_ = {};
    ended_ = false;
    return std::optional(std::move(item));
  }

  Result<std::string> read() override {
    std::array<char, kPiece> buffer;
    while (!ended_) {
      auto got = ::read(file_.get(), buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return std::unexpected(file_error("read", top_ / files_[file_at_ - 1]));
      done_ += static_cast<std::uint64_t>(got);
      ended_ = got == 0;
      auto text =
          ended_ ? ends_.finish() : ends_.feed({buffer.data(), static_cast<std::size_t>(got)});
      if (!text.empty()) return text;
    }
    return std::string();
  }

  std::uint64_t done() const override { return done_; }
  std::uint64_t total() const override { return total_; }

 private:
  struct Folder {
    fs::path name;  ///< below the top; empty: that itself
    std::string mailbox;
  };

  std::string mailbox_name(const std::string& own) const {
    if (into_.empty()) return own;
    return own == "INBOX" ? into_ : into_ + '/' + own;
  }

  /// The folders beside the inbox.
  void find_folders() {
    auto listing = list_directory(top_);
    if (listing.problem) passed_over_.add(*listing.problem);
    auto long_names = LongNames::read(top_);
    if (!long_names) passed_over_.add(long_names.error());
    for (auto& entry : listing.entries) {
      auto name = entry.path().filename().string();
      if (name.size() < 2 || name[0] != '.') continue;
      auto told = long_names ? long_names->find(name) : nullptr;
      std::error_code error;
      bool linked = entry.is_symlink(error);
      auto cur = linked || !is_link(entry.path() / "cur")
                     ? fs::status(entry.path() / "cur", error).type()
                     : fs::file_type::directory;  // said to be none when it is listed
      if (cur == fs::file_type::directory && linked)
        passed_over_.add(refuse_link(entry.path()));
      else if (cur == fs::file_type::directory)
        folders_.push_back({name, mailbox_name(told ? *told : path_of_folder(name))});
      else if (error && cur != fs::file_type::not_found)
        passed_over_.add(cannot_read(entry.path(), error));
    }
  }

  /// The files of a folder in the order of their names, which is that of arrival.
  void list(const Folder& folder) {
    files_.clear();
    file_at_ = 0;
    keywords_ = read_keywords({top_, folder.name / "dovecot-keywords"});
    for (auto part : {"cur", "new"}) {
      auto directory = top_ / folder.name / part;
      if (is_link(directory)) {
        passed_over_.add(refuse_link(directory));
        continue;
      }
      auto listing = list_directory(directory);
      if (listing.problem && listing.problem->code != ErrorCode::NotFound)
        passed_over_.add(*listing.problem);
      for (auto& entry : listing.entries) {
        if (entry.path().filename().string().starts_with('.')) continue;
        std::error_code error;
        if (entry.is_symlink(error))
          passed_over_.add(refuse_link(entry.path()));
        else if (entry.is_regular_file(error))
          files_.push_back(folder.name / part / entry.path().filename());
        else if (error && error != std::errc::no_such_file_or_directory)
          passed_over_.add(cannot_read(entry.path(), error));
      }
    }
    std::ranges::sort(files_, {}, [](auto& path) { return path.filename(); });
  }

  std::vector<std::string> flags_of(const fs::path& path) const {
    std::vector<std::string> flags;
    auto name = path.filename().string();
    auto info = name.rfind(":2,");
    if (info == std::string::npos) return flags;
    for (auto letter : std::string_view(name).substr(info + 3)) {
      auto known = std::ranges::find(kLetters, letter, &FlagLetter::letter);
      if (known != std::end(kLetters))
        flags.emplace_back(known->name);
      else if (letter >= 'a' && letter <= 'z' && !keywords_[std::size_t(letter - 'a')].empty())
        flags.push_back(keywords_[std::size_t(letter - 'a')]);
    }
    return flags;
  }

  fs::path top_;
  std::string into_;
  std::vector<Folder> folders_;
  std::size_t folder_at_ = 0;
  std::vector<std::string> keywords_ = std::vector<std::string>(kKeywords);
  std::vector<fs::path> files_;  ///< below the top
  std::size_t file_at_ = 0;
  net::UniqueFd file_;
  LineEnds ends_;
  bool ended_ = true;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
};

class MaildirSink final : public MailSink {
 public:
  explicit MaildirSink(fs::path path) : path_(std::move(path)) {}

  Result<void> mailbox(const std::string& path) override {
    TRY_DO(write_keywords());
    keywords_.clear();
    auto folder = folder_of_path(path);
    if (folder.size() > kMaxFileName || is_shortened(folder)) {
      folder = shortened_name(path, kMaxFileName,
                              [](auto begin) { return folder_of_path(std::string(begin)); });
      TRY_DO(long_names_.add(path_, folder, path));
    }
    folder_ = folder == "." ? path_ : path_ / folder;
    std::error_code error;
    for (auto part : {"cur", "new", "tmp"}) {
      fs::create_directories(folder_ / part, error);
      if (error)
        return fail(ErrorCode::Io, "cannot make {}: {}", (folder_ / part).string(),
                    error.message());
    }
    // Courier and Dovecot know folders by this file.
    if (folder != ".") return write_new_file(folder_ / "maildirfolder", "", 0600);
    return {};
  }

  Result<void> begin(const MailItem& item) override {
    item_ = item;
    auto seconds =
        std::chrono::floor<std::chrono::seconds>(item.received).time_since_epoch().count();
    base_ = fmt::format("{}.M{:06}P{}.hikyaku", seconds, ++count_, ::getpid());
    temporary_ = folder_ / "tmp" / base_;
    file_ =
        net::UniqueFd(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file_) return std::unexpected(file_error("make", temporary_));
    buffer_.clear();
    return {};
  }

  Result<void> write(std::string_view bytes) override {
    buffer_ += bytes;
    return flush(false);
  }

  Result<void> end() override {
    TRY_DO(flush(true));
    auto since = item_.received.time_since_epoch();
    auto seconds = std::chrono::floor<std::chrono::seconds>(since);
    timespec time{seconds.count(),
                  std::chrono::duration_cast<std::chrono::nanoseconds>(since - seconds).count()};
    timespec times[] = {time, time};
    if (::futimens(file_.get(), times) != 0)
      return std::unexpected(file_error("set the date of", temporary_));
    file_ = {};
    auto place = folder_ / "cur" / (base_ + ":2," + letters());
    if (::rename(temporary_.c_str(), place.c_str()) != 0)
      return std::unexpected(file_error("make", place));
    return {};
  }

  Result<void> abandon() override {
    file_ = {};
    if (::unlink(temporary_.c_str()) != 0) return std::unexpected(file_error("remove", temporary_));
    return {};
  }

  Result<void> finish() override { return write_keywords(); }

 private:
  /// CRLF becomes LF; a CR at the end of the buffer waits for what follows.
  Result<void> flush(bool all) {
    auto keep = !all && buffer_.ends_with('\r') ? 1u : 0u;
    std::string out;
    out.reserve(buffer_.size());
    for (std::size_t i = 0; i + keep < buffer_.size(); ++i)
      if (buffer_[i] != '\r' || i + 1 == buffer_.size() || buffer_[i + 1] != '\n')
        out += buffer_[i];
    buffer_.erase(0, buffer_.size() - keep);
    if (!net::write_all(file_.get(), out)) return std::unexpected(file_error("write", temporary_));
    return {};
  }

  /// In alphabetical order, as the format asks.
  std::string letters() {
    std::string letters;
    for (auto& flag : item_.flags) {
      auto known =
          std::ranges::find_if(kLetters, [&](auto& letter) { return iequals(letter.name, flag); });
      if (known != std::end(kLetters)) {
        letters += known->letter;
        continue;
      }
      auto at = std::ranges::find(keywords_, flag);
      // The format has room for 26; what is beyond is left out.
      if (at == keywords_.end() && keywords_.size() < kKeywords)
        at = keywords_.insert(keywords_.end(), flag);
      if (at != keywords_.end()) letters += static_cast<char>('a' + (at - keywords_.begin()));
    }
    std::ranges::sort(letters);
    return letters;
  }

  Result<void> write_keywords() {
    if (keywords_.empty()) return {};
    std::string text;
    for (std::size_t i = 0; i < keywords_.size(); ++i)
      text += fmt::format("{} {}\n", i, keywords_[i]);
    keywords_.clear();
    return write_new_file(folder_ / "dovecot-keywords", text, 0600);
  }

  fs::path path_;
  fs::path folder_;
  std::vector<std::string> keywords_;
  MailItem item_;
  std::string base_;
  fs::path temporary_;
  net::UniqueFd file_;
  std::string buffer_;
  std::uint64_t count_ = 0;
};

}  // namespace

Result<MailFormat> recognize(const fs::path& path) {
  std::error_code error;
  auto kind = fs::status(path, error).type();
  if (kind == fs::file_type::not_found)
    return fail(ErrorCode::NotFound, "there is no {}", path.string());
  if (error) return fail(ErrorCode::Io, "cannot read {}: {}", path.string(), error.message());
  return fs::is_directory(path / "cur", error) ? MailFormat::Maildir : MailFormat::Mbox;
}

Result<std::unique_ptr<MailSource>> open_maildir(const fs::path& path, const std::string& into) {
  if (!is_link(path / "cur") && ::access((path / "cur").c_str(), R_OK | X_OK) != 0)
    return std::unexpected(file_error("read", path / "cur"));
  return std::make_unique<MaildirSource>(path, into);
}

Result<void> make_empty_directory(const fs::path& path) {
  std::error_code error;
  if (fs::exists(path, error) && !(fs::is_directory(path) && fs::is_empty(path, error)))
    return fail(ErrorCode::Exists, "{} is there already: name a new or empty directory",
                path.string());
  fs::create_directories(path, error);
  if (error) return fail(ErrorCode::Io, "cannot make {}: {}", path.string(), error.message());
  return {};
}

Result<std::unique_ptr<MailSink>> make_maildir(const fs::path& path) {
  TRY_DO(make_empty_directory(path));
  return std::make_unique<MaildirSink>(path);
}

}  // namespace hikyaku::app
