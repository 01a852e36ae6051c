#include "dns/zone.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "dns/name.h"

namespace hikyaku::dns {
namespace {

/// Where the five numbers of an SOA record begin, from its end.
constexpr std::size_t kSoaNumbers = 20;

std::uint32_t soa_minimum(const Record& soa) {
  if (soa.data.size() < kSoaNumbers) return 0;
  std::uint32_t minimum = 0;
  for (char byte : std::string_view(soa.data).substr(soa.data.size() - 4))
    minimum = minimum << 8 | static_cast<unsigned char>(byte);
  return minimum;
}

/// Records of one name; each new one is compared with the others.
constexpr std::size_t kMaxPerName = 4096;

/// Types that may stand beside a CNAME (RFC 4035 §2.5).
bool is_dnssec(Type type) {
  return type == Type::RRSIG || type == Type::NSEC;
}

}  // namespace

Result<Zone> Zone::read(const std::string& path) {
  Limits limits;
  // It could be opened, and would seem to be very large.
  std::error_code unknown;
  if (std::filesystem::is_directory(path, unknown))
    return std::unexpected(errno_error("cannot read the zone file " + path, EISDIR));
  errno = 0;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return std::unexpected(errno_error("cannot read the zone file " + path, errno));
  auto size = static_cast<std::size_t>(std::max<std::streamoff>(file.tellg(), 0));
  if (size > limits.bytes)
    return fail(ErrorCode::TooLarge, "the zone file {} is larger than 64 MB", path);
  std::string text(size, '\0');
  file.seekg(0);
  if (!file.read(text.data(), static_cast<std::streamsize>(size)))
    return std::unexpected(errno_error("cannot read the zone file " + path, errno));
  return parse(text, path, limits);
}

const Zone::Node* Zone::node(std::string_view name) const {
  auto found = nodes_.find(name);
  return found == nodes_.end() ? nullptr : &found->second;
}

Zone::Node& Zone::make_node(std::string_view name) {
  auto [place, fresh] = nodes_.try_emplace(std::string(name));
  auto& made = place->second;
  // Names on the way up exist too, without records (RFC 4592 §2.2.2).
  while (fresh && !name.empty()) {
    name = parent(name);
    fresh = nodes_.try_emplace(std::string(name)).second;
  }
  return made;  // unordered_map keeps references when it grows
}

Result<> Zone::add(Record record) {
  auto& place = make_node(record.name);
  if (place.records.size() >= kMaxPerName)
    return fail(ErrorCode::TooLarge, "{} has more than {} records", record.name, kMaxPerName);
  for (auto& other : place.records) {
    if (other.type == record.type && other.data == record.data) return {};
    if (is_dnssec(record.type) || is_dnssec(other.type)) continue;
    if (record.type == Type::CNAME && other.type == Type::CNAME)
      return fail(ErrorCode::Invalid, "{} has two CNAME records", record.name);
    if (record.type == Type::CNAME || other.type == Type::CNAME)
      return fail(ErrorCode::Invalid, "{} has a CNAME record and others beside it ({})",
                  record.name, to_string(record.type == Type::CNAME ? other.type : record.type));
  }
  if (record.type == Type::SOA) apexes_.insert(record.name);
  place.records.push_back(std::move(record));
  ++size_;
  return {};
}

void Zone::fail_lookups(std::string name, std::optional<Type> type, bool timeout) {
  make_node(name).failures.push_back({type, timeout});
}

std::vector<Record> Zone::records() const {
  std::vector<Record> all;
  for (auto& [name, place] : nodes_)
    all.insert(all.end(), place.records.begin(), place.records.end());
  return all;
}

bool Zone::is_ours(std::string_view name) const {
  while (true) {
    if (apexes_.contains(name)) return true;
    if (name.empty()) return false;
    name = parent(name);
  }
}

std::uint32_t Zone::negative_ttl(std::string_view name) const {
  while (true) {
    if (apexes_.contains(name))
      for (auto& record : node(name)->records)
        if (record.type == Type::SOA) return std::min(record.ttl, soa_minimum(record));
    if (name.empty()) return kDefaultTtl;
    name = parent(name);
  }
}

const Zone::Node* Zone::match(std::string_view name, bool& own) const {
  own = true;
  if (auto* exact = node(name)) return exact;
  own = false;
  // The closest name that exists decides which wildcard counts (RFC 4592 §3.3.1).
  auto encloser = parent(name);
  while (!encloser.empty() && !node(encloser)) encloser = parent(encloser);
  return node(encloser.empty() ? std::string("*") : "*." + std::string(encloser));
}

Lookup Zone::find(std::string_view name, Type type) const {
  Lookup result;
  auto normal = normal_name(name);
  if (!normal) return result;
  result.name = std::move(*normal);
  result.ttl = UINT32_MAX;
  auto negative = [&](Status status, bool outside) {
    result.status = status;
    result.outside = outside;
    result.ttl = std::min(result.ttl, negative_ttl(result.name));
    return result;
  };
  while (true) {
    bool own = false;
    auto* place = match(result.name, own);
    if (!place) return negative(Status::NoName, !is_ours(result.name));
    for (auto& failure : place->failures) {
      if (failure.type && *failure.type != type) continue;
      result.status = Status::Failed;
      result.timed_out = failure.timeout;
      result.problem = failure.timeout ? "the servers for " + result.name + " do not answer"
                                       : "the servers for " + result.name + " report a failure";
      result.ttl = 0;
      return result;
    }
    const Record* alias = nullptr;
    for (auto& record : place->records) {
      if (record.type == type || type == Type::ANY) {
        result.records.push_back(record);
        result.records.back().name = result.name;  // a wildcard's records take the name asked for
        result.ttl = std::min(result.ttl, record.ttl);
      } else if (record.type == Type::CNAME) {
        alias = &record;
      }
    }
    if (!result.records.empty()) {
      result.status = Status::Ok;
      return result;
    }
    if (!alias) {
      // A name that is there only because longer ones are says nothing, unless the zone is ours.
      bool says = !place->records.empty() || !place->failures.empty();
      return negative(Status::NoRecord, !says && !is_ours(result.name));
    }
    if (result.chain.size() >= kMaxChain) {
      result.status = Status::Failed;
      result.problem = "the CNAME records of " + result.chain.front().name + " go in a circle";
      result.ttl = 0;
      return result;
    }
    result.chain.push_back(*alias);
    result.chain.back().name = result.name;
    result.ttl = std::min(result.ttl, alias->ttl);
    result.name = decode_name(alias->data).value_or("");
  }
}

}  // namespace hikyaku::dns
