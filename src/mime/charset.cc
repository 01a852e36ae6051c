#include "mime/charset.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <iconv.h>
#include <memory>
#include <unicode/ucnv.h>
#include <unicode/ucnv_cb.h>
#include <unicode/ucnv_err.h>
#include <vector>

#include "base/text.h"
#include "mime/charset_label.h"
#include "mime/japanese.h"

namespace hikyaku::mime {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// UTF-16 in pieces to UTF-8; a surrogate alone becomes U+FFFD.
class Utf16Writer {
 public:
  explicit Utf16Writer(DecodedText& result) : result_(result) {}

  void write(const char16_t* from, const char16_t* end) {
    auto& text = result_.text;
    auto old = text.size();
    // A unit gives at most three bytes, a surrogate kept from before as many.
    text.resize_and_overwrite(old + static_cast<std::size_t>(end - from + 1) * 3,
                              [&](char* data, std::size_t) {
                                at_ = data + old;
                                for (; from != end; ++from) take(*from);
                                return static_cast<std::size_t>(at_ - data);
                              });
  }
  void finish() {
    if (high_ != 0) {
      result_.text += kReplacement;
      result_.replaced = true;
    }
    high_ = 0;
  }

 private:
  void take(char16_t unit) {
    if (unit < 0x80 && high_ == 0) {
      *at_++ = static_cast<char>(unit);
      return;
    }
    if (high_ != 0) {
      auto low = unit >= 0xDC00 && unit <= 0xDFFF;
      put(low ? 0x10000 + ((high_ - 0xD800u) << 10) + (unit - 0xDC00u) : 0xFFFDu);
      high_ = 0;
      if (low) return;
    }
    if (unit >= 0xD800 && unit <= 0xDBFF)
      high_ = unit;
    else
      put(unit >= 0xDC00 && unit <= 0xDFFF ? 0xFFFDu : unit);
  }

  void put(char32_t c) {
    if (c == 0xFFFD) result_.replaced = true;
    if (c < 0x80) {
      *at_++ = static_cast<char>(c);
      return;
    }
    if (c < 0x800) {
      *at_++ = static_cast<char>(0xC0 | c >> 6);
    } else {
      if (c < 0x10000) {
        *at_++ = static_cast<char>(0xE0 | c >> 12);
      } else {
        *at_++ = static_cast<char>(0xF0 | c >> 18);
        *at_++ = static_cast<char>(0x80 | (c >> 12 & 0x3F));
      }
      *at_++ = static_cast<char>(0x80 | (c >> 6 & 0x3F));
    }
    *at_++ = static_cast<char>(0x80 | (c & 0x3F));
  }

