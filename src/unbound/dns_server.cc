#include "unbound/dns_server.h"

#include <algorithm>
#include <arpa/inet.h>
#include <chrono>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base64.h"
#include "dns/name.h"

namespace hikyaku::unbound {
namespace {

using dns::Record;
using dns::Type;

constexpr std::size_t kHeader = 12;
constexpr std::size_t kMaxUdp = 1232;
constexpr int kOpt = 41;
constexpr std::uint8_t kEcdsaP256 = 13;  // RFC 6605 §4
constexpr std::uint32_t kTtl = 300;

void append_u16(std::string& bytes, unsigned value) {
  bytes += static_cast<char>(value >> 8);
  bytes += static_cast<char>(value);
}

void append_u32(std::string& bytes, std::uint32_t value) {
  append_u16(bytes, value >> 16);
  append_u16(bytes, value & 0xFFFF);
}

unsigned u16_at(std::string_view bytes, std::size_t at) {
  if (at + 2 > bytes.size()) return 0;
  return static_cast<unsigned>(static_cast<unsigned char>(bytes[at]) << 8 |
                               static_cast<unsigned char>(bytes[at + 1]));
}

std::string record_wire(const Record& record) {
  std::string wire = dns::name_to_wire(record.name);
  append_u16(wire, static_cast<unsigned>(record.type));
  append_u16(wire, 1);
  append_u32(wire, record.ttl);
  append_u16(wire, static_cast<unsigned>(record.data.size()));
  return wire + record.data;
}

/// RFC 4034 appendix B.
unsigned key_tag(std::string_view data) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < data.size(); ++i) {
    std::uint32_t byte = static_cast<unsigned char>(data[i]);
    sum += i % 2 == 0 ? byte << 8 : byte;
  }
  return (sum + (sum >> 16)) & 0xFFFF;
}

int bound_socket(int type, const Endpoint& endpoint) {
  int fd = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(endpoint.port);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd);
    return -1;
  }
  return fd;
}

}  // namespace

struct DnsServer::Question {
  std::string name;
  Type type = Type::A;
  std::size_t end = 0;  ///< of the question section
  bool edns = false;
  bool dnssec = false;

  static std::optional<Question> parse(std::string_view message) {
    Question question;
    if (message.size() < kHeader || u16_at(message, 4) != 1) return std::nullopt;
    std::size_t offset = kHeader;
    auto name = dns::name_from_wire(message, offset);
    if (!name || offset + 4 > message.size()) return std::nullopt;
    question.name = *name;
    question.type = static_cast<Type>(u16_at(message, offset));
    question.end = offset + 4;
    // The OPT record of EDNS (RFC 6891 §6.1.2): root, type, size, flags with DO.
    auto opt = message.substr(question.end);
    question.edns = opt.size() >= 11 && u16_at(opt, 1) == kOpt;
    question.dnssec = question.edns && (u16_at(opt, 7) & 0x8000);
    return question;
  }
};

struct DnsServer::Key {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  std::string data;  ///< RDATA of the DNSKEY record

  Key() {
    unsigned char* point = nullptr;
    auto size = EVP_PKEY_get1_encoded_public_key(key, &point);
    append_u16(data, 257);  // zone key, secure entry point
    data += static_cast<char>(3);
    data += static_cast<char>(kEcdsaP256);
    data.append(reinterpret_cast<char*>(point) + 1, size - 1);  // without the form byte
    OPENSSL_free(point);
  }
  ~Key() { EVP_PKEY_free(key); }

  /// r and s, 32 bytes each.
  std::string sign(std::string_view bytes) const {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    unsigned char der[128];
    std::size_t size = sizeof der;
    EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key);
    EVP_DigestSign(context, der, &size, reinterpret_cast<const unsigned char*>(bytes.data()),
                   bytes.size());
    EVP_MD_CTX_free(context);
    const unsigned char* at = der;
    ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size));
    std::string raw(64, '\0');
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), reinterpret_cast<unsigned char*>(raw.data()), 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), reinterpret_cast<unsigned char*>(raw.data()) + 32,
                 32);
    ECDSA_SIG_free(signature);
    return raw;
  }
};

DnsServer::DnsServer(dns::Zone zone, std::string apex)
    : zone_(std::move(zone)), apex_(std::move(apex)) {
  if (!apex_.empty()) {
    key_ = std::make_unique<Key>();
    if (auto added = zone_.add({apex_, Type::DNSKEY, kTtl, key_->data}); !added)
      throw std::runtime_error(added.error().text);
    signing_ = Signing::Good;
  }
  // The same port for both: any that TCP gives and UDP has free too.
  for (int attempt = 0; attempt < 20 && udp_ < 0; ++attempt) {
    if (tcp_ >= 0) ::close(tcp_);
    tcp_ = bound_socket(SOCK_STREAM, {});
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(tcp_, reinterpret_cast<sockaddr*>(&address), &size);
    endpoint_ = {*IpAddress::parse("127.0.0.1"), ntohs(address.sin_port)};
    udp_ = bound_socket(SOCK_DGRAM, endpoint_);
  }
  if (udp_ < 0 || ::listen(tcp_, 16) != 0 || ::pipe(wake_) != 0)
    throw std::runtime_error("no port for the test's DNS server");
  thread_ = std::thread([this] { run(); });
}

DnsServer::~DnsServer() {
  [[maybe_unused]] auto ignored = ::write(wake_[1], "x", 1);
  thread_.join();
  for (int fd : {udp_, tcp_, wake_[0], wake_[1]}) ::close(fd);
}

std::string DnsServer::trust_anchor() const {
  return apex_ + ". IN DNSKEY 257 3 13 " + base64_encode(std::string_view(key_->data).substr(4));
}

