// Package change is the vocabulary of the bridge: what a transaction changed,
// where in the log it stands, and which relations it touched.
//
// Its encoding, the content of a commit block, is described in FORMAT.md. It is
// canonical: equal transactions give equal bytes, whoever encoded them and when.
package change