  DecodedText& result_;
  char* at_ = nullptr;
  char32_t high_ = 0;
};

struct CloseConverter {
  void operator()(UConverter* converter) const { ucnv_close(converter); }
};
using Converter = std::unique_ptr<UConverter, CloseConverter>;

/// U+FFFD for all that is not in the charset: ICU's own choice is U+001A for single bytes of some.
void replace_always(const void*, UConverterToUnicodeArgs* args, const char*, int32_t,
                    UConverterCallbackReason reason, UErrorCode* status) {
  if (reason > UCNV_IRREGULAR) return;  // it is only reset, closed or copied
  constexpr char16_t kUnit = 0xFFFD;
  *status = U_ZERO_ERROR;
  ucnv_cbToUWriteUChars(args, &kUnit, 1, 0, status);
}

Converter open_converter(const std::string& name) {
  UErrorCode status = U_ZERO_ERROR;
  Converter converter(ucnv_open(name.c_str(), &status));
  if (U_SUCCESS(status))
    ucnv_setToUCallBack(converter.get(), replace_always, nullptr, nullptr, nullptr, &status);
  return U_SUCCESS(status) ? std::move(converter) : nullptr;
}

/// What only ICU knows by that name. The containers of many charsets, which no mail is in, open all
/// of them: ten times as dear as others.
Converter open_by_label(const std::string& name) {
  if (name.starts_with("lmbcs") || name.find("compound") != name.npos) return nullptr;
  return open_converter(name);
}

void decode_icu(UConverter* converter, std::string_view bytes, DecodedText& result) {
  std::array<char16_t, 4096> buffer;
  Utf16Writer writer(result);
  auto* source = bytes.data();
  auto* source_end = source + bytes.size();
  UErrorCode status = U_BUFFER_OVERFLOW_ERROR;
  while (status == U_BUFFER_OVERFLOW_ERROR) {
    status = U_ZERO_ERROR;
    auto* target = buffer.data();
    ucnv_toUnicode(converter, &target, buffer.data() + buffer.size(), &source, source_end, nullptr,
                   true, &status);
    writer.write(buffer.data(), target);
  }
  writer.finish();
  if (U_FAILURE(status)) {
    result.text += kReplacement;
    result.replaced = true;
  }
}

struct CloseIconv {
  void operator()(void* handle) const { iconv_close(static_cast<iconv_t>(handle)); }
};
using IconvHandle = std::unique_ptr<void, CloseIconv>;

IconvHandle open_iconv(const char* to, const char* from) {
  auto handle = iconv_open(to, from);
  return IconvHandle(handle == reinterpret_cast<iconv_t>(-1) ? nullptr : handle);
}

void decode_iconv(void* handle, std::string_view bytes, DecodedText& result) {
  std::array<char, 4096> buffer;
  auto* in = const_cast<char*>(bytes.data());
  auto in_left = bytes.size();
  bool draining = false;
  while (in_left > 0 || !draining) {
    draining = in_left == 0;
    auto* out = buffer.data();
    auto out_left = buffer.size();
    auto done =
        iconv(handle, draining ? nullptr : &in, draining ? nullptr : &in_left, &out, &out_left);
    auto error = errno;
    result.text.append(buffer.data(), buffer.size() - out_left);
    if (done != static_cast<std::size_t>(-1) || error == E2BIG) continue;
    result.text += kReplacement;
    result.replaced = true;
    if (draining || in_left == 0) break;
    ++in;
    --in_left;
    if (error == EINVAL) break;  // a sequence that the end cuts off
  }
}

/// ISO-2022-JP with everything that is sent under that name: half-width kana (by escape, by SI/SO,
/// or as plain 8-bit bytes), NEC and IBM characters, JIS X 0212. What needs other tables (RFC 1554,
/// JIS X 0213) goes to those that have them.
void decode_iso2022jp(std::string_view bytes, DecodedText& result) {
  switch (classify_iso2022jp(bytes)) {
    case Iso2022jp::Jisx0213:
      if (auto handle = open_iconv("UTF-8", "ISO-2022-JP-3"))
        return decode_iconv(handle.get(), bytes, result);
      break;
    case Iso2022jp::Multilingual:
      if (auto converter = open_converter("ISO-2022-JP-2"))
        return decode_icu(converter.get(), bytes, result);
      break;
    case Iso2022jp::Plain:
      break;
  }
  auto converter = open_converter("euc-jp-2007");
  Iso2022jpReader reader(bytes);
  while (auto run = reader.next()) {
    if (run->kind == Iso2022jpRun::Kind::Ascii) {
      result.text += run->bytes;
    } else if (run->kind == Iso2022jpRun::Kind::EucJp && converter) {
      ucnv_reset(converter.get());
      decode_icu(converter.get(), run->bytes, result);
    } else {
      result.text += kReplacement;
      result.replaced = true;
    }
  }
}

/// EUC-JP. The vendor rows of eucJP-ms behind the single shift are known to iconv alone.
void decode_eucjp(std::string_view bytes, DecodedText& result) {
  auto vendor = bytes.find("\x8F\xF3") != bytes.npos || bytes.find("\x8F\xF4") != bytes.npos;
  if (vendor)
    if (auto handle = open_iconv("UTF-8", "EUC-JP-MS"))
      return decode_iconv(handle.get(), bytes, result);
  if (auto converter = open_converter("euc-jp-2007"))
    return decode_icu(converter.get(), bytes, result);
  result.text = guess_text(bytes);
}

void decode_utf8(std::string_view bytes, DecodedText& result) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  if (is_utf8(bytes)) {
    result.text = bytes;
    return;
  }
  result.text = to_valid_utf8(bytes);
  result.replaced = true;
}

void decode_guessed(std::string_view bytes, DecodedText& result) {
  result.text = guess_text(bytes);
}

bool is_usascii_label(std::string_view label) {
  return label == "us-ascii" || label == "ascii" || label == "ansi_x3.4-1968" ||
         label == "iso646-us" || label == "us";
}

void decode_windows1252(std::string_view bytes, DecodedText& result) {
  if (auto converter = open_converter("windows-1252")) decode_icu(converter.get(), bytes, result);
}

}  // namespace

