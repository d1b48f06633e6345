// Package commitlog keeps the log of commit blocks in a PostgreSQL database: the
// sync table. It numbers the blocks, chains them by checksum, packs their content
// and refuses to hand out anything that does not verify. What the content means
// is another package's matter (change).
//
// Blocks are deterministic: content, number and checksum of block N depend on
// nothing but the write-ahead log and block N-1. A block that a crash took away
// is made again, identically; this is what allows the writer to commit without
// waiting for the disk. FORMAT.md has the bytes.
package commitlog
