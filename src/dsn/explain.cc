// The status codes of RFC 3463 and RFC 7505 in words that help.
#include <array>

#include "dsn/report.h"

namespace hikyaku::dsn {
namespace {

struct Meaning {
  std::uint16_t subject;
  std::uint16_t detail;
  Phrase phrase;
};

constexpr std::array kMeanings{
    Meaning{1,
            1,
            {"There is no such mailbox. Check the address for a typing mistake.",
             "そのメールボックスはありません。宛先に打ち間違いがないか確かめてください。"}},
    Meaning{1,
            2,
            {"There is no such domain (the part behind the @). Check it for a typing mistake.",
             "そのドメイン（@ より後の部分）はありません。打ち間違いがないか確かめてください。"}},
    Meaning{1,
            3,
            {"The address is not written as an address should be.",
             "宛先がメールアドレスの形になっていません。"}},
    Meaning{1,
            6,
            {"The mailbox has moved, and no new address is known.",
             "メールボックスは移転しました。新しい宛先は分かりません。"}},
    Meaning{1,
            8,
            {"The receiving server does not accept your address as a sender.",
             "受信側のサーバーが差出人のアドレスを受け付けません。"}},
    Meaning{1,
            10,
            {"The recipient's domain takes no mail.", "宛先のドメインはメールを受け取りません。"}},
    Meaning{2, 1, {"The mailbox is switched off.", "メールボックスは停止されています。"}},
    Meaning{2,
            2,
            {"The mailbox is full. The recipient must make room first.",
             "メールボックスがいっぱいです。受信者が空きを作る必要があります。"}},
    Meaning{2,
            3,
            {"The message is too large for that mailbox.",
             "メッセージが大きすぎて、そのメールボックスには入りません。"}},
    Meaning{
        3,
        1,
        {"The receiving server has no space left.", "受信側のサーバーに空き容量がありません。"}},
    Meaning{3,
            2,
            {"The receiving server takes no mail at present.",
             "受信側のサーバーは現在メールを受け付けていません。"}},
    Meaning{3,
            4,
            {"The message is too large for the receiving server. Send large files another way.",
             "メッセージが大きすぎます。大きなファイルは別の方法で送ってください。"}},
    Meaning{4, 1, {"The receiving server does not answer.", "受信側のサーバーが応答しません。"}},
    Meaning{4,
            2,
            {"The connection to the receiving server broke.",
             "受信側のサーバーとの接続が切れました。"}},
    Meaning{4,
            3,
            {"The recipient's domain could not be looked up.",
             "宛先のドメインを調べられませんでした。"}},
    Meaning{4,
            4,
            {"No server is known that takes mail for this address.",
             "この宛先のメールを受け取るサーバーが分かりません。"}},
    Meaning{4,
            6,
            {"The message went round in a circle between servers.",
             "メッセージがサーバーの間を回り続けました。"}},
    Meaning{4,
            7,
            {"It could not be delivered in the time we keep trying.",
             "配送を試みる期限が過ぎました。"}},
    Meaning{6,
            7,
            {"The address has other characters than ASCII, and the receiving server cannot "
             "take it.",
             "宛先に ASCII 以外の文字があり、受信側のサーバーが対応していません。"}},
    Meaning{6,
            9,
            {"The message's header has other characters than ASCII, and the receiving server "
             "cannot take it.",
             "ヘッダーに ASCII 以外の文字があり、受信側のサーバーが対応していません。"}},
    Meaning{7,
            1,
            {"The receiving server refuses the message by its rules.",
             "受信側のサーバーが規則によりメッセージを拒否しました。"}},
    Meaning{7,
            26,
            {"The receiving server could not verify that the message is from you (SPF, DKIM, "
             "DMARC). Tell your postmaster.",
             "差出人を確認できなかったため拒否されました（SPF、DKIM、DMARC）。管理者に知らせてくだ"
             "さい。"}},
};

constexpr std::array kSubjects{
    Phrase{"The receiving server does not take the message.",
           "受信側のサーバーがメッセージを受け取りません。"},
    Phrase{"There is something wrong with the address.", "宛先に問題があります。"},
    Phrase{"There is something wrong with the recipient's mailbox.",
           "宛先のメールボックスに問題があります。"},
    Phrase{"There is something wrong with the receiving server.",
           "受信側のサーバーに問題があります。"},
    Phrase{"The receiving server could not be reached.", "受信側のサーバーに届きませんでした。"},
    Phrase{"The receiving server and ours did not understand each other.",
           "受信側のサーバーとのやり取りに失敗しました。"},
    Phrase{"The receiving server cannot take the message's content.",
           "受信側のサーバーがメッセージの内容を受け取れません。"},
    Phrase{"The receiving server refuses the message by its rules.",
           "受信側のサーバーが規則によりメッセージを拒否しました。"},
};
constexpr Phrase kSuccess{"All is well.", "問題ありません。"};

}  // namespace

const Phrase& explain(const smtp::EnhancedStatus& status) {
  if (status.klass == 2) return kSuccess;
  for (const auto& meaning : kMeanings)
    if (meaning.subject == status.subject && meaning.detail == status.detail) return meaning.phrase;
  return kSubjects[status.subject < kSubjects.size() ? status.subject : 0];
}

}  // namespace hikyaku::dsn