DecodedText decode_charset(std::string_view bytes, std::string_view label) {
  DecodedText result;
  auto name = normal_label(label);
  // us-ascii says nothing once there are other bytes: programs write it without looking.
  if (name.empty() || is_usascii_label(name)) {
    result.known_label = !name.empty();
    decode_guessed(bytes, result);
    return result;
  }
  auto* known = find_charset(name);
  auto codec = known ? known->codec : Codec::Icu;
  switch (codec) {
    case Codec::Utf8:
      decode_utf8(bytes, result);
      return result;
    case Codec::Iso2022jp:
      decode_iso2022jp(bytes, result);
      return result;
    case Codec::EucJp:
      decode_eucjp(bytes, result);
      return result;
    case Codec::Iconv:
      if (auto handle = open_iconv("UTF-8", std::string(known->converter).c_str())) {
        decode_iconv(handle.get(), bytes, result);
        return result;
      }
      break;
    case Codec::Icu:
      if (auto converter =
              known ? open_converter(std::string(known->converter)) : open_by_label(name)) {
        result.text.reserve(bytes.size() + bytes.size() / 2);
        decode_icu(converter.get(), bytes, result);
        return result;
      }
      break;
  }
  result.known_label = false;
  decode_guessed(bytes, result);
  return result;
}

std::string to_utf8(std::string_view bytes, std::string_view label) {
  return decode_charset(bytes, label).text;
}

std::string guess_text(std::string_view bytes) {
  DecodedText result;
  switch (guess_encoding(bytes)) {
    case Guess::Utf8:
      decode_utf8(bytes, result);
      break;
    case Guess::Iso2022jp:
      decode_iso2022jp(bytes, result);
      break;
    case Guess::EucJp:
      decode_eucjp(bytes, result);
      break;
    case Guess::ShiftJis:
      if (auto converter = open_converter("ibm-943_P15A-2003"))
        decode_icu(converter.get(), bytes, result);
      break;
    case Guess::Windows1252:
      decode_windows1252(bytes, result);
      break;
  }
  return std::move(result.text);
}

bool is_known_charset(std::string_view label) {
  auto name = normal_label(label);
  if (name.empty()) return false;
  auto* known = find_charset(name);
  if (known && known->codec == Codec::Iconv)
    return open_iconv("UTF-8", std::string(known->converter).c_str()) != nullptr;
  return known != nullptr || is_usascii_label(name) || open_by_label(name) != nullptr;
}

std::optional<std::string> from_utf8(std::string_view text, std::string_view label) {
  auto name = normal_label(label);
  if (!is_utf8(text)) return std::nullopt;
  if (is_usascii_label(name))
    return is_ascii(text) ? std::optional<std::string>(text) : std::nullopt;
  auto* known = find_charset(name);
  if (known && known->codec == Codec::Utf8) return std::string(text);
  auto iso2022jp = known && known->codec == Codec::Iso2022jp;
  if (known && known->codec == Codec::Iconv) return std::nullopt;
  auto converter = iso2022jp ? open_converter("ibm-943_P15A-2003")
                   : known   ? open_converter(std::string(known->converter))
                             : open_by_label(name);
  if (!converter) return std::nullopt;
  UErrorCode status = U_ZERO_ERROR;
  ucnv_setFallback(converter.get(), false);
  ucnv_setFromUCallBack(converter.get(), UCNV_FROM_U_CALLBACK_STOP, nullptr, nullptr, nullptr,
                        &status);
  auto prepared = iso2022jp ? prepare_for_jis(text) : std::string(text);
  std::vector<char16_t> utf16;
  utf16.reserve(prepared.size());
  append_utf16(prepared, utf16);
  std::string out;
  std::array<char, 4096> buffer;
  const char16_t* source = utf16.data();
  status = U_BUFFER_OVERFLOW_ERROR;
  while (status == U_BUFFER_OVERFLOW_ERROR) {
    status = U_ZERO_ERROR;
    auto* target = buffer.data();
    ucnv_fromUnicode(converter.get(), &target, buffer.data() + buffer.size(), &source,
                     utf16.data() + utf16.size(), nullptr, true, &status);
    out.append(buffer.data(), target);
  }
  if (U_FAILURE(status)) return std::nullopt;
  return iso2022jp ? shift_jis_to_iso2022jp(out) : std::optional<std::string>(std::move(out));
}

}  // namespace hikyaku::mime