void DnsServer::run() {
  while (true) {
    pollfd watched[] = {{udp_, POLLIN, 0}, {tcp_, POLLIN, 0}, {wake_[0], POLLIN, 0}};
    if (::poll(watched, 3, -1) < 0 || watched[2].revents) return;
    if (watched[1].revents) serve_tcp(tcp_);
    if (!watched[0].revents) continue;
    char bytes[4096];
    sockaddr_in from{};
    socklen_t size = sizeof from;
    auto got = ::recvfrom(udp_, bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (got <= 0) continue;
    auto reply = answer({bytes, static_cast<std::size_t>(got)}, false);
    if (!reply.empty())
      ::sendto(udp_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
  }
}

void DnsServer::serve_tcp(int listening) {
  int fd = ::accept(listening, nullptr, nullptr);
  timeval limit{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  char bytes[4096];
  if (::recv(fd, bytes, 2, MSG_WAITALL) == 2) {
    auto size = u16_at({bytes, 2}, 0);
    if (size <= sizeof bytes &&
        ::recv(fd, bytes, size, MSG_WAITALL) == static_cast<ssize_t>(size)) {
      ++tcp_questions_;
      auto reply = answer({bytes, size}, true);
      std::string framed;
      append_u16(framed, static_cast<unsigned>(reply.size()));
      framed += reply;
      ::send(fd, framed.data(), framed.size(), MSG_NOSIGNAL);
    }
  }
  ::close(fd);
}

std::string DnsServer::answer(std::string_view message, bool tcp) {
  auto question = Question::parse(message);
  if (!question) return {};
  ++questions_;
  bool ours = key_ && dns::is_within(question->name, apex_);
  bool sign = ours && question->dnssec && signing_ != Signing::Stripped;
  auto found = zone_.find(question->name, question->type);
  if (found.timed_out) return {};

  std::string answers;
  std::string authority;
  std::uint16_t answer_count = 0;
  std::uint16_t authority_count = 0;
  unsigned rcode = found.status == dns::Status::Failed ? 2 : 0;
  for (auto& alias : found.chain) add_set(answers, answer_count, {alias}, sign);
  if (found.status == dns::Status::Ok) {
    add_set(answers, answer_count, found.records, sign);
  } else if (rcode == 0) {
    std::string_view apex = found.name;
    while (!apex.empty() && zone_.find(apex, Type::SOA).status != dns::Status::Ok)
      apex = dns::parent(apex);
    auto soa = zone_.find(apex, Type::SOA);
    if (soa.status == dns::Status::Ok) add_set(authority, authority_count, soa.records, sign);
    if (sign)
      add_set(authority, authority_count, {denial(found.name)}, true);
    else if (found.status == dns::Status::NoName)
      rcode = 3;
  }
  std::string additional;
  if (question->edns) {
    additional += '\0';
    append_u16(additional, kOpt);
    append_u16(additional, kMaxUdp);
    append_u32(additional, question->dnssec ? 0x8000 : 0);
    append_u16(additional, 0);
  }
  bool truncated = !tcp && question->end + answers.size() + authority.size() > kMaxUdp;
  std::string reply(message.substr(0, 2));
  append_u16(reply, 0x8180 | (truncated ? 0x0200 : 0) | rcode);  // answer, recursion both ways
  append_u16(reply, 1);
  append_u16(reply, truncated ? 0 : answer_count);
  append_u16(reply, truncated ? 0 : authority_count);
  append_u16(reply, additional.empty() ? 0 : 1);
  reply += message.substr(kHeader, question->end - kHeader);
  if (!truncated) reply += answers + authority;
  return reply + additional;
}

void DnsServer::add_set(std::string& section, std::uint16_t& count,
                        const std::vector<Record>& records, bool with_signature) {
  auto set = records;
  // One set has one TTL (RFC 2181 §5.2).
  for (auto& record : set) record.ttl = std::ranges::min(records, {}, &Record::ttl).ttl;
  for (auto& record : set) section += record_wire(record);
  count = static_cast<std::uint16_t>(count + set.size());
  if (!with_signature) return;
  section += record_wire({set[0].name, Type::RRSIG, set[0].ttl, signature(set)});
  ++count;
}

/// RDATA of the RRSIG over one set (RFC 4034 §3.1).
std::string DnsServer::signature(const std::vector<Record>& records) {
  using namespace std::chrono;
  auto now = static_cast<std::uint32_t>(
      duration_cast<seconds>(system_clock::now().time_since_epoch()).count());
  std::string data;
  append_u16(data, static_cast<unsigned>(records[0].type));
  data += static_cast<char>(kEcdsaP256);
  data += static_cast<char>(dns::label_count(records[0].name));
  append_u32(data, records[0].ttl);
  append_u32(data, now + 86400);
  append_u32(data, now - 86400);
  append_u16(data, key_tag(key_->data));
  data += dns::name_to_wire(apex_);
  auto signed_bytes = data;
  auto sorted = records;
  std::ranges::sort(sorted, {}, [](const Record& record) {
    return std::vector<unsigned char>(record.data.begin(), record.data.end());
  });
  for (auto& record : sorted) signed_bytes += record_wire(record);
  auto signature = key_->sign(signed_bytes);
  if (signing_ == Signing::Wrong) signature[10] = static_cast<char>(signature[10] ^ 1);
  return data + signature;
}

/// "This name has nothing but this NSEC": true of any name and type that was not found (RFC 9824).
Record DnsServer::denial(const std::string& name) const {
  std::string data = std::string("\1\0", 2) + dns::name_to_wire(name);
  // Window 0, bitmap up to type 47: RRSIG (46) and NSEC (47).
  data += std::string("\0\6\0\0\0\0\0\3", 8);
  return {name, Type::NSEC, kTtl, data};
}

}  // namespace hikyaku::unbound
