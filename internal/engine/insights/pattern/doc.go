// Package pattern finds what log messages have in common: the method behind pattern,
// diff, logcompare and anomaly. CloudWatch Logs does not say how it does it; this is how
// it is done here. The result does not depend on the order of messages, and miners that
// each saw a part can be merged, as long as no limit is reached.
//
// # Method
//
// A message is cut into tokens. In text they lie between white space and punctuation. In
// JSON, and in text from the first {" on, keys are kept and values are tokens, except
// that a string with white space in it is cut as text is. A token has a class by its
// form: Timestamp, Date, Time, UUID, IP, Number, Path, Hex, ID, URL, Email, ARN, or else it
// is a word.
//
// What is between the tokens, with the tokens' classes, is a message's skeleton; words
// that name a severity, and in text the first word without digits, belong to it.
// Messages of different skeletons have different patterns.
//
// Within a skeleton, messages are counted by their words, numbers, addresses and paths. A
// place that has had more than 16 values varies: it is counted no longer. What remains are
// forms. Taken by their counts, largest first, each form joins the first pattern that
// agrees with it in 60 percent of the words that don't vary, or begins one.
//
// In a pattern's text a token that has one value in all messages is written out if it is
// a word, or a number, address or path seen at least twice. Others are <Name-n>: the class
// (Token for words) and the token's number within the pattern.
//
// # Limits
//
// Of a message only the first 1,024 tokens and 16 KiB of skeleton count; the rest is one
// token. A miner knows 20,000 skeletons, and 64 MiB of them and of values. Messages of
// further skeletons have the pattern <Token-1>; further values make their place vary. A
// skeleton has 4,096 forms, of which a miner knows 200,000; beyond, the place with most
// values varies. More than two that count parts of the same messages share twice these bytes
// and forms.
package pattern
