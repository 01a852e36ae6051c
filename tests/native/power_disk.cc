// A disk with a volatile write cache, as a file: power_disk MOUNTPOINT MEGABYTES SEED
//
// Serves one file, MOUNTPOINT/disk, by the kernel's FUSE protocol, for a loop device to stand on.
// What is written is in the cache until the kernel flushes the device (the loop driver turns a
// flush into fsync). A line "cut PATH" on standard input writes to PATH what would be on the disk
// if the power went now: everything that was flushed, and of what was not, any 512-byte sectors by
// the seed, some older than others. One thread serves requests and cuts, so a cut is one moment.
// Answers "ready" and "done".
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <random>
#include <string>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <vector>

namespace {

constexpr std::uint64_t kSector = 512;
constexpr std::uint64_t kFile = 2;  // the root is 1
constexpr std::size_t kLargestWrite = 1 << 20;

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

/// Bytes that take memory once they are written.
class Bytes {
 public:
  explicit Bytes(std::uint64_t size)
      : size_(size),
        bytes_(static_cast<char*>(mmap(nullptr, size, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
    if (bytes_ == MAP_FAILED) die("no memory for the disk");
  }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  ~Bytes() { munmap(bytes_, size_); }
  char* data() const { return bytes_; }
  std::uint64_t size() const { return size_; }

 private:
  std::uint64_t size_;
  char* bytes_;
};

void write_at(int file, std::uint64_t offset, const char* bytes, std::size_t count) {
  if (pwrite(file, bytes, count, static_cast<off_t>(offset)) != static_cast<ssize_t>(count))
    die("cannot write the image");
}

class Disk {
 public:
  Disk(std::uint64_t size, std::uint64_t seed) : content_(size), flushed_(size), random_(seed) {}

  std::uint64_t size() const { return content_.size(); }
  const char* at(std::uint64_t offset) const { return content_.data() + offset; }

  bool write(std::uint64_t offset, const char* bytes, std::uint64_t count) {
    if (offset > size() || count > size() - offset) return false;
    std::copy_n(bytes, count, content_.data() + offset);
    cache_.push_back({offset, std::string(bytes, count)});
    return true;
  }
  void flush() {
    for (const auto& [offset, bytes] : cache_) std::ranges::copy(bytes, flushed_.data() + offset);
    cache_.clear();
  }
  /// Writes what a power cut leaves. Sectors that are in the cache twice may be there in their
  /// older form.
  void cut(const std::string& path) {
    int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) die(path.c_str());
    constexpr std::size_t kPiece = 65536;
    static const std::string zeros(kPiece, '\0');
    for (std::uint64_t at = 0; at < size(); at += kPiece) {
      auto count = std::min<std::uint64_t>(kPiece, size() - at);
      // What is zero stays a hole.
      if (std::memcmp(flushed_.data() + at, zeros.data(), count) != 0)
        write_at(file, at, flushed_.data() + at, count);
    }
    constexpr double kKept[] = {0, 0.1, 0.5, 0.9, 1};
    auto kept = kKept[random_() % std::size(kKept)];
    std::uniform_real_distribution<> dice(0, 1);
    for (const auto& [offset, bytes] : cache_)
      for (std::uint64_t i = 0; i < bytes.size(); i += kSector)
        if (dice(random_) < kept)
          write_at(file, offset + i, bytes.data() + i,
                   std::min<std::uint64_t>(kSector, bytes.size() - i));
    if (ftruncate(file, static_cast<off_t>(size())) != 0) die("cannot size the image");
    close(file);
  }

 private:
  struct Write {
    std::uint64_t offset;
    std::string bytes;
  };
  Bytes content_;
  Bytes flushed_;
  std::vector<Write> cache_;
  std::mt19937_64 random_;
};

/// Answers requests; only those that a loop device over one file needs.
class Server {
 public:
  Server(int device, Disk& disk) : device_(device), disk_(disk) {}

  /// False when the file system was unmounted.
  bool serve_one() {
    auto got = read(device_, buffer_.data(), buffer_.size());
    if (got < 0) return errno != ENODEV;
    std::memcpy(&in_, buffer_.data(), sizeof in_);
    handle(buffer_.data() + sizeof in_);
    return true;
  }

 private:
  template <class Body>
  static Body as(const char* bytes) {
    Body body;
    std::memcpy(&body, bytes, sizeof body);
    return body;
  }
  void reply(int error, const void* bytes = nullptr, std::size_t count = 0) {
    fuse_out_header out{};
    out.len = static_cast<std::uint32_t>(sizeof out + count);
    out.error = -error;
    out.unique = in_.unique;
    iovec pieces[] = {{&out, sizeof out}, {const_cast<void*>(bytes), count}};
    (void)!writev(device_, pieces, count == 0 ? 1 : 2);
  }
  template <class Body>
  void give(const Body& body) {
    reply(0, &body, sizeof body);
  }

