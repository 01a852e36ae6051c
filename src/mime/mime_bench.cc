// How fast messages are taken apart: structure, envelope fields, encodings, charsets (MB/s, one
// core).
#include <chrono>
#include <cstdio>
#include <string>

#include "mime/charset.h"
#include "mime/digest.h"
#include "mime/encoded_word.h"
#include "mime/message.h"
#include "mime/text.h"
#include "mime/transfer.h"

using namespace hikyaku::mime;

namespace {

template <class Work>
void measure(const char* name, std::size_t bytes, Work work) {
  using Clock = std::chrono::steady_clock;
  std::size_t rounds = 0;
  auto begin = Clock::now();
  std::chrono::duration<double> passed{};
  while (passed.count() < 0.5) {
    work();
    ++rounds;
    passed = Clock::now() - begin;
  }
  auto seconds = passed.count();
  std::printf("%-34s %9.0f MB/s %12.2f us each\n", name,
              static_cast<double>(bytes * rounds) / seconds / 1e6,
              seconds / static_cast<double>(rounds) * 1e6);
}

std::string header(const std::string& type) {
  std::string result;
  for (int i = 0; i < 4; ++i)
    result +=
        "Received: from mail.example.org (mail.example.org [192.0.2.1])\r\n\tby mx.example.net "
        "with ESMTPS id 4abcdef123456;\r\n\tSat, 21 Nov 2026 23:02:57 +0900\r\n";
  result +=
      "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=s1;\r\n "
      "h=from:to:subject:date:message-id; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n "
      "b=abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvw\r\n"
      "Date: Sat, 21 Nov 2026 23:02:57 +0900\r\nFrom: Somebody <somebody@example.org>\r\n"
      "To: Other <other@example.net>\r\nSubject: =?utf-8?B?44GT44KT44Gr44Gh44Gv?=\r\n"
      "Message-ID: <20261121230257.1@example.org>\r\nMIME-Version: 1.0\r\n";
  return result + "Content-Type: " + type + "\r\n\r\n";
}

std::string lines(std::size_t bytes) {
  std::string result;
  while (result.size() < bytes)
    result += "The quick brown fox jumps over the lazy dog, and then does so once again.\r\n";
  return result;
}

}  // namespace

int main() {
  auto plain = header("text/plain; charset=utf-8") + lines(4000);
  auto alternative = header("multipart/alternative; boundary=\"b1\"") +
                     "--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + lines(3000) +
                     "--b1\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + lines(12000) +
                     "--b1--\r\n";
  std::string data(3'000'000, '\0');
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 31 + i / 256);
  auto base64 = encode_base64_body(data);
  auto attachment = header("multipart/mixed; boundary=\"b1\"") + "--b1\r\n\r\n" + lines(1000) +
                    "--b1\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: "
                    "base64\r\n\r\n" +
                    base64 + "--b1--\r\n";
  measure("structure, 5 KB plain", plain.size(), [&] { parse_message(plain); });
  measure("structure, 16 KB alternative", alternative.size(), [&] { parse_message(alternative); });
  measure("structure, 4 MB attachment", attachment.size(), [&] { parse_message(attachment); });
  auto message = parse_message(alternative);
  measure("digest, encode and decode", alternative.size(),
          [&] { Digest::decode(Digest(message).encode()); });

  measure("base64 decode", base64.size(), [&] { decode_transfer(base64, Encoding::Base64); });
  measure("base64 encode", data.size(), [&] { encode_base64_body(data); });
  auto text = lines(1'000'000);
  auto quoted = encode_quoted_printable(text);
  measure("quoted-printable decode, text", quoted.size(),
          [&] { decode_transfer(quoted, Encoding::QuotedPrintable); });

  std::string japanese;
  for (int i = 0; i < 20'000; ++i) japanese += "\u3053\u3093\u306B\u3061\u306F\u4E16\u754C\n";
  for (const char* charset : {"utf-8", "shift_jis", "euc-jp", "iso-2022-jp"}) {
    auto bytes = *from_utf8(japanese, charset);
    auto name = std::string("charset ") + charset;
    measure(name.c_str(), bytes.size(), [&] { to_utf8(bytes, charset); });
  }
  measure("fold for search, Japanese", japanese.size(), [&] { fold(japanese); });
  measure("fold for search, ASCII", text.size(), [&] { fold(text); });
  FoldedTexts absent({"absent words"});
  measure("search body, 16 KB", alternative.size(), [&] {
    FoldedTexts::Found found(absent);
    look_in_bodies(message, found);
  });
  return 0;
}
