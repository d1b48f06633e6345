// Package decoder taps the master: it reads a logical replication slot and turns
// what pgoutput sends into whole transactions, in commit order, in the canonical
// content of package change.
//
// A transaction depends on nothing but the write-ahead log and the model before
// it: not on how the server cut the stream, nor on when the tap was restarted.
// Memory is bounded: a large transaction goes to a temporary file.
package decoder