  fuse_attr attributes(std::uint64_t node) const {
    fuse_attr attr{};
    attr.ino = node;
    attr.mode = node == kFile ? S_IFREG | 0600 : S_IFDIR | 0700;
    attr.nlink = 1;
    attr.size = node == kFile ? disk_.size() : 0;
    attr.blocks = attr.size / 512;
    attr.blksize = 4096;
    return attr;
  }

  void handle(const char* body) {
    switch (in_.opcode) {
      case FUSE_INIT: {
        auto asked = as<fuse_init_in>(body);
        fuse_init_out out{};
        out.major = FUSE_KERNEL_VERSION;
        out.minor = std::min<std::uint32_t>(asked.minor, 31);
        out.max_readahead = asked.max_readahead;
        out.flags = FUSE_BIG_WRITES | FUSE_MAX_PAGES;
        out.max_write = kLargestWrite;
        out.max_pages = kLargestWrite / 4096;
        return give(out);
      }
      case FUSE_LOOKUP: {
        if (std::string(body) != "disk") return reply(ENOENT);
        fuse_entry_out out{};
        out.nodeid = kFile;
        out.attr_valid = out.entry_valid = 3600;
        out.attr = attributes(kFile);
        return give(out);
      }
      case FUSE_GETATTR:
      case FUSE_SETATTR: {
        fuse_attr_out out{};
        out.attr_valid = 3600;
        out.attr = attributes(in_.nodeid);
        return give(out);
      }
      case FUSE_OPEN:
      case FUSE_OPENDIR:
        return give(fuse_open_out{});
      case FUSE_READ: {
        auto asked = as<fuse_read_in>(body);
        if (asked.offset >= disk_.size()) return reply(0);
        auto count = std::min<std::uint64_t>(asked.size, disk_.size() - asked.offset);
        return reply(0, disk_.at(asked.offset), count);
      }
      case FUSE_WRITE: {
        auto asked = as<fuse_write_in>(body);
        if (!disk_.write(asked.offset, body + sizeof asked, asked.size)) return reply(EFBIG);
        fuse_write_out out{};
        out.size = asked.size;
        return give(out);
      }
      case FUSE_FSYNC:
        disk_.flush();
        return reply(0);
      case FUSE_STATFS:
        return give(fuse_statfs_out{});
      case FUSE_FLUSH:
      case FUSE_RELEASE:
      case FUSE_RELEASEDIR:
      case FUSE_ACCESS:
      case FUSE_DESTROY:
        return reply(0);
      case FUSE_FORGET:
      case FUSE_BATCH_FORGET:
      case FUSE_INTERRUPT:
        return;  // have no answer
      default:
        return reply(ENOSYS);
    }
  }

  int device_;
  Disk& disk_;
  fuse_in_header in_{};
  std::vector<char> buffer_ = std::vector<char>(kLargestWrite + 65536);
};

}  // namespace

int main(int count, char** words) {
  if (count != 4) {
    std::fprintf(stderr, "usage: power_disk MOUNTPOINT MEGABYTES SEED\n");
    return 2;
  }
  Disk disk(std::strtoull(words[2], nullptr, 10) << 20, std::strtoull(words[3], nullptr, 10));
  int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (device < 0) die("/dev/fuse");
  auto options = "fd=" + std::to_string(device) + ",rootmode=40000,user_id=0,group_id=0";
  if (mount("power_disk", words[1], "fuse.power_disk", MS_NOSUID | MS_NODEV, options.c_str()) != 0)
    die("mount");
  Server server(device, disk);
  std::string typed;
  std::puts("ready");
  std::fflush(stdout);
  while (true) {
    pollfd wait[] = {{device, POLLIN, 0}, {0, POLLIN, 0}};
    if (poll(wait, 2, -1) < 0) continue;
    if ((wait[0].revents & (POLLERR | POLLHUP)) != 0) return 0;
    if ((wait[0].revents & POLLIN) != 0 && !server.serve_one()) return 0;
    if (wait[1].revents == 0) continue;
    char bytes[4096];
    auto got = read(0, bytes, sizeof bytes);
    if (got <= 0) {
      umount2(words[1], MNT_DETACH);
      return 0;
    }
    typed.append(bytes, static_cast<std::size_t>(got));
    for (auto end = typed.find('\n'); end != typed.npos; end = typed.find('\n')) {
      auto line = typed.substr(0, end);
      typed.erase(0, end + 1);
      if (line.starts_with("cut ")) disk.cut(line.substr(4));
      std::puts("done");
      std::fflush(stdout);
    }
  }
}
