// Only what is wanted goes over the wire: headers, one attachment, a search; and POP3 beside it.
#include <algorithm>
#include <fmt/core.h>

#include "app/lab.h"
#include "base/base64.h"
#include "base/text.h"
#include "mime/compose.h"

namespace hikyaku::app::lab {
namespace {

constexpr Phrase kSendStep{
    "Anna sends Carla a letter with four attachments of {} bytes each",
    "Anna が、それぞれ {} バイトの添付ファイル四つのついた手紙を Carla に送る"};
constexpr Phrase kArrived{"the letter arrived", "手紙が届いた"};
constexpr Phrase kHeaderStep{"what is it? IMAP fetches envelope and structure",
                             "何のメールか。IMAP で封筒と構造だけを取り出す"};
constexpr Phrase kNamed{"the structure names the four attachments",
                        "構造に四つの添付ファイルの名前がある"};
constexpr Phrase kThirdStep{"the third attachment alone", "三つ目の添付ファイルだけ"};
constexpr Phrase kThird{"it is the third attachment, byte for byte",
                        "三つ目の添付ファイルと一バイトも違わない"};
constexpr Phrase kSearchStep{"a search on the server", "サーバーの上での検索"};
constexpr Phrase kFound{"the server found the letter by a word in its text",
                        "本文の言葉で、サーバーが手紙を見つけた"};
constexpr Phrase kPopStep{"POP3 has no choice: the whole message",
                          "POP3 に選択の余地はない: 全体を取り出す"};
constexpr Phrase kBytes{
    "bytes from the server: envelope and structure {}, third attachment {}, "
    "search {}; POP3, all of it: {}",
    "サーバーから来たバイト数: 封筒と構造 {}、三つ目の添付 {}、検索 {}。POP3 "
    "では全体で {}"};
constexpr Phrase kLess{"IMAP needed less than a third of POP3's bytes, all three together",
                       "IMAP は三つ合わせても POP3 の三分の一より少ない"};

constexpr std::size_t kSize = 45'000;
constexpr std::string_view kWord = "chrysanthemum";

/// Different in every attachment, and nothing that compresses to nothing.
std::string attachment(int number) {
  std::string bytes;
  std::uint32_t state = 2463534242u + static_cast<std::uint32_t>(number);
  while (bytes.size() < kSize) {
    state ^= state << 13, state ^= state >> 17, state ^= state << 5;
    bytes += static_cast<char>(state >> 24);
  }
  return bytes;
}

Letter letter_with_attachments(Play& play, const Person& to) {
  constexpr std::string_view kBoundary = "four-attachments";
  std::string body;
  auto add = [&](const mime::ComposedPart& part) {
    body += fmt::format("--{}\r\n{}\r\n{}\r\n", kBoundary, part.header, part.body);
  };
  add(mime::compose_text(fmt::format("Look at the {} in the third picture.\n", kWord)));
  for (int i = 1; i <= 4; ++i)
    add(mime::compose_attachment("image/png", attachment(i), fmt::format("picture-{}.png", i)));
  body += fmt::format("--{}--\r\n", kBoundary);
  return {.from = "Anna <anna@alpha.test>",
          .to = to.address,
          .subject = "Four pictures",
          .body = std::move(body),
          .message_id = play.make_id("alpha.test"),
          .more = fmt::format("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; "
                              "boundary=\"{}\"\r\n",
                              kBoundary)};
}

/// True if some string in the answer contains `text`. As deep as the parser lets lists be.
bool mentions(const imap::Value& value, std::string_view text) {
  if (value.text.contains(text)) return true;
  return std::ranges::any_of(value.items, [&](auto& item) { return mentions(item, text); });
}

/// Runs `talk` and tells how many bytes came for it.
template <class Client, class Talk>
std::uint64_t bytes_for(Client& client, Talk talk) {
  auto before = client.stream().bytes_in();
  talk();
  return client.stream().bytes_in() - before;
}

void run(Play& play) {
  auto& stage = play.stage;
  auto& alpha = play.world.alpha();
  auto& beta = play.world.beta();
  auto& carla = beta.person("carla@beta.test");
  stage.step(kSendStep, kSize);
  auto letter = letter_with_attachments(play, carla);
  play.submit(alpha, alpha.person("anna@alpha.test"), carla.address, letter);
  auto uid = play.await_mail(beta, carla, letter.message_id);
  stage.require(uid.has_value(), kArrived);

  auto client = play.imap(beta, carla);
  (void)play.wait(client->select("INBOX"));
  stage.step(kHeaderStep);
  bool named = false;
  auto header_bytes = bytes_for(*client, [&] {
    auto command = fmt::format("UID FETCH {} (ENVELOPE BODYSTRUCTURE RFC822.SIZE)", *uid);
    (void)play.wait(client->command(command, [&](const imap::Response& response) {
      if (auto structure = imap::find_item(response, "BODYSTRUCTURE"))
        named = mentions(*structure, "picture-1.png") && mentions(*structure, "picture-4.png");
    }));
  });
  stage.check(named, kNamed);

  stage.step(kThirdStep);
  std::string third;
  auto third_bytes =
      bytes_for(*client, [&] { third = play.fetch_aloud(*client, *uid, "BODY.PEEK[4]", 4); });
  std::string packed;
  for (auto c : third)
    if (c != '\r' && c != '\n') packed += c;
  stage.check(base64_decode(packed) == attachment(3), kThird);

  stage.step(kSearchStep);
  bool found = false;
  auto search_bytes = bytes_for(*client, [&] {
    auto answer = play.wait(client->search(fmt::format("BODY {}", kWord)));
    found = answer && answer->found.contains(*uid);
  });
  stage.check(found, kFound);
  play.wait(client->log_out());

  stage.step(kPopStep);
  auto home = play.pop3(beta, carla);
  auto stat = play.wait(home->stat());
  std::string all;
  auto pop_bytes =
      bytes_for(*home, [&] { all = stat ? play.retr_aloud(*home, stat->messages, 6) : ""; });
  (void)play.wait(home->quit());
  stage.note(kBytes, header_bytes, third_bytes, search_bytes, pop_bytes);
  stage.check(
      all.ends_with(letter.body) && (header_bytes + third_bytes + search_bytes) * 3 < pop_bytes,
      kLess);
}

}  // namespace

Scene scene_parts() {
  return {
      .name = "parts",
      .title = {"Only what is wanted", "欲しいところだけ"},
      .about = {"IMAP sends what the client asks for: headers first, then one attachment, then the "
                "answer of a search. POP3 sends the whole message.",
                "IMAP はクライアントの求めるものだけを送ります。まず見出し、次に添付ファイル一つ、"
                "それから検索の答え。POP3 はメッセージ全体を送ります。"},
      .run = run,
      .spoilt_by = {"beta takes no messages above 64 KB",
                    "beta は 64 KB を超えるメッセージを受け取らない"},
      .spoil = [](World& world) -> Result<void> {
        return world.beta().restart_with("smtp.max_message_size", "\"64KB\"");
      },
  };
}

}  // namespace hikyaku::app::lab
