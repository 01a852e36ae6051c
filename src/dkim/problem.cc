#include "dkim/problem.h"

#include "dns/problem.h"

namespace hikyaku::dkim {
namespace {

constexpr Phrase kProblems[] = {
    // What was signed is not what came.
    {"the body was changed: its hash is not that of bh=",
     "本文が改変されています(ハッシュが bh= と一致しません)"},
    {"the body is shorter than l= says: {} bytes, not {}",
     "本文が l= の値より短くなっています ({1} バイトのはずが {0} バイト)"},
    {"the signature does not fit the header: it was changed, or signed by another key",
     "署名がヘッダーと一致しません(ヘッダーの改変、または別の鍵による署名)"},
    {"by z= it was changed in {}", "z= によると変わったのは {}"},
    {"the header does not end with an empty line", "ヘッダーが空行で終わっていません"},
    {"the last {} bytes of the body are not signed (l=)",
     "本文の末尾 {} バイトが署名されていません (l=)"},
    {"{} stands there several times, and not all are signed",
     "{} が複数あり、その一部しか署名されていません"},
    {"Content-Type was added: it was signed that there is no MIME-Version",
     "Content-Type が追加されています(MIME-Version がないことが署名されています)"},
    {"the key is in testing (t=y): the message counts as unsigned",
     "鍵は試験中です (t=y)。署名のないメールとして扱います"},
    {"it expired at {} (x=)", "署名の有効期限が {} に切れています (x=)"},
    // The header.
    {"there are more than {} header fields", "ヘッダーフィールドが {} 個を超えています"},
    {"a line of the header is no field", "ヘッダーにフィールドでない行があります"},
    {"a NUL stands in the header", "ヘッダーに NUL 文字があります"},
    {"a bare CR or LF stands in the header", "ヘッダーに単独の CR または LF があります"},
    {"there is no From field", "From フィールドがありません"},
    {"there are {} From fields", "From フィールドが {} 個あります"},
    {"there is space between {} and its colon", "{} とコロンの間に空白があります"},
    // The key.
    {"the key was not asked for: other lookups for this message failed",
     "このメールに関するほかの問い合わせが失敗したため、鍵を問い合わせていません"},
    {"the key {} could not be asked for: {}", "鍵 {} を問い合わせできませんでした: {}"},
    {"there is no key {}: {}", "鍵 {} がありません: {}"},
    {"the name does not exist", "その名前は存在しません"},
    {"there is no TXT record", "TXT レコードがありません"},
    {"no answer", "応答がありません"},
    {"the key was revoked (its p= is empty)", "鍵は失効しています (p= が空)"},
    {"the key is of type k={}, the signature of type {}",
     "鍵の種類 k={} が署名の種類 {} と異なります"},
    {"the key record does not allow {} (h=)", "鍵レコードが {} を許可していません (h=)"},
    {"the key is not for mail (s=)", "メール用の鍵ではありません (s=)"},
    {"the key record forbids subdomains in i= (t=s)",
     "鍵レコードが i= のサブドメインを禁じています (t=s)"},
    {"rsa-sha1 must not be used any more (RFC 8301 §3.1)",
     "rsa-sha1 はもう使えません (RFC 8301 §3.1)"},
    {"the RSA key has {} bits, fewer than {} (RFC 8301 §3.2)",
     "RSA 鍵が {} ビットで、最低の {} ビットに足りません (RFC 8301 §3.2)"},
    {"the key record is malformed: {}", "鍵レコードの書式が正しくありません: {}"},
    {"the key record is of another version: v={}", "鍵レコードのバージョンが異なります: v={}"},
    {"the key record has v= elsewhere than at its beginning", "鍵レコードの v= が先頭にありません"},
    {"the key record has no key (p=)", "鍵レコードに鍵 (p=) がありません"},
    {"the key (p=) is not in base64", "鍵 (p=) が base64 ではありません"},
    {"the key (p=) cannot be read: {}", "鍵 (p=) を読み取れません: {}"},
    {"not a public key in DER", "DER 形式の公開鍵ではありません"},
    {"not an Ed25519 key", "Ed25519 の鍵ではありません"},
    {"an Ed25519 key has {} bytes, not {}", "Ed25519 の鍵は {} バイトです ({} バイトあります)"},
    {"the public key is too long", "公開鍵が長すぎます"},
    {"only RSA, ECDSA P-256 and Ed25519 keys can be used",
     "使える鍵は RSA、ECDSA P-256、Ed25519 だけです"},
    {"RSA keys may have at most {} bits", "RSA 鍵は {} ビットまでです"},
    {"exponents of RSA keys may have at most {} bits", "RSA 鍵の指数は {} ビットまでです"},
    {"the numbers of the RSA key prove nothing",
     "RSA 鍵の数値が不正で、署名は何の証明にもなりません"},
    {"p= holds another kind of key than k=rsa says", "p= の鍵の種類が k=rsa と異なります"},
    // Tags.
    {"longer than {} bytes", "{} バイトを超えています"},
    {"a control character, a bare line end or ill-formed UTF-8",
     "制御文字、単独の改行、または不正な UTF-8 があります"},
    {"an empty tag stands in it", "空のタグがあります"},
    {"\"{}\" is no tag=value", "\"{}\" は「タグ=値」の形ではありません"},
    {"\"{}\" is no name of a tag", "\"{}\" はタグの名前ではありません"},
    {"the tag {}= stands there twice", "タグ {}= が 2 回あります"},
    {"more than {} tags", "タグが {} 個を超えています"},
    // The signature field.
    {"the version (v=) is missing", "バージョン (v=) がありません"},
    {"unknown version v={}", "未知のバージョン v={}"},
    {"the algorithm (a=) is missing", "アルゴリズム (a=) がありません"},
    {"unknown algorithm a={}", "未知のアルゴリズム a={}"},
    {"rsa-sha1 must not be used (RFC 8301 §3.1)", "rsa-sha1 は使えません (RFC 8301 §3.1)"},
    {"bh= has {} bytes, which is not the size of the hash",
     "bh= が {} バイトで、ハッシュの長さと異なります"},
    {"unknown canonicalization c={}", "未知の正規化方式 c={}"},
    {"the domain (d=) is missing", "ドメイン (d=) がありません"},
    {"d={} is no domain", "d={} はドメインではありません"},
    {"the selector (s=) is missing", "セレクター (s=) がありません"},
    {"s={} is no selector", "s={} はセレクターではありません"},
    {"d= and s= together are too long for the DNS", "d= と s= を合わせると DNS には長すぎます"},
    {"i={} is no address", "i={} はアドレスではありません"},
    {"i={} has no domain", "i={} にドメインがありません"},
    {"i={} is not within d={}", "i={} は d={} の範囲外です"},
    {"i= is no instance from 1 to 50", "i= が 1 から 50 の番号ではありません"},
    {"the list of signed fields (h=) is missing", "署名対象フィールドの一覧 (h=) がありません"},
    {"h= is empty", "h= が空です"},
    {"h= names more than {} fields", "h= のフィールドが {} 個を超えています"},
    {"h= names \"{}\", which is no field", "h= の \"{}\" はフィールド名ではありません"},
    {"h= names ARC-Seal, which must not be signed", "h= に署名してはならない ARC-Seal があります"},
    {"From is not signed", "From が署名されていません"},
    {"it expires (x=) before it was made (t=)", "有効期限 (x=) が作成時刻 (t=) より前です"},
    {"the key cannot be asked for by q={}", "鍵を問い合わせる方法 q={} に対応していません"},
    {"l={} is no number", "l={} は数ではありません"},
    {"{}={} is no time", "{}={} は時刻ではありません"},
    {"{}= is missing", "{}= がありません"},
    {"{}= is not in base64", "{}= が base64 ではありません"},
    // Why we do not sign.
    {"the message is not signed: {}", "署名できません: {}"},
    {"From must be among the signed fields (RFC 6376 §5.4)",
     "From は署名対象でなければなりません (RFC 6376 §5.4)"},
    {"a {} key cannot sign DKIM: use RSA or Ed25519",
     "{} の鍵では DKIM の署名ができません (RSA か Ed25519 が必要です)"},
    {"\"{}\" is no domain to sign for", "\"{}\" は署名に使えるドメインではありません"},
    {"\"{}\" is no selector", "\"{}\" はセレクターではありません"},
    {"cannot sign: {}", "署名に失敗しました: {}"},
    {"no key of {} is active", "{} に使用中の鍵がありません"},
    {"the key file of {} is not of the key that {} publishes",
     "{} の鍵ファイルが、{} の公開している鍵と異なります"},
    {"the key file is too long", "鍵ファイルが大きすぎます"},
    {"the private key is encrypted with a passphrase", "秘密鍵がパスフレーズで暗号化されています"},
    {"no private key in PEM form found", "PEM 形式の秘密鍵が見つかりません"},
    {"cannot read {}: {}", "{} を読み取れません: {}"},
    {"the staged message is shorter than it was", "保存途中のメッセージが短くなっています"},
};

}  // namespace

std::span<const Phrase> problem_phrases() {
  return kProblems;
}

std::string problem_in(std::string_view problem, Language language) {
  return dns::problem_in(problem, language, kProblems);
}

}  // namespace hikyaku::dkim
